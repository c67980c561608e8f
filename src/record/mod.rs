//! Results on disk: `results/<experiment>/<run>/{spec.yaml, metrics.csv, summary.json, final.safetensors}`.
//!
//! A run's folder is written under a temporary name and renamed when it is whole, so a folder that exists is a
//! finished run. The files are plain: pandas, safetensors and any YAML reader open them without us.

mod read;
mod weights;
mod write;

pub use read::{Metrics, RunRecord, read_run};
pub use weights::{read_state, write_state};
pub use write::{Provenance, Summary, write_run, write_whole};

use std::path::{Path, PathBuf};

use crate::spec::PlannedRun;

/// Folder of a run.
pub fn run_folder(results: &Path, run: &PlannedRun) -> PathBuf {
    results.join(&run.experiment).join(&run.id)
}

/// Whether the run has been finished and recorded.
pub fn is_recorded(results: &Path, run: &PlannedRun) -> bool {
    run_folder(results, run).join("summary.json").is_file()
}
