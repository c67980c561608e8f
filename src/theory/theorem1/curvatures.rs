//! Hessians of both losses at points with a name.

use anyhow::Result;
use ndarray::Array2;
use rayon::prelude::*;

use super::{
    Check, Options, Part, Report, Table,
    hessian::{FLAT, flat_directions, orthant_spectrum},
    surroundings::merged_pair,
};
use crate::{
    plots::{Dot, Dots, DotsGrid},
    theory::columns::{collapsed, random_non_negative},
};

/// Hessians of both losses at a point.
struct Curvatures {
    point: &'static str,
    non_contrastive: Vec<f64>,
    contrastive: Vec<f64>,
}

/// A point of U with a name.
struct Point {
    name: &'static str,
    weight: Array2<f64>,
}

/// Computes the spectra, counts the flat directions, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("Hessians at a permutation, at other minima, at collapse");
    let views = options.views();
    let spectra: Vec<(usize, Vec<Curvatures>)> = options
        .spectra
        .dimensions
        .par_iter()
        .map(|&d| {
            let random = random_non_negative((d, d), &mut options.key(Part::Spectra, d).stream());
            let points = [
                Point { name: "permutation", weight: Array2::eye(d) },
                Point { name: "two atoms merged", weight: merged_pair(d) },
                Point { name: "random W ≥ 0", weight: random },
                Point { name: "collapsed", weight: collapsed(d) },
            ];
            let of = |Point { name, weight }: Point| Curvatures {
                point: name,
                non_contrastive: orthant_spectrum(&weight, &|r| views.non_contrastive_gradient(r).1),
                contrastive: orthant_spectrum(&weight, &|r| views.contrastive_of(r).1),
            };
            (d, points.map(of).into_iter().collect())
        })
        .collect();
    let mut table = Table::new(&["d", "point", "loss", "index", "eigenvalue"]);
    for (d, of_d) in &spectra {
        for c in of_d {
            for (loss, values) in [("non_contrastive", &c.non_contrastive), ("contrastive", &c.contrastive)] {
                values.iter().enumerate().for_each(|(i, value)| table.push(&[d, &c.point, &loss, &i, value]));
            }
        }
    }
    report.table("spectra", &table)?;
    for (d, of_d) in &spectra {
        let [at_permutation, merged, _, at_collapse] = &of_d[..] else { continue };
        let directions = d * (d - 1);
        let flat = of_d.iter().map(|c| flat_directions(&c.non_contrastive)).min().unwrap_or(0);
        let curvature = views.permutation_curvature(*d);
        let error = at_permutation.contrastive.iter().map(|value| (value - curvature).abs()).fold(0.0, f64::max);
        report.checks.extend([
            Check::count(format!("flat directions, non-contrastive, d = {d} (all points)"), flat, directions),
            Check::count(
                format!("flat directions, contrastive, d = {d} (permutation)"),
                flat_directions(&at_permutation.contrastive),
                0,
            ),
            Check::at_most(format!("its curvatures there against the closed form {curvature:.5}"), error, FLAT),
            Check::at_most(
                format!("its smallest curvature at collapse (a saddle), d = {d}"),
                at_collapse.contrastive[0],
                -FLAT,
            ),
        ]);
        report.observe(
            format!("contrastive curvatures with two atoms merged, d = {d}"),
            format!("{} flat, the others at least {:.5}", flat_directions(&merged.contrastive), merged.contrastive[1]),
        );
    }
    report.figure("spectra", |path| figure(options, &spectra).draw(path))
}

fn figure(options: &Options, spectra: &[(usize, Vec<Curvatures>)]) -> DotsGrid {
    let drawn = options.spectra.drawn;
    let of_drawn = || spectra.iter().filter(|(d, _)| *d == drawn).flat_map(|(_, of_d)| of_d);
    let reach = |of: &dyn Fn(&Curvatures) -> &Vec<f64>| {
        of_drawn().flat_map(of).fold((0.0, 0.0), |(low, high): (f64, f64), value| (low.min(*value), high.max(*value)))
    };
    let (low, high) = reach(&|c| &c.contrastive);
    let margin = 0.08 * (high - low);
    let panel = |title: &str, of: &dyn Fn(&Curvatures) -> &Vec<f64>, color: usize| Dots {
        title: title.into(),
        x_label: "eigenvalues of the Hessian: smallest, mean, largest".into(),
        x_range: Some((low - margin, high + margin)),
        dots: of_drawn()
            .map(|c| {
                let values = of(c);
                Dot {
                    label: format!("{}: {} of {} flat", c.point, flat_directions(values), values.len()),
                    mean: values.iter().sum::<f64>() / values.len() as f64,
                    interval: values.first().copied().zip(values.last().copied()),
                    color,
                    ..Dot::default()
                }
            })
            .collect(),
        ..Dots::default()
    };
    DotsGrid {
        title: "The non-contrastive loss is flat everywhere on the non-negative matrices, the contrastive one is not".into(),
        subtitle: format!(
            "d = {drawn}, d(d − 1) directions in coordinates W = S² without corners; α = {}, temperature {}",
            options.alpha, options.temperature
        ),
        panels: vec![
            panel("Non-contrastive", &|c| &c.non_contrastive, 1),
            panel("Contrastive", &|c| &c.contrastive, 0),
        ],
        columns: 2,
        watermark: None,
        note: "Only positive eigenvalues: a strict minimum. A negative one: a saddle. The random matrix is not stationary \
               for the contrastive loss."
            .into(),
    }
}
