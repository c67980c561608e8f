use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use indexmap::IndexMap;

use super::{
    Log, Provenance, Summary, Workspace,
    checkpoint::{digest, state_digest},
    durable::{sync_files, sync_folder},
    remove, run_folder,
    weights::{serialize, stored},
};
use crate::{
    metrics::Cells,
    spec::{PlannedRun, layout::StateDict},
};

/// The outcome of a run that has been trained to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The rows of `metrics.csv`.
    pub log: Log,
    /// Parameters and buffers at the end.
    pub state: StateDict,
    /// Seconds that its cohort took, over all of its processes.
    pub wall_seconds: f64,
    /// Runs trained side by side, at the end.
    pub runs_in_cohort: usize,
    /// Times that it was resumed from a checkpoint.
    pub resumed: usize,
    /// The same of earlier epochs, where it differs.
    pub provenance: Provenance,
    /// Of earlier epochs, where it was another.
    pub earlier: Vec<Provenance>,
}

impl Finished {
    /// First measured epoch with a loss or weights that are not finite. The last step may have overflowed weights whose
    /// norm is in no row.
    pub fn diverged_at(&self) -> Option<usize> {
        let is_finite = self.state.values().flatten().all(|value| value.is_finite());
        self.log.diverged_at().or_else(|| self.log.epoch().filter(|_| !is_finite))
    }
}

/// Writes a finished run, whole or not at all, replacing any folder that is already there. What the run left in the
/// [`Workspace`] is removed.
pub fn write_run(results: &Path, run: &PlannedRun, finished: &Finished) -> Result<PathBuf> {
    write_runs(results, &run.experiment, &[(run, finished)]).remove(0)?;
    Ok(run_folder(results, run))
}

/// Writes finished runs of an experiment as [`write_run`] does, with one answer for each. Waits for the disk once for
/// all, and a kill leaves either all of them recorded (by the next start, if need be: see [`Workspace::settle`]) or
/// none: runs that were trained side by side stay together.
pub fn write_runs(results: &Path, experiment: &str, runs: &[(&PlannedRun, &Finished)]) -> Vec<Result<()>> {
    let workspace = Workspace::of(results, experiment);
    let Some((first, _)) = runs.first() else { return Vec::new() };
    let named = |run: &PlannedRun| format!("cannot write the run {}", run_folder(results, run).display());
    // An error that affects all is reported for each.
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
        diverged_at: finished.diverged_at(),
        r#final: last_cells(log),
        wall_seconds: finished.wall_seconds,
        runs_in_cohort: finished.runs_in_cohort,
        resumed: finished.resumed,
        start: run.start.as_deref().map(state_digest),
        taken_from: None,
        sha256: files.iter().map(|(name, content)| (name.to_string(), digest(&[content]))).collect(),
        provenance: finished.provenance.clone(),
        earlier: finished.earlier.clone(),
        digest: String::new(),
    };
    files.push((Summary::FILE, summary.signed()?.into_bytes()));
    Ok(files)
}

fn last_cells(log: &Log) -> IndexMap<String, f64> {
    let cells = log.last().into_iter().flat_map(Cells::iter);
    let named = cells.filter_map(|(column, cell)| Some((column.key.to_string(), cell?)));
    named.filter(|(_, value)| value.is_finite()).collect()
}
