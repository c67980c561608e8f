//! Which data are there in a list of runs, each once.

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use crate::spec::{RunSpec, tree};

/// Data settings, with the seeds that they are drawn from.
#[derive(Clone, Debug)]
pub struct Point {
    /// The settings in which points differ, by path, in the same order at every point.
    pub varied: IndexMap<String, Value>,
    /// One for each seed.
    pub specs: Vec<RunSpec>,
}

/// The data of runs, in order of appearance. Runs that differ in nothing that a ceiling depends on (data, the masking
/// probability, how many neurons there are) are one.
pub fn points<'a>(runs: impl IntoIterator<Item = &'a RunSpec>) -> Vec<Point> {
    let mut found: IndexMap<Vec<(String, Value)>, IndexMap<u64, RunSpec>> = IndexMap::new();
    for spec in runs {
        found.entry(facts(spec)).or_default().entry(spec.seed).or_insert_with(|| spec.clone());
    }
    let paths: IndexSet<String> = found.keys().flatten().map(|(path, _)| path.clone()).collect();
    let value = |facts: &[(String, Value)], path: &str| -> Value {
        facts.iter().find(|(other, _)| other == path).map_or(Value::Null, |(_, value)| value.clone())
    };
    let varies = |path: &&String| {
        let values: IndexSet<String> = found.keys().map(|facts| value(facts, path).to_string()).collect();
        values.len() > 1
    };
    let varied: Vec<&String> = paths.iter().filter(varies).collect();
    found
        .iter()
        .map(|(facts, specs)| Point {
            varied: varied.iter().map(|&path| (path.clone(), value(facts, path))).collect(),
            specs: specs.values().cloned().collect(),
        })
        .collect()
}

/// What a ceiling depends on, but for the seed.
fn facts(spec: &RunSpec) -> Vec<(String, Value)> {
    let settings = tree::leaves(&spec.tree());
    let matters = |path: &str| path.starts_with("data.") || ["random", "views.masking_prob", "model.m"].contains(&path);
    settings.into_iter().filter(|(path, _)| matters(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_data_are_one_point() {
        let runs: Vec<RunSpec> = [
            "{method: ncl, seed: 1}",
            "{method: cl, seed: 1, train: {lr: 0.5}}",
            "{method: cl, seed: 2}",
            "{seed: 1, data: {latents: {kind: binary, sparsity: 0.3}}}",
            "{seed: 1, data: {latents: {kind: one_hot, sign: random}}}",
        ]
        .map(|text| text.parse().unwrap())
        .into();
        let points = points(&runs);
        let seeds: Vec<Vec<u64>> =
            points.iter().map(|point| point.specs.iter().map(|spec| spec.seed).collect()).collect();
        assert_eq!(seeds, [vec![1, 2], vec![1], vec![1]]);
        let varied: Vec<&str> = points[0].varied.keys().map(String::as_str).collect();
        assert_eq!(varied, ["data.latents.kind", "data.latents.sparsity", "data.latents.sign"]);
        assert_eq!(points[2].varied["data.latents.sparsity"], Value::Null);
    }
}
