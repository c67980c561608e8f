//! The curves of an experiment, each an arm at a point of the grid, and their names.

use anyhow::Result;
use indexmap::IndexSet;
use serde_yaml::Value;

use super::{Experiment, tree};
use crate::input_error;

/// What tells the curves of an experiment apart: an arm and a point of its grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurveName {
    /// Arm and grid values as legends and run names spell them.
    pub label: String,
    /// The part of the label that names the point of the grid; empty without a grid.
    pub point: String,
}

/// Short names of grid keys in labels.
pub fn short(path: &str) -> &str {
    match path {
        "data.latents.sparsity" => "sp",
        "views.masking_prob" => "mask",
        "model.init.closeness" => "c",
        _ => path.rsplit('.').next().unwrap_or(path),
    }
}

/// `NCL, sp 0.1`
pub(super) fn label(arm: &str, point: &[(&str, &Value)]) -> String {
    let values = point.iter().map(|(path, value)| format!("{} {}", short(path), tree::plain(value)));
    let arm = (!arm.is_empty()).then(|| arm.to_string());
    arm.into_iter().chain(values).collect::<Vec<_>>().join(", ")
}

impl Experiment {
    /// Every combination of the grid's values.
    pub fn points(&self) -> Vec<Vec<(&str, &Value)>> {
        self.grid.iter().fold(vec![vec![]], |points, (path, values)| {
            let extend = |point: &Vec<_>| -> Vec<Vec<(&str, &Value)>> {
                values.iter().map(|value| [point.clone(), vec![(path.as_str(), value)]].concat()).collect()
            };
            points.iter().flat_map(extend).collect()
        })
    }

    /// The arms by name; one without a name if the file has none.
    pub(super) fn arm_names(&self) -> Vec<&str> {
        if self.arms.is_empty() { vec![""] } else { self.arms.keys().map(String::as_str).collect() }
    }

    /// The curves of the given arm or label, or all of them, in the order of the plan.
    pub fn curves(&self, of: Option<&str>) -> Vec<CurveName> {
        let mut curves = Vec::new();
        for arm in self.arm_names() {
            for point in self.points() {
                let curve = CurveName { label: label(arm, &point), point: label("", &point) };
                if of.is_none_or(|of| of == arm || of == curve.label) {
                    curves.push(curve);
                }
            }
        }
        curves
    }

    /// The curve that a claim about another experiment's `curve` compares it with: the one named, at the same point of the
    /// grid if the name is an arm's.
    ///
    /// # Errors
    /// [`InputError`](super::InputError) where this experiment has none there.
    pub fn counterpart(&self, of: Option<&str>, curve: &CurveName) -> Result<CurveName> {
        let mut candidates = self.curves(of);
        let at = match candidates.len() {
            1 => Some(0),
            _ => candidates.iter().position(|candidate| candidate.point == curve.point),
        };
        at.map(|at| candidates.swap_remove(at)).ok_or_else(|| {
            input_error!(
                "{}: a claim about `{}` compares it with `{}`, which has no curve at the same point of the grid",
                self.file.display(),
                curve.label,
                of.unwrap_or(&self.name)
            )
        })
    }

    /// What a claim can be about: the arms, and the labels of the curves.
    pub(super) fn names(&self) -> Vec<String> {
        let labels = self.curves(None).into_iter().map(|curve| curve.label);
        let names: IndexSet<String> = self.arms.keys().cloned().chain(labels).collect();
        names.into_iter().collect()
    }
}
