//! Whether a folder keeps what leases and records rest on: locks that keep other processes out, and files that change hands
//! whole. Found by trying, with another process of the same node or with some of other nodes.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    io::{self, Write},
    path::Path,
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{Leases, Workspace, workspace::remove};

/// Where processes meet in a folder of results; hidden, as it is no experiment.
const PLACE: &str = ".doctor";

/// How often a process looks for news of the others.
const PAUSE: Duration = Duration::from_millis(20);

/// Another process, as this one met it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Name of its node.
    pub node: String,
    /// Whether its lock kept this process out.
    pub locked: bool,
}

/// What each process lets the others know; replaced whole, again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    node: String,
    /// Tells this process from those of earlier probes.
    mark: u64,
    /// The marks of the others, as far as it has heard of them.
    heard: BTreeMap<usize, u64>,
    /// Whether the others' locks kept it out.
    locked: BTreeMap<usize, bool>,
    /// It no longer needs the others.
    done: bool,
}

/// Name of this node.
pub fn node() -> String {
    nix::unistd::gethostname().map_or_else(|_| "unnamed".into(), |name| name.to_string_lossy().into_owned())
}

/// Meets the other processes that call this for the folder, as number 1 to `of`: each takes a lock of its own and asks for
/// the others'. Returns what became of the others, in their order; none where the file system has no locks at all.
///
/// # Errors
/// Nothing can be written there, files do not change hands whole, or the others do not appear in time.
pub fn meet(folder: &Path, number: usize, of: usize, patience: Duration) -> Result<Option<Vec<Met>>> {
    let workspace = Workspace::of(folder, PLACE);
    workspace.create()?;
    let leases = Leases::open(&workspace)?;
    let Some(own) = leases.take(&number.to_string())? else {
        bail!("another process probes the folder {} as number {number} of {of}", folder.display());
    };
    let mark = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    let mark = mark ^ u64::from(std::process::id()) << 40;
    let mut note = Note { node: node(), mark, heard: BTreeMap::new(), locked: BTreeMap::new(), done: false };
    let path = |number: usize| workspace.folder().join(format!("{number}.note"));
    let (start, mut written, mut met) = (Instant::now(), None, BTreeMap::new());
    loop {
        let (mut asked_us, mut all_done) = (1, true);
        for other in (1..=of).filter(|&other| other != number) {
            let theirs = read(&path(other))?;
            all_done &= theirs.as_ref().is_some_and(|theirs| theirs.done);
            let Some(theirs) = theirs else { continue };
            note.heard.insert(other, theirs.mark);
            if theirs.heard.get(&number) != Some(&mark) {
                all_done = false;
                continue; // it has not heard of us, or is of an earlier probe
            }
            asked_us += usize::from(theirs.locked.contains_key(&number));
            if let Entry::Vacant(asked) = note.locked.entry(other) {
                let locked = *asked.insert(leases.take(&other.to_string())?.is_none());
                met.insert(other, Met { node: theirs.node, locked });
            }
        }
        note.done = note.locked.len() + 1 == of && asked_us == of;
        if written.as_ref() != Some(&note) {
            replace(&path(number), &note).with_context(|| format!("cannot write {}", path(number).display()))?;
            written = Some(note.clone());
        }
        // The first stays until nobody reads any longer, then cleans up.
        if note.done && (number > 1 || all_done) {
            break;
        }
        ensure!(
            start.elapsed() < patience,
            "of {of} processes that are to meet in the folder {}, {} came within {} s",
            folder.display(),
            note.locked.len() + 1,
            patience.as_secs()
        );
        sleep(PAUSE);
    }
    let has_locks = own.is_exclusive();
    drop((own, leases));
    if number == 1 {
        // On NFS, a file that another process has open keeps its folder there for a moment.
        let _ = (0..100).any(|_| remove(workspace.folder()).map_err(|_| sleep(PAUSE)).is_ok());
        let _ = workspace.folder().parent().map(fs::remove_dir);
    }
    Ok(has_locks.then(|| met.into_values().collect()))
}

/// Writes as records are written: under another name, then renamed. Nothing follows, as the reader may remove it all.
fn replace(path: &Path, note: &Note) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(&serde_json::to_vec(note)?)?;
    file.persist(path)?;
    Ok(())
}

fn read(path: &Path) -> Result<Option<Note>> {
    let text = match fs::read_to_string(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => return Ok(None),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let note = serde_json::from_str(&text);
    note.map(Some)
        .with_context(|| format!("{} is not whole, though it was renamed to this when it was", path.display()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Threads stand for processes: a lock belongs to an open file.
    fn meeting(folder: &Path, of: usize) -> Vec<Result<Option<Vec<Met>>>> {
        let patience = Duration::from_secs(20);
        let meet = |number| move || meet(folder, number, of, patience);
        thread::scope(|scope| {
            let all: Vec<_> = (1..=of).map(|number| scope.spawn(meet(number))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        })
    }

    #[test]
    fn each_is_kept_out_by_all_others() {
        let folder = tempfile::tempdir().unwrap();
        // What a killed probe left behind: it hears nobody, and nobody asks for its locks.
        let old = Note { node: "old".into(), mark: 1, heard: [(1, 7)].into(), locked: [(1, true)].into(), done: true };
        let workspace = Workspace::of(folder.path(), PLACE);
        workspace.create().unwrap();
        fs::write(workspace.folder().join("2.note"), serde_json::to_string(&old).unwrap()).unwrap();
        for found in meeting(folder.path(), 3) {
            let found = found.unwrap().expect("this file system has locks");
            assert_eq!(found, vec![Met { node: node(), locked: true }; 2]);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn what_goes_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let alone = |number| meet(folder.path(), number, 2, Duration::from_millis(50)).unwrap_err().to_string();
        assert!(alone(1).contains("of 2 processes that are to meet") && alone(1).contains(", 1 came"), "{}", alone(1));
        let workspace = Workspace::of(folder.path(), PLACE);
        fs::write(workspace.folder().join("2.note"), "{").unwrap();
        assert!(alone(1).contains("is not whole"), "{}", alone(1));
        let lease = Leases::open(&workspace).unwrap().take("1").unwrap();
        assert!(alone(1).contains("another process probes"), "{}", alone(1));
        drop(lease);
    }
}
