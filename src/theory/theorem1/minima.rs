//! Part (b): where descents from random starts end.

use std::fmt::Display;

use anyhow::Result;
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::{
    Check, Options, Part, Report, Table,
    descent::{Descent, End},
    loss::{Views, representations},
    options::{Descents, Minimised, Neurons, Setting, Start},
    surroundings::{Kind, Surroundings, dead_and_merged},
};
use crate::{
    plots::{Band, ColorScale, Curve, Figure, Heatmap, HeatmapGrid, Panel},
    random::native::Key,
    theory::{
        columns::{nearest_permutation, random_non_negative, random_signed},
        style,
    },
};

/// A loss at most this far above the minimum counts as at the minimum.
const AT_MINIMUM: f64 = 1e-9;

/// A descent with what lies at its end.
struct Descended {
    end: End,
    /// Loss at the end above the minimum over U.
    excess: f64,
    surroundings: Surroundings,
    kind: Kind,
}

impl Setting {
    fn descend(&self, options: &Options, shape: (usize, usize), key: Key) -> Descended {
        let views = Views { alpha: options.alpha, temperature: self.temperature };
        let mut draws = key.stream();
        let start = match self.start {
            Start::NonNegative => random_non_negative(shape, &mut draws),
            Start::Signed => random_signed(shape, &mut draws),
        };
        let Descents { rate, max_steps, tolerance, .. } = options.descent;
        let descent = Descent { rate: rate * self.temperature, max_steps, tolerance };
        type Gradient = Box<dyn Fn(&Array2<f64>) -> Array2<f64>>;
        let (end, minimum, by_representation): (_, _, Gradient) = match self.loss {
            Minimised::Contrastive => (
                descent.run(start, &|w| views.contrastive_gradient(w)),
                views.contrastive_minimum(shape.1),
                Box::new(move |r| views.contrastive_of(r).1),
            ),
            Minimised::NonContrastive => (
                descent.run(start, &|w| views.non_contrastive_gradient(w)),
                2.0 - 2.0 * views.alpha.powi(2),
                Box::new(move |r| views.non_contrastive_gradient(r).1),
            ),
        };
        let surroundings = Surroundings::of(&end.weight, key.derive(1u64), &by_representation);
        let kind = Kind::of(&end, &surroundings);
        Descended { excess: end.loss - minimum, end, surroundings, kind }
    }

    fn descend_all(&self, options: &Options, shape: (usize, usize), starts: usize, key: Key) -> Vec<Descended> {
        (0..starts as u64).into_par_iter().map(|i| self.descend(options, shape, key.derive(i))).collect()
    }
}

/// Descends, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("descents from random starts");
    let Descents { dimensions, starts, settings, .. } = &options.descent;
    // The starts of a dimension are the same in every setting.
    let of =
        |setting: &Setting, d: usize| setting.descend_all(options, (d, d), *starts, options.key(Part::Descents, d));
    let found: Vec<Vec<Vec<Descended>>> =
        settings.iter().map(|setting| dimensions.iter().map(|&d| of(setting, d)).collect()).collect();
    let Neurons { dimension, neurons, starts: wide_starts } = &options.neurons;
    let wide: Vec<Vec<Descended>> = neurons
        .iter()
        .map(|&m| settings[0].descend_all(options, (m, *dimension), *wide_starts, options.key(Part::Neurons, m)))
        .collect();

    let mut table = Table::new(&[
        "setting",
        "neurons",
        "d",
        "start",
        "end",
        "steps",
        "loss_above_minimum",
        "distance_from_permutation",
        "dead_atoms",
        "merged_pairs",
        "smallest_slope",
        "smallest_entering_curvature",
        "smallest_wasting_curvature",
        "smallest_hessian_eigenvalue",
    ]);
    let mut record = |label: &str, descended: &[Descended]| {
        for (i, Descended { end, excess, surroundings: s, kind }) in descended.iter().enumerate() {
            let (m, d) = end.weight.dim();
            let distance = if m == d { nearest_permutation(&end.weight).distance } else { f64::NAN };
            let (dead, merged) = dead_and_merged(&end.weight);
            let what: [&dyn Display; 7] = [&label, &m, &d, &i, &kind.name(), &end.steps, excess];
            table.push(
                &[&what[..], &[&distance, &dead, &merged, &s.slope, &s.entering, &s.wasting, &s.curvature]].concat(),
            );
        }
    };
    for (setting, by_dimension) in settings.iter().zip(&found) {
        by_dimension.iter().for_each(|descended| record(&setting.label, descended));
    }
    wide.iter().for_each(|descended| record(&format!("{}, more neurons", settings[0].label), descended));
    report.table("descents", &table)?;

    let of_loss = |loss: Minimised| {
        let settings = settings.iter().zip(&found).filter(move |(setting, _)| setting.loss == loss);
        settings.flat_map(|(_, by_dimension)| by_dimension.iter().flatten())
    };
    let contrastive = || of_loss(Minimised::Contrastive);
    let lowest = contrastive().chain(wide.iter().flatten()).map(|d| d.excess).fold(f64::INFINITY, f64::min);
    let impostors = contrastive().filter(|d| d.excess < AT_MINIMUM && d.kind != Kind::Permutation).count();
    let highest = contrastive().filter(|d| d.kind == Kind::Permutation).map(|d| d.excess).fold(0.0, f64::max);
    report.checks.extend([
        Check::at_least("(b) contrastive loss at the ends above the permutations', smallest", lowest, -1e-12),
        Check::at_most("(b) the same where the end is a permutation, largest", highest, 1e-12),
        Check::count("(b) ends at the minimum that are no permutation", impostors, 0),
    ]);
    let reached = of_loss(Minimised::NonContrastive).filter(|d| d.kind == Kind::Permutation).count();
    report.observe("descents of the non-contrastive loss that end at a permutation", reached.to_string());
    for (setting, by_dimension) in settings.iter().zip(&found) {
        for (d, descended) in dimensions.iter().zip(by_dimension) {
            report.observe(format!("{}, d = {d}", setting.label), tally(descended));
        }
    }
    for (m, descended) in neurons.iter().zip(&wide) {
        let at_minimum = descended.iter().filter(|d| d.excess < AT_MINIMUM).count();
        let name = format!("{}, d = {dimension}, {m} neurons", settings[0].label);
        report.observe(name, format!("{at_minimum} of {} at the minimum", descended.len()));
    }
    report.figure("descent", |path| shares(options, &found, &wide).draw(path))?;
    report.figure("ends", |path| ends(options, &found).draw(path))
}

/// How many of the ends are of which kind and, for those that are stationary but no permutation, how far they lie above
/// the minimum, and the smallest eigenvalue of their Hessians.
fn tally(descended: &[Descended]) -> String {
    let of_kind = |kind: Kind| descended.iter().filter(move |d| d.kind == kind);
    let describe = |(kind, name): &(Kind, &str)| {
        let count = of_kind(*kind).count();
        let stationary = matches!(kind, Kind::OtherMinimum | Kind::Saddle);
        let smallest = |of: fn(&Descended) -> f64| of_kind(*kind).map(of).fold(f64::INFINITY, f64::min);
        let highest = of_kind(*kind).map(|d| d.excess).fold(0.0, f64::max);
        match count {
            0 => None,
            _ if !stationary || highest < AT_MINIMUM => Some(format!("{count} {name}")),
            _ => Some(format!(
                "{count} {name} (+{:.4} to +{highest:.4}, smallest Hessian eigenvalue {:.0e})",
                smallest(|d| d.excess),
                smallest(|d| d.surroundings.curvature)
            )),
        }
    };
    Kind::ALL.iter().filter_map(describe).collect::<Vec<_>>().join(", ")
}

fn counts(values: &[usize]) -> Vec<f64> {
    values.iter().map(|&value| value as f64).collect()
}

/// One series per run from one list of runs per position.
fn by_run<T>(positions: &[Vec<T>], of: impl Fn(&T) -> f64) -> Vec<Vec<f64>> {
    let runs = positions.iter().map(Vec::len).min().unwrap_or(0);
    (0..runs).map(|run| positions.iter().map(|at| of(&at[run])).collect()).collect()
}

/// How many descents reach the minimum.
fn shares(options: &Options, found: &[Vec<Vec<Descended>>], wide: &[Vec<Descended>]) -> Figure {
    let descents = &options.descent;
    let is = |holds: bool| f64::from(u8::from(holds));
    let shares = descents.settings.iter().zip(found).enumerate().map(|(i, (setting, by_dimension))| Curve {
        label: setting.label.clone(),
        style: style(i),
        x: counts(&descents.dimensions),
        runs: by_run(by_dimension, |d| is(d.kind == Kind::Permutation)),
    });
    let ratio = |m: &usize| *m as f64 / options.neurons.dimension as f64;
    Figure {
        title: "Minimising the contrastive loss: local minima stop many descents, more neurons remove them".into(),
        subtitle: format!(
            "Riemannian gradient descent over unit columns from random starts; α = {}, temperature {} unless said otherwise",
            options.alpha, descents.settings[0].temperature
        ),
        panels: vec![
            Panel {
                title: "Share of starts that reach a permutation".into(),
                x_label: "dimension d".into(),
                y_label: "share".into(),
                y_range: Some((-0.03, 1.03)),
                curves: shares.collect(),
                ..Panel::default()
            },
            Panel {
                title: format!("Share that reach the minimum with more neurons, d = {}", options.neurons.dimension),
                x_label: "neurons per atom, m / d".into(),
                y_label: "share".into(),
                y_range: Some((-0.03, 1.03)),
                curves: vec![Curve {
                    style: style(0),
                    x: options.neurons.neurons.iter().map(ratio).collect(),
                    runs: by_run(wide, |d| is(d.excess < AT_MINIMUM)),
                    ..Curve::default()
                }],
                ..Panel::default()
            },
        ],
        columns: 2,
        band: Band::Ci95,
        ..Figure::default()
    }
}

/// What descents ended at, as pictures of the representations.
fn ends(options: &Options, found: &[Vec<Vec<Descended>>]) -> HeatmapGrid {
    let descents = &options.descent;
    let index = descents.dimensions.iter().position(|&d| d == descents.drawn).unwrap_or(0);
    let first = |loss: Minimised, kind: Kind| {
        let settings = descents.settings.iter().zip(found).filter(move |(setting, _)| setting.loss == loss);
        let mut ends = settings.flat_map(|(_, by_dimension)| &by_dimension[index]).filter(move |d| d.kind == kind);
        ends.next()
    };
    let shown = [
        ("contrastive minimum: a permutation", first(Minimised::Contrastive, Kind::Permutation)),
        ("contrastive local minimum: atoms merged", first(Minimised::Contrastive, Kind::OtherMinimum)),
        ("non-contrastive minimum", first(Minimised::NonContrastive, Kind::OtherMinimum)),
    ];
    let panel = |(title, descended): (&str, &Descended)| Heatmap {
        title: match descended.excess {
            excess if excess < AT_MINIMUM => title.to_owned(),
            excess => format!("{title}, loss +{excess:.4}"),
        },
        x_label: "atom".into(),
        y_label: "neuron".into(),
        values: rows(&representations(&sorted(&descended.end.weight))),
        scale: ColorScale::Sequential { low: 0.0, high: 1.0 },
        ..Heatmap::default()
    };
    HeatmapGrid {
        title: "Three ends of a descent: how strongly each neuron answers each atom".into(),
        subtitle: format!(
            "ReLU(W) at the end, d = {}, neurons in the order of their atoms; α = {}",
            descents.drawn, options.alpha
        ),
        panels: shown.into_iter().filter_map(|(title, end)| Some(panel((title, end?)))).collect(),
        columns: 3,
        ..HeatmapGrid::default()
    }
}

/// The rows in the order of the atoms they answer most, so that a permutation looks like the identity.
fn sorted(weight: &Array2<f64>) -> Array2<f64> {
    let order = nearest_permutation(weight).order;
    weight.select(Axis(0), &order)
}

fn rows(matrix: &Array2<f64>) -> Vec<Vec<f64>> {
    matrix.rows().into_iter().map(|row| row.to_vec()).collect()
}
