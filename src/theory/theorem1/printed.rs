//! What the studies say of Theorem 1 as it is printed.

use ndarray::Array2;

use super::{Options, Report, limit::Found, loss::Views};
use crate::theory::Verdict;

/// A verdict on either part, the second in each of the forms that "the contrastive loss" may take.
pub fn verdicts(options: &Options, report: &Report, limit: &[Found]) -> Vec<Verdict> {
    let matrices = options.optima.dimensions.len() * options.optima.matrices;
    let descents = &options.descent;
    let contrastive = report.all_hold("(b)");
    vec![
        Verdict {
            statement: "Theorem 1 (a)",
            printed: "every W ≥ 0 with unit columns minimises the non-contrastive loss, 2 − 2α²",
            checked: "as printed, on random W ≥ 0, in exact expectation",
            holds: report.all_hold("(a)"),
            found: format!("{matrices} matrices, d = {}", range(&options.optima.dimensions)),
            repair: "",
        },
        Verdict {
            statement: "Theorem 1 (b), as its proof (A.16) has the loss",
            printed: "over unit columns the minimisers of the contrastive loss are the permutations",
            checked: "negatives' masks averaged outside of the logarithm; descents from random starts, d ≥ 2",
            holds: contrastive,
            found: format!("no end is lower, and none as low is another; d = {}", range(&descents.dimensions)),
            repair: "",
        },
        one_dimension(options.views()),
        in_the_limit(options, limit),
        with_cosines(options, limit),
    ]
}

fn one_dimension(views: Views) -> Verdict {
    let one = |sign: f64| Array2::from_elem((1, 1), sign);
    let difference = views.contrastive(&one(-1.0)) - views.contrastive(&one(1.0));
    Verdict {
        statement: "Theorem 1 (b), d = 1",
        printed: "the same; no dimension is excluded",
        checked: "W = −1 against W = 1",
        holds: difference > 1e-12,
        found: format!("W = −1 is no worse: above W = 1 by {}", short(difference)),
        repair: "d ≥ 2",
    }
}

fn in_the_limit(options: &Options, limit: &[Found]) -> Verdict {
    let failing: Vec<&Found> = limit.iter().filter(|found| !found.permutations_minimise()).collect();
    let widest = failing.iter().max_by(|a, b| (a.at_permutation - a.lowest).total_cmp(&(b.at_permutation - b.lowest)));
    let found = widest.map_or_else(
        || "no end is lower at any temperature tried".into(),
        |f| {
            let Found { d, temperature, lowest, at_permutation, .. } = f;
            format!(
                "d = {d}, temperature {temperature}: a descent ends at {lowest:.3}, a permutation has {at_permutation:.3}; \
                 so at {} of {} temperatures tried",
                failing.len(),
                limit.len()
            )
        },
    );
    let critical = options.limit.dimensions.iter().map(|&d| (d, options.views().critical_temperature(d)));
    let critical: Vec<String> = critical.map(|(d, critical)| format!("{critical:.4} at d = {d}")).collect();
    Verdict {
        statement: "Theorem 1 (b), as the limit of Eq. 9",
        printed: "the same, at every temperature",
        checked: "ever more negatives, their masks averaged inside of the logarithm; descents around the critical temperature",
        holds: failing.is_empty(),
        found: format!("{found}; critical: {}", critical.join(", ")),
        repair: "temperature ≥ 1 / ln((d − α)/(1 − α)); below it minimisers have negative entries, \
                 ReLU(W) = √(t ln((d − α)/(1 − α))) times a permutation",
    }
}

fn with_cosines(options: &Options, limit: &[Found]) -> Verdict {
    let difference = |found: &Found| {
        let d = found.d;
        let mut weight = Array2::eye(d) * 0.6;
        (0..d).for_each(|j| weight[[(j + 1) % d, j]] = -0.8);
        let views = Views { alpha: options.alpha, temperature: found.temperature };
        views.cosine_limit(&weight) - views.cosine_limit(&Array2::eye(d))
    };
    let largest = limit.iter().map(difference).fold(f64::NEG_INFINITY, f64::max);
    Verdict {
        statement: "Theorem 1 (b), with the cosine similarities of the experiments",
        printed: "the same",
        checked: "columns of 0.6 on their atom and −0.8 on another, against a permutation, at every temperature above",
        holds: largest > 1e-12,
        found: format!("they are no worse: above a permutation by {} at most", short(largest)),
        repair: "W ≥ 0, or count W by ReLU(W), up to the lengths of its columns",
    }
}

/// A difference, zero if it is rounding.
fn short(difference: f64) -> String {
    if difference.abs() < 1e-12 { "0".into() } else { format!("{difference:.1e}") }
}

/// "2 to 50", or the one dimension there is.
fn range(dimensions: &[usize]) -> String {
    match (dimensions.iter().min(), dimensions.iter().max()) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
        (Some(only), _) => only.to_string(),
        _ => String::new(),
    }
}
