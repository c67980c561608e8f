//! Both losses from a permutation over a random minimiser of the non-contrastive one to another permutation.

use anyhow::Result;
use ndarray::Array2;
use rayon::prelude::*;

use super::{Check, Options, Part, Report, Table, options::Paths};
use crate::{
    metrics::max_cosine,
    plots::{Band, Curve, Figure, Panel},
    random::permuted,
    theory::{
        columns::{permutation, random_non_negative, with_unit_columns},
        style,
    },
};

/// Both losses and the recovery along one path.
struct Along {
    non_contrastive: Vec<f64>,
    contrastive: Vec<f64>,
    min_cosine: Vec<f64>,
}

/// Walks the paths, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("paths from one permutation to another");
    let Paths { dimension: d, paths, points } = options.paths;
    let views = options.views();
    let positions: Vec<f64> = (0..=2 * points).map(|i| i as f64 / points as f64).collect();
    let along = |i: u64| {
        let mut draws = options.key(Part::Paths, d).derive(i).stream();
        let from = permutation(&permuted(&mut draws, &(0..d).collect::<Vec<_>>()));
        let middle = random_non_negative((d, d), &mut draws);
        let to = permutation(&permuted(&mut draws, &(0..d).collect::<Vec<_>>()));
        let at = |position: &f64| {
            let (start, end, share) =
                if *position < 1.0 { (&from, &middle, *position) } else { (&middle, &to, position - 1.0) };
            with_unit_columns(start * (1.0 - share) + end * share)
        };
        let weights: Vec<Array2<f64>> = positions.iter().map(at).collect();
        let measure = |of: &dyn Fn(&Array2<f64>) -> f64| weights.iter().map(of).collect();
        Along {
            non_contrastive: measure(&|w| views.non_contrastive(w, w) - (2.0 - 2.0 * views.alpha.powi(2))),
            contrastive: measure(&|w| views.contrastive(w) - views.contrastive_minimum(d)),
            min_cosine: measure(&|w| max_cosine(w, &Array2::eye(d)).min),
        }
    };
    let found: Vec<Along> = (0..paths as u64).into_par_iter().map(along).collect();
    let mut table = Table::new(&[
        "path",
        "position",
        "non_contrastive_above_minimum",
        "contrastive_above_minimum",
        "min_max_cosine",
    ]);
    for (i, path) in found.iter().enumerate() {
        for (k, position) in positions.iter().enumerate() {
            table.push(&[&i, position, &path.non_contrastive[k], &path.contrastive[k], &path.min_cosine[k]]);
        }
    }
    report.table("paths", &table)?;
    let largest = found.iter().flat_map(|path| &path.non_contrastive).fold(0.0, |largest: f64, l| largest.max(l.abs()));
    report.checks.push(Check::at_most(
        "non-contrastive loss above its minimum along all paths, largest",
        largest,
        1e-12,
    ));
    report.figure("paths", |path| figure(options, &positions, &found).draw(path))
}

fn figure(options: &Options, positions: &[f64], found: &[Along]) -> Figure {
    let curve = |label: &str, index: usize, of: fn(&Along) -> &Vec<f64>| Curve {
        label: label.into(),
        style: style(index),
        x: positions.to_vec(),
        runs: found.iter().map(|along| of(along).clone()).collect(),
    };
    let panel = |title: &str, y_label: &str, curves| Panel {
        title: title.into(),
        x_label: "permutation (0), random W ≥ 0 (1), permutation (2)".into(),
        y_label: y_label.into(),
        curves,
        ..Panel::default()
    };
    Figure {
        title: "From one permutation to another: a ridge for the contrastive loss, nothing for the other".into(),
        subtitle: format!(
            "{} random paths, columns kept at unit length; d = {}, α = {}, temperature {}",
            found.len(),
            options.paths.dimension,
            options.alpha,
            options.temperature
        ),
        panels: vec![
            panel(
                "Loss above the minimum",
                "loss − minimum",
                vec![curve("contrastive", 0, |a| &a.contrastive), curve("non-contrastive", 1, |a| &a.non_contrastive)],
            ),
            Panel {
                y_range: Some((0.0, 1.03)),
                ..panel("Recovery of the worst atom", "min max-cosine", vec![curve("", 2, |a| &a.min_cosine)])
            },
        ],
        columns: 2,
        band: Band::MinMax,
        watermark: None,
        ..Figure::default()
    }
}
