//! Experiment files: a title, a claim, a grid of runs, and what to draw of them.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::Value;

use super::{Fault, RunSpec, file::read_yaml, id::run_id, input::Overrides, lines::Lines, resolve, seeds::Seeds, tree};
use crate::{input_error, models::StateDict};

/// An experiment as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The file's name without its ending; names the folder of results and the pictures.
    #[serde(skip)]
    pub name: String,
    pub title: String,
    /// Where the paper shows it.
    pub paper: String,
    /// What the paper says it shows.
    pub claim: String,
    /// Settings of every run.
    #[serde(default = "empty")]
    pub base: Value,
    /// Named variants, each with its own settings on top of the base.
    #[serde(default)]
    pub arms: IndexMap<String, Value>,
    /// Dotted paths and the values each takes; every combination is run.
    #[serde(default)]
    pub grid: IndexMap<String, Vec<Value>>,
    pub seeds: Seeds,
    /// Columns of `metrics.csv`, one panel each.
    #[serde(default = "main_panels")]
    pub panels: Vec<String>,
    /// A table of final values, beside published ones.
    #[serde(default)]
    pub table: Option<TableSpec>,
}

/// A table of final values: a row for each arm and grid point.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// Columns of `metrics.csv`.
    pub columns: Vec<String>,
    /// Published mean and standard deviation of each column, by the row's label.
    #[serde(default)]
    pub published: IndexMap<String, Vec<[f64; 2]>>,
}

/// One run of an experiment.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    pub experiment: String,
    /// Name of its folder: readable labels and the hash of its settings.
    pub id: String,
    /// What tells its curve from the others: arm and grid values. Runs that differ in the seed only share it.
    pub label: String,
    /// Which of the experiment's arms it belongs to, and which of the grid's points.
    pub arm: usize,
    pub point: usize,
    pub spec: Arc<RunSpec>,
    /// Parameters to start from instead of the drawn ones.
    pub start: Option<Arc<StateDict>>,
}

fn empty() -> Value {
    Value::Mapping(serde_yaml::Mapping::new())
}

fn main_panels() -> Vec<String> {
    vec!["min_cosine".into(), "loss_mean".into()]
}

/// Short names of grid keys in labels.
fn short(path: &str) -> &str {
    match path {
        "data.latents.sparsity" => "sp",
        "views.masking_prob" => "mask",
        "model.init.closeness" => "c",
        _ => path.rsplit('.').next().unwrap_or(path),
    }
}

impl Experiment {
    /// Reads an experiment file. Every fault names the file and, where there is one, the line.
    pub fn read(path: &Path) -> Result<(Self, Lines)> {
        let (mut experiment, lines) = read_yaml::<Self>(path, &Overrides::default())?;
        experiment.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok((experiment, lines))
    }

    /// Every run of the experiment, arms outermost, then the grid in its order, then seeds.
    pub fn plan(&self, lines: &Lines, overrides: &Overrides) -> Result<Vec<PlannedRun>> {
        let nothing = IndexMap::from_iter([(String::new(), empty())]);
        let arms = if self.arms.is_empty() { &nothing } else { &self.arms };
        let seeds = overrides.seeds.as_ref().unwrap_or(&self.seeds);
        let mut runs = Vec::new();
        for (arm_index, (arm, settings)) in arms.iter().enumerate() {
            for (point_index, point) in self.points().into_iter().enumerate() {
                let label = label(arm, &point);
                let layers: Vec<Value> =
                    point.iter().map(|(path, value)| tree::at_path(path, (*value).clone())).collect();
                for &seed in &seeds.0 {
                    let seed = tree::at_path("seed", Value::from(seed));
                    let mut stack: Vec<&Value> = vec![&self.base, settings];
                    stack.extend(&layers);
                    stack.push(&seed);
                    stack.extend(&overrides.layers);
                    let spec = resolve(&stack).map_err(|fault| self.explain(fault, arm, lines, overrides))?;
                    let id = run_id(&label, &spec);
                    runs.push(PlannedRun {
                        experiment: self.name.clone(),
                        id,
                        label: label.clone(),
                        arm: arm_index,
                        point: point_index,
                        spec: Arc::new(spec),
                        start: None,
                    });
                }
            }
        }
        Ok(runs)
    }

    /// Every combination of the grid's values.
    fn points(&self) -> Vec<Vec<(&str, &Value)>> {
        self.grid.iter().fold(vec![vec![]], |points, (path, values)| {
            let extend = |point: &Vec<_>| -> Vec<Vec<(&str, &Value)>> {
                values.iter().map(|value| [point.clone(), vec![(path.as_str(), value)]].concat()).collect()
            };
            points.iter().flat_map(extend).collect()
        })
    }

    /// Names the place in the file, or the flag, that a fault comes from.
    fn explain(&self, fault: Fault, arm: &str, lines: &Lines, overrides: &Overrides) -> anyhow::Error {
        if let Some(flag) = overrides.origin(&fault.path) {
            return input_error!("{flag}: {}", fault.message);
        }
        lines.fault(fault, &[&format!("arms.{arm}."), "grid.", "base."])
    }
}

/// `NCL, sp 0.1`
fn label(arm: &str, point: &[(&str, &Value)]) -> String {
    let values = point.iter().map(|(path, value)| format!("{} {}", short(path), tree::plain(value)));
    let arm = (!arm.is_empty()).then(|| arm.to_string());
    arm.into_iter().chain(values).collect::<Vec<_>>().join(", ")
}

/// Reads several experiment files and plans their runs.
pub fn plan_all(files: &[std::path::PathBuf], overrides: &Overrides) -> Result<Vec<(Experiment, Vec<PlannedRun>)>> {
    files
        .iter()
        .map(|file| {
            let (experiment, lines) = Experiment::read(file)?;
            let runs = experiment.plan(&lines, overrides)?;
            Ok((experiment, runs))
        })
        .collect()
}
