//! The effect on the norms of learning rates on either side of the bound.

use anyhow::Result;

use super::{
    Check, Options, Report, Table,
    dynamics::{Encoders, Step},
    options::Rates,
    seen,
};
use crate::{
    plots::{Curve, Panel, Scale},
    theory::{columns::frobenius, style},
};

/// Norms at a learning rate: `|W^o_t M|` over that at the start, for every start and step.
type Norms = Vec<Vec<f64>>;

/// Follows the norms at every rate and tabulates; the panel of a figure.
pub fn study(options: &Options, report: &mut Report) -> Result<Panel> {
    report.begin("learning rates around the bound");
    let Rates { steps, decay, ratios } = &options.rates;
    let source = options.source(0.0);
    let moment = source.moment();
    let rate_of = |mixing: f64| mixing / source.mixing(1.0);
    let follow = |mixing: f64, i: u64| {
        let mut encoders = options.start(i);
        let first = frobenius(&seen(&encoders, &source).0);
        let mut norms = vec![1.0];
        for _ in 0..*steps {
            encoders.step(&moment, Step { rate: rate_of(mixing), decay: *decay });
            norms.push(frobenius(&seen(&encoders, &source).0) / first);
        }
        norms
    };
    let found: Vec<Norms> =
        ratios.iter().map(|ratio| options.for_starts(|i| follow(ratio * (1.0 - decay), i))).collect();
    let mut table = Table::new(&["c_over_1_minus_lambda", "start", "step", "relative_norm"]);
    for (ratio, of_ratio) in ratios.iter().zip(&found) {
        for (i, norms) in of_ratio.iter().enumerate() {
            norms.iter().enumerate().for_each(|(t, norm)| table.push(&[ratio, &i, &t, norm]));
        }
        // Late on, only the sum is left, and the norm grows by lambda + c per step.
        let growth = |norms: &Vec<f64>| norms[*steps] / norms[steps - 1];
        let error =
            of_ratio.iter().map(|norms| (growth(norms) - decay - ratio * (1.0 - decay)).abs()).fold(0.0, f64::max);
        let name = format!("growth per step at c = {ratio} (1 - lambda) against lambda + c, largest difference");
        report.checks.push(Check::at_most(name, error, 1e-3));
    }
    report.table("rates", &table)?;

    // Beyond c = 1 + lambda the difference diverges too, with a sign that flips in every step.
    let mixing = 1.5 * (1.0 + decay);
    let mut encoders = options.start(0);
    let difference = |encoders: &Encoders| &encoders.online - &encoders.target;
    let before = difference(&encoders).dot(&source.dictionary);
    encoders.step(&moment, Step { rate: rate_of(mixing), decay: *decay });
    let factor = (difference(&encoders).dot(&source.dictionary) * &before).sum() / (&before * &before).sum();
    report.checks.push(Check::near("factor of the difference at c = 1.5 (1 + lambda)", factor, decay - mixing, 1e-9));
    Ok(panel(options, found))
}

fn panel(options: &Options, found: Vec<Norms>) -> Panel {
    let curve = |(i, (ratio, norms)): (usize, (&f64, Norms))| Curve {
        label: format!("c = {ratio} (1 − λ)"),
        style: style(i),
        x: super::steps(options.rates.steps),
        runs: norms,
    };
    Panel {
        title: format!("Learning rate: bounded up to c = 1 − λ, here λ = {}", options.rates.decay),
        x_label: "step".into(),
        y_label: "norm, relative to the start".into(),
        y_scale: Scale::Log,
        curves: options.rates.ratios.iter().zip(found).enumerate().map(curve).collect(),
        ..Panel::default()
    }
}
