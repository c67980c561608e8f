//! The same sweep, however it is divided: the same draws to the last bit, the same numbers up to rounding.

use std::{path::PathBuf, sync::Arc};

use contrastive_landscape::{
    record::{Metrics, read_state},
    spec::{RunSpec, resolve},
    train::Cohort,
};

use crate::workbench::{Workbench, differing, results, runs};

/// 15 runs that fit into one cohort.
const SWEEP: &str = "
title: A sweep to cut up
paper: none
claim: It does not matter how.
base:
  method: ncl-predictor
  data: { samples: 60, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 30, batch_size: 16 }
  metrics: { detail_every: 10 }
grid:
  data.latents.sparsity: [0.1, 0.2, 0.3]
seeds: 1..5
";

/// Workers, and runs of a cohort.
const CUTS: [[&str; 2]; 5] = [["1", "1"], ["2", "1"], ["1", "5"], ["2", "5"], ["1", "15"]];

/// Largest difference of any cell or parameter, relative to its size or to one.
fn worst(a: &[PathBuf], b: &[PathBuf]) -> f64 {
    let off = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (true, true) => 0.0,
        _ => (a - b).abs() / a.abs().max(1.0),
    };
    let mut worst = 0.0f64;
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.file_name(), b.file_name());
        let [ours, theirs] = [a, b].map(|run| Metrics::read(&run.join("metrics.csv")).unwrap());
        for name in contrastive_landscape::metrics::measured().map(|column| column.key) {
            // The smallest singular value is close to zero, so a ratio to it is no basis for comparison.
            if name.ends_with("condition_number") {
                continue;
            }
            let (ours, theirs) = (ours.column(name).unwrap(), theirs.column(name).unwrap());
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).for_each(|(a, b)| worst = worst.max(off(*a, *b)));
        }
        let [ours, theirs] = [a, b].map(|run| read_state(&run.join("final.safetensors")).unwrap());
        for (name, value) in &ours {
            value.iter().zip(&theirs[name]).for_each(|(a, b)| worst = worst.max(off(*a, *b)));
        }
    }
    worst
}

#[test]
fn numbers_do_not_depend_on_workers_and_cohorts() {
    for (arguments, bound) in [
        (&["--engine", "fused"][..], 0.0),
        (&["--engine", "autograd", "--dtype", "float64"], 1e-12),
        (&["--engine", "autograd"], 1e-5),
    ] {
        if cfg!(not(feature = "torch")) && arguments.contains(&"autograd") {
            continue;
        }
        let workbench = Workbench::new(SWEEP);
        let mut cuts = CUTS.iter().map(|[jobs, cohort]| {
            let name = format!("jobs{jobs}-cohort{cohort}");
            let cut = ["run", "tiny.yaml", "--jobs", jobs, "--cohort", cohort, "--results", &name];
            workbench.landscape(&[&cut[..], arguments].concat()).success();
            let runs = runs(&workbench.path(&name).join("tiny"));
            assert_eq!(runs.len(), 15);
            (name, runs)
        });
        let (_, reference) = cuts.next().unwrap();
        for (name, runs) in cuts {
            let off = worst(&reference, &runs);
            println!("{arguments:?} {name}: {off:e}");
            assert!(off <= bound, "{arguments:?} {name}: off by {off:e}");
        }
    }
}

/// Which process trains a run, and beside which others, changes no digit, whatever the engine; only `--cohort` can.
#[test]
fn workers_and_shards_change_no_digit() {
    for engine in ["fused", "autograd"] {
        if cfg!(not(feature = "torch")) && engine == "autograd" {
            continue;
        }
        for dtype in if engine == "fused" { &["float32"][..] } else { &["float32", "float64"] } {
            let workbench = Workbench::new(SWEEP);
            let run = |results: &str, more: &[&str]| {
                let arguments = [
                    "run",
                    "tiny.yaml",
                    "--engine",
                    engine,
                    "--dtype",
                    dtype,
                    "--results",
                    results,
                    "--set",
                    "train.epochs=10",
                ];
                workbench.landscape(&[&arguments, more].concat()).success();
            };
            let of = |name: &str| results(&workbench.path(name).join("tiny"));
            run("reference", &["--jobs", "1"]);
            run("jobs", &["--jobs", "3"]);
            run("shards", &["--shard", "2/2"]);
            run("shards", &["--shard", "1/2", "--jobs", "2"]);
            run("part", &["--index", "7"]);
            run("part", &["--seeds", "2..3"]);
            run("part", &[]);
            for other in ["jobs", "shards", "part"] {
                assert_eq!(differing(&of("reference"), &of(other)), [""; 0], "{engine}, {dtype}, {other}");
            }
        }
    }
}

#[test]
fn draws_do_not_depend_on_cohorts() {
    for random in ["native", "authors"] {
        let spec = |sparsity: f64, seed: u64| -> Arc<RunSpec> {
            let text = format!(
                "{{random: {random}, seed: {seed}, data: {{samples: 60, p: 70, d: 5, latents: {{kind: symmetric, \
                 sparsity: {sparsity}}}}}, model: {{m: 9}}, train: {{batch_size: 16, epochs: 3}}}}"
            );
            Arc::new(resolve(&[&serde_yaml::from_str(&text).unwrap()]).unwrap())
        };
        let specs: Vec<_> = [0.1, 0.2, 0.3].iter().flat_map(|&s| (1..=5).map(move |seed| (s, seed))).collect();
        let specs: Vec<_> = specs.into_iter().map(|(sparsity, seed)| spec(sparsity, seed)).collect();
        let mut together = Cohort::draw(&specs).unwrap();
        let mut cut: Vec<_> =
            [1, 5].map(|size| specs.chunks(size).map(|part| Cohort::draw(part).unwrap()).collect::<Vec<_>>()).into();
        for cohorts in &cut {
            let members = || cohorts.iter().flat_map(|cohort| cohort.members());
            assert!(members().zip(together.members()).all(|(a, b)| a.x == b.x && a.state == b.state));
        }
        for epoch in 0..3 {
            together.begin_epoch(epoch);
            cut.iter_mut().flatten().for_each(|cohort| cohort.begin_epoch(epoch));
            for k in 0..specs[0].batches().len() {
                let batch = together.batch(k);
                for cohorts in &mut cut {
                    let parts: Vec<_> = cohorts.iter_mut().flat_map(|cohort| cohort.batch(k).runs).collect();
                    assert_eq!(parts, batch.runs, "{random}, epoch {epoch}, batch {k}");
                }
            }
        }
    }
}
