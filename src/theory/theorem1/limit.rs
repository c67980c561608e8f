//! Part (b) in the limit of Eq. 9: on which side of the critical temperature permutations are its minimisers.

use anyhow::Result;
use ndarray::Array2;
use rayon::prelude::*;

use super::{
    Check, Options, Part, Report, Table,
    descent::{Descent, End},
    loss::{Views, representations},
    options::Limit,
};
use crate::theory::columns::{frobenius, nearest_permutation, random_signed};

/// A loss this far below another is below it.
const BELOW: f64 = 1e-9;

/// Where descents of the limit end, in one dimension and at one temperature.
pub struct Found {
    pub d: usize,
    pub temperature: f64,
    /// The limit at a permutation, the least that a descent found, and its true minimum.
    pub at_permutation: f64,
    pub lowest: f64,
    pub least: f64,
    /// Whether permutations should be minimisers: whether the temperature is at least the critical one.
    pub predicted: bool,
    /// Ends as low as the lowest that are not permutations.
    pub others: usize,
}

impl Found {
    /// Whether the minimisers are the permutations, by what descents found.
    pub fn permutations_minimise(&self) -> bool {
        self.lowest > self.at_permutation - BELOW && self.others == 0
    }
}

/// Descends at every temperature, and tabulates.
pub fn study(options: &Options, report: &mut Report) -> Result<Vec<Found>> {
    report.begin("the limit of Eq. 9, around its critical temperature");
    let mut table = Table::new(&[
        "d",
        "temperature",
        "start",
        "loss_above_permutation",
        "loss_above_least",
        "relu_distance_from_permutation",
        "smallest_entry",
    ]);
    let mut found = vec![];
    for &d in &options.limit.dimensions {
        for &temperature in &options.limit.temperatures {
            let ends = descend(options, d, temperature);
            let views = Views { alpha: options.alpha, temperature };
            let at_permutation = views.limit_of(&Array2::eye(d)).0;
            let least = views.limit_gradient(&views.limit_minimiser(d)).0;
            let lowest = ends.iter().map(|end| end.loss).fold(f64::INFINITY, f64::min);
            let is_other = |end: &&End| end.loss < lowest + BELOW && nearest_permutation(&end.weight).distance > 1e-3;
            let others = ends.iter().filter(is_other).count();
            for (i, end) in ends.iter().enumerate() {
                let answers = representations(&end.weight);
                let smallest = end.weight.iter().copied().fold(f64::INFINITY, f64::min);
                let distance = frobenius(&(&answers - &nearest(&answers)));
                let (above, rest) = (end.loss - at_permutation, end.loss - least);
                table.push(&[&d, &temperature, &i, &above, &rest, &distance, &smallest]);
            }
            let predicted = temperature >= views.critical_temperature(d);
            found.push(Found { d, temperature, at_permutation, lowest, least, predicted, others });
        }
    }
    report.table("limit", &table)?;
    let smallest = found.iter().map(|f| f.lowest - f.least).fold(f64::INFINITY, f64::min);
    let largest = found.iter().map(|f| f.lowest - f.least).fold(0.0, f64::max);
    let mismatches = found.iter().filter(|f| f.permutations_minimise() != f.predicted).count();
    report.checks.extend([
        Check::at_least("limit of Eq. 9: lowest end above the least in closed form, smallest", smallest, -1e-12),
        Check::at_most("limit of Eq. 9: the same, largest", largest, BELOW),
        Check::count("limit of Eq. 9: temperatures on the wrong side of the critical one", mismatches, 0),
    ]);
    for &d in &options.limit.dimensions {
        let critical = options.views().critical_temperature(d);
        report.observe(format!("limit of Eq. 9: critical temperature, d = {d}"), format!("{critical:.4}"));
    }
    Ok(found)
}

fn descend(options: &Options, d: usize, temperature: f64) -> Vec<End> {
    let views = Views { alpha: options.alpha, temperature };
    let super::options::Descents { rate, max_steps, tolerance, .. } = options.descent;
    // Its curvature grows like one over the temperature's square.
    let descent = Descent { rate: rate * temperature.min(temperature.powi(2)), max_steps, tolerance };
    let Limit { starts, .. } = options.limit;
    let from = |i: u64| {
        let start = random_signed((d, d), &mut options.key(Part::Limit, d).derive(i).stream());
        descent.run(start, &|w| views.limit_gradient(w))
    };
    (0..starts as u64).into_par_iter().map(from).collect()
}

/// The nearest multiple of a permutation.
fn nearest(answers: &Array2<f64>) -> Array2<f64> {
    let permutation = crate::theory::columns::permutation(&nearest_permutation(answers).order);
    let length = (&permutation * answers).sum() / answers.ncols() as f64;
    permutation * length
}
