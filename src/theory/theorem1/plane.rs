//! Both losses in the plane through a permutation, a minimiser of the non-contrastive loss and complete collapse.

use anyhow::{Context, Result};
use ndarray::Array2;
use rayon::prelude::*;

use super::{Options, Part, Report, Table, loss::representations, options::Slice};
use crate::{
    linalg::Plane,
    plots::{Marker, Surface, SurfaceGrid},
    theory::columns::{collapsed, random_non_negative, with_unit_columns},
};

/// Computes both losses on a grid, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("the plane through a permutation, a bad optimum and collapse");
    let Slice { dimension: d, points } = options.slice;
    let views = options.views();
    let optimum = random_non_negative((d, d), &mut options.key(Part::Slice, d).stream());
    let plane = Plane::through([Array2::eye(d), optimum, collapsed(d)]).context("the three points lie on a line")?;
    let [xs, ys] = plane.grid(points, 0.35);
    let values = |of: &(dyn Fn(&Array2<f64>) -> f64 + Sync)| -> Vec<Vec<f64>> {
        let row = |y: &f64| xs.iter().map(|x| of(&with_unit_columns(plane.at(*x, *y)))).collect();
        ys.par_iter().map(row).collect()
    };
    let non_contrastive = values(&|w| views.non_contrastive(w, w) - (2.0 - 2.0 * views.alpha.powi(2)));
    let contrastive = values(&|w| views.contrastive(w) - views.contrastive_minimum(d));
    let negative = values(&|w| f64::from(u8::from(representations(w) != w)));
    let mut table =
        Table::new(&["x", "y", "non_contrastive_above_minimum", "contrastive_above_minimum", "has_negative_entries"]);
    for (i, y) in ys.iter().enumerate() {
        for (j, x) in xs.iter().enumerate() {
            table.push(&[x, y, &non_contrastive[i][j], &contrastive[i][j], &negative[i][j]]);
        }
    }
    report.table("slice", &table)?;
    let surface = |title: &str, values: &[Vec<f64>]| surface(title, [&xs, &ys], &plane.marked, values);
    let panels = vec![
        surface("Non-contrastive: loss − minimum, 0 in the polygon", &non_contrastive),
        surface("Contrastive: loss − minimum", &contrastive),
    ];
    report.figure("slice", |path| figure(options, panels).draw(path))
}

/// A loss above its minimum, with rounding removed, which iso-lines at zero would show.
fn settled(loss: f64) -> f64 {
    if loss.abs() < 1e-12 { 0.0 } else { loss }
}

fn surface(title: &str, [xs, ys]: [&Vec<f64>; 2], marked: &[(f64, f64); 3], values: &[Vec<f64>]) -> Surface {
    let labels = ["permutation", "random W ≥ 0", "collapsed"];
    let markers = marked.iter().zip(labels).map(|(&(x, y), label)| Marker { x, y, label: label.into() });
    Surface {
        title: title.into(),
        x_label: "towards a random W ≥ 0 (Frobenius distance)".into(),
        y_label: "towards collapse".into(),
        x: xs.clone(),
        y: ys.clone(),
        values: values.iter().map(|row| row.iter().copied().map(settled).collect()).collect(),
        markers: markers.collect(),
        levels: 12,
        ..Surface::default()
    }
}

fn figure(options: &Options, panels: Vec<Surface>) -> SurfaceGrid {
    SurfaceGrid {
        title: "A permutation, a bad optimum and collapse share one plateau of the non-contrastive loss".into(),
        subtitle: format!(
            "the plane through the three, columns scaled to unit length; d = {}, α = {}, temperature {}",
            options.slice.dimension, options.alpha, options.temperature
        ),
        panels,
        columns: 2,
        ..SurfaceGrid::default()
    }
}
