//! Files that are whole or not there, after a kill and after a power cut alike.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
};

/// Writes a file under a temporary name beside it and renames it: whole or not at all.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let named = path.file_stem().unwrap_or_default().to_string_lossy();
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(&format!("{named}."))
            .suffix(".tmp")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_folder(folder)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes the files of a new folder and sees them onto the disk, together: the first of the syncs does the work of all.
pub fn fill_folder(folder: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
    let mut open = Vec::with_capacity(files.len());
    for (name, content) in files {
        let mut file = File::create(folder.join(name))?;
        file.write_all(content)?;
        open.push(file);
    }
    open.iter().try_for_each(File::sync_all)?;
    // Temporary folders are private; results are not.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    sync_folder(folder)
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
            let named = folder.file_stem().unwrap_or_default().to_string_lossy();
            let older = folder.with_file_name(format!("{named}-older.tmp"));
            fs::rename(name, &older)?;
            fs::rename(folder, name)?;
            fs::rename(&older, folder)
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
    fn a_taken_name_changes_hands() {
        let bench = tempfile::tempdir().unwrap();
        let [newer, name] = ["newer", "name"].map(|name| bench.path().join(name));
        for (folder, text) in [(&newer, "2"), (&name, "1")] {
            fs::create_dir(folder).unwrap();
            fill_folder(folder, &[("file", text.into())]).unwrap();
        }
        place_folder(&newer, &name).unwrap();
        let read = |folder: &Path| fs::read_to_string(folder.join("file")).unwrap();
        assert_eq!((read(&name), read(&newer)), ("2".into(), "1".into()));
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let bench = tempfile::tempdir().unwrap();
        let path = bench.path().join("folder");
        fs::create_dir(&path).unwrap();
        assert!(write_whole(&path, b"text").is_err());
        assert_eq!(fs::read_dir(bench.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
