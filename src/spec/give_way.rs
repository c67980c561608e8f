//! What becomes of an experiment's grid and arms when the command line sets something that they vary: a picture must
//! not show one run under several names.

use serde_yaml::Value;

use super::{Experiment, MapSpec, PlannedRun, RunSpec, curves::short, input::Overrides, tree};

impl Experiment {
    /// Replaces an axis of the grid by the one value that the command line leaves of it, and leaves out arms that have
    /// become the same as another. `runs` is the experiment's plan with these overrides, `without` the plan without
    /// them. Returns what has changed, in words, or nothing if the plan is as it should be.
    pub(super) fn give_way(
        &mut self,
        runs: &[PlannedRun],
        without: impl FnOnce(&Self) -> anyhow::Result<Vec<PlannedRun>>,
        overrides: &Overrides,
    ) -> anyhow::Result<Vec<String>> {
        if overrides.layers.is_empty() {
            return Ok(Vec::new());
        }
        let mut same = same_arms(self, runs);
        if !same.is_empty() {
            let before = same_arms(self, &without(self)?);
            same.retain(|pair| !before.contains(pair));
        }
        let mut changes = self.settle_axes(runs, overrides);
        changes.extend(self.leave_out(same));
        if !changes.is_empty() {
            self.drop_claims();
        }
        Ok(changes)
    }

    fn settle_axes(&mut self, runs: &[PlannedRun], overrides: &Overrides) -> Vec<String> {
        let table = Specs::of(self, runs);
        let mut changes = Vec::new();
        let mut grid = self.grid.clone();
        for (axis, (path, values)) in self.grid.iter().enumerate() {
            let Some(flag) = overrides.origin(path).filter(|_| table.is_flat(axis)) else { continue };
            let left = table.value(path);
            let names = |values: &[Value]| values.iter().map(tree::plain).collect::<Vec<_>>();
            if left.as_ref().is_some_and(|left| names(values) == names(std::slice::from_ref(left))) {
                continue;
            }
            let values = names(values).join(", ");
            changes.push(format!("{flag} replaces the grid's {} {values}", short(path)));
            match left {
                Some(left) => _ = grid.insert(path.clone(), vec![left]),
                None => _ = grid.shift_remove(path),
            }
        }
        self.grid = grid;
        let is_axis = |axis: &&String| *axis == MapSpec::ARM || self.grid.contains_key(*axis);
        self.map.take_if(|map| ![&map.x, &map.y].iter().all(is_axis));
        self.fit.take_if(|fit| !self.grid.contains_key(&fit.over));
        changes
    }

    /// The arms of a design stay: a factor that is set from outside has no effect, and is drawn as such.
    fn leave_out(&mut self, same: Vec<(String, String)>) -> Vec<String> {
        let is_design = self.design.is_some();
        let of = |(first, other): (String, String)| {
            let consequence = if is_design { "" } else { &*format!(", and `{other}` is left out") };
            let change = format!("the command line makes the arms `{first}` and `{other}` the same{consequence}");
            if !is_design {
                self.arms.shift_remove(&other);
            }
            change
        };
        same.into_iter().map(of).collect()
    }
}

/// The settings of an experiment's curves, arm by arm and point by point; those of the first seed.
struct Specs<'a> {
    specs: Vec<&'a RunSpec>,
    /// Values of each axis of the grid, the last axis varying fastest.
    lengths: Vec<usize>,
}

impl<'a> Specs<'a> {
    fn of(experiment: &Experiment, runs: &'a [PlannedRun]) -> Self {
        let curves = experiment.arm_names().len() * experiment.points().len();
        let seeds = (runs.len() / curves.max(1)).max(1);
        let specs = runs.iter().step_by(seeds).map(|run| &*run.spec).collect();
        Self { specs, lengths: experiment.grid.values().map(Vec::len).collect() }
    }

    fn points(&self) -> usize {
        self.lengths.iter().product()
    }

    /// Whether nothing changes along an axis.
    fn is_flat(&self, axis: usize) -> bool {
        let stride: usize = self.lengths[axis + 1..].iter().product();
        let first = |place: usize| place - place / stride % self.lengths[axis] * stride;
        (0..self.specs.len()).all(|place| self.specs[place] == self.specs[first(place)])
    }

    /// The value that all curves have at a path, if it is the same.
    fn value(&self, path: &str) -> Option<Value> {
        let of = |spec: &&RunSpec| tree::get(&serde_yaml::to_value(spec).ok()?, path).cloned();
        let first = of(self.specs.first()?)?;
        self.specs.iter().all(|spec| of(spec).as_ref() == Some(&first)).then_some(first)
    }
}

/// Arms whose settings equal those of an earlier arm at every point of the grid, each with that arm.
fn same_arms(experiment: &Experiment, runs: &[PlannedRun]) -> Vec<(String, String)> {
    let table = Specs::of(experiment, runs);
    let names = experiment.arm_names();
    let settings: Vec<&[&RunSpec]> = table.specs.chunks(table.points().max(1)).collect();
    let first = |arm: usize| (0..arm).find(|&other| settings[other] == settings[arm]);
    let pair = |arm: usize| Some((names[first(arm)?].to_string(), names[arm].to_string()));
    (1..names.len().min(settings.len())).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::plan_all;

    const FILE: &str = "{title: t, paper: t, claim: t, seeds: 1..2,
        arms: {A: {method: ncl}, B: {method: ncl, train: {lr: 0.5}}, C: {method: cl}},
        grid: {data.latents.sparsity: [0.1, 0.2, 0.3], views.masking_prob: [0.25, 0.5]},
        map: {x: views.masking_prob, y: data.latents.sparsity}}";

    fn planned(file: &str, sets: &[&str]) -> (Experiment, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.yaml");
        std::fs::write(&path, file).unwrap();
        let mut overrides = Overrides::default();
        sets.iter().for_each(|set| overrides.set(set).unwrap());
        let (experiment, runs) = plan_all(&[path], &overrides).unwrap().remove(0);
        let mut labels: Vec<String> = runs.into_iter().map(|run| run.label).collect();
        labels.dedup();
        (experiment, labels)
    }

    #[test]
    fn an_axis_gives_way_to_a_flag() {
        for set in ["data.latents.sparsity=0.15", "data.latents={kind: binary, sparsity: 0.15}"] {
            let (experiment, labels) = planned(FILE, &[set]);
            assert_eq!(labels.len(), 3 * 2);
            assert_eq!(labels[0], "A, sp 0.15, mask 0.25");
            assert!(experiment.map.is_some());
        }
        let (experiment, labels) = planned(FILE, &["data.latents=one_hot"]);
        assert_eq!(labels[..2], ["A, mask 0.25", "A, mask 0.5"]);
        assert!(experiment.map.is_none(), "one of its axes is gone");
        // An axis of one value has a name too.
        let (_, labels) = planned(&FILE.replace("[0.25, 0.5]", "[0.25]"), &["views.masking_prob=0.75"]);
        assert_eq!(labels[0], "A, sp 0.1, mask 0.75");
    }

    #[test]
    fn what_still_varies_stays() {
        let (_, without) = planned(FILE, &[]);
        assert_eq!(without.len(), 3 * 3 * 2);
        for set in ["data.samples=600", "data.latents=symmetric", "data.latents={kind: symmetric}"] {
            assert_eq!(planned(FILE, &[set]).1, without, "{set}");
        }
        let kinds = FILE.replace("data.latents.sparsity: [0.1, 0.2, 0.3]", "data.latents: [symmetric, binary]");
        let kinds = kinds.replace("y: data.latents.sparsity", "y: data.latents");
        assert_eq!(planned(&kinds, &["data.latents.sparsity=0.3"]).1.len(), 3 * 2 * 2);
    }

    #[test]
    fn arms_that_a_flag_makes_the_same_are_one() {
        let (_, labels) = planned(FILE, &["train.lr=0.1"]);
        assert_eq!(labels.len(), 2 * 3 * 2);
        assert!(labels.iter().all(|label| !label.starts_with('B')));
        let twins = FILE.replace("method: ncl, train: {lr: 0.5}", "method: ncl");
        assert_eq!(planned(&twins, &["train.lr=0.1"]).1.len(), 3 * 3 * 2, "the file itself has them so");
    }
}
