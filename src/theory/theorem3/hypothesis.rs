//! The hypothesis that the theorem lacks: settings that fulfil all its assumptions, on either side of it.

use anyhow::Result;
use rayon::prelude::*;

use super::{
    Check, Options, Report, Table,
    alternation::{Encoders, Rule},
    exact,
    expectation::Source,
    options::Hypothesis,
};
use crate::theory::Verdict;

/// A setting inside the assumptions, and the outcome of its starts.
struct Setting {
    source: Source,
    bias: f64,
    /// By how much a turn multiplies the error near the identity: the missing hypothesis has it below 1.
    factor: f64,
    /// Distances of the online encoder from the identity at the end; NaN where both have converged.
    ends: Vec<f64>,
}

impl Setting {
    fn converged(&self) -> usize {
        self.ends.iter().filter(|distance| distance.is_nan()).count()
    }
}

/// Runs every setting, tabulates, and judges the theorem as printed.
pub fn study(options: &Options, report: &mut Report) -> Result<Verdict> {
    report.begin("settings inside the assumptions, dense latents among them");
    let Hypothesis { dimension: d, alphas, sparsities, biases } = &options.hypothesis;
    let mut settings = vec![];
    for &alpha in alphas {
        for &sparsity in sparsities {
            let source = Source { d: *d, sparsity, alpha };
            let assumed = options.assumptions(source, 0.0);
            let Some((low, high)) = assumed.biases() else { continue };
            let inside = biases.iter().filter(|bias| low < **bias && **bias < high);
            settings.extend(inside.map(|&bias| {
                let ends = run(options, source, Rule { bias, ..options.rule() });
                Setting { source, bias, factor: assumed.contraction(bias), ends }
            }));
        }
    }
    let mut table =
        Table::new(&["d", "alpha", "sparsity", "bias", "factor_per_turn", "start", "converged", "distance"]);
    for Setting { source: Source { d, sparsity, alpha }, bias, factor, ends } in &settings {
        for (i, distance) in ends.iter().enumerate() {
            table.push(&[d, alpha, sparsity, bias, factor, &i, &distance.is_nan(), distance]);
        }
    }
    report.table("hypothesis", &table)?;
    let (with, without): (Vec<&Setting>, Vec<&Setting>) = settings.iter().partition(|setting| setting.factor < 1.0);
    let converged = |settings: &[&Setting]| settings.iter().map(|setting| setting.converged()).sum::<usize>();
    report.checks.extend([
        Check::count(
            "starts inside the assumptions that converge where alpha^2 beta < 1 - b",
            converged(&with),
            with.len() * options.starts,
        ),
        Check::count("the same where alpha^2 beta > 1 - b", converged(&without), 0),
    ]);
    let all = report.all_hold("starts inside the assumptions");
    Ok(verdict(options, &settings, all))
}

/// For every start, the distance at its end.
fn run(options: &Options, source: Source, rule: Rule) -> Vec<f64> {
    let pairs = exact(source, 0.0);
    let radius = options.assumptions(source, 0.0).radius;
    let end = |i: u64| -> Encoders { rule.run(&pairs, options.start(source.d, radius, i), |_| {}) };
    let distance = |end: Encoders| if end.at_identity() { f64::NAN } else { end.distances()[0] };
    (0..options.starts as u64).into_par_iter().map(|i| distance(end(i))).collect()
}

fn verdict(options: &Options, settings: &[Setting], converge_elsewhere: bool) -> Verdict {
    let failing: Vec<&Setting> = settings.iter().filter(|setting| setting.converged() < options.starts).collect();
    let found = match failing.first() {
        None => format!("all starts converge in {} settings", settings.len()),
        Some(setting) => {
            let Setting { source: Source { d, sparsity, alpha }, bias, ends, .. } = setting;
            let mean = ends.iter().filter(|distance| !distance.is_nan()).sum::<f64>()
                / (options.starts - setting.converged()) as f64;
            format!(
                "d = {d}, α = {alpha}, sparsity {sparsity}, b = {bias}, no noise: {} of {} starts converge, the others end {mean:.2} \
                 from I; so in {} of {} settings",
                setting.converged(),
                options.starts,
                failing.len(),
                settings.len()
            )
        }
    };
    Verdict {
        statement: "Theorem 3",
        printed: "inside the assumptions, alternating optimisation from a warm start converges to the identity",
        checked: "all assumptions as printed, the bias well inside of its interval, in exact expectation",
        holds: failing.is_empty() && converge_elsewhere,
        found,
        repair: "one more hypothesis, α² β < 1 − b, β the sparsity, the chance of a latent beside another: then all starts converge",
    }
}
