//! Settings from the command line.

use anyhow::Result;
use serde_yaml::Value;

use super::{
    lines::{DEEPEST, LONGEST},
    seeds::Seeds,
    tree, yaml,
};
use crate::input_error;

/// What the command line changes in an experiment: later layers win.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Settings over those of the experiment's file, one mapping for each flag.
    pub layers: Vec<Value>,
    /// Seeds instead of those of the file.
    pub seeds: Option<Seeds>,
    /// Path and flag of each layer, for error messages.
    origins: Vec<(String, String)>,
}

impl Overrides {
    /// Only the seeds are changed, if any are given.
    pub fn with_seeds(seeds: Option<Seeds>) -> Self {
        Self { seeds, ..Self::default() }
    }

    /// The same seeds, with nothing else changed.
    pub fn without_layers(&self) -> Self {
        Self::with_seeds(self.seeds.clone())
    }

    /// The flags in words, such as `--quick, --set train.lr=0.5, --seeds 1..3`; none where nothing is changed.
    pub fn flags(&self) -> Option<String> {
        let seeds = self.seeds.iter().map(|seeds| format!("--seeds {seeds}"));
        let flags: Vec<String> = self.origins.iter().map(|(_, flag)| flag.clone()).chain(seeds).collect();
        (!flags.is_empty()).then(|| flags.join(", "))
    }

    /// Adds `--set path=value`; the value is read as YAML.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let flag = format!("--set {}", abridged(assignment));
        let Some((path, value)) = assignment.split_once('=') else {
            return Err(input_error!("{flag}: give a path and a value, as in --set train.lr=0.005"));
        };
        if path.is_empty() || path.split('.').any(str::is_empty) {
            return Err(input_error!("{flag}: `{}` is not a dotted path such as train.lr", abridged(path)));
        }
        if path == "seed" {
            return Err(input_error!(
                "{flag}: every run has a seed of its own; give them as --seeds {}",
                abridged(value)
            ));
        }
        if path.len() > LONGEST || path.split('.').count() > DEEPEST {
            return Err(input_error!("{flag}: no setting has so long a path"));
        }
        let value = yaml::parse(value).map_err(|message| input_error!("{flag}: {message}"))?;
        self.layer(path, value, flag);
        Ok(())
    }

    /// Adds a setting made by a flag of its own.
    pub fn layer(&mut self, path: &str, value: Value, flag: String) {
        self.layers.push(tree::at_path(path, value));
        self.origins.push((path.to_string(), flag));
    }

    /// The flag that a faulty path comes from.
    pub fn origin(&self, path: &str) -> Option<&str> {
        let touches =
            |set: &str| path == set || path.starts_with(&format!("{set}.")) || set.starts_with(&format!("{path}."));
        self.origins.iter().rev().find(|(set, _)| touches(set)).map(|(_, flag)| flag.as_str())
    }
}

/// The beginning of what is too long for a message.
fn abridged(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}
