//! What one experiment has trained need not be trained again by another with the same settings.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    Leases, Provenance, Summary, Workspace,
    durable::{sync_files, sync_folder},
    experiments, faults, is_recorded, read_settings, recorded, remove, run_folder,
};
use crate::spec::PlannedRun;

/// Records the runs that another experiment of these results holds with the same settings, by copying its records under
/// the runs' own names. A record is taken over only if it is whole, was made by this program's own sources from start to
/// end, and is `wanted`. Returns the number of runs taken over.
///
/// # Errors
/// A record cannot be written.
pub fn adopt<'a>(
    results: &Path,
    runs: impl IntoIterator<Item = &'a PlannedRun>,
    wanted: impl Fn(&Provenance) -> bool,
) -> Result<usize> {
    let todo = runs.into_iter().filter(|run| run.start.is_none() && !is_recorded(results, run));
    let todo: Vec<(&PlannedRun, &str)> = todo.filter_map(|run| Some((run, hash(&run.id)?))).collect();
    if todo.is_empty() || !results.is_dir() {
        return Ok(0);
    }
    let mut by_hash: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for experiment in experiments(results)? {
        for run in recorded(results, &experiment)? {
            if let Some(hash) = hash(&run) {
                by_hash.entry(hash.into()).or_default().push(results.join(&experiment).join(&run));
            }
        }
    }
    let mut adopted = 0;
    for (run, hash) in todo {
        let candidates = by_hash.get(hash).into_iter().flatten();
        let Some((folder, summary)) = candidates.filter_map(|folder| same(folder, run, &wanted)).next() else {
            continue;
        };
        let copy = || take_over(results, run, &folder, summary);
        adopted += usize::from(copy().with_context(|| format!("cannot take over {}", folder.display()))?);
    }
    Ok(adopted)
}

/// The ten digits at the end of a run's name that stand for its settings; runs of the authors' scripts have none.
fn hash(run: &str) -> Option<&str> {
    let (_, end) = run.rsplit_once('_')?;
    (end.len() == 10 && end.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(end)
}

/// The record in `folder` if it may stand for the run.
fn same(folder: &Path, run: &PlannedRun, wanted: impl Fn(&Provenance) -> bool) -> Option<(PathBuf, Summary)> {
    let (summary, spec) = read_settings(folder).ok()?;
    let made = &summary.provenance;
    let ours = summary.start.is_none() && summary.earlier.is_empty() && made.is_of_this_code() && wanted(made);
    (ours && spec == *run.spec && faults(folder).is_empty()).then(|| (folder.into(), summary))
}

/// Copies a record under the run's name, whole or not at all; not if another process has the run in hand.
fn take_over(results: &Path, run: &PlannedRun, folder: &Path, summary: Summary) -> Result<bool> {
    let workspace = Workspace::of(results, &run.experiment);
    workspace.create()?;
    let Some(_lease) = Leases::open(&workspace)?.take(&run.id)? else { return Ok(false) };
    if is_recorded(results, run) {
        return Ok(false);
    }
    let batch = workspace.temporary(&run.id)?;
    let place = batch.path().join(&run.id);
    fs::create_dir(&place)?;
    let mut written = Vec::new();
    let mut write = |name: &str, content: &[u8]| -> Result<()> {
        written.push(place.join(name));
        Ok(fs::write(place.join(name), content)?)
    };
    for file in summary.sha256.keys() {
        write(file, &summary.checked(folder, file)?)?;
    }
    let taken_from = Some(format!("{}/{}", summary.experiment, summary.run));
    let (experiment, id, label) = (run.experiment.clone(), run.id.clone(), run.label.clone());
    let summary = Summary { experiment, run: id, label, taken_from, ..summary };
    write(Summary::FILE, summary.signed()?.as_bytes())?;
    sync_files(&written)?;
    let batch = workspace.commit(batch)?;
    workspace.place(&batch.join(&run.id))?;
    remove(&batch)?;
    if let Some(experiment) = run_folder(results, run).parent() {
        sync_folder(experiment)?;
    }
    Ok(true)
}
