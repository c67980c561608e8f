//! Starts that fulfil all assumptions: all of them converge.

use rayon::prelude::*;

use super::{Check, Options, Report, alternation::Rule, exact, options::Inside};

/// Runs them and counts those that converge.
pub fn study(options: &Options, report: &mut Report) {
    report.begin("starts inside the assumptions");
    let Inside { dimensions, noise } = &options.inside;
    let smallest = dimensions.iter().min().map(|&d| (d, *noise));
    for (d, sigma) in dimensions.iter().map(|&d| (d, 0.0)).chain(smallest) {
        let assumed = options.assumptions(options.source(d), sigma);
        let name = format!("starts inside the assumptions that converge, d = {d}, noise {sigma}");
        let Some((low, high)) = assumed.biases() else {
            report.observe(name, "no bias fulfils them");
            continue;
        };
        let pairs = exact(options.source(d), sigma);
        let converges = |i: usize| {
            let bias = low + (high - low) * (i as f64 + 0.5) / options.starts as f64;
            let rule = Rule { bias, ..options.rule() };
            rule.run(&pairs, options.start(d, assumed.radius, i as u64), |_| {}).at_identity()
        };
        let converged = (0..options.starts).into_par_iter().filter(|&i| converges(i)).count();
        report.checks.push(Check::count(name, converged, options.starts));
        report.observe(
            format!("biases that fulfil the assumptions, d = {d}, noise {sigma}"),
            format!("{low:.4} to {high:.4}"),
        );
    }
}
