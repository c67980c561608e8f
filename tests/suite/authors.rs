//! `landscape authors` and `landscape crosscheck` from the outside.

use std::{fs, path::Path};

use assert_cmd::Command;
use contrastive_landscape::{
    record::{Metrics, read_run, read_state, write_state},
    spec::{Dtype, Moment, Random},
};
use predicates::prelude::*;

fn landscape(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("landscape").unwrap();
    command.current_dir(folder);
    command
}

const CONFIG: &str = "nn: 64 # samples\nnum_exp: 2\nNUM_EPOCHES: 3\np: 12\nd: 4\nm: 12\nlr: 1e-4\nsigma0: None\n\
                      ws_noise_levels: (None, 1.25, 2,)\nsparsity_levels: (0.3,)\nmasking_probs: (0.5,)\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), CONFIG).unwrap();
    folder
}

#[test]
fn a_script_writes_its_experiments() {
    let folder = folder();
    let run = |more: &[&str]| {
        let flags = ["authors", "main.py", "--cfg", "a.yaml", "--logDir", "results/x", "--batch_size", "32"];
        landscape(folder.path()).args(flags).args(more).assert()
    };
    run(&[]).success();
    let stem = |level: &str, i: usize| {
        format!("results/x/training_val_dict_c{level}_noiseNone_sparse0.3_mask0.5_emaNone_experiment{i}")
    };
    for level in ["None", "1.25", "2"] {
        for i in 0..2 {
            let record = read_run(&folder.path().join(stem(level, i))).unwrap();
            assert_eq!(record.spec.seed, i as u64 + 1);
            assert_eq!(record.spec.train.lr, 0.025);
            assert!(
                record.summary.label.starts_with("simplified-cn-False-rn-False-IFalse-bn-False-norm-False-p12-m12-d4")
            );
            assert_eq!(record.metrics.column("loss").unwrap().len(), 4);
            assert!(
                record.metrics.column("support").unwrap().iter().all(|v| v.is_nan()),
                "only --log_metrics measures it"
            );
        }
    }
    run(&[]).success().stderr(predicate::str::contains("6 of 6 runs are recorded with these settings already"));
    // Other settings under the same name replace the old record, as in the authors' folder.
    run(&["--log_metrics", "--seeds", "2"]).success().stderr(predicate::str::contains("3 runs trained"));
    let metrics = Metrics::read(&folder.path().join(stem("2", 1)).join("metrics.csv")).unwrap();
    assert!(metrics.column("support").unwrap()[1..].iter().all(|v| v.is_finite()));
}

#[test]
fn a_run_starts_from_given_parameters() {
    let folder = folder();
    let run = |log_dir: &str, more: &[&str]| {
        let flags =
            ["authors", "main_simsiam.py", "--cfg=a.yaml", "--batch_size=32", "--model", "simsiam", "--seeds", "1"];
        landscape(folder.path()).args(flags).args(["--logDir", log_dir]).args(more).assert()
    };
    run("first", &[]).success();
    let stem = "training_val_dict_cNone_noiseNone_sparse0.3_mask0.5_emaNone_experiment0";
    let weights = format!("first/{stem}/final.safetensors");
    run("second", &["--from-state-dict", &weights]).success();
    let row = |log_dir: &str, at: usize| {
        let metrics = Metrics::read(&folder.path().join(log_dir).join(stem).join("metrics.csv")).unwrap();
        metrics.column("wo_norm").unwrap()[at]
    };
    assert_eq!(row("first", 3), row("second", 0));
    let mut state = read_state(&folder.path().join(&weights)).unwrap();
    state.shift_remove("Wp.weight");
    let partial = folder.path().join("partial.safetensors");
    write_state(&partial, &state, contrastive_landscape::spec::Dtype::Float32).unwrap();
    let missing = predicate::str::contains("there is no Wp.weight");
    run("third", &["--from-state-dict", "partial.safetensors"]).code(2).stderr(missing);
    run("third", &["--from-state-dict", "model.pkl"])
        .code(2)
        .stderr(predicate::str::contains("a state dict is needed"));
    run("third", &["--from-state-dict", "none.pt"]).code(2).stderr(predicate::str::contains("none.pt"));
}

#[test]
fn a_run_starts_from_what_torch_saved() {
    let folder = folder();
    fs::write(
        folder.path().join("small.yaml"),
        CONFIG.replace("12", "3").replace("d: 4", "d: 2").replace("m: 3", "m: 2"),
    )
    .unwrap();
    let saved = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/final_model.pt");
    let flags = "authors main.py --cfg small.yaml --logDir x --batch_size 32 --seeds 1 --from-state-dict";
    landscape(folder.path()).args(flags.split(' ')).arg(saved).assert().success();
    let run = "x/training_val_dict_cNone_noiseNone_sparse0.3_mask0.5_emaNone_experiment0";
    let metrics = Metrics::read(&folder.path().join(run).join("metrics.csv")).unwrap();
    let norm = |squares: f64| (squares.sqrt() - 1e-12)..(squares.sqrt() + 1e-12);
    assert!(norm(55.0).contains(&metrics.column("wo_norm").unwrap()[0]));
    assert!(norm(0.5).contains(&metrics.column("bo_norm").unwrap()[0]));
}

#[test]
fn what_their_scripts_stop_at_is_one_clear_error() {
    let folder = folder();
    let flags = "authors main.py --cfg a.yaml --logDir x";
    for (more, part) in [
        ("--use_bias False", "--use_bias False: the activation"),
        ("--const_bias", "--const_bias: a constant bias"),
        ("--seeds 0", "--seeds 0: the seed of experiment i is i + 1"),
        ("--bias_val -1e-3", "--bias_val: expected a value"),
        ("--use_bias 0 --const_bias --clip_bias", "--clip_bias: there is no trained bias"),
        ("--use_alt_norm t --use_row_norm t", "--use_alt_norm, --use_row_norm:"),
        ("--m_identity t", "--m_identity: the identity dictionary needs p = d"),
        ("--model simsiam", "belongs to main_simsiam.py"),
        ("--use_bnn t", "did you mean `--use_bn`?"),
        ("--cfg missing.yaml", "--cfg: cannot read missing.yaml"),
        ("--seeds 5000000000", "below 2^32"),
        ("--ema_decay 2", "--ema_decay: from 0 to 1"),
    ] {
        landscape(folder.path())
            .args(flags.split(' '))
            .args(more.split(' '))
            .assert()
            .code(2)
            .stderr(predicate::str::contains(part));
    }
    landscape(folder.path())
        .args(["authors", "main_py"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("`main.py`"));
    landscape(folder.path()).args(["authors"]).assert().code(2);
    assert!(!folder.path().join("x").exists());
}

#[test]
fn jobs_change_no_digit() {
    let folder = folder();
    fs::write(folder.path().join("b.yaml"), CONFIG.replace("NUM_EPOCHES: 3", "NUM_EPOCHES: 40")).unwrap();
    let script = ["authors", "main_simclr.py", "--cfg", "b.yaml", "--model", "simclr", "--batch_size", "32"];
    let run = |jobs: &str| {
        let more = ["--seeds", "1..6", "--jobs", jobs, "--logDir", jobs];
        landscape(folder.path()).args(script).args(more).assert().success();
        crate::workbench::results(&folder.path().join(jobs))
    };
    let (one, three) = (run("1"), run("3"));
    assert_eq!(one.len(), 6);
    assert_eq!(crate::workbench::differing(&one, &three), [""; 0]);
}

#[test]
fn a_dry_run_says_what_would_be_trained() {
    let folder = folder();
    let run = |more: &[&str]| {
        let flags = ["authors", "main.py", "--cfg", "a.yaml", "--logDir", "x", "--batch_size", "32"];
        landscape(folder.path()).args(flags).args(more).assert().success()
    };
    run(&["--dry-run"]).stdout(predicate::str::contains("6 runs, 0 recorded, an estimated"));
    assert!(!folder.path().join("x").exists());
    run(&["--seeds", "1"]).stderr(predicate::str::contains("results in .\n"));
    run(&["--dry-run"]).stdout(predicate::str::contains("6 runs, 3 recorded, an estimated"));
    run(&[]).stderr(predicate::str::contains("3 runs trained, 3 recorded before"));
}

/// Beside each record lies what their scripts pickle: M, all cosines at both ends, and the trained model with its aliases.
#[test]
fn what_their_scripts_pickle_lies_beside_the_record() {
    let folder = folder();
    let run = |more: &[&str]| {
        let flags = ["authors", "main.py", "--cfg", "a.yaml", "--logDir", "x", "--batch_size", "32", "--seeds", "1"];
        landscape(folder.path()).args(flags).args(more).assert().success();
    };
    run(&[]);
    let place = folder.path().join("x/training_val_dict_c2_noiseNone_sparse0.3_mask0.5_emaNone_experiment0");
    let tensors = || read_state(&place.join("val_dict.safetensors")).unwrap();
    let of = tensors();
    let record = read_run(&place).unwrap();
    assert_eq!((of["M"].shape(), of["init_Wo_dot_M"].shape()), (&[12, 4][..], &[12, 4][..]));
    for (when, moment) in [("init", Moment::Start), ("final", Moment::End)] {
        let cosines = &of[&format!("{when}_Wo_dot_M")];
        let best = cosines.columns().into_iter().map(|atom| atom.iter().fold(0.0, |most: f64, c| most.max(c.abs())));
        let best: Vec<f64> = best.collect();
        let ends = [best.iter().copied().fold(0.0, f64::max), best.iter().copied().fold(1.0, f64::min)];
        let metric = &of[&format!("{when}_metric")];
        let recorded =
            ["max_cosine", "median_cosine", "min_cosine"].map(|column| record.metrics.at(column, moment).unwrap());
        assert!(metric.iter().zip(recorded).all(|(a, b)| (a - b).abs() < 1e-9), "{metric} and {recorded:?}");
        assert!((ends[0] - metric[[0]]).abs() < 1e-12 && (ends[1] - metric[[2]]).abs() < 1e-12);
    }
    assert_eq!(of["model.bo"], of["model.Wo.bias"]);
    assert_eq!((&of["model.bt"], &of["model.Wt.weight"]), (&of["model.Wt.bias"], &record.state["Wt.weight"]));
    // It is whole again where it is missing, and new where the run is.
    fs::remove_file(place.join("val_dict.safetensors")).unwrap();
    run(&[]);
    assert_eq!(tensors(), of);
    run(&["--lr", "0.5"]);
    assert_ne!(tensors()["final_metric"], of["final_metric"]);
    landscape(folder.path()).args(["results", "verify", "x", "--results", "."]).assert().success();
}

/// Curves of all levels in one picture, and the runs in the list of results.
#[test]
fn their_runs_are_drawn_and_listed() {
    let folder = folder();
    let flags =
        ["authors", "main.py", "--cfg", "a.yaml", "--logDir", "results/x", "--batch_size", "32", "--plots", "plots"];
    let drawn = landscape(folder.path()).args(flags).assert().success();
    drawn.stdout(predicate::str::contains("plots/x.png").and(predicate::str::contains("plots/x-all.png")));
    assert!(fs::metadata(folder.path().join("plots/x.png")).unwrap().len() > 10_000);
    let listed = landscape(folder.path()).args(["results", "list", "x"]).assert().success();
    listed.stdout(predicate::str::contains("6 recorded").and(predicate::str::contains("training_val_dict_c1.25_")));
}

/// Runs side by side are the runs one by one.
#[test]
fn cohorts_are_as_asked_for() {
    let folder = folder();
    let run = |cohort: &str| {
        let flags = ["authors", "main.py", "--cfg", "a.yaml", "--batch_size", "32", "--engine", "fused"];
        let more = ["--cohort", cohort, "--logDir", cohort];
        landscape(folder.path()).args(flags).args(more).assert().success();
        crate::workbench::results(&folder.path().join(cohort))
    };
    assert_eq!(crate::workbench::differing(&run("1"), &run("6")), [""; 0]);
    let flags = ["authors", "main.py", "--cfg", "a.yaml", "--logDir", "x", "--cohort", "0"];
    landscape(folder.path()).args(flags).assert().code(2).stderr(predicate::str::contains("--cohort"));
}

/// Settings at the edge, at which their scripts train too.
#[test]
fn what_their_scripts_do_at_the_edges() {
    let folder = folder();
    let trains = |script: &str, config: &str, flags: &str| {
        fs::write(folder.path().join("edge.yaml"), config).unwrap();
        let line = format!("authors {script} --cfg edge.yaml --logDir edge --force --seeds 1 {flags}");
        landscape(folder.path()).args(line.split_whitespace()).assert().success();
    };
    let levels = CONFIG.replace("sparsity_levels: (0.3,)", "sparsity_levels: (0, 1, 1.5, -0.5)");
    trains("main.py", &levels, "--batch_size 32");
    trains("main.py", &CONFIG.replace("d: 4", "d: 1"), "--batch_size 32");
    trains(
        "main.py",
        &CONFIG.replace("lr: 1e-4", "lr: None\none_hot_latent: None\nrm_predictor: None"),
        "--batch_size 32",
    );
    // What no script reads, or the command line replaces, may be no number; nodes have names, tags and merge keys.
    let text = CONFIG
        .replace("p: 12\nd: 4\nm: 12", "p: &p 12\nd: !!int '4'\n<<: {m: *p}")
        .replace("sigma0: None", "sigma0: .nan");
    trains("main.py", &text.replace("lr: 1e-4", "lr: .inf"), "--batch_size 32");
    // Batch norm that is built but never applied needs no more than one sample.
    trains("main_simsiam.py", &CONFIG.replace("nn: 64", "nn: 13"), "--batch_size 12 --model simsiam-ml --use_bn False");
    trains("main_simclr.py", CONFIG, "--batch_size 1 --model simclr");
}

/// The parameters that a run started from are part of its identity.
#[test]
fn another_start_is_another_run() {
    let folder = folder();
    let run = |more: &[&str]| {
        let flags =
            ["authors", "main.py", "--cfg", "a.yaml", "--logDir", "results/x", "--batch_size", "32", "--seeds", "1"];
        landscape(folder.path()).args(flags).args(more).assert().success()
    };
    let trained = predicate::str::contains("3 runs trained");
    let kept = predicate::str::contains("3 of 3 runs are recorded with these settings already");
    run(&[]).stderr(trained.clone());
    let stem = "results/x/training_val_dict_c2_noiseNone_sparse0.3_mask0.5_emaNone_experiment0";
    let state = read_state(&folder.path().join(stem).join("final.safetensors")).unwrap();
    for (factor, file) in [(1.0, "a.safetensors"), (2.0, "b.safetensors")] {
        let scaled = state.iter().map(|(name, value)| (name.clone(), value * factor)).collect();
        write_state(&folder.path().join(file), &scaled, Dtype::Float64).unwrap();
    }
    run(&["--from-state-dict", "a.safetensors"]).stderr(trained.clone());
    run(&["--from-state-dict", "a.safetensors"]).stderr(kept.clone());
    run(&["--from-state-dict", "b.safetensors"]).stderr(trained.clone());
    run(&[]).stderr(trained);
    run(&[]).stderr(kept);
}

/// PyTorch 1.7's loaders take the samples in another order than those from 1.9 on.
#[test]
fn the_version_of_torch_is_part_of_a_run() {
    let folder = folder();
    let flags = ["authors", "main.py", "--cfg", "a.yaml", "--logDir", "x", "--batch_size", "32", "--seeds", "1"];
    let run = |version: &str| landscape(folder.path()).args(flags).args(["--torch", version]).assert();
    let stem = "x/training_val_dict_cNone_noiseNone_sparse0.3_mask0.5_emaNone_experiment0";
    let recorded = || {
        let record = read_run(&folder.path().join(stem)).unwrap();
        let [start, loss] = ["wo_norm", "loss"].map(|column| record.metrics.column(column).unwrap().to_vec());
        (record.spec.random, start[0], loss)
    };
    run("1.7.1").success();
    let old = recorded();
    run("1.9").success().stderr(predicate::str::contains("3 runs trained"));
    let new = recorded();
    assert_eq!((old.0, new.0), (Random::AuthorsTorch17, Random::Authors));
    assert_eq!(old.1, new.1, "the start is drawn before any loader");
    assert_ne!(old.2[1..], new.2[1..]);
    run("1.13.1").success().stderr(predicate::str::contains("3 of 3 runs are recorded"));
    run("1.6").code(2).stderr(predicate::str::contains("--torch 1.6: loaders before PyTorch 1.7 are not known"));
}

#[test]
fn their_shell_scripts_run_through_the_shim() {
    let folder = folder();
    let script =
        "#!/bin/bash\npython main.py --cfg a.yaml --logDir results/shim --lr 0.005 --batch_size 32 --seeds 1\n";
    fs::write(folder.path().join("run.sh"), script).unwrap();
    landscape(folder.path()).args(["authors", "--install-shim", "shim"]).assert().success();
    let shim = folder.path().join("shim").canonicalize().unwrap();
    let path = format!("{}:{}", shim.display(), std::env::var("PATH").unwrap());
    let status =
        std::process::Command::new("bash").arg("run.sh").current_dir(&folder).env("PATH", path).status().unwrap();
    assert!(status.success());
    let runs = fs::read_dir(folder.path().join("results/shim")).unwrap();
    let hidden = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    assert_eq!(runs.filter(|entry| !hidden(entry.as_ref().unwrap())).count(), 3);
    landscape(folder.path())
        .args(["authors", "--print-script", "run.sh"])
        .assert()
        .success()
        .stdout(predicate::str::contains("\nlandscape authors main.py --cfg a.yaml"));
}

#[test]
fn the_data_model_is_checked() {
    let folder = folder();
    let flags = [
        "authors",
        "verify_data_model/check_data_model.py",
        "--cfg",
        "a.yaml",
        "--logDir",
        ".",
        "--NUM_EPOCHES",
        "200",
    ];
    for update in ["neural", "olshausen-field"] {
        landscape(folder.path()).args(flags).args(["--update", update]).assert().success();
        assert!(fs::metadata(folder.path().join("result.png")).unwrap().len() > 10_000);
    }
    landscape(folder.path())
        .args(flags)
        .args(["--p", "30"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("p = d = m"));
}

#[test]
fn a_recorded_run_that_differs_fails_the_crosscheck() {
    let folder = folder();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference");
    for ending in ["json", "npz"] {
        fs::copy(reference.join(format!("simplified.{ending}")), folder.path().join(format!("one.{ending}"))).unwrap();
    }
    let check = || landscape(folder.path()).args(["crosscheck", "--reference", "."]).assert();
    check().success().stdout(predicate::str::contains("within"));
    let text = fs::read_to_string(folder.path().join("one.json")).unwrap();
    fs::write(folder.path().join("one.json"), text.replacen("\"seed\": 1", "\"seed\": 2", 1)).unwrap();
    check().code(1).stdout(predicate::str::contains("OUTSIDE"));
}
