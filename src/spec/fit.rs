//! Which value of a setting comes nearest to a published table.

use std::path::PathBuf;

use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;

use super::{CurveName, Experiment, Fault, Lines, TableSpec, curves::label};
use crate::fault::unknown;

/// How far the final values lie from the cells of a published table, for each value of one path of the grid.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitSpec {
    /// The experiment with the published table: its file, relative to this one, without `.yaml`.
    pub to: String,
    /// The path of the grid whose values compete.
    pub over: String,
    /// What the table calls an arm, where it has another name for it.
    #[serde(default)]
    pub rows: IndexMap<String, String>,
    /// The table, once it is read.
    #[serde(skip)]
    pub table: Option<TableSpec>,
}

/// Curves that are compared with rows of the table together: an arm at one of the competing values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Name of the arm.
    pub arm: String,
    /// `mask 0.5`
    pub value: String,
    /// Labels of its curves, each with the row that it is compared with.
    pub rows: Vec<(String, String)>,
}

impl FitSpec {
    /// Reads the table, and checks that it has a row for every curve of the experiment.
    pub(super) fn read(&mut self, experiment: &Experiment, lines: &Lines) -> Result<()> {
        let fault = |key: &str, message: String| lines.fault(Fault::new(key, format!("{key}: {message}")), &[""]);
        let paths: Vec<&str> = experiment.grid.keys().map(String::as_str).collect();
        if !paths.contains(&self.over.as_str()) {
            return Err(fault("fit.over", unknown("path of the grid", &self.over, &paths)));
        }
        let arms: Vec<&str> = experiment.arms.keys().map(String::as_str).collect();
        if let Some(arm) = self.rows.keys().find(|arm| !arms.contains(&arm.as_str())) {
            return Err(fault("fit.rows", unknown("arm", arm, &arms)));
        }
        let file = self.file(experiment);
        let table = Experiment::read_alone(&file)?.0.table;
        let Some(table) = table.filter(|table| !table.published.is_empty()) else {
            return Err(fault("fit.to", format!("{} has no table with published values", file.display())));
        };
        let known: Vec<&str> = table.published.keys().map(String::as_str).collect();
        let named = self.candidates(experiment).into_iter().flat_map(|candidate| candidate.rows);
        if let Some((curve, row)) = named.into_iter().find(|(_, row)| !known.contains(&row.as_str())) {
            let message = format!("the curve `{curve}`: {}", unknown("row of the table", &row, &known));
            return Err(fault("fit.rows", message));
        }
        self.table = Some(table);
        Ok(())
    }

    /// The file of the experiment with the published table.
    pub(super) fn file(&self, experiment: &Experiment) -> PathBuf {
        experiment.file.with_file_name(format!("{}.yaml", self.to))
    }

    /// Every arm at every competing value, in the order of the plan.
    pub fn candidates(&self, experiment: &Experiment) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = Vec::new();
        let (arms, points) = (experiment.arm_names(), experiment.points());
        for (CurveName { label: curve, .. }, at) in experiment.curves(None).into_iter().zip(0..) {
            let (arm, point) = (arms[at / points.len()], &points[at % points.len()]);
            let (over, rest): (Vec<_>, Vec<_>) = point.iter().copied().partition(|(path, _)| *path == self.over);
            let value = label("", &over);
            let row = label(self.rows.get(arm).map_or(arm, String::as_str), &rest);
            match candidates.iter_mut().find(|other| other.arm == arm && other.value == value) {
                Some(candidate) => candidate.rows.push((curve, row)),
                None => candidates.push(Candidate { arm: arm.into(), value, rows: vec![(curve, row)] }),
            }
        }
        candidates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "{title: t, paper: t, claim: t, arms: {A: {}}, grid: {data.latents.sparsity: [0.1, 0.3]}, seeds: 1, \
        table: {columns: [min_cosine], published: {'A, sp 0.1': [[0.9, 0.1]], 'A, sp 0.3': [[0.5, 0.1]]}}}";

    fn experiment(fit: &str) -> Result<Experiment> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("table.yaml"), TABLE)?;
        std::fs::write(folder.path().join("short.yaml"), TABLE.replace("[[0.5, 0.1]]", "[]"))?;
        std::fs::write(folder.path().join("bare.yaml"), "{title: t, paper: t, claim: t, seeds: 1}")?;
        let text = format!(
            "{{title: t, paper: t, claim: t, seeds: 1, arms: {{A: {{}}, 'A, slow': {{train: {{lr: 0.005}}}}}}, \
             grid: {{views.masking_prob: [0.25, 0.5], data.latents.sparsity: [0.1, 0.3]}}, fit: {fit}}}"
        );
        let path = folder.path().join("sweep.yaml");
        std::fs::write(&path, text)?;
        Ok(Experiment::read(&path)?.0)
    }

    #[test]
    fn candidates_are_compared_with_the_rows_of_their_arm() {
        let experiment = experiment("{to: table, over: views.masking_prob, rows: {'A, slow': A}}").unwrap();
        let candidates = experiment.fit.as_ref().unwrap().candidates(&experiment);
        assert_eq!(candidates.len(), 4);
        let last = &candidates[3];
        assert_eq!((last.arm.as_str(), last.value.as_str()), ("A, slow", "mask 0.5"));
        let rows = [("A, slow, mask 0.5, sp 0.1", "A, sp 0.1"), ("A, slow, mask 0.5, sp 0.3", "A, sp 0.3")];
        assert_eq!(last.rows, rows.map(|(curve, row)| (curve.into(), row.into())));
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        for (fit, named) in [
            ("{to: table, over: views.masking_prob}", "unknown row of the table `A, slow, sp 0.1`"),
            ("{to: table, over: train.lr}", "fit.over"),
            ("{to: table, over: views.masking_prob, rows: {B: A}}", "fit.rows"),
            ("{to: bare, over: views.masking_prob}", "has no table with published values"),
            ("{to: absent, over: views.masking_prob}", "absent.yaml"),
            ("{to: sweep, over: views.masking_prob}", "has no table with published values"),
            ("{to: short, over: views.masking_prob, rows: {'A, slow': A}}", "A, sp 0.3: 0 cells for 1 columns"),
        ] {
            let message = format!("{:#}", experiment(fit).unwrap_err());
            assert!(message.contains(named), "{message}");
        }
    }
}
