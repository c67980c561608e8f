//! Results on disk: `results/<experiment>/<run>/{spec.yaml, metrics.csv, summary.json, final.safetensors}`.
//!
//! A run's folder is written elsewhere and renamed when it is whole, so a folder that exists is a finished run. The files
//! are plain: pandas, safetensors and any YAML reader open them without us. Runs that are not finished lie in the
//! experiment's [`Workspace`], where a process [leases](Leases) each run that it trains and saves a [`Checkpoint`] of it.

mod adopt;
mod archive;
mod checkpoint;
mod durable;
mod file_system;
mod inventory;
mod lease;
mod origin;
mod plan;
mod probe;
mod provenance;
mod read;
mod regular;
mod rows;
mod summary;
mod table;
mod torch_save;
mod verify;
mod weights;
mod workspace;
mod write;

pub use adopt::adopt;
pub use archive::{Archive, ExperimentRecord, RecordedRun};
pub use checkpoint::{Checkpoint, Progress, digest, state_digest};
pub use durable::write_whole;
pub use file_system::{FileSystem, Reach};
pub use inventory::{Leftover, State, Unfinished, experiments, leftovers, recorded, runs, unfinished};
pub use lease::{Lease, Leases, is_leased, is_locked, open_lock};
pub use plan::{Plan, PlannedWork};
pub use probe::{Met, meet, node};
pub use provenance::Provenance;
pub use read::{Metrics, RunRecord, read_metrics, read_run, read_settings};
pub use rows::Log;
pub use summary::Summary;
pub use table::Table;
pub use torch_save::read_torch_state;
pub use verify::faults;
pub use weights::{StoredTensor, read_state, serialize, stored, write_state};
pub use workspace::{Entry, FailureNote, Workspace, now, remove};
pub use write::{Finished, write_run, write_runs};

use std::path::{Path, PathBuf};

use crate::spec::PlannedRun;

/// Folder of a run.
pub fn run_folder(results: &Path, run: &PlannedRun) -> PathBuf {
    results.join(&run.experiment).join(&run.id)
}

/// Whether the run has been finished and recorded.
pub fn is_recorded(results: &Path, run: &PlannedRun) -> bool {
    run_folder(results, run).join(Summary::FILE).is_file()
}

/// How many of the runs are recorded by other sources of this program.
pub fn made_by_other_code<'a>(results: &Path, runs: impl IntoIterator<Item = &'a PlannedRun>) -> usize {
    let other = |run: &&PlannedRun| {
        Summary::read(&run_folder(results, run)).is_ok_and(|summary| !summary.provenance.is_of_this_code())
    };
    runs.into_iter().filter(other).count()
}
