//! A sweep killed at random instants, and while something is being written, loses nothing and gives the same bytes.
//!
//! `LANDSCAPE_KILLS` says how often it is killed (`make test-kill`: 200), `LANDSCAPE_KILL_SEED` when.

use std::{process::Stdio, thread::sleep, time::Instant};

use contrastive_landscape::random::{Draws, native::Key};

use crate::workbench::{Workbench, differing};

/// Both families, both random streams, batch norm's buffers.
const SWEEP: &str = "
title: A sweep to kill
paper: none
claim: It survives.
base:
  data: { samples: 120, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 150, batch_size: 50 }
  metrics: { detail_every: 10 }
arms:
  NCL: { method: ncl-predictor }
  replay: { method: simplified-pred, random: authors }
  CL: { method: cl, random: authors }
seeds: 1..3
";

/// Fused runs one by one, and cohorts under autograd; saved after every epoch, or only now and then.
const WAYS: &[&[&str]] = &[
    &["--checkpoint-every", "0"],
    &["--checkpoint-every", "0.05"],
    #[cfg(feature = "torch")]
    &["--checkpoint-every", "0", "--dtype", "float64", "--cohort", "3"],
    #[cfg(feature = "torch")]
    &["--checkpoint-every", "0.05", "--dtype", "float64", "--cohort", "3"],
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn is_writing(workbench: &Workbench) -> bool {
    workbench.unfinished().iter().any(|name| name.ends_with(".tmp"))
}

#[test]
fn no_kill_loses_or_changes_anything() {
    let (kills, seed) = (number("LANDSCAPE_KILLS", 12), number("LANDSCAPE_KILL_SEED", 1));
    let mut draws = Key::from_seed(seed).stream();
    let arguments = |way: usize| [&["run", "tiny.yaml", "--jobs", "2"], WAYS[way]].concat();
    let references: Vec<_> = (0..WAYS.len())
        .map(|way| {
            let workbench = Workbench::new(SWEEP);
            let start = Instant::now();
            workbench.landscape(&arguments(way)).success();
            (workbench.results(), start.elapsed())
        })
        .collect();
    let (mut killed, mut writing, mut sweeps, mut records) = (0, 0, 0, 0);
    while killed < kills {
        let way = sweeps % WAYS.len();
        let (reference, time) = &references[way];
        let workbench = Workbench::new(SWEEP);
        loop {
            let mut child = workbench.command(&arguments(way)).stderr(Stdio::null()).spawn().unwrap();
            sleep(time.mul_f64(draws.uniform()));
            // Every second kill waits for a file that is being written.
            while killed % 2 == 1 && !is_writing(&workbench) && child.try_wait().unwrap().is_none() {}
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "seed {seed}, sweep {sweeps}: {status}");
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
            writing += u64::from(is_writing(&workbench));
        }
        assert_eq!(differing(&workbench.results(), reference), [""; 0], "seed {seed}, sweep {sweeps}, {:?}", WAYS[way]);
        assert_eq!(workbench.unfinished(), ["lock"], "everything else is cleaned up");
        workbench.landscape(&["results", "verify"]).success();
        sweeps += 1;
        records += reference.len();
    }
    println!(
        "{sweeps} sweeps killed {killed} times, {writing} times while a file was being written: \
         0 of {records} records lost, 0 differing (seed {seed})"
    );
}
