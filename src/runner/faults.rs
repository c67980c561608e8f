//! What becomes of runs when something goes wrong.
//!
//! A cohort that cannot be trained (a panic, which libtorch's errors are too, or a full GPU) is halved, and each half
//! goes on from its last checkpoints. Halving finds the size that fits a GPU's memory, and leaves a faulty run by
//! itself in the end. A run that fails alone is noted beside its checkpoint, and the sweep goes on. Two things end the
//! sweep: a full disk, since no further run could be recorded, and a GPU that has stopped computing, since every
//! further run would fail.

use std::{
    any::Any,
    io::{self, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
};

use anyhow::{Error, Result, anyhow};

use super::{engine::EngineKind, queue::Held, recording::Done, sweep::Sweep};
use crate::spec::PlannedRun;

/// Does work that may panic; a panic becomes an error.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(anyhow!("the run panicked: {}", message(&*panic))))
}

/// The message of a panic, in one line.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.and_then(|text| text.lines().next()).unwrap_or("no message")
}

impl Sweep<'_> {
    /// Trains the halves of a cohort that could not be trained. A run that is already alone has failed, unless the
    /// device is to blame.
    pub fn separate<'a>(&self, engine: EngineKind, mut runs: Vec<Held<'a>>, error: Error, done: &mut Done<'a>) {
        if let Some(reason) = self.device_fault(engine) {
            log::info!("{} runs stop in the middle: {error:#}", runs.len());
            return self.lose_device(runs.len(), reason);
        }
        if let [held] = runs.as_slice() {
            if let Err(error) = self.workspace(held.run).forget_begun(&held.run.id) {
                log::warn!("{error:#}");
            }
            return self.fail(held.run, error);
        }
        let half = runs.split_off(runs.len() / 2);
        log::warn!(
            "{} runs cannot be trained side by side ({error:#}): trying halves of them",
            runs.len() + half.len()
        );
        self.train(engine, runs, done);
        self.train(engine, half, done);
    }

    /// A run has failed.
    pub fn fail(&self, run: &PlannedRun, error: Error) {
        if let Err(unwritten) = self.workspace(run).note_failure(&run.id, &format!("{error:#}")) {
            log::warn!("{unwritten:#}");
        }
        self.note_failure(run, error);
    }

    /// A run has been trained but cannot be recorded.
    pub fn fail_to_record(&self, run: &PlannedRun, error: Error) {
        let advice = "the same command goes on from the last checkpoint";
        if is_full(&error) {
            self.queue.close();
            let error = anyhow!("{error:#}; no further run is begun: make room, then {advice}");
            return self.note_failure(run, error); // there is no room for a note either
        }
        self.fail(run, anyhow!("{error:#}; {advice}"));
    }
}

/// Whether nothing more can be written anywhere in the folder.
fn is_full(error: &Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::ReadOnlyFilesystem];
    kinds.into_iter().any(|kind| full.contains(&kind))
}
