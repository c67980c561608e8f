//! What the paper's text leaves open: settings that it does not state, with the values that a reader could take. "As
//! written" is all of these, not one of them.

use std::path::Path;

use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::Value;

use super::{Experiment, Fault, Lines, Overrides, PlannedRun, file::read_yaml, tree};
use crate::{
    fault::{ensure, unknown},
    input_error,
    metrics::{column, column_keys},
};

/// The list, as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSettings {
    /// What is open, in the file's order.
    pub settings: Vec<OpenSetting>,
}

/// Something that the text does not state.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSetting {
    /// What it is called.
    pub name: String,
    /// What the text says, and what it leaves open.
    pub text: String,
    /// The experiments that it concerns, and of each the arms, or all of them if none is named.
    #[serde(default)]
    pub experiments: IndexMap<String, Vec<String>>,
    /// Dotted path of the setting.
    #[serde(default)]
    pub path: Option<String>,
    /// The values that a reader could take.
    #[serde(default)]
    pub values: Vec<Value>,
    /// Columns that a reader could take for the first of them, which claims name.
    #[serde(default)]
    pub measures: Vec<String>,
    /// Why no value is tried.
    #[serde(default)]
    pub untried: Option<String>,
}

/// An experiment under one value of an open setting.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Name of the open setting.
    pub setting: String,
    /// Its value, as on the command line.
    pub value: String,
    /// The experiment with this value laid over.
    pub experiment: Experiment,
}

impl OpenSettings {
    /// Reads the file. Every fault names the file and the line.
    pub fn read(file: &Path) -> Result<Self> {
        let (open, lines): (Self, Lines) = read_yaml(file, &Overrides::default())?;
        for (index, setting) in open.settings.iter().enumerate() {
            setting.check(&format!("settings[{index}]")).map_err(|fault| lines.fault(fault, &[""]))?;
        }
        Ok(open)
    }

    /// The experiment under every value of every setting that concerns it.
    ///
    /// # Errors
    /// [`InputError`](super::InputError) where the list names an arm that the experiment lacks, or a path of its grid.
    pub fn readings(&self, experiment: &Experiment) -> Result<Vec<Reading>> {
        let mut readings = vec![];
        for setting in &self.settings {
            let Some(arms) = setting.experiments.get(&experiment.name) else { continue };
            let fault = |message: String| input_error!("{} of the open settings: {message}", setting.name);
            let names = experiment.arm_names();
            if let Some(arm) = arms.iter().find(|arm| !names.contains(&arm.as_str())) {
                return Err(fault(unknown(&format!("arm of {}", experiment.name), arm, &names)));
            }
            if let Some(path) = setting.path.as_ref().filter(|path| experiment.grid.contains_key(*path)) {
                return Err(fault(format!("{path} is a path of the grid of {}", experiment.name)));
            }
            let mut add = |value: String, experiment: Experiment| {
                readings.push(Reading { setting: setting.name.clone(), value, experiment });
            };
            for value in &setting.values {
                let path = setting.path.as_deref().unwrap_or_default();
                add(tree::plain(value), with_value(experiment.clone(), arms, path, value));
            }
            for measure in &setting.measures {
                add(measure.clone(), with_measure(experiment.clone(), &setting.measures[0], measure));
            }
        }
        Ok(readings)
    }

    /// The runs of the experiment's readings that are not among `runs`, as [`Experiment::plan`] plans them.
    pub fn further_runs(
        &self,
        experiment: &Experiment,
        overrides: &Overrides,
        runs: &[PlannedRun],
    ) -> Result<Vec<PlannedRun>> {
        let (experiment, lines) = Experiment::read(&experiment.file)?;
        let mut further: Vec<PlannedRun> = vec![];
        for reading in self.readings(&experiment)? {
            for run in reading.experiment.plan(&lines, overrides)? {
                if runs.iter().chain(&further).all(|other| other.id != run.id) {
                    further.push(run);
                }
            }
        }
        Ok(further)
    }
}

impl OpenSetting {
    fn check(&self, at: &str) -> Result<(), Fault> {
        let at = |key: &str| format!("{at}.{key}");
        let tried = !self.values.is_empty() || !self.measures.is_empty();
        ensure(tried != self.untried.is_some(), &at("untried"), || {
            "give `values` of a `path`, or `measures`, or say in `untried` why there are none".into()
        })?;
        ensure(self.values.is_empty() == self.path.is_none(), &at("path"), || {
            "`path` and `values` go together".into()
        })?;
        ensure(!tried || !self.experiments.is_empty(), &at("experiments"), || {
            "name the experiments that it concerns".into()
        })?;
        match self.measures.iter().position(|measure| column(measure).is_none()) {
            Some(i) => {
                let message = unknown("column", &self.measures[i], column_keys());
                Err(Fault::new(&at(&format!("measures[{i}]")), message))
            }
            None => Ok(()),
        }
    }
}

/// The experiment with a value laid over the settings of some arms, or of all.
fn with_value(mut experiment: Experiment, arms: &[String], path: &str, value: &Value) -> Experiment {
    let layer = tree::at_path(path, value.clone());
    if experiment.arms.is_empty() {
        tree::merge(&mut experiment.base, &layer);
    }
    let concerned = experiment.arms.iter_mut().filter(|(name, _)| arms.is_empty() || arms.contains(name));
    concerned.for_each(|(_, settings)| tree::merge(settings, &layer));
    experiment
}

/// The experiment with claims on the column `from` made on `to`.
fn with_measure(mut experiment: Experiment, from: &str, to: &str) -> Experiment {
    let concerned = experiment.claims.iter_mut().filter(|claim| claim.measure == from);
    concerned.for_each(|claim| claim.measure = to.into());
    experiment
}
