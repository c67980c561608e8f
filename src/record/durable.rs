//! Files that are whole or not there, after a kill and after a power cut alike.

use std::{
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

/// Up to so many files are seen onto the disk one by one, more by one call for the whole file system: that may have to
/// wait for what others write, and each file of its own waits for the disk.
const FEW: usize = 8;

/// Writes a file under a temporary name beside it and renames it: whole or not at all.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    write_all(&[(path.into(), content.into())])
}

/// Writes files as [`write_whole`] does, and waits for the disk once for all.
pub fn write_all(files: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    let mut written = Vec::with_capacity(files.len());
    for (path, content) in files {
        let write = || -> io::Result<_> {
            fs::create_dir_all(folder_of(path))?;
            let named = path.file_stem().unwrap_or_default().to_string_lossy();
            let mut file = tempfile::Builder::new()
                .prefix(&format!("{named}."))
                .suffix(".tmp")
                .permissions(fs::Permissions::from_mode(0o644))
                .tempfile_in(folder_of(path))?;
            file.write_all(content)?;
            Ok(file)
        };
        written.push(write().with_context(|| format!("cannot write {}", path.display()))?);
    }
    let temporary: Vec<_> = written.iter().map(|file| file.path().to_path_buf()).collect();
    let Some((first, _)) = files.first() else { return Ok(()) };
    sync_files(&temporary).with_context(|| format!("cannot write {}", first.display()))?;
    for (file, (path, _)) in written.into_iter().zip(files) {
        file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    sync_folder(folder_of(first)).with_context(|| format!("cannot write {}", first.display()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Sees files of one file system onto the disk.
pub fn sync_files(files: &[PathBuf]) -> io::Result<()> {
    match files {
        [first, ..] if files.len() > FEW => Ok(syncfs(File::open(first)?)?),
        _ => files.iter().try_for_each(|path| File::open(path)?.sync_all()),
    }
}

/// Gives a folder its name. If the name is taken, the two change places in one step, and the older one is left where the
/// newer one was.
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

/// Sees the names in a folder onto the disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_files_are_written_as_one_is() {
        let bench = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..2 * FEW).map(|i| (bench.path().join(i.to_string()), vec![i as u8])).collect();
        write_all(&files).unwrap();
        assert!(files.iter().all(|(path, content)| fs::read(path).unwrap() == *content));
        assert_eq!(fs::read_dir(bench.path()).unwrap().count(), files.len(), "no temporary file is left");
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
