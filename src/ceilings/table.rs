//! What the methods found, as rows: of every seed for a file, and medians over seeds for a reader.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use rayon::prelude::*;
use serde_json::Value;

use super::{Ceiling, Method, Point, measure};

/// What one method found of the data of one seed.
#[derive(Clone, Debug)]
pub struct Found {
    /// The place of the data among the points.
    pub point: usize,
    /// Who found it.
    pub method: Method,
    /// Of the data and of the method's own draws.
    pub seed: u64,
    /// What was found.
    pub ceiling: Ceiling,
    /// Atoms to be found.
    pub atoms: usize,
}

/// Measures every method at every point and seed, on the threads of the pool that this is called in; `told` hears of each
/// as it ends. Points, methods and seeds in their order, whatever the threads.
pub fn survey(points: &[Point], methods: &[Method], told: impl Fn(&Found) + Sync) -> Vec<Found> {
    let of_point = |(point, data): (usize, &Point)| -> Vec<_> {
        let pairs = methods.iter().flat_map(|&method| data.specs.iter().map(move |spec| (method, spec.clone())));
        pairs.map(|(method, spec)| (point, method, spec)).collect()
    };
    let tasks: Vec<_> = points.iter().enumerate().flat_map(of_point).collect();
    // One by one: some take a hundred times as long as others.
    let found = tasks.into_par_iter().with_max_len(1).map(|(point, method, spec)| {
        let found = Found { point, method, seed: spec.seed, ceiling: measure(&spec, method), atoms: spec.data.d };
        told(&found);
        found
    });
    found.collect()
}

/// A row for each point, method and seed, as CSV: the settings in which points differ; the method, its seed, how many
/// directions it answered with; their max-cosines, to six decimals, and the atoms found of all atoms.
///
/// # Errors
/// None that is known: writing to memory.
pub fn csv(points: &[Point], found: &[Found]) -> Result<Vec<u8>> {
    const COLUMNS: [&str; 8] =
        ["method", "seed", "directions", "max_cosine", "median_cosine", "min_cosine", "atoms_found", "atoms"];
    let mut writer = csv::Writer::from_writer(vec![]);
    let varied = points.first().into_iter().flat_map(|point| point.varied.keys().map(String::as_str));
    writer.write_record(varied.chain(COLUMNS))?;
    for Found { point, method, seed, ceiling: Ceiling { directions, cosine }, atoms } in found {
        let values = [cosine.max, cosine.median, cosine.min].map(|value| format!("{value:.6}"));
        let atoms_found = cosine.found.map_or(String::new(), |found| found.to_string());
        let [max, median, min] = values;
        let measured = [
            method.name().into(),
            seed.to_string(),
            directions.to_string(),
            max,
            median,
            min,
            atoms_found,
            atoms.to_string(),
        ];
        writer.write_record(points[*point].varied.values().map(text).chain(measured))?;
    }
    writer.into_inner().context("cannot finish a table")
}

/// Header and rows of medians over seeds, to three decimals: a row for each point and method.
pub fn medians(points: &[Point], found: &[Found]) -> (Vec<String>, Vec<Vec<String>>) {
    let varied = points.first().into_iter().flat_map(|point| point.varied.keys().cloned());
    let measured = ["method", "seeds", "minimum", "median", "maximum", "atoms found"].map(String::from);
    let row = |group: &[Found]| -> Vec<String> {
        let Found { point, method, atoms, .. } = &group[0];
        let middle = |value: fn(&Ceiling) -> f64| median(group.iter().map(|found| value(&found.ceiling)).collect());
        let seeds = group.iter().map(|found| found.seed).collect::<BTreeSet<u64>>().len();
        let cosines: [fn(&Ceiling) -> f64; 3] =
            [|found| found.cosine.min, |found| found.cosine.median, |found| found.cosine.max];
        let atoms_found = middle(|found| found.cosine.found.map_or(f64::NAN, |count| count as f64));
        points[*point]
            .varied
            .values()
            .map(text)
            .chain([method.name().into(), seeds.to_string()])
            .chain(cosines.map(|value| format!("{:.3}", middle(value))))
            .chain([format!("{atoms_found} of {atoms}")])
            .collect()
    };
    let groups = found.chunk_by(|a, b| (a.point, a.method) == (b.point, b.method));
    (varied.chain(measured).collect(), groups.map(row).collect())
}

/// The mean of the middle two for an even number.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ceilings::points, metrics::MaxCosine, spec::RunSpec};

    #[test]
    fn rows_and_medians() {
        let spec = |sparsity: f64, seed: u64| -> RunSpec {
            format!("{{seed: {seed}, data: {{latents: {{kind: symmetric, sparsity: {sparsity}}}}}}}").parse().unwrap()
        };
        let points = points(&[spec(0.1, 1), spec(0.3, 1), spec(0.1, 2)]);
        let found = |point, seed, min| Found {
            point,
            method: Method::Pca,
            seed,
            ceiling: Ceiling {
                directions: 10,
                cosine: MaxCosine { max: 0.9, median: 0.5, min, found: Some(seed as usize) },
            },
            atoms: 10,
        };
        let all = [found(0, 1, 0.25), found(0, 2, 0.5), found(1, 1, 1.0 / 3.0)];
        let text = String::from_utf8(csv(&points, &all).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "data.latents.sparsity,method,seed,directions,max_cosine,median_cosine,min_cosine,atoms_found,atoms"
        );
        assert_eq!(lines[3], "0.3,pca,1,10,0.900000,0.500000,0.333333,1,10");
        assert_eq!(lines.len(), 4);
        let (header, rows) = medians(&points, &all);
        assert_eq!(header.len(), rows[0].len());
        assert_eq!(rows[0], ["0.1", "pca", "2", "0.375", "0.500", "0.900", "1.5 of 10"]);
        assert_eq!(rows[1][3], "0.333");
    }

    #[test]
    fn a_survey_is_the_same_on_any_number_of_threads() {
        let spec = |seed: u64| -> RunSpec {
            format!("{{seed: {seed}, data: {{samples: 100, p: 8, d: 3}}, train: {{batch_size: 50}}}}").parse().unwrap()
        };
        let points = points(&[spec(1), spec(2)]);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| survey(&points, &[Method::Pca, Method::FastIca], |_| ()));
            csv(&points, &found).unwrap()
        };
        let alone = on(1);
        assert_eq!(alone, on(3));
        assert_eq!(String::from_utf8(alone).unwrap().lines().count(), 5);
    }
}
