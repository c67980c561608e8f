//! The experiments of a job, copied along with it: editing or removing the originals later changes no job that waits in
//! the queue.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    input_error,
    record::write_whole,
    spec::{common_folder, place, sources},
};

/// Copies experiments into `folder` with all the files that they need, keeping their places relative to each other.
/// Returns where the copied experiments lie.
///
/// # Errors
/// A file cannot be read or written, or is named by an absolute path, so that the copy would still refer to the
/// original.
pub fn copy(experiments: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    let files = sources(experiments)?;
    let root = common_folder(&files);
    let copied = |file: &Path| folder.join(file.strip_prefix(&root).unwrap_or(file));
    for file in &files {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        write_whole(&copied(file), &text)?;
    }
    let copies = experiments.iter().map(|file| Ok(copied(&place(file)?))).collect::<Result<Vec<_>>>()?;
    let home = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    match sources(&copies)?.iter().find(|file| !file.starts_with(&home)) {
        Some(outside) => Err(input_error!(
            "{} is named by an absolute path, so it cannot be copied along with the job; name it relative to the file that \
             names it",
            outside.display()
        )),
        None => Ok(copies),
    }
}
