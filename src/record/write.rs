use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    Log, Workspace,
    checkpoint::digest,
    durable::{sync_files, sync_folder},
    remove, run_folder,
    weights::{serialize, stored},
};
use crate::{
    metrics::COLUMNS,
    spec::{PlannedRun, layout::StateDict},
};

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
            libtorch: option_env!("LANDSCAPE_LIBTORCH").unwrap_or("none").into(),
            commit: option_env!("LANDSCAPE_COMMIT").map(Into::into),
        }
    }
}

/// What a run that has been trained to its end leaves.
#[derive(Clone, Debug)]
pub struct Finished {
    pub log: Log,
    pub state: StateDict,
    pub wall_seconds: f64,
    pub runs_in_cohort: usize,
    pub resumed: usize,
    pub provenance: Provenance,
}

/// Writes a finished run, whole or not at all. A folder that is there already is replaced. What the run left in the
/// [`Workspace`] is removed.
pub fn write_run(results: &Path, run: &PlannedRun, finished: &Finished) -> Result<PathBuf> {
    write_runs(results, &run.experiment, &[(run, finished)]).remove(0)?;
    Ok(run_folder(results, run))
}

/// Writes finished runs of an experiment as [`write_run`] does, and answers for each. The disk is waited for once for
/// all, and a kill leaves all of them recorded (by the next start, if need be: see [`Workspace::settle`]) or none: runs
/// that were trained side by side stay together.
pub fn write_runs(results: &Path, experiment: &str, runs: &[(&PlannedRun, &Finished)]) -> Vec<Result<()>> {
    let workspace = Workspace::of(results, experiment);
    let Some((first, _)) = runs.first() else { return Vec::new() };
    let named = |run: &PlannedRun| format!("cannot write the run {}", run_folder(results, run).display());
    // What fails for all is said of each.
    let each = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
    let batch = match workspace.temporary(&first.id) {
        Ok(batch) => batch,
        Err(error) => return runs.iter().map(|(run, _)| Err(each(&error)).with_context(|| named(run))).collect(),
    };
    let mut written = Vec::with_capacity(4 * runs.len());
    let mut answers: Vec<Result<()>> = Vec::with_capacity(runs.len());
    for (run, finished) in runs {
        let folder = batch.path().join(&run.id);
        let answer = fill(&folder, run, finished).map(|files| written.extend(files));
        if answer.is_err() {
            let _ = fs::remove_dir_all(&folder); // what is half written goes with the batch at the latest
        }
        answers.push(answer.with_context(|| named(run)));
    }
    let committed = sync_files(&written).and_then(|()| workspace.commit(batch));
    for ((run, _), answer) in runs.iter().zip(&mut answers).filter(|(_, answer)| answer.is_ok()) {
        let placed = match &committed {
            Ok(batch) => workspace.place(&batch.join(&run.id)),
            Err(error) => Err(each(error).into()),
        };
        *answer = placed.with_context(|| named(run));
    }
    if let Ok(batch) = committed
        && let Err(error) = remove(&batch).and_then(|()| Ok(sync_folder(&results.join(experiment))?))
    {
        log::warn!("{error:#}");
    }
    answers
}

/// Writes the files of a record into a new folder.
fn fill(folder: &Path, run: &PlannedRun, finished: &Finished) -> Result<Vec<PathBuf>> {
    fs::create_dir(folder)?;
    let mut written = Vec::new();
    for (name, content) in files(run, finished)? {
        let path = folder.join(name);
        fs::write(&path, content)?;
        written.push(path);
    }
    Ok(written)
}

/// The files of a record, the summary last.
fn files(run: &PlannedRun, finished: &Finished) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let log = &finished.log;
    let mut files = vec![
        ("spec.yaml", serde_yaml::to_string(&*run.spec)?.into_bytes()),
        ("metrics.csv", log.csv().to_vec()),
        ("final.safetensors", serialize(&stored(&finished.state, run.spec.dtype))?),
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
