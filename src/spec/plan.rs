//! From experiment files to their runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use indexmap::IndexMap;
use serde_yaml::Value;

use super::{
    Experiment, Fault, PlannedRun,
    curves::label,
    experiment::{LONGEST_NAME, empty, stem},
    id::run_id,
    input::Overrides,
    lines::Lines,
    resolve, sources, tree,
};
use crate::input_error;

/// Runs of one experiment, at most.
const MOST_RUNS: usize = 100_000;

/// An experiment with all of its runs, in the order of its arms, its grid and its seeds.
pub type PlannedExperiment = (Experiment, Vec<PlannedRun>);

/// Reads several experiment files and plans their runs.
///
/// # Errors
/// As [`check_names`] and [`plan_file`].
pub fn plan_all(files: &[PathBuf], overrides: &Overrides) -> Result<Vec<PlannedExperiment>> {
    check_names(files)?;
    files.iter().map(|file| plan_file(file, overrides)).collect()
}

/// Refuses two files of one name: results and pictures are named after it, so one experiment's would replace the
/// other's.
///
/// # Errors
/// Two such files, or a folder that is not there.
pub fn check_names(files: &[PathBuf]) -> Result<()> {
    let mut names: IndexMap<String, &Path> = IndexMap::new();
    for file in files {
        let other = *names.entry(stem(file)).or_insert(file);
        if other != file && sources::place(other)? != sources::place(file)? {
            return Err(input_error!(
                "{} and {} are both named `{}`, the name of their results and pictures; rename one",
                other.display(),
                file.display(),
                stem(file)
            ));
        }
    }
    Ok(())
}

/// Reads an experiment file and plans its runs under what the command line changes.
///
/// # Errors
/// Input errors that name the file, the line and the key, or the flag.
pub fn plan_file(file: &Path, overrides: &Overrides) -> Result<PlannedExperiment> {
    let (mut experiment, lines) = Experiment::read(file)?;
    let mut runs = experiment.plan(&lines, overrides)?;
    let without = |experiment: &Experiment| experiment.plan(&lines, &overrides.without_layers());
    let changes = experiment.give_way(&runs, without, overrides)?;
    if !changes.is_empty() {
        changes.iter().for_each(|change| log::warn!("{}: {change}", experiment.name));
        runs = experiment.plan(&lines, overrides)?;
    }
    log::debug!("{} has {} runs", file.display(), runs.len());
    Ok((experiment, runs))
}

impl Experiment {
    /// Every run of the experiment, arms outermost, then the grid in its order, then seeds.
    pub fn plan(&self, lines: &Lines, overrides: &Overrides) -> Result<Vec<PlannedRun>> {
        let nothing = IndexMap::from_iter([(String::new(), empty())]);
        let arms = if self.arms.is_empty() { &nothing } else { &self.arms };
        let seeds = overrides.seeds.as_ref().unwrap_or(&self.seeds);
        if arms.len() * self.points().len() * seeds.0.len() > MOST_RUNS {
            let message = format!("{MOST_RUNS} runs of one experiment at most: fewer seeds, or several files");
            return Err(lines.fault(Fault::new("seeds", message), &[""]));
        }
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
                    if id.len() > LONGEST_NAME {
                        let message = format!("the run's folder would be named {id}, which is too long for files");
                        return Err(self.explain(Fault::new("", message), arm, lines, overrides));
                    }
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
        self.check_measured(&runs, lines)?;
        Ok(runs)
    }

    /// Refuses what would turn out to be empty once everything is trained.
    fn check_measured(&self, runs: &[PlannedRun], lines: &Lines) -> Result<()> {
        let listed = self.columns().into_iter().map(|(key, column)| (key, vec![column]));
        let panels = self
            .panels
            .iter()
            .enumerate()
            .map(|(place, panel)| (format!("panels[{place}]"), panel.columns.iter().map(String::as_str).collect()));
        // A panel may have columns that some methods lack, as long as one is measured.
        for (key, columns) in listed.chain(panels) {
            if !columns.iter().any(|column| runs.iter().any(|run| run.spec.measures(column))) {
                let columns = columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(" or ");
                let message = format!("{key}: no run of this experiment has values in the column {columns}");
                return Err(lines.fault(Fault::new(&key, message), &[""]));
            }
        }
        Ok(())
    }

    /// Names the place in the file, or the flag, that a fault comes from.
    fn explain(&self, fault: Fault, arm: &str, lines: &Lines, overrides: &Overrides) -> anyhow::Error {
        if let Some(flag) = overrides.origin(&fault.path) {
            return input_error!("{flag}: {}", fault.message);
        }
        lines.fault(fault, &[&format!("arms.{arm}."), "grid.", "base."])
    }
}
