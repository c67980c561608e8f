//! The files that experiments consist of, for taking them elsewhere.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{Bound, Experiment};
use crate::input_error;

/// Every file that experiments need, including themselves: those that they extend, the tables that they are fitted to,
/// and the experiments that their claims name. Files name each other by relative paths, so copies with the same
/// relative places mean the same.
///
/// # Errors
/// An experiment's file, or one that it needs, cannot be read.
pub fn sources(files: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let (mut found, mut read) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<PathBuf> = files.to_vec();
    while let Some(file) = open.pop() {
        let file = place(&file)?;
        if !read.insert(file.clone()) {
            continue;
        }
        let (experiment, lines) = Experiment::read_alone(&file)?;
        for file in lines.files() {
            found.insert(place(file)?);
        }
        open.extend(named(&experiment));
    }
    Ok(found)
}

/// Where a file lies: its name joined to its folder's one absolute path.
pub fn place(file: &Path) -> Result<PathBuf> {
    let name = file.file_name().ok_or_else(|| input_error!("{} is not a file", file.display()))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().with_context(|| format!("cannot find the folder {}", folder.display()))?;
    Ok(folder.join(name))
}

/// The deepest folder that holds all of the files.
pub fn common_folder(files: &BTreeSet<PathBuf>) -> PathBuf {
    let folders = files.iter().map(|file| file.parent().unwrap_or(file).to_path_buf());
    let common = |a: PathBuf, b: PathBuf| {
        a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect::<PathBuf>()
    };
    folders.reduce(common).unwrap_or_default()
}

/// The files of the experiments that the fit and the claims name. A fit needs its table; claims are judged elsewhere.
fn named(experiment: &Experiment) -> Vec<PathBuf> {
    let bounds = experiment.claims.iter().flat_map(|claim| [&claim.above, &claim.below]).flatten();
    let compared = bounds.filter_map(|bound| match bound {
        Bound::Runs { experiment, .. } => experiment.as_deref(),
        Bound::Number(_) => None,
    });
    let mut files: Vec<PathBuf> = compared.map(|name| experiment.sibling(name)).filter(|file| file.is_file()).collect();
    files.extend(experiment.fit.iter().map(|fit| fit.file(experiment)));
    files
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn everything_that_a_file_names_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, more: &str| {
            fs::write(folder.path().join(name), format!("{{title: t, paper: t, claim: t, seeds: 1{more}}}")).unwrap();
        };
        fs::create_dir(folder.path().join("varied")).unwrap();
        write("table.yaml", ", table: {columns: [loss], published: {'': [[1, 1]]}}");
        write("other.yaml", "");
        write("varied/other-varied.yaml", ", claims: [{says: s, above: {experiment: missing}}]");
        write("fig.yaml", ", claims: [{says: s, above: {experiment: other}}]");
        write(
            "varied/fig-varied.yaml",
            ", extends: ../fig.yaml, grid: {train.lr: [1]}, fit: {to: ../table, over: train.lr}",
        );
        write("unrelated.yaml", "");
        let found = sources(&[folder.path().join("varied/../varied/fig-varied.yaml")]).unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let expected = ["fig.yaml", "table.yaml", "varied/fig-varied.yaml", "varied/other-varied.yaml"];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected.map(|name| folder.join(name)));
    }
}
