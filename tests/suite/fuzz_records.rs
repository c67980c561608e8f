//! No file of a results folder makes a reader panic, however it is damaged: it is read, or refused with a message.
//!
//! A few thousand inputs each; as many as `LANDSCAPE_FUZZ` says otherwise (`make fuzz`: a million).

use std::{
    fs,
    path::{Path, PathBuf},
};

use contrastive_landscape::{
    record::{self, Checkpoint, Log, Metrics, Plan, Progress, Workspace, read_run, read_state},
    runner::{self, DeviceChoice, Options, SweepStatus},
    spec::{Experiment, Overrides, PlannedRun, RunSpec},
};

use crate::fuzz::{changed, changes, check};

const EXPERIMENT: &str = "
title: A tiny experiment
paper: none
claim: It runs.
base:
  data: { samples: 40, p: 6, d: 3 }
  model: { m: 4, batch_norm: pre_activation }
  train: { epochs: 4, batch_size: 16 }
seeds: 1
";

/// Pieces of the files: of CSV, JSON, YAML, and of safetensors' header.
const WORDS: &[&str] = &[
    "0",
    "-1",
    "1e400",
    "NaN",
    "nan",
    "inf",
    "18446744073709551616",
    "99999999999",
    "null",
    "true",
    "\"",
    "'",
    ",",
    ",,",
    "\n",
    "\r\n",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\\",
    "\\ud800",
    "\u{0}",
    "\u{feff}",
    " ",
    "#",
    "&a ",
    "*a",
    "- ",
    "epoch",
    "loss",
    "seed: ",
    "\"epoch\":",
    "\"F32\"",
    "\"I64\"",
    "\"BF16\"",
    "\"shape\":[",
    "\"data_offsets\":[0,",
    "4294967296",
    "\"final\":",
    "kind: ",
];

/// A finished run, and a saved one: made once by training.
struct Sample {
    folder: tempfile::TempDir,
    run: PlannedRun,
}

impl Sample {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let scratch = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let folder = tempfile::tempdir_in(scratch).unwrap();
        let file = folder.path().join("tiny.yaml");
        fs::write(&file, EXPERIMENT).unwrap();
        let (experiment, lines) = Experiment::read(&file).unwrap();
        let run = experiment.plan(&lines, &Overrides::default()).unwrap().remove(0);
        let options = Options { jobs: 1, device: DeviceChoice::Cpu, ..Options::new(folder.path()) };
        runner::run(std::slice::from_ref(&run), &options).unwrap();
        runner::plan("tiny", std::slice::from_ref(&run), &[]).write(folder.path()).unwrap();
        Self { folder, run }
    }

    fn results(&self) -> &Path {
        self.folder.path()
    }

    fn record(&self) -> PathBuf {
        record::run_folder(self.results(), &self.run)
    }

    /// Damages one file in every way, and has it read.
    fn damage(&self, path: &Path, read: impl Fn(&Path)) {
        let whole = fs::read(path).unwrap();
        check(changes(WORDS), |changes| {
            fs::write(path, changed(&whole, &changes)).unwrap();
            read(path);
        });
        fs::write(path, whole).unwrap();
        read(path);
    }
}

#[test]
fn metrics() {
    let sample = Sample::new();
    sample.damage(&sample.record().join("metrics.csv"), |path| {
        if let Ok(metrics) = Metrics::read(path) {
            let rows = metrics.column("epoch").map(<[f64]>::len);
            assert!(metrics.column("min_cosine").is_none_or(|column| Some(column.len()) == rows || rows.is_none()));
        }
        if let Ok(log) = Log::read(fs::read(path).unwrap()) {
            assert_eq!(log.rows().count(), log.csv().split(|&byte| byte == b'\n').count() - 2, "rows are lost");
        }
    });
}

#[test]
fn settings() {
    let sample = Sample::new();
    sample.damage(&sample.record().join("spec.yaml"), |path| {
        if let Ok(spec) = RunSpec::from_yaml(&fs::read(path).unwrap()) {
            let written = serde_yaml::to_string(&spec).unwrap();
            assert_eq!(RunSpec::from_yaml(written.as_bytes()).unwrap(), spec);
        }
        drop(record::faults(path.parent().unwrap()));
    });
}

#[test]
fn summaries() {
    let sample = Sample::new();
    sample.damage(&sample.record().join("summary.json"), |path| drop(read_run(path.parent().unwrap())));
}

#[test]
fn weights() {
    let sample = Sample::new();
    sample.damage(&sample.record().join("final.safetensors"), |path| {
        if let Ok(state) = read_state(path) {
            assert!(state.values().map(|values| values.len()).sum::<usize>() < 1 << 20);
        }
    });
}

#[test]
fn plans() {
    let sample = Sample::new();
    let folder = sample.results().join("tiny/.plan");
    let plan = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    sample.damage(&plan, |_| {
        drop(Plan::read_all(sample.results(), "tiny"));
        if let Ok(sweeps) = SweepStatus::of_folder(sample.results()) {
            sweeps.iter().for_each(|sweep| assert!(!sweep.done_share().is_nan()));
        }
    });
}

#[test]
fn checkpoints() {
    let sample = Sample::new();
    let workspace = Workspace::of(sample.results(), "tiny");
    let checkpoint = Checkpoint {
        progress: Progress::new(&sample.run, 2, 1.5, 0, "", vec![]),
        log: Log::default(),
        state: read_state(&sample.record().join("final.safetensors")).unwrap(),
        generators: vec![],
    };
    Checkpoint::write([(checkpoint, &workspace, &sample.run)]).unwrap();
    let path = workspace.checkpoint(&sample.run.id);
    assert_eq!(Checkpoint::read(&workspace, &sample.run).unwrap().len(), 1);
    sample.damage(&path, |path| {
        drop(Checkpoint::read(&workspace, &sample.run));
        drop(Progress::peek(path));
    });
}
