use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    Log, Workspace,
    checkpoint::digest,
    durable::{fill_folder, place_folder, sync_folder},
    run_folder,
    weights::{serialize, stored},
};
use crate::{metrics::COLUMNS, models::StateDict, spec::PlannedRun};

/// `summary.json`: what a run came to, and how it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub experiment: String,
    pub run: String,
    /// What tells its curve from the others of the experiment.
    pub label: String,
    pub method: String,
    pub seed: u64,
    /// Epochs trained.
    pub epochs: usize,
    /// First epoch with a loss that is not finite, if there was one.
    pub diverged_at: Option<usize>,
    /// The last row of `metrics.csv`, empty cells left out.
    pub r#final: IndexMap<String, f64>,
    /// Seconds that the run's cohort took, over all its processes. What a kill undid is not counted.
    pub wall_seconds: f64,
    /// Runs trained side by side, at the end.
    pub runs_in_cohort: usize,
    /// Times that the run was taken up from a checkpoint.
    #[serde(default)]
    pub resumed: usize,
    /// Hashes of the other files.
    #[serde(default)]
    pub sha256: IndexMap<String, String>,
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// Where and with what a run was computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub engine: String,
    pub device: String,
    pub version: String,
    pub libtorch: String,
    /// Commit of the source, if the program was built from a checkout.
    pub commit: Option<String>,
}

impl Provenance {
    /// Of this program.
    pub fn here(engine: &str, device: &str) -> Self {
        Self {
            engine: engine.into(),
            device: device.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            libtorch: env!("LANDSCAPE_LIBTORCH").into(),
            commit: option_env!("LANDSCAPE_COMMIT").map(Into::into),
        }
    }
}

/// A run that has been trained to its end.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    pub log: &'a Log,
    pub state: &'a StateDict,
    pub wall_seconds: f64,
    pub runs_in_cohort: usize,
    pub resumed: usize,
    pub provenance: &'a Provenance,
}

/// Writes a finished run, whole or not at all. A folder that is there already is replaced. What the run left in the
/// [`Workspace`] is removed.
pub fn write_run(results: &Path, run: &PlannedRun, finished: &Finished) -> Result<PathBuf> {
    let folder = run_folder(results, run);
    let workspace = Workspace::of(results, &run.experiment);
    let files = files(run, finished)?;
    let write = || -> Result<()> {
        let temporary = workspace.temporary(&run.id)?;
        fill_folder(temporary.path(), &files)?;
        place_folder(temporary.path(), &folder)?;
        Ok(sync_folder(&results.join(&run.experiment))?)
    };
    write().with_context(|| format!("cannot write the run {}", folder.display()))?;
    workspace.forget_checkpoint(&run.id)?;
    workspace.forget_failure(&run.id)?;
    Ok(folder)
}

/// The files of a record, the summary last.
fn files(run: &PlannedRun, finished: &Finished) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let log = finished.log;
    let mut files = vec![
        ("spec.yaml", serde_yaml::to_string(&*run.spec)?.into_bytes()),
        ("metrics.csv", log.csv().to_vec()),
        ("final.safetensors", serialize(&stored(finished.state, run.spec.dtype))?),
    ];
    let summary = Summary {
        experiment: run.experiment.clone(),
        run: run.id.clone(),
        label: run.label.clone(),
        method: run.spec.method.clone(),
        seed: run.spec.seed,
        epochs: log.epoch().unwrap_or(0),
        diverged_at: log.diverged_at(),
        r#final: last_cells(log),
        wall_seconds: finished.wall_seconds,
        runs_in_cohort: finished.runs_in_cohort,
        resumed: finished.resumed,
        sha256: files.iter().map(|(name, content)| (name.to_string(), digest(&[content]))).collect(),
        provenance: finished.provenance.clone(),
    };
    files.push(("summary.json", (serde_json::to_string_pretty(&summary)? + "\n").into_bytes()));
    Ok(files)
}

fn last_cells(log: &Log) -> IndexMap<String, f64> {
    let named = COLUMNS.iter().zip(log.last().into_iter().flatten());
    named.filter_map(|(name, cell)| Some((name.to_string(), (*cell)?))).filter(|(_, value)| value.is_finite()).collect()
}
