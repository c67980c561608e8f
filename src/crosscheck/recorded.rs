//! Runs of the authors' code recorded with PyTorch 2.11 on one CPU thread (`tests/data/reference`).

use std::{fs::File, path::Path};

use anyhow::{Context, Result, bail, ensure};
use indexmap::IndexMap;
use ndarray::{IxDyn, OwnedRepr};
use ndarray_npy::NpzReader;
use serde_json::Value;

use super::Theirs;
use crate::{
    authors::{Config, Flags, Levels, Script, translate},
    spec::{RunSpec, layout::StateDict},
};

/// One recorded run.
#[derive(Clone, Debug)]
pub struct RecordedCase {
    /// Name of the recorded files.
    pub name: String,
    /// Our version of the run, measuring everything at every epoch.
    pub spec: RunSpec,
    /// What the authors' code logged and ended with.
    pub theirs: Theirs,
}

/// Every case of a folder, by name.
///
/// # Errors
/// A folder without cases, or a file that cannot be read.
pub fn recorded_cases(folder: &Path) -> Result<Vec<RecordedCase>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            (path.extension()? == "npz").then(|| path.file_stem()?.to_str().map(Into::into))?
        })
        .collect();
    ensure!(!names.is_empty(), "there are no recorded cases in {}", folder.display());
    names.sort();
    names.iter().map(|name| read(folder, name).with_context(|| format!("recorded case {name}"))).collect()
}

fn read(folder: &Path, name: &str) -> Result<RecordedCase> {
    let text = std::fs::read_to_string(folder.join(format!("{name}.json")))?;
    let json: Value = serde_json::from_str(&text)?;
    let script = json["script"].as_str().and_then(Script::of).context("no script")?;
    let model = json["model"].as_str().context("no model")?;
    let seed = json["seed"].as_u64().context("no seed")?;
    let flags: Flags = serde_json::from_value(json["args"].clone())?;
    let config: Config = serde_json::from_value(json["config"].clone())?;
    let levels = Levels {
        ws_noise: config.ws_noise_levels[0].clone(),
        noise: config.gaussian_noise_levels[0].clone(),
        sparsity: config.sparsity_levels[0].clone(),
        masking_prob: config.masking_probs[0].clone(),
    };
    let spec = translate(script, model, &flags, &config, &levels, seed);
    let mut spec = match spec {
        Ok(spec) => spec,
        Err(fault) => bail!("{}", fault.message),
    };
    spec.metrics.detail_every = 1;
    let epochs: Vec<IndexMap<String, Option<f64>>> = serde_json::from_value(json["epochs"].clone())?;
    let state = final_state(&folder.join(format!("{name}.npz")))?;
    Ok(RecordedCase { name: name.into(), spec, theirs: Theirs::new(epochs, state) })
}

/// The arrays `final.*` of an archive.
fn final_state(path: &Path) -> Result<StateDict> {
    let mut archive = NpzReader::new(File::open(path)?)?;
    let mut state = StateDict::new();
    for entry in archive.names()? {
        if let Some(name) = entry.trim_end_matches(".npy").strip_prefix("final.") {
            let value = match archive.by_name::<OwnedRepr<f32>, IxDyn>(&entry) {
                Ok(value) => value.mapv(f64::from),
                // Batch counts are integers.
                Err(_) => archive.by_name::<OwnedRepr<i64>, IxDyn>(&entry)?.mapv(|count| count as f64),
            };
            state.insert(name.into(), value);
        }
    }
    ensure!(!state.is_empty(), "{} holds no final parameters", path.display());
    Ok(state)
}
