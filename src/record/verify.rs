use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::{Metrics, Summary, read_state, regular};
use crate::spec::{
    RunSpec,
    layout::{Layout, StateDict},
    run_id,
};

/// What is wrong with a record: its files, their hashes, the settings against the folder's name, the rows and the weights
/// against the settings. Empty if nothing is.
pub fn faults(folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let mut note = |result: Result<()>| {
        if let Err(error) = result {
            faults.push(format!("{error:#}"));
        }
    };
    let spec = read(folder, "spec.yaml", RunSpec::from_yaml);
    let summary = Summary::read(folder);
    match (&spec, &summary) {
        (Ok(spec), Ok(summary)) => {
            note(name(folder, spec, summary));
            summary.sha256.keys().for_each(|file| note(summary.checked(folder, file).map(drop)));
            note(rows(folder, spec, summary));
            note(read_state(&folder.join("final.safetensors")).and_then(|state| fits(&state, spec)));
        }
        _ => {
            note(spec.map(drop));
            note(summary.map(drop));
        }
    }
    faults
}

fn read<T>(folder: &Path, file: &str, parse: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let text = regular::read(&folder.join(file)).with_context(|| format!("{file} cannot be read"))?;
    parse(&text).with_context(|| format!("{file} is not whole"))
}

/// The folder is named after the run, and the name's hash is that of the settings. (Runs of the authors' scripts are named
/// as their files, without a hash.)
fn name(folder: &Path, spec: &RunSpec, summary: &Summary) -> Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    ensure!(name == summary.run, "summary.json is of the run {}", summary.run);
    let is_hash = |end: &str| end.len() == 10 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hashed = name.rsplit_once('_').is_some_and(|(_, end)| is_hash(end));
    let expected = run_id(&summary.label, spec);
    ensure!(!hashed || name == expected, "spec.yaml holds the settings of {expected}");
    Ok(())
}

/// A row for every epoch that is due, up to the last.
fn rows(folder: &Path, spec: &RunSpec, summary: &Summary) -> Result<()> {
    ensure!(summary.epochs == spec.train.epochs, "summary.json ends at epoch {}", summary.epochs);
    let metrics = Metrics::read(&folder.join("metrics.csv"))?;
    let Some(epochs) = metrics.column("epoch") else { bail!("metrics.csv has no column of epochs") };
    let last = spec.train.epochs;
    let due = (0..last).step_by(spec.metrics.every).chain([last]);
    ensure!(
        epochs.iter().copied().eq(due.map(|epoch| epoch as f64)),
        "metrics.csv ends at epoch {} of {last}, or lacks rows",
        epochs.last().unwrap_or(&0.0)
    );
    Ok(())
}

/// The tensors of the model, in their shapes.
pub fn fits(state: &StateDict, spec: &RunSpec) -> Result<()> {
    for parameter in Layout::of(&spec.model, spec.data.p) {
        let shape = state.get(&parameter.name).map(|value| value.shape());
        let Some(shape) = shape else { bail!("final.safetensors has no {}", parameter.name) };
        ensure!(shape == parameter.shape, "{} has the shape {shape:?}, not {:?}", parameter.name, parameter.shape);
    }
    Ok(())
}
