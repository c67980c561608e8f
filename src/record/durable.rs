//! Files that are either whole or absent, after a kill as after a power cut.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    unistd::syncfs,
};
use tempfile::NamedTempFile;

use super::origin;

/// Up to this many files are synced one by one, more by one call for the whole file system: that call may have to wait
/// for what others write, whereas each file on its own waits for the disk once.
const FEW: usize = 8;

/// Writes a file under a temporary name beside it and renames it: whole or not at all.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let file = temporary(path, content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_folder(folder_of(path))
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes files that belong together, over older ones: after a kill either all of the new ones are there or all of the
/// older ones, each under its own name or the one that `older` gives it. Waits for the disk once for all.
pub fn write_together(
    files: impl IntoIterator<Item = Result<(PathBuf, Vec<u8>)>>,
    older: impl Fn(&Path) -> PathBuf,
) -> Result<()> {
    let (mut written, mut names) = (Vec::new(), Vec::new());
    for file in files {
        let (path, content) = file?;
        let file = temporary(&path, &content).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(file.into_temp_path());
        names.push(path);
    }
    let Some(first) = names.first().cloned() else { return Ok(()) };
    let place = || -> io::Result<()> {
        sync_files(&written)?;
        for name in names.iter().filter(|name| names.len() > 1 && name.exists()) {
            fs::rename(name, older(name))?;
        }
        for (file, name) in written.into_iter().zip(&names) {
            file.persist(name)?;
        }
        let folders: BTreeSet<&Path> = names.iter().map(|name| folder_of(name)).collect();
        folders.into_iter().try_for_each(sync_folder)?;
        for older in names.iter().map(|name| older(name)).filter(|older| older.exists()) {
            fs::remove_file(older)?;
        }
        Ok(())
    };
    place().with_context(|| format!("cannot write {}", first.display()))
}

fn temporary(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let named = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut file = tempfile::Builder::new()
        .prefix(&origin::prefix(&named))
        .suffix(".tmp")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(content)?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Syncs files of one file system to the disk.
pub fn sync_files<P: AsRef<Path>>(files: &[P]) -> io::Result<()> {
    match files {
        [first, ..] if files.len() > FEW => Ok(syncfs(File::open(first)?)?),
        _ => files.iter().try_for_each(|path| File::open(path)?.sync_all()),
    }
}

/// Gives a folder its name. If the name is taken, the two are exchanged in one step, and the older one ends up where
/// the newer one was.
pub fn place_folder(folder: &Path, name: &Path) -> io::Result<()> {
    if !name.exists() {
        return fs::rename(folder, name);
    }
    match renameat2(AT_FDCWD, folder, AT_FDCWD, name, RenameFlags::RENAME_EXCHANGE) {
        // NFS, and old file systems: in two steps.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
            let older = tempfile::tempdir_in(folder_of(folder))?;
            fs::rename(name, older.path().join("older"))?;
            fs::rename(folder, name)
        }
        exchanged => Ok(exchanged?),
    }
}

/// Syncs the names in a folder to the disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_together_over_older_ones() {
        let bench = tempfile::tempdir().unwrap();
        for content in [b"1", b"2"] {
            let files = (0..2 * FEW).map(|i| Ok((bench.path().join(format!("{i}.file")), content.to_vec())));
            write_together(files, |path| path.with_extension("older")).unwrap();
            let read: Vec<_> =
                fs::read_dir(bench.path()).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
            assert_eq!(read, vec![content; 2 * FEW], "and nothing else is left");
        }
    }

    #[test]
    fn a_taken_name_changes_hands() {
        let bench = tempfile::tempdir().unwrap();
        let [newer, name] = ["newer", "name"].map(|name| bench.path().join(name));
        for (folder, text) in [(&newer, "2"), (&name, "1")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), text).unwrap();
        }
        place_folder(&newer, &name).unwrap();
        let read = |folder: &Path| fs::read_to_string(folder.join("file")).unwrap();
        assert_eq!((read(&name), read(&newer)), ("2".into(), "1".into()));
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_no_temporary_one() {
        let bench = tempfile::tempdir().unwrap();
        let path = bench.path().join("folder");
        fs::create_dir(&path).unwrap();
        assert!(write_whole(&path, b"text").is_err());
        assert_eq!(fs::read_dir(bench.path()).unwrap().count(), 1);
    }
}
