//! Distances of both encoders from the identity, step by step.

use anyhow::Result;
use rayon::prelude::*;

use super::{
    Options, Report, Table,
    alternation::{Assumptions, Rule},
    exact,
    expectation::Source,
    options::Convergence,
};
use crate::{
    plots::{Band, Curve, Figure, Panel, Scale},
    theory::style,
};

/// Distances from the identity of one curve: by start, in every step, of the online and of the target encoder.
struct Trace {
    label: String,
    online: Vec<Vec<f64>>,
    target: Vec<Vec<f64>>,
}

/// Traces by what is varied.
struct Traces {
    by_dimension: Vec<Trace>,
    by_sparsity: Vec<Trace>,
    by_bias: Vec<Trace>,
}

/// Follows the distances, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("distances from the identity, step by step");
    let Convergence { rate, turn, rounds, starts, dimension, dimensions, sparsities, biases } = &options.convergence;
    let steps = 2 * turn * rounds;
    let trace = |label: String, source: Source, bias: f64| {
        let pairs = exact(source, 0.0);
        let rule = Rule { bias, rate: *rate, turn: *turn, rounds: *rounds, ..options.rule() };
        let follow = |i: u64| {
            let (mut online, mut target) = (vec![], vec![]);
            rule.run(&pairs, options.start(source.d, Assumptions::largest_radius(source.d), i), |encoders| {
                let [of_online, of_target] = encoders.distances();
                online.push(of_online);
                target.push(of_target);
            });
            for distances in [&mut online, &mut target] {
                let last = distances.last().copied().unwrap_or(f64::NAN);
                distances.resize(steps + 1, last);
            }
            (online, target)
        };
        let (online, target) = (0..*starts as u64).into_par_iter().map(follow).unzip();
        Trace { label, online, target }
    };
    let source = options.source(*dimension);
    let of_dimension = |d: &usize| trace(format!("d = {d}"), options.source(*d), options.bias);
    let of_sparsity =
        |&sparsity: &f64| trace(format!("sparsity {sparsity}"), Source { sparsity, ..source }, options.bias);
    let traces = Traces {
        by_dimension: dimensions.iter().map(of_dimension).collect(),
        by_sparsity: sparsities.iter().map(of_sparsity).collect(),
        by_bias: biases.iter().map(|&bias| trace(format!("bias {bias}"), source, bias)).collect(),
    };
    let mut table = Table::new(&["curve", "start", "step", "online_distance", "target_distance"]);
    for trace in traces.by_dimension.iter().chain(&traces.by_sparsity).chain(&traces.by_bias) {
        for (i, (online, target)) in trace.online.iter().zip(&trace.target).enumerate() {
            for (step, (online, target)) in online.iter().zip(target).enumerate() {
                table.push(&[&trace.label, &i, &step, online, target]);
            }
        }
    }
    report.table("convergence", &table)?;
    report.figure("convergence", |path| figure(options, &traces).draw(path))
}

fn figure(options: &Options, traces: &Traces) -> Figure {
    let settings = &options.convergence;
    let steps: Vec<f64> = (0..=2 * settings.turn * settings.rounds).map(|step| step as f64).collect();
    // The floor keeps an error of exactly zero on the logarithmic axis.
    let floored =
        |runs: &[Vec<f64>]| runs.iter().map(|run| run.iter().map(|value| value.max(1e-12)).collect()).collect();
    let curve = |label: &str, index: usize, runs: &[Vec<f64>]| Curve {
        label: label.into(),
        style: style(index),
        x: steps.clone(),
        runs: floored(runs),
    };
    let panel = |title: &str, curves| Panel {
        title: title.into(),
        x_label: "gradient step".into(),
        y_label: "Frobenius distance from I".into(),
        y_scale: Scale::Log,
        y_range: Some((1e-9, 1.0)),
        curves,
        ..Panel::default()
    };
    let online = |traces: &[Trace]| traces.iter().enumerate().map(|(i, t)| curve(&t.label, i, &t.online)).collect();
    let same = traces.by_dimension.iter().find(|trace| trace.label == format!("d = {}", settings.dimension));
    let both = same.into_iter().flat_map(|t| [curve("online", 0, &t.online), curve("target", 1, &t.target)]);
    Figure {
        title: "Inside the assumptions both encoders converge to the dictionary, turn by turn".into(),
        subtitle: format!(
            "warm starts |Δ| < 1/(10 d), turns of {} steps, the online encoder first; where not varied d = {}, sparsity {}, bias {}, α = {}",
            settings.turn, settings.dimension, options.sparsity, options.bias, options.alpha
        ),
        panels: vec![
            panel("Both encoders", both.collect()),
            panel("Online encoder by dimension", online(&traces.by_dimension)),
            panel("Online encoder by sparsity", online(&traces.by_sparsity)),
            panel("Online encoder by bias", online(&traces.by_bias)),
        ],
        columns: 2,
        band: Band::MinMax,
        ..Figure::default()
    }
}
