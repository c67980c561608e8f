use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Leases, durable, origin, regular};

/// Where the runs of an experiment lie until they are finished: `results/<experiment>/.unfinished/`.
///
/// It holds `lock`, `<run>.checkpoint`, `<run>.failed`, `<run>.begun` for a large run without a checkpoint, and
/// `<run>.<random>.tmp` while something is being written. For an instant it also holds `<run>.older`, the last checkpoint
/// while a cohort's new ones take its place, and `<run>.<random>.finished`, records that are whole but not yet in place.
#[derive(Clone, Debug)]
pub struct Workspace {
    folder: PathBuf,
}

const FOLDER: &str = ".unfinished";
const CHECKPOINT: &str = ".checkpoint";
const OLDER: &str = ".older";
const FAILED: &str = ".failed";
const BEGUN: &str = ".begun";
const TEMPORARY: &str = ".tmp";
const FINISHED: &str = ".finished";

/// What a file of a workspace is, with the run it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `<run>.checkpoint`: a run to be resumed.
    Checkpoint(String),
    /// `<run>.failed`: why a run could not be finished.
    Failure(String),
    /// A large run that has been begun but not saved yet.
    Begun(String),
    /// Being written by the process that trains the run, or left by one that was killed.
    Temporary(String),
    /// Records of this and other runs, whole but not yet in place.
    Finished(String),
}

impl Entry {
    /// Name of the run that the file belongs to, or is named after.
    pub fn run(&self) -> &str {
        let (Self::Checkpoint(run)
        | Self::Failure(run)
        | Self::Begun(run)
        | Self::Temporary(run)
        | Self::Finished(run)) = self;
        run
    }
}

/// Why a run could not be finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureNote {
    /// Name of the run's folder.
    pub run: String,
    /// The error with its causes.
    pub error: String,
    /// Seconds since 1970.
    pub time: u64,
}

impl Workspace {
    /// Of an experiment; nothing is created.
    pub fn of(results: &Path, experiment: &str) -> Self {
        Self { folder: results.join(experiment).join(FOLDER) }
    }

    /// Creates the folder.
    pub fn create(&self) -> Result<()> {
        let create = || {
            fs::create_dir_all(&self.folder)?;
            tempfile::tempfile_in(&self.folder) // also where everything may be read and nothing written
        };
        create().with_context(|| format!("cannot write into the results folder {}", self.folder.display()))?;
        Ok(())
    }

    /// `<results>/<experiment>/.unfinished`
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file whose bytes are [leased](Leases).
    pub fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// Where a run is saved while it is trained.
    pub fn checkpoint(&self, run: &str) -> PathBuf {
        self.folder.join(format!("{run}{CHECKPOINT}"))
    }

    /// Where an older checkpoint is put aside.
    pub fn older(checkpoint: &Path) -> PathBuf {
        checkpoint.with_extension(&OLDER[1..])
    }

    fn failure(&self, run: &str) -> PathBuf {
        self.folder.join(format!("{run}{FAILED}"))
    }

    fn begun(&self, run: &str) -> PathBuf {
        self.folder.join(format!("{run}{BEGUN}"))
    }

    /// How often a run has been begun by processes that ended before they saved it or gave it up.
    pub fn times_begun(&self, run: &str) -> u32 {
        fs::read_to_string(self.begun(run)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Notes that a run is begun once more.
    pub fn note_begun(&self, run: &str) -> Result<()> {
        let times = self.times_begun(run).saturating_add(1);
        durable::write_whole(&self.begun(run), format!("{times}\n").as_bytes())
    }

    /// The run has come far enough, or has been given up.
    pub fn forget_begun(&self, run: &str) -> Result<()> {
        remove(&self.begun(run))
    }

    /// A folder to fill before it is named.
    pub fn temporary(&self, run: &str) -> io::Result<tempfile::TempDir> {
        fs::create_dir_all(&self.folder)?;
        tempfile::Builder::new().prefix(&origin::prefix(run)).suffix(TEMPORARY).tempdir_in(&self.folder)
    }

    /// Notes why a run failed.
    pub fn note_failure(&self, run: &str, error: &str) -> Result<()> {
        let note = FailureNote { run: run.into(), error: error.into(), time: now() };
        durable::write_whole(&self.failure(run), (serde_json::to_string(&note)? + "\n").as_bytes())
    }

    /// Why a run failed, if that has been noted.
    pub fn read_failure(&self, run: &str) -> Option<FailureNote> {
        serde_json::from_slice(&regular::read(&self.failure(run)).ok()?).ok()
    }

    /// Takes back the note of a failure.
    pub fn forget_failure(&self, run: &str) -> Result<()> {
        remove(&self.failure(run))
    }

    /// Removes a run's checkpoints.
    pub fn forget_checkpoint(&self, run: &str) -> Result<()> {
        let checkpoint = self.checkpoint(run);
        remove(&checkpoint)?;
        remove(&Self::older(&checkpoint))
    }

    /// What lies here, with each entry's path.
    pub fn entries(&self) -> Result<Vec<(Entry, PathBuf)>> {
        let mut entries = Vec::new();
        let listing = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(entries),
            listing => listing.with_context(|| format!("cannot list {}", self.folder.display()))?,
        };
        for file in listing {
            let path = file.with_context(|| format!("cannot list {}", self.folder.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let entry = if let Some(run) = name.strip_suffix(CHECKPOINT).or(name.strip_suffix(OLDER)) {
                Entry::Checkpoint(run.into())
            } else if let Some(run) = name.strip_suffix(FAILED) {
                Entry::Failure(run.into())
            } else if let Some(run) = name.strip_suffix(BEGUN) {
                Entry::Begun(run.into())
            } else if let Some(rest) = name.strip_suffix(TEMPORARY) {
                Entry::Temporary(without_random(rest))
            } else if let Some(rest) = name.strip_suffix(FINISHED) {
                Entry::Finished(without_random(rest))
            } else {
                continue;
            };
            entries.push((entry, path));
        }
        entries.sort_by(|a, b| a.1.cmp(&b.1));
        Ok(entries)
    }

    /// Declares the records in a folder of [`Self::temporary`] finished, all in one step, and returns where they are
    /// now.
    pub fn commit(&self, batch: tempfile::TempDir) -> io::Result<PathBuf> {
        let finished = batch.path().with_extension(&FINISHED[1..]);
        fs::rename(batch.path(), &finished)?;
        Ok(finished)
    }

    /// Removes what a run left here, then puts its finished record in place. In this order, a kill in between leaves
    /// the record here to be found.
    pub fn place(&self, record: &Path) -> Result<()> {
        let (Some(experiment), Some(run)) = (self.folder.parent(), record.file_name()) else { return Ok(()) };
        self.forget_checkpoint(&run.to_string_lossy())?;
        self.forget_failure(&run.to_string_lossy())?;
        self.forget_begun(&run.to_string_lossy())?;
        Ok(durable::place_folder(record, &experiment.join(run))?)
    }

    /// Completes what killed processes left undone: puts finished records in their places and removes half-written
    /// files. Whatever a living process is writing belongs to a run that it has leased, and stays.
    /// Where a file system keeps locks to one machine, another machine's leases are not seen, so what it wrote lately
    /// stays too.
    pub fn settle(&self) -> Result<()> {
        let mut left = self.entries()?;
        left.retain(|(entry, _)| matches!(entry, Entry::Temporary(_) | Entry::Finished(_)));
        if left.is_empty() {
            return Ok(());
        }
        let leases = Leases::open(self)?;
        for (entry, path) in left {
            let lease = leases.take(entry.run())?;
            let ours = lease.as_ref().is_some_and(|lease| lease.is_exclusive());
            if !ours || !path.exists() || !origin::may_be_settled(&path) {
                continue; // a living process has it in hand, or has done it
            }
            log::info!("settling {}, left by a process that was killed", path.display());
            if let Entry::Finished(_) = entry {
                for record in fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))? {
                    self.place(&record?.path())?;
                }
            }
            remove(&path)?;
        }
        Ok(())
    }
}

/// The run's name in that of a temporary file, `<run>.<random>`.
fn without_random(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(run, _)| run).into()
}

/// Removes a file or a folder that may be gone already.
pub fn remove(path: &Path) -> Result<()> {
    let gone = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        gone => gone.with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
