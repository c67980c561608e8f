//! No experiment file, override or flag makes a reader panic: it is read, or refused with a message.
//!
//! A few thousand inputs each; as many as `LANDSCAPE_FUZZ` says otherwise (`make fuzz`: a million).

use std::{cell::Cell, fs, path::Path, str::FromStr};

use anyhow::Result;
use contrastive_landscape::{
    plots::Band,
    runner::{
        self, DeviceChoice, EngineChoice, IndexChoice, Pieces, ProgressMode, Shard, ShardChoice, Share, whole_plan,
    },
    slurm::TimeLimit,
    spec::{Experiment, Overrides, PlannedExperiment, Seeds},
};
use proptest::prelude::*;

use crate::fuzz::{changed_text, changes, check, glued};

const EXPERIMENT: &str = "title: A tiny experiment
paper: none
claim: It runs.
base:
  data: { samples: 40, p: 12, d: 5, latents: { kind: symmetric, sparsity: 0.2 }, noise: authors }
  views: { masks: dependent, masking_prob: 0.4 }
  model: { m: 9, batch_norm: pre_activation, init: { kind: warm, closeness: 1 } }
  train: { epochs: 4, batch_size: 16, normalize_encoder: rows, clamp_bias: 1 }
  metrics: { every: 2, detail_every: 0 }
arms:
  NCL: { method: ncl, model: { predictor: { kind: linear, bias: false } } }
  CL: { method: cl, loss: { temperature: 0.1 } }
grid:
  data.latents.sparsity: [0.1, 0.2]
  train.lr: [0.1, 1]
seeds: 1..3
panels: [min_cosine, loss_mean]
table: { columns: [max_cosine], published: { 'NCL, sp 0.1, lr 0.1': [[0.5, 0.1]] } }
";

/// Words that a file can consist of, and numbers at the ends of their ranges.
const WORDS: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.5",
    "1e308",
    "-1e-320",
    ".nan",
    ".inf",
    "18446744073709551615",
    "9223372036854775807",
    "1e3",
    "4294967296",
    "1000000000000",
    "null",
    "~",
    "true",
    "''",
    "\"",
    "{}",
    "[]",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    " #",
    "&a ",
    "*a",
    "<<: *a",
    "!!int ",
    "!x ",
    "| ",
    "> ",
    "? ",
    "---\n",
    "...",
    "%YAML 1.2\n",
    "\t",
    "\u{0}",
    "\u{feff}",
    "\u{e9}",
    "1..3",
    "[1, 4]",
    "7",
    "kind: ",
    "kind: one_hot",
    "kind: warm",
    "one_hot",
    "ncl",
    "simsiam",
    "simclr-orig",
    "method: cl",
    "seed: 3",
    "random: authors",
    "dtype: float64",
    "model.m",
    "train.epochs: [0]",
    "data.p",
    "views",
    "pairs: 3",
    "layers: 2",
    "family: contrastive",
    "bias: none",
    "projector: hidden",
    "frozen: [encoder]",
    "turns: joint",
    "turns: { kind: ema, decay: 0.9 }",
    "drop_last: true",
    "dictionary: identity",
    "fixed_support",
    "ema",
];

/// Goes as far as planning, with a few seeds; nothing is trained.
fn plan(experiment: &Path, overrides: &Overrides) -> Result<()> {
    let (mut experiment, lines) = Experiment::read(experiment)?;
    experiment.seeds.0.truncate(2);
    let runs = experiment.plan(&lines, overrides)?;
    for run in &runs {
        assert!(
            !run.id.is_empty() && run.id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)),
            "{run:?}"
        );
        let _ = runner::steps_text(&run.spec);
    }
    covers_once(&[(experiment, runs)], 3);
    Ok(())
}

/// The shards of a plan hold each run once.
fn covers_once(plans: &[PlannedExperiment], of: usize) {
    let runs = whole_plan(plans);
    for pieces in [Pieces::Runs, Pieces::Cohorts(2), Pieces::Cohorts(512)] {
        let mut seen = vec![0; runs.len()];
        for number in 1..=of {
            let places = Share::Shard(Shard { number, of }).places(&runs, pieces).unwrap();
            places.into_iter().for_each(|place| seen[place] += 1);
        }
        assert!(seen.iter().all(|&times| times == 1), "{pieces:?}: {seen:?}");
    }
}

/// Reads an input with an experiment's file; counts those that were accepted, to be sure that the inputs are near
/// enough to valid ones.
fn experiments(inputs: impl Strategy<Value = (String, Vec<String>)>) {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let path = folder.path().join("fuzzed.yaml");
    let (taken, refused) = (Cell::new(0), Cell::new(0));
    check(inputs, |(text, sets)| {
        fs::write(&path, &text).unwrap();
        let read = || -> Result<()> {
            let mut overrides = Overrides::default();
            sets.iter().try_for_each(|set| overrides.set(set))?;
            plan(&path, &overrides)
        };
        match read() {
            Ok(()) => taken.set(taken.get() + 1),
            Err(error) => {
                assert!(!error.to_string().trim().is_empty());
                refused.set(refused.get() + 1);
            }
        }
    });
    let (taken, refused): (u32, u32) = (taken.get(), refused.get());
    assert!(taken * 100 > refused && refused * 100 > taken, "{taken} taken, {refused} refused: the inputs test little");
}

/// Memory, where there is a file system of it.
fn scratch() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) }
}

#[test]
fn experiment_files() {
    experiments(changes(WORDS).prop_map(|changes| (changed_text(EXPERIMENT, &changes), vec![])));
}

#[test]
fn overrides() {
    const PATHS: &[&str] = &[
        "train.lr",
        "train.epochs",
        "train.batch_size",
        "train.turns",
        "train",
        "data",
        "data.samples",
        "data.p",
        "data.d",
        "data.latents",
        "data.latents.sparsity",
        "data.noise",
        "model",
        "model.m",
        "model.layers",
        "model.init",
        "model.bias",
        "model.init.closeness",
        "model.predictor",
        "loss",
        "loss.kind",
        "loss.temperature",
        "method",
        "seed",
        "random",
        "dtype",
        "views.pairs",
        "views.masking_prob",
        "metrics.every",
        "metrics.detail_every",
        "train.clamp_bias",
        "a",
        "",
        ".",
        "train.",
    ];
    const VALUES: &[&str] = &[
        "0",
        "1",
        "2",
        "10",
        "0.3",
        "-1",
        "1e400",
        "18446744073709551615",
        "9999999999999",
        "none",
        "null",
        "ncl",
        "cl",
        "simsiam",
        "joint",
        "{kind: warm, closeness: 1}",
        "{kind: ema, decay: 0.5}",
        "[",
        "{",
        "'",
        "one_hot",
        "float64",
        "authors",
        "true",
        "[1, 2]",
        "&a *a",
        "{a: {b: {c: 1}}}",
        "binary",
        "random",
    ];
    let value = prop_oneof![4 => prop::sample::select(VALUES).prop_map(String::from), 1 => glued(VALUES, 3)];
    let set = (prop::sample::select(PATHS), prop_oneof![19 => Just("="), 1 => Just("")], value);
    let sets = prop::collection::vec(set.prop_map(|(path, equals, value)| format!("{path}{equals}{value}")), 1..4);
    experiments(sets.prop_map(|sets| (EXPERIMENT.to_string(), sets)));
}

/// A flag is read, or refused with a message; what is read and can be written reads the same again.
fn flag<T: FromStr<Err = String> + PartialEq + std::fmt::Debug>(
    words: &'static [&'static str],
    write: impl Fn(&T) -> Option<String>,
) {
    check(glued(words, 7), |text| match text.parse::<T>() {
        Ok(value) => {
            if let Some(written) = write(&value) {
                assert_eq!(written.parse::<T>().as_ref(), Ok(&value), "{text} was written as {written}");
            }
        }
        Err(message) => assert!(!message.is_empty()),
    });
}

const NUMBERS: &[&str] =
    &["0", "1", "2", "9", "16", "18446744073709551615", "99999999999999999999", "-", "+", ".", " ", "e"];

#[test]
fn seeds() {
    const WORDS: &[&str] =
        &["0", "1", "5", "12", "18446744073709551615", "18446744073709551614", "..", ".", ",", " ", "-", "x"];
    flag::<Seeds>(WORDS, |seeds| Some(seeds.to_string()));
}

#[test]
fn shards() {
    const WORDS: &[&str] =
        &["0", "1", "2", "10", "18446744073709551615", "99999999999999999999", "/", "//", "-", " ", "slurm"];
    flag::<ShardChoice>(WORDS, |choice| match choice {
        ShardChoice::Part(shard) => {
            assert!((1..=shard.of).contains(&shard.number));
            Some(shard.to_string())
        }
        ShardChoice::Slurm => None,
    });
    flag::<IndexChoice>(NUMBERS, |_| None);
}

#[test]
fn devices_engines_and_the_like() {
    const WORDS: &[&str] =
        &["cuda", ":", "0", "1", "99999999999999999999", "cpu", "auto", "-", " ", "fused", "autograd"];
    flag::<DeviceChoice>(WORDS, |device| Some(device.to_string()));
    flag::<EngineChoice>(WORDS, |engine| Some(engine.to_string()));
    flag::<ProgressMode>(&["json", "auto", "bar", "plain", "none", " ", "x"], |mode| Some(mode.to_string()));
    check(glued(&["std", "sem", "ci95", "minmax", "none", " "], 3), |text| drop(text.parse::<Band>()));
}

#[test]
fn time_limits() {
    const WORDS: &[&str] = &["0", "1", "59", "4294967295", "99999999999999999999", ":", "-", " ", "h"];
    flag::<TimeLimit>(WORDS, |limit| Some(limit.to_string()));
}

proptest! {
    #[test]
    fn any_number_of_shards_covers_a_plan_once(of in 1usize..40, seeds in 1u64..30) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.yaml");
        fs::write(&path, EXPERIMENT.replace("1..3", &format!("1..{seeds}"))).unwrap();
        let (experiment, lines) = Experiment::read(&path).unwrap();
        let runs = experiment.plan(&lines, &Overrides::default()).unwrap();
        // The same file named twice is one plan.
        covers_once(&[(experiment.clone(), runs.clone()), (experiment, runs)], of);
    }
}
