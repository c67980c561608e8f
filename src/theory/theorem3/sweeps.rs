//! One assumption after the other broken: the share of starts that still converges.

use anyhow::Result;
use rayon::prelude::*;

use super::{
    Options, Report, Table,
    alternation::{Assumptions, Encoders, Rule},
    contraction::{self, Rates},
    exact,
    expectation::{Pairs, Source},
    options::Variant,
};
use crate::{
    plots::{Band, Curve, Figure, Panel, Scale},
    theory::style,
};

/// The share of starts that converges along a swept quantity: for every value, for every start.
struct Sweep {
    label: String,
    values: Vec<f64>,
    converged: Vec<Vec<bool>>,
}

impl Sweep {
    fn share(&self, index: usize) -> f64 {
        let converged = &self.converged[index];
        converged.iter().filter(|&&converged| converged).count() as f64 / converged.len() as f64
    }
}

/// Sweeps by the assumption they break.
struct Broken {
    radius: Vec<Sweep>,
    bias: Vec<Sweep>,
    noise: Vec<Sweep>,
    alpha: Vec<Sweep>,
    variants: Vec<Sweep>,
}

/// Runs every sweep, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("assumptions broken one at a time");
    let sweeps = &options.sweeps;
    let d = sweeps.dimensions[0];
    let recovered = |judge: fn(&Encoders) -> bool, rule: &Rule, pairs: &Pairs, d: usize, radius: f64| -> Vec<bool> {
        let radius = radius * Assumptions::largest_radius(d);
        let of = |i: u64| judge(&rule.run(pairs, options.start(d, radius, i), |_| {}));
        (0..options.starts as u64).into_par_iter().map(of).collect()
    };
    let identity = Encoders::at_identity as fn(&Encoders) -> bool;
    let sweep = |label: String, values: &[f64], of: &dyn Fn(f64) -> Vec<bool>| Sweep {
        label,
        values: values.to_vec(),
        converged: values.iter().map(|&value| of(value)).collect(),
    };
    let over_radii = |label: String, d: usize, rule: Rule, judge: fn(&Encoders) -> bool| {
        let pairs = exact(options.source(d), 0.0);
        sweep(label, &sweeps.radii, &|radius| recovered(judge, &rule, &pairs, d, radius))
    };
    let plain = exact(options.source(d), 0.0);
    let mut radius: Vec<Sweep> = sweeps
        .dimensions
        .iter()
        .map(|&d| over_radii(format!("to the identity, d = {d}"), d, options.rule(), identity))
        .collect();
    radius.push(over_radii(
        format!("to a signed permutation, d = {d}"),
        d,
        options.rule(),
        Encoders::at_signed_permutation,
    ));
    let of_bias = |&radius: &f64| {
        let of = |bias: f64| recovered(identity, &Rule { bias, ..options.rule() }, &plain, d, radius);
        sweep(format!("radius {radius}"), &sweeps.biases, &of)
    };
    let of_noise = |&bias: &f64| {
        let d = sweeps.dimension_of_noises;
        let of = |sigma: f64| {
            recovered(identity, &Rule { bias, ..options.rule() }, &exact(options.source(d), sigma), d, 1.0)
        };
        sweep(format!("bias {bias}"), &sweeps.noises, &of)
    };
    let of_alpha = |&sparsity: &f64| {
        let of = |alpha: f64| {
            let pairs = exact(Source { d, sparsity, alpha }, 0.0);
            recovered(identity, &options.rule(), &pairs, d, 1.0)
        };
        let limit = options.assumptions(Source { sparsity, ..options.source(d) }, 0.0).largest_alpha(options.bias);
        let limit = limit.map_or(String::new(), |limit| format!(" (predicted limit {limit:.2})"));
        sweep(format!("sparsity {sparsity}{limit}"), &sweeps.alphas, &of)
    };
    let of_variant = |variant: &Variant| {
        let rule = Rule { normalization: variant.normalization, turns: variant.turns, ..options.rule() };
        let judge: fn(&Encoders) -> bool = match variant.directions {
            true => |encoders| encoders.directions().at_identity(),
            false => Encoders::at_identity,
        };
        over_radii(variant.label.clone(), d, rule, judge)
    };
    for variant in &sweeps.variants {
        let rule = Rule { normalization: variant.normalization, turns: variant.turns, ..options.rule() };
        let of = |i: u64| {
            let end = rule.run(&plain, options.start(d, Assumptions::largest_radius(d), i), |_| {});
            end.directions().distances()[0]
        };
        let distances: Vec<f64> = (0..options.starts as u64).into_par_iter().map(of).collect();
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        report.observe(
            format!("{}: mean distance of the rows' directions from I at radius 1", variant.label),
            format!("{mean:.1e}"),
        );
    }
    let broken = Broken {
        radius,
        bias: sweeps.radii_of_biases.iter().map(of_bias).collect(),
        noise: sweeps.biases_of_noises.iter().map(of_noise).collect(),
        alpha: sweeps.sparsities_of_alphas.iter().map(of_alpha).collect(),
        variants: sweeps.variants.iter().map(of_variant).collect(),
    };
    let kinds = [
        ("radius", &broken.radius),
        ("bias", &broken.bias),
        ("noise", &broken.noise),
        ("alpha", &broken.alpha),
        ("variant over radius", &broken.variants),
    ];
    let mut table = Table::new(&["swept", "curve", "value", "start", "converged"]);
    for (kind, of_kind) in kinds {
        for sweep in of_kind {
            for (value, converged) in sweep.values.iter().zip(&sweep.converged) {
                converged
                    .iter()
                    .enumerate()
                    .for_each(|(i, converged)| table.push(&[&kind, &sweep.label, value, &i, converged]));
            }
            let shares = (0..sweep.values.len()).map(|k| format!("{}: {:.2}", sweep.values[k], sweep.share(k)));
            report.observe(
                format!("share that converges by {kind}, {}", sweep.label),
                shares.collect::<Vec<_>>().join(", "),
            );
        }
    }
    report.table("assumptions", &table)?;
    let rates = contraction::study(options, report)?;
    report.figure("assumptions", |path| figure(options, &broken, &rates).draw(path))
}

fn figure(options: &Options, broken: &Broken, rates: &Rates) -> Figure {
    let curves = |sweeps: &[Sweep]| {
        let curve = |(i, sweep): (usize, &Sweep)| Curve {
            label: sweep.label.clone(),
            style: style(i),
            x: sweep.values.clone(),
            runs: (0..options.starts)
                .map(|start| sweep.converged.iter().map(|at| f64::from(u8::from(at[start]))).collect())
                .collect(),
        };
        sweeps.iter().enumerate().map(curve).collect()
    };
    let panel = |title: &str, x_label: &str, x_scale, sweeps: &[Sweep]| Panel {
        title: title.into(),
        x_label: x_label.into(),
        y_label: "share that converges".into(),
        y_range: Some((-0.03, 1.03)),
        x_scale,
        curves: curves(sweeps),
        ..Panel::default()
    };
    let d = options.sweeps.dimensions[0];
    let starts = options.starts;
    let limit = 1.0 - options.alpha.powi(2) * options.sparsity;
    let measured = (0..starts).map(|start| rates.measured.iter().map(|at| at[start]).collect()).collect();
    let rate = |label: &str, index: usize, runs| Curve {
        label: label.into(),
        style: style(index),
        x: options.contraction.biases.clone(),
        runs,
    };
    let radius = "warm-start radius, times 1/(10 d)";
    Figure {
        title: "How tight the assumptions are: one broken at a time".into(),
        subtitle: format!(
            "where not varied: d = {d}, radius 1, bias {}, α = {}, sparsity {}, no noise",
            options.bias, options.alpha, options.sparsity
        ),
        panels: vec![
            panel("Larger warm-start radius", radius, Scale::Log, &broken.radius),
            panel(&format!("Other biases (predicted limit {limit:.2})"), "bias b", Scale::Linear, &broken.bias),
            panel(
                &format!("More noise ±σ, in expectation, d = {}", options.sweeps.dimension_of_noises),
                "noise σ",
                Scale::Linear,
                &broken.noise,
            ),
            panel("Other algorithms", radius, Scale::Log, &broken.variants),
            panel("Masks that keep more", "probability to keep α", Scale::Linear, &broken.alpha),
            Panel {
                title: format!(
                    "Error after a turn over before, d = {}, α = {}, sparsity {}",
                    options.contraction.dimension, options.contraction.alpha, options.contraction.sparsity
                ),
                x_label: "bias b".into(),
                y_label: "factor".into(),
                y_range: Some((0.0, 1.0)),
                curves: vec![
                    rate("measured", 0, measured),
                    rate("predicted", 1, vec![rates.predicted.clone(); starts]),
                ],
                ..Panel::default()
            },
        ],
        columns: 3,
        band: Band::Ci95,
        ..Figure::default()
    }
}
