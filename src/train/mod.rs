//! Training: the loop, whose turn it is, and what is measured between epochs.

mod cohort;
mod measure;
mod parallel;

pub use cohort::{Cohort, Snapshot, fits, shared};

use std::ops::ControlFlow;

use anyhow::Result;

use crate::{engine::Engine, metrics::Row, spec::RunSpec};

/// How a training loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All epochs are done.
    Finished,
    /// The observer asked to stop after this many epochs.
    Stopped(usize),
}

/// Trains a cohort from where it stands, its initial state or the end of an epoch, to the last epoch. Calling this
/// again resumes a stopped cohort, as if it had never been stopped.
///
/// After every epoch, `observe` receives the number of finished epochs and the rows measured then (one for each run, or
/// none where no measurement was due). The call with 0 shows the initial state, and its answer is ignored.
pub fn train(
    cohort: &mut Cohort,
    engine: &mut dyn Engine,
    mut observe: impl FnMut(usize, Vec<Row>) -> ControlFlow<()>,
) -> Result<Ended> {
    let spec = cohort.spec().clone();
    let batches = spec.batches().len();
    if cohort.epoch() == 0 {
        // There is nothing to stop yet.
        let _ = observe(0, measure::rows(cohort, engine, 0, None)?);
    }
    for epoch in cohort.epoch() + 1..=spec.train.epochs {
        cohort.begin_epoch(epoch - 1);
        let losses = engine.steps(&mut (0..batches).map(|k| cohort.batch(k)))?; // (batches, R)
        cohort.end_epoch();
        let rows = if is_due(&spec, epoch) { measure::rows(cohort, engine, epoch, Some(&losses))? } else { vec![] };
        if observe(epoch, rows).is_break() && epoch < spec.train.epochs {
            return Ok(Ended::Stopped(epoch));
        }
    }
    Ok(Ended::Finished)
}

/// Whether a row is due after so many epochs. The last epoch always has one.
fn is_due(spec: &RunSpec, epoch: usize) -> bool {
    epoch.is_multiple_of(spec.metrics.every) || epoch == spec.train.epochs
}
