use std::{
    fs::{File, OpenOptions},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc,
};
use sha2::{Digest, Sha256};

use super::Workspace;

/// The leases of an experiment's runs that this process holds, among all processes that share the folder.
///
/// A lease is a lock on one byte of the experiment's `lock` file (an open-file-description lock of `fcntl`); a hash of
/// the run's name says which byte. The kernel releases it when its owner dies, however that happens. On NFS the server
/// does: at once for a killed process, after a grace period (NFSv4: 90 seconds by default) for a machine that vanishes.
/// One lock file per run would do the same, but a single file leaves nothing to clean up and needs one descriptor for a
/// cohort of a thousand.
#[derive(Debug)]
pub struct Leases {
    file: File,
    path: std::path::PathBuf,
}

/// A run that is ours until this value is dropped.
#[derive(Debug)]
pub struct Lease {
    leases: Arc<Leases>,
    /// None on a file system that has no locks.
    byte: Option<i64>,
}

impl Leases {
    /// Opens the lock file of a workspace, and creates it if need be.
    pub fn open(workspace: &Workspace) -> Result<Arc<Self>> {
        let path = workspace.lock();
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = open.with_context(|| format!("cannot write the lock file {}", path.display()))?;
        Ok(Arc::new(Self { file, path }))
    }

    /// Takes the lease of a run; none if another process holds it.
    ///
    /// Leases of one `Leases` do not exclude each other: the process itself keeps its threads from taking a run twice.
    ///
    /// On a file system without locks it is always granted, with a warning: two processes may then train the same run,
    /// which costs only time, since both write the same record and each writes it whole.
    pub fn take(self: &Arc<Self>, run: &str) -> Result<Option<Lease>> {
        let byte = byte_of(run);
        match self.set(byte, libc::F_WRLCK) {
            Ok(()) => Ok(Some(Lease { leases: Arc::clone(self), byte: Some(byte) })),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(Errno::ENOLCK | Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::EINVAL) => {
                static ONCE: std::sync::Once = std::sync::Once::new();
                ONCE.call_once(|| {
                    log::warn!(
                        "the file system of {} has no locks: processes that share it may train the same run twice",
                        self.path.display()
                    );
                });
                Ok(Some(Lease { leases: Arc::clone(self), byte: None }))
            }
            Err(error) => Err(error).with_context(|| format!("cannot lock {}", self.path.display())),
        }
    }

    fn set(&self, byte: i64, kind: i32) -> Result<(), Errno> {
        fcntl(&self.file, FcntlArg::F_OFD_SETLK(&flock(byte, kind))).map(drop)
    }
}

impl Lease {
    /// Whether other processes are kept out; they are not on a file system without locks.
    pub fn is_exclusive(&self) -> bool {
        self.byte.is_some()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(byte) = self.byte {
            // Unlocking fails only on a broken connection, and then the server releases the lock by itself.
            let _ = self.leases.set(byte, libc::F_UNLCK);
        }
    }
}

/// Whether some process is training the run. Asks without taking anything.
pub fn is_leased(results: &Path, experiment: &str, run: &str) -> bool {
    open_lock(&Workspace::of(results, experiment)).is_some_and(|file| is_locked(&file, run))
}

/// A workspace's lock file for [`is_locked`], if it is there. Whoever may only read it can ask too.
pub fn open_lock(workspace: &Workspace) -> Option<File> {
    File::open(workspace.lock()).ok()
}

/// [`is_leased`] for many runs of one open lock file.
pub fn is_locked(lock: &File, run: &str) -> bool {
    let mut asked = flock(byte_of(run), libc::F_WRLCK);
    fcntl(lock, FcntlArg::F_OFD_GETLK(&mut asked)).is_ok() && i32::from(asked.l_type) != libc::F_UNLCK
}

fn flock(byte: i64, kind: i32) -> libc::flock {
    libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: byte, l_len: 1, l_pid: 0 }
}

/// The byte that stands for a run: 62 bits of a hash of its name.
fn byte_of(run: &str) -> i64 {
    let hash = Sha256::digest(run.as_bytes());
    let word = hash.iter().take(8).fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    (word >> 2) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_keeps_others_out_until_it_is_dropped() {
        let results = tempfile::tempdir().unwrap();
        let workspace = Workspace::of(results.path(), "fig1");
        workspace.create().unwrap();
        let [ours, theirs] = [0, 1].map(|_| Leases::open(&workspace).unwrap());
        let lease = ours.take("a").unwrap().unwrap();
        assert!(theirs.take("a").unwrap().is_none());
        assert!(theirs.take("b").unwrap().is_some(), "another run is free");
        assert!(is_leased(results.path(), "fig1", "a") && !is_leased(results.path(), "fig1", "b"));
        drop(lease);
        assert!(!is_leased(results.path(), "fig1", "a"));
        assert!(theirs.take("a").unwrap().is_some());
    }

    #[test]
    fn what_the_dead_left_is_settled_and_what_the_living_write_is_not() {
        let results = tempfile::tempdir().unwrap();
        let workspace = Workspace::of(results.path(), "fig1");
        workspace.create().unwrap();
        let _lease = Leases::open(&workspace).unwrap().take("living").unwrap();
        let [living, dead] = ["living", "dead.er"].map(|run| workspace.temporary(run).unwrap().keep());
        let finished = workspace.temporary("a.b").unwrap();
        for run in ["a.b", "c"] {
            std::fs::create_dir(finished.path().join(run)).unwrap();
        }
        let finished = workspace.commit(finished).unwrap();
        std::fs::write(workspace.checkpoint("c"), "").unwrap();
        workspace.settle().unwrap();
        assert!(living.exists() && !dead.exists() && !finished.exists() && !workspace.checkpoint("c").exists());
        assert!(["a.b", "c"].iter().all(|run| results.path().join("fig1").join(run).is_dir()));
    }
}
