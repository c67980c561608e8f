//! Part (a): random non-negative matrices, all of them minimisers of the non-contrastive loss.

use anyhow::Result;
use ndarray::Array2;
use rayon::prelude::*;

use super::{Check, Options, Part, Report, Table, loss::Views, options::Optima};
use crate::{
    linalg::singular_values,
    metrics::{MaxCosine, max_cosine},
    plots::{Band, Curve, Figure, Panel, Scale},
    random::native::Key,
    theory::{
        columns::{frobenius, nearest_permutation, random_non_negative, tangent},
        style,
    },
};

/// What is measured on a random minimiser of the non-contrastive loss.
struct Optimum {
    /// Above `2 - 2 alpha^2`.
    non_contrastive: f64,
    /// Above the contrastive minimum.
    contrastive: f64,
    /// Norm of the contrastive loss's Riemannian gradient times d.
    gradient: f64,
    /// Of all permutations, relative to the largest possible: the distance of a permutation that shares no axis.
    distance: f64,
    /// Singular values above the rounding of the largest.
    rank: usize,
    smallest_singular: f64,
    cosine: MaxCosine,
}

impl Optimum {
    fn draw(d: usize, key: Key, views: Views) -> Self {
        let weight = random_non_negative((d, d), &mut key.stream());
        let (contrastive, gradient) = views.contrastive_gradient(&weight);
        let singular = singular_values(&weight);
        Self {
            non_contrastive: views.non_contrastive(&weight, &weight) - (2.0 - 2.0 * views.alpha.powi(2)),
            contrastive: contrastive - views.contrastive_minimum(d),
            gradient: frobenius(&tangent(&weight, gradient)) * d as f64,
            distance: nearest_permutation(&weight).distance / (2.0 * d as f64).sqrt(),
            rank: singular.iter().filter(|value| **value > 1e-12 * singular[0]).count(),
            smallest_singular: singular[d - 1],
            cosine: max_cosine(&weight, &Array2::eye(d)),
        }
    }
}

/// Measures them, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("random non-negative matrices");
    let Optima { dimensions, matrices } = &options.optima;
    let draw = |&d: &usize| -> Vec<Optimum> {
        let key = options.key(Part::Optima, d);
        (0..*matrices as u64).into_par_iter().map(|i| Optimum::draw(d, key.derive(i), options.views())).collect()
    };
    let optima: Vec<(usize, Vec<Optimum>)> = dimensions.iter().map(|d| (*d, draw(d))).collect();

    let mut table = Table::new(&[
        "d",
        "matrix",
        "non_contrastive_above_minimum",
        "contrastive_above_minimum",
        "contrastive_gradient",
        "relative_distance_from_permutation",
        "rank",
        "smallest_singular_value",
        "max_max_cosine",
        "median_max_cosine",
        "min_max_cosine",
    ]);
    for (d, of_d) in &optima {
        for (i, o) in of_d.iter().enumerate() {
            let MaxCosine { max, median, min, .. } = o.cosine;
            let losses: [&dyn std::fmt::Display; 5] = [d, &i, &o.non_contrastive, &o.contrastive, &o.gradient];
            table.push(&[&losses[..], &[&o.distance, &o.rank, &o.smallest_singular, &max, &median, &min]].concat());
        }
    }
    report.table("optima", &table)?;

    let all = || optima.iter().flat_map(|(_, of_d)| of_d);
    let smallest = |of: fn(&Optimum) -> f64| all().map(of).fold(f64::INFINITY, f64::min);
    let error = all().map(|o| o.non_contrastive.abs()).fold(0.0, f64::max);
    report.checks.extend([
        Check::at_most("(a) |non-contrastive loss - (2 - 2 alpha^2)| of random W >= 0, largest", error, 1e-12),
        Check::at_least("(a) their contrastive loss above its minimum, smallest", smallest(|o| o.contrastive), 1e-9),
        Check::at_least(
            "(a) their contrastive gradient (none is stationary), smallest",
            smallest(|o| o.gradient),
            1e-9,
        ),
        Check::count(
            "(a) those without full rank (dimensional collapse)",
            optima.iter().flat_map(|(d, of_d)| of_d.iter().filter(move |o| o.rank < *d)).count(),
            0,
        ),
    ]);
    for (d, of_d) in &optima {
        let mean = |of: fn(&Optimum) -> f64| of_d.iter().map(of).sum::<f64>() / of_d.len() as f64;
        let text = format!(
            "relative distance from a permutation {:.2}, smallest singular value {:.3}, min max-cosine {:.2}",
            mean(|o| o.distance),
            mean(|o| o.smallest_singular),
            mean(|o| o.cosine.min)
        );
        report.observe(format!("random W >= 0, d = {d}, means"), text);
    }
    report.figure("optima", |path| figure(options, &optima).draw(path))
}

fn figure(options: &Options, optima: &[(usize, Vec<Optimum>)]) -> Figure {
    let x: Vec<f64> = optima.iter().map(|(d, _)| *d as f64).collect();
    let curve = |label: &str, index: usize, of: fn(&Optimum) -> f64| Curve {
        label: label.into(),
        style: style(index),
        x: x.clone(),
        runs: (0..options.optima.matrices).map(|i| optima.iter().map(|(_, of_d)| of(&of_d[i])).collect()).collect(),
    };
    let panel = |title: &str, y_label: &str, y_range, curves| Panel {
        title: title.into(),
        x_label: "dimension d".into(),
        y_label: y_label.into(),
        x_scale: Scale::Log,
        y_range,
        curves,
        ..Panel::default()
    };
    Figure {
        title: "Random non-negative matrices all minimise the non-contrastive loss, and none recovers the dictionary"
            .into(),
        subtitle: format!(
            "{} matrices W ≥ 0 with unit columns for each d, each a seed of its own; α = {}, temperature {}",
            options.optima.matrices, options.alpha, options.temperature
        ),
        panels: vec![
            panel(
                "Loss above the minimum over U",
                "loss − minimum",
                None,
                vec![curve("contrastive", 0, |o| o.contrastive), curve("non-contrastive", 1, |o| o.non_contrastive)],
            ),
            panel(
                "Far from every permutation",
                "distance to the nearest, relative to the largest possible",
                Some((0.0, 1.0)),
                vec![curve("", 0, |o| o.distance)],
            ),
            Panel {
                y_scale: Scale::Log,
                ..panel(
                    "Not collapsed: full rank",
                    "smallest singular value",
                    None,
                    vec![curve("", 0, |o| o.smallest_singular)],
                )
            },
            panel(
                "Recovery of the atoms",
                "max-cosine",
                Some((0.0, 1.0)),
                vec![
                    curve("best atom", 0, |o| o.cosine.max),
                    curve("median atom", 1, |o| o.cosine.median),
                    curve("worst atom", 2, |o| o.cosine.min),
                ],
            ),
        ],
        columns: 2,
        band: Band::MinMax,
        ..Figure::default()
    }
}
