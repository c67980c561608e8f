//! The local minima of the contrastive loss: arcs that are flat along themselves and end in saddles.

use std::f64::consts::FRAC_PI_2;

use anyhow::Result;
use ndarray::Array2;
use rayon::prelude::*;

use super::{
    Check, Options, Part, Report, Table,
    loss::Views,
    options::Arcs,
    surroundings::{Surroundings, on_arc},
};
use crate::{
    plots::{Curve, Figure, Panel, Scale},
    theory::style,
};

/// Angles at which the way out is followed.
const WAY: usize = 900;

/// A point on the arc, and the way from it to a permutation: atom 1 leaves the neuron that it shares.
struct Place {
    angle: f64,
    loss: f64,
    surroundings: Surroundings,
    /// Losses above the point's, on the way with the lower pass.
    way: Vec<f64>,
}

impl Place {
    fn at(angle: f64, d: usize, views: Views, options: &Options) -> Self {
        let weight = on_arc(d, angle);
        let loss = views.contrastive(&weight);
        let towards = |neuron: usize| -> Vec<f64> {
            let moved = |k: usize| {
                let turned = k as f64 / WAY as f64 * FRAC_PI_2;
                let mut moved = weight.clone();
                moved[[0, 1]] = turned.cos();
                moved[[neuron, 1]] = turned.sin();
                views.contrastive(&moved) - loss
            };
            (0..=WAY).map(moved).collect()
        };
        let ways = [towards(1), towards(2)];
        let [first, second] = ways;
        let way = if highest(&first) < highest(&second) { first } else { second };
        let by_representation = |r: &Array2<f64>| views.contrastive_of(r).1;
        let surroundings = Surroundings::of(&weight, options.key(Part::Descents, d), &by_representation);
        Self { angle, loss, surroundings, way }
    }

    fn barrier(&self) -> f64 {
        highest(&self.way)
    }
}

fn highest(way: &[f64]) -> f64 {
    way.iter().copied().fold(0.0, f64::max)
}

/// Walks along the arc, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("the arcs of local minima and their ends");
    let Arcs { dimension: d, points } = options.arcs;
    let angle = |i: usize| i as f64 / points as f64 * FRAC_PI_2;
    let place = |i: usize| Place::at(angle(i), d, options.views(), options);
    let places: Vec<Place> = (0..=points).into_par_iter().map(place).collect();
    let mut table =
        Table::new(&["angle", "loss", "barrier", "smallest_slope", "smallest_entering_curvature", "minimum"]);
    for place in &places {
        let s = &place.surroundings;
        table.push(&[&place.angle, &place.loss, &place.barrier(), &s.slope, &s.entering, &s.is_minimum()]);
    }
    report.table("arcs", &table)?;
    let [first, inner @ .., last] = &places[..] else { return Ok(()) };
    let ends = [first, last];
    let uneven = places.iter().map(|place| (place.loss - first.loss).abs()).fold(0.0, f64::max);
    let entering = ends.map(|end| end.surroundings.entering).into_iter().fold(f64::NEG_INFINITY, f64::max);
    let rise = ends.map(Place::barrier).into_iter().fold(0.0, f64::max);
    report.checks.extend([
        Check::at_most(format!("arc of local minima, d = {d}: largest difference of its losses"), uneven, 1e-12),
        Check::count(
            "its inner points that are no local minima",
            inner.iter().filter(|place| !place.surroundings.is_minimum()).count(),
            0,
        ),
        Check::at_most("its ends: curvature towards the idle neuron (saddles), largest", entering, -1e-5),
        Check::at_most("its ends: rise on the way to a permutation, largest", rise, 1e-12),
    ]);
    for angle in [FRAC_PI_2 / 2.0, 0.1] {
        let barrier = Place::at(angle, d, options.views(), options).barrier();
        report
            .observe(format!("barrier on the way to a permutation, {angle:.3} from an end"), format!("{barrier:.1e}"));
    }
    report.figure("arcs", |path| figure(options, &places).draw(path))
}

fn figure(options: &Options, places: &[Place]) -> Figure {
    let Arcs { dimension: d, points } = options.arcs;
    let degrees = |k: usize| k as f64 / WAY as f64 * 90.0;
    let way = |(i, share): (usize, usize)| {
        let place = &places[points * share / 8];
        Curve {
            label: format!("atom 2 at {:.0}°", place.angle.to_degrees()),
            style: style(i),
            x: (0..=WAY).map(degrees).collect(),
            runs: vec![place.way.clone()],
        }
    };
    // The ends have no barrier, hence no place on a logarithmic axis.
    let inner = &places[1..points];
    Figure {
        title: "Two atoms on one neuron: a valley that is flat along itself, and open at its ends".into(),
        subtitle: format!(
            "contrastive loss, atom 2 turned between two neurons; d = {d}, α = {}, temperature {}",
            options.alpha, options.temperature
        ),
        panels: vec![
            Panel {
                title: "On the way to a permutation".into(),
                x_label: "atom 1, turned away from the shared neuron (degrees)".into(),
                y_label: "loss above the valley's".into(),
                curves: [0, 1, 2, 4].into_iter().enumerate().map(way).collect(),
                ..Panel::default()
            },
            Panel {
                title: "The barrier along the valley".into(),
                x_label: "atom 2 between its neurons (degrees)".into(),
                y_label: "height".into(),
                y_scale: Scale::Log,
                curves: vec![Curve {
                    style: style(0),
                    x: inner.iter().map(|place| place.angle.to_degrees()).collect(),
                    runs: vec![inner.iter().map(|place| place.barrier().max(1e-17)).collect()],
                    ..Curve::default()
                }],
                ..Panel::default()
            },
        ],
        columns: 2,
        ..Figure::default()
    }
}
