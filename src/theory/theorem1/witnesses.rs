//! The exact expectation over the masks against its definitions.

use rayon::prelude::*;

use super::{
    Check, Options, Part, Report,
    expectation::{enumerated_log_sum_exp, expected_log_sum_exp},
    options::Witnesses,
};
use crate::{random::Draws, theory::columns::random_non_negative};

/// Holds the exact expectation against enumerated and against sampled masks.
pub fn study(options: &Options, report: &mut Report) {
    report.begin("the exact expectation, against all masks and against sampled ones");
    let Witnesses { enumerated, sampled, samples } = &options.witnesses;
    let difference = |&d: &usize| {
        let mut draws = options.key(Part::Witnesses, d).stream();
        let logits: Vec<f64> = (0..d).map(|_| draws.uniform() / options.temperature).collect();
        let (value, shares) = expected_log_sum_exp(&logits, options.alpha);
        let (expected, expected_shares) = enumerated_log_sum_exp(&logits, options.alpha);
        (shares - expected_shares).iter().fold((value - expected).abs(), |largest, part| largest.max(part.abs()))
    };
    let largest = enumerated.par_iter().map(difference).reduce(|| 0.0, f64::max);
    report.checks.push(Check::at_most("contrastive loss against all masks, one by one", largest, 1e-12));
    for &d in sampled {
        let mut draws = options.key(Part::Witnesses, d).derive(1u64).stream();
        let weight = random_non_negative((d, d), &mut draws);
        let (mean, error) = options.views().contrastive_sampled(&weight, *samples, &mut draws);
        let deviations = (mean - options.views().contrastive(&weight)).abs() / error;
        let name = format!("contrastive loss against sampled masks, d = {d}, in standard errors");
        report.checks.push(Check::at_most(name, deviations, 4.0));
    }
}
