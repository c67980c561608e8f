//! What a folder of results holds: finished runs, unfinished ones, and leftovers.

use std::{
    collections::HashMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use indexmap::IndexMap;

use super::{
    Entry, FailureNote, Lease, Leases, Progress, Summary, Workspace, faults,
    lease::{is_locked, open_lock},
};

/// Names of the experiments that have a folder here.
pub fn experiments(results: &Path) -> Result<Vec<String>> {
    folders(results)
}

/// Names of an experiment's recorded runs.
pub fn recorded(results: &Path, experiment: &str) -> Result<Vec<String>> {
    folders(&results.join(experiment))
}

/// Names of the folders in a folder, sorted; hidden ones are not for the user.
fn folders(parent: &Path) -> Result<Vec<String>> {
    let context = || format!("cannot list the results in {}", parent.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(parent).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().with_context(context)?.is_dir() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A run that has been begun and is not recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// Name of the run's folder.
    pub run: String,
    /// As of its checkpoint, if it has one.
    pub progress: Option<Progress>,
    /// Why it failed, if it did.
    pub failure: Option<FailureNote>,
    /// Whether a process is training it.
    pub leased: bool,
}

/// The runs of an experiment that have left a checkpoint, a failure or a half-written file, by name. (A run that has
/// not reached its first checkpoint has only its [lease](super::is_leased).)
pub fn unfinished(results: &Path, experiment: &str) -> Result<Vec<Unfinished>> {
    let workspace = Workspace::of(results, experiment);
    let lock = open_lock(&workspace);
    let mut runs: IndexMap<String, Unfinished> = IndexMap::new();
    for (entry, path) in workspace.entries()? {
        let run = entry.run();
        let found = runs.entry(run.into()).or_insert_with(|| Unfinished {
            run: run.into(),
            progress: None,
            failure: None,
            leased: lock.as_ref().is_some_and(|lock| is_locked(lock, run)),
        });
        match entry {
            Entry::Checkpoint(_) => {
                let other = found.progress.take();
                found.progress = Progress::peek(&path).into_iter().chain(other).max_by_key(|progress| progress.epoch);
            }
            Entry::Failure(run) => found.failure = workspace.read_failure(&run),
            Entry::Begun(_) | Entry::Temporary(_) | Entry::Finished(_) => {}
        }
    }
    Ok(runs.into_values().collect())
}

/// What has become of a run.
#[derive(Clone, Debug)]
pub enum State {
    /// Trained to its end, its record in place.
    Recorded(Box<Summary>),
    /// Recorded, but its summary cannot be read.
    Broken,
    /// Held by a living process; how far it was when last saved.
    Running(Option<Progress>),
    /// Held by nobody, and to be resumed where it was last saved.
    Interrupted(Option<Progress>),
    /// Held by nobody, with a note on why it could not be finished.
    Failed(FailureNote),
}

impl State {
    /// The state in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Recorded(summary) if summary.diverged_at.is_some() => "diverged",
            Self::Recorded(_) => "recorded",
            Self::Broken => "broken",
            Self::Running(_) => "running",
            Self::Interrupted(_) => "interrupted",
            Self::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Recorded(summary) => summary.diverged_at.map_or(Ok(()), |epoch| write!(f, " at epoch {epoch}")),
            Self::Running(Some(at)) | Self::Interrupted(Some(at)) => {
                write!(f, ", saved at epoch {} of {}", at.epoch, at.epochs)
            }
            Self::Failed(note) => write!(f, ": {}", note.error),
            Self::Broken | Self::Running(None) | Self::Interrupted(None) => Ok(()),
        }
    }
}

/// Every run of an experiment that has left something, by name: recorded ones first.
pub fn runs(results: &Path, experiment: &str) -> Result<Vec<(String, State)>> {
    let mut runs = Vec::new();
    for run in recorded(results, experiment)? {
        let summary = Summary::read(&results.join(experiment).join(&run));
        runs.push((run, summary.map_or(State::Broken, |summary| State::Recorded(Box::new(summary)))));
    }
    for Unfinished { run, progress, failure, leased } in unfinished(results, experiment)? {
        if results.join(experiment).join(&run).is_dir() {
            continue; // a leftover, or a run that is being trained again
        }
        let state = match failure {
            _ if leased => State::Running(progress),
            Some(note) => State::Failed(note),
            None => State::Interrupted(progress),
        };
        runs.push((run, state));
    }
    Ok(runs)
}

/// Something that can be removed. While this value lives, no process begins the run.
#[derive(Debug)]
pub struct Leftover {
    /// The file or folder.
    pub path: PathBuf,
    /// What it is, and what its removal means.
    pub what: String,
    _lease: Arc<Lease>,
}

/// What can be removed from an experiment: half-written files of killed processes, and what finished runs have left
/// behind. With `checkpoints`, also the checkpoints of unfinished runs and notes of failures; with `broken`, also
/// records with [`faults`]. Runs in training are left alone.
pub fn leftovers(results: &Path, experiment: &str, checkpoints: bool, broken: bool) -> Result<Vec<Leftover>> {
    let workspace = Workspace::of(results, experiment);
    let entries = workspace.entries()?;
    let records = if broken { recorded(results, experiment)? } else { Vec::new() };
    if entries.is_empty() && records.is_empty() {
        return Ok(Vec::new());
    }
    workspace.create()?;
    let leases = Leases::open(&workspace)?;
    // One lease for everything left of a run: dropping the first of several would release the others.
    let mut ours: HashMap<String, Option<Arc<Lease>>> = HashMap::new();
    let mut take = |run: &str| -> Result<Option<Arc<Lease>>> {
        if let Some(lease) = ours.get(run) {
            return Ok(lease.clone());
        }
        let lease = leases.take(run)?.map(Arc::new);
        ours.insert(run.into(), lease.clone());
        Ok(lease)
    };
    let mut found = Vec::new();
    for (entry, path) in entries {
        let Some(lease) = take(entry.run())? else { continue };
        let recorded = results.join(experiment).join(entry.run()).is_dir();
        let what = match entry {
            Entry::Temporary(_) => "half written by a process that was killed",
            Entry::Checkpoint(_) if recorded => "checkpoint of a run that is recorded",
            Entry::Checkpoint(_) if checkpoints => "checkpoint: the run will start afresh",
            Entry::Begun(_) if recorded || checkpoints => "note that a large run had been begun",
            Entry::Failure(_) if recorded => "failure of a run that has since been recorded",
            Entry::Failure(_) if checkpoints => "note of a failure",
            _ => continue,
        };
        found.push(Leftover { path, what: what.into(), _lease: lease });
    }
    for run in records {
        // Checked only once it is ours: until then another process may be replacing it.
        let Some(lease) = take(&run)? else { continue };
        let folder = results.join(experiment).join(run);
        if let Some(fault) = faults(&folder).first() {
            let what = format!("broken record, the run will be trained again: {fault}");
            found.push(Leftover { path: folder, what, _lease: lease });
        }
    }
    Ok(found)
}
