//! Gradient descent on samples: how far from the closed form it ends.

use anyhow::Result;

use super::{
    Check, Options, Part, Report, Table,
    dynamics::{ClosedForm, Step, outside_span},
    options::Stochastic,
    relative_difference, seen,
};
use crate::{
    linalg::slope,
    plots::{Band, Curve, Figure, Panel, Scale},
    theory::style,
};

/// How far gradient descent on samples is from theory at its end, for every start.
struct Sampled {
    /// From the closed form, relative.
    closed_form: f64,
    /// Outside of the span, relative.
    span: f64,
}

/// By kind (fresh batches, a fixed data set), by size, by start.
struct Stochastically {
    batches: Vec<Vec<Sampled>>,
    data_sets: Vec<Vec<Sampled>>,
}

/// Descends on samples, fits the slopes, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("gradient descent on samples");
    let Stochastic { steps, rate, decay, noise, sizes } = &options.stochastic;
    let source = options.source(*noise);
    let follow = |size: usize, i: u64, fixed: bool| {
        let mut draws = options.key(Part::Samples, i).derive(size as u64).derive(u64::from(fixed)).stream();
        let mut encoders = options.start(i);
        let (online, target) = seen(&encoders, &source);
        let mut closed = ClosedForm::default();
        let mut samples = source.samples(size, &mut draws);
        for t in 0..*steps {
            if t > 0 && !fixed {
                samples = source.samples(size, &mut draws);
            }
            encoders.step(&source.sampled_moment(&samples, &mut draws), Step { rate: *rate, decay: *decay });
            closed.advance(*decay, source.mixing(*rate));
        }
        let found = encoders.online.dot(&source.dictionary);
        Sampled {
            closed_form: relative_difference(&found, &closed.online(&online, &target)),
            span: outside_span(&found, &online, &target),
        }
    };
    let of = |fixed: bool| sizes.iter().map(|&size| options.for_starts(|i| follow(size, i, fixed))).collect();
    let found = Stochastically { batches: of(false), data_sets: of(true) };

    let mut table = Table::new(&[
        "kind",
        "size",
        "start",
        "relative_difference_from_closed_form",
        "relative_residual_outside_span",
    ]);
    for (kind, name, by_size) in
        [("fresh_batches", "batch size", &found.batches), ("fixed_data_set", "data set size", &found.data_sets)]
    {
        for (size, of_size) in sizes.iter().zip(by_size) {
            for (i, s) in of_size.iter().enumerate() {
                table.push(&[&kind, size, &i, &s.closed_form, &s.span]);
            }
        }
        report.checks.extend([
            Check::near(
                format!("slope of the deviation against the {name}"),
                fitted(sizes, by_size, |s| s.closed_form),
                -0.5,
                0.1,
            ),
            Check::near(
                format!("slope of the residual outside of the span against the {name}"),
                fitted(sizes, by_size, |s| s.span),
                -0.5,
                0.1,
            ),
        ]);
    }
    report.table("sgd", &table)?;
    report.figure("sgd", |path| figure(options, &found).draw(path))
}

/// The slope of the logarithm of the mean over starts against that of the size.
fn fitted(sizes: &[usize], by_size: &[Vec<Sampled>], of: fn(&Sampled) -> f64) -> f64 {
    let mean = |of_size: &Vec<Sampled>| of_size.iter().map(of).sum::<f64>() / of_size.len() as f64;
    let points = sizes.iter().zip(by_size).map(|(size, of_size)| ((*size as f64).ln(), mean(of_size).ln()));
    slope(&points.collect::<Vec<_>>())
}

fn figure(options: &Options, found: &Stochastically) -> Figure {
    let sizes = &options.stochastic.sizes;
    let panel = |title: &str, x_label: &str, by_size: &[Vec<Sampled>]| {
        let curve = |label: &str, index: usize, of: fn(&Sampled) -> f64| Curve {
            label: format!("{label}: slope {:.2}", fitted(sizes, by_size, of)).replace('-', "−"),
            style: style(index),
            x: sizes.iter().map(|&size| size as f64).collect(),
            runs: (0..options.starts).map(|i| by_size.iter().map(|of_size| of(&of_size[i])).collect()).collect(),
        };
        Panel {
            title: title.into(),
            x_label: x_label.into(),
            y_label: "relative size".into(),
            x_scale: Scale::Log,
            y_scale: Scale::Log,
            curves: vec![
                curve("deviation from the closed form", 0, |s| s.closed_form),
                curve("residual outside of the span", 1, |s| s.span),
            ],
            ..Panel::default()
        }
    };
    Figure {
        title: "On samples the theory holds up to an error that falls with the square root of their number".into(),
        subtitle: format!(
            "after {} steps; p = {}, d = {}, m = {}, η = {}, λ = {}, α = {}, sparsity {}, noise {}",
            options.stochastic.steps,
            options.p,
            options.d,
            options.m,
            options.stochastic.rate,
            options.stochastic.decay,
            options.alpha,
            options.sparsity,
            options.stochastic.noise
        ),
        panels: vec![
            panel("Fresh samples in every step", "batch size B", &found.batches),
            panel("One data set, all of it in every step, fresh masks", "samples n", &found.data_sets),
        ],
        columns: 2,
        band: Band::MinMax,
        watermark: None,
        ..Figure::default()
    }
}
