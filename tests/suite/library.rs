//! The crate's front door: settings from text, a run in memory, a loss of the caller's own.

use contrastive_landscape::{
    RunSpec,
    losses::{LossSpec, NtXent},
    record::{Metrics, read_state},
    train, train_with_loss,
};

use crate::workbench::Workbench;

const SETTINGS: &str = "
  method: ncl-predictor
  data: { samples: 60, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 4, batch_size: 16 }
";

fn spec(settings: &str) -> RunSpec {
    settings.parse().unwrap()
}

#[test]
fn a_run_in_memory_is_what_the_program_records() {
    let run = train(&spec(&format!("{SETTINGS}  seed: 3\n"))).unwrap();
    let workbench = Workbench::new(&format!("title: One\npaper: none\nclaim: The same.\nbase:{SETTINGS}seeds: 3..3\n"));
    workbench.landscape(&["run", "tiny.yaml"]).success();
    let [folder]: [_; 1] = workbench.runs().try_into().unwrap();
    assert!(run.state == read_state(&folder.join("final.safetensors")).unwrap(), "other parameters");
    let recorded = Metrics::read(&folder.join("metrics.csv")).unwrap();
    let minima: Vec<f64> = run.rows.iter().map(|row| row.cosine.min).collect();
    assert_eq!(recorded.column("min_cosine").unwrap(), minima);
}

#[test]
fn the_settings_own_loss_handed_over_changes_nothing() {
    let dtypes: &[&str] = if cfg!(feature = "torch") { &["float32", "float64"] } else { &["float32"] };
    for dtype in dtypes {
        let spec = spec(&format!("{SETTINGS}  dtype: {dtype}\n"));
        let (ours, theirs) = (train(&spec).unwrap(), train_with_loss(&spec, spec.loss.shared()).unwrap());
        assert_eq!(ours.rows, theirs.rows, "{dtype}");
        assert!(ours.state == theirs.state, "{dtype}: other parameters");
    }
}

#[test]
fn a_loss_of_other_sides_is_refused() {
    let loss = LossSpec::NtXent(NtXent::default()).shared();
    let error = train_with_loss(&spec(SETTINGS), loss).unwrap_err().to_string();
    assert!(error.contains("LearnerAndTeacher") && error.contains("Both"), "{error}");
}

#[test]
fn settings_that_make_no_run_name_their_key() {
    let fault = |settings: &str| settings.parse::<RunSpec>().unwrap_err();
    assert_eq!(fault("train: {lrr: 1}").path, "train.lrr");
    assert_eq!(fault("train: {lr: -1}").path, "train.lr");
    assert!(fault("ncl").message.contains("mapping"), "{}", fault("ncl"));
    assert!(fault("{").message.contains("YAML"), "{}", fault("{"));
}
