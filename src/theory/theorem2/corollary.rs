//! The corollary: what is recovered from starts made to hold the truth, or not.

use anyhow::Result;
use ndarray::Array2;

use super::{
    Check, Options, Part, Report, Table,
    dynamics::{Encoders, Step, outside_span},
    options::Corollary,
};
use crate::{
    metrics::max_cosine,
    plots::{Band, Curve, Figure, Panel},
    random::Draws,
    theory::{columns::frobenius, style},
};

/// A start made so that the encoders times M are as given.
struct Constructed {
    label: &'static str,
    /// Makes `W^o_0 M` and `W^t_0 M` from the truth and a random matrix.
    make: fn(&Array2<f64>, &Array2<f64>) -> [Array2<f64>; 2],
    /// Whether the truth is in the span of the two.
    holds_truth: bool,
    /// Whether the closed form tends to the truth.
    recovers: bool,
}

const CONSTRUCTED: [Constructed; 5] = [
    Constructed { label: "the sum is the truth", make: |t, r| [r.clone(), t - r], holds_truth: true, recovers: true },
    Constructed {
        label: "the difference is the truth, the sum zero",
        make: |t, _| [t / 2.0, t / -2.0],
        holds_truth: true,
        recovers: true,
    },
    Constructed {
        label: "the online encoder is the truth",
        make: |t, r| [t.clone(), r.clone()],
        holds_truth: true,
        recovers: false,
    },
    Constructed {
        label: "the difference is the truth",
        make: |t, r| [(r + t) / 2.0, (r - t) / 2.0],
        holds_truth: true,
        recovers: false,
    },
    Constructed {
        label: "truth outside of the span",
        make: |_, r| [r.clone(), r.t().to_owned()],
        holds_truth: false,
        recovers: false,
    },
];

/// The minimum max-cosine of `W^o_t M` in every step, for every start.
type Recovery = Vec<Vec<f64>>;

/// Follows every construction, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("constructed starts");
    let Corollary { steps, rate, decay } = options.corollary;
    let source = options.source(0.0);
    let moment = source.moment();
    let d = options.d;
    let truth = Array2::eye(d);
    let recovered = |seen: &Array2<f64>| max_cosine(seen, &truth).min;
    struct Followed {
        recovery: Vec<f64>,
        /// What is recovered in the limit: the sum or, where that is zero, the online encoder at the start.
        limit: f64,
        outside: f64,
    }
    let follow = |constructed: &Constructed, i: u64| {
        let mut draws = options.key(Part::Corollary, i).stream();
        let random = Array2::from_shape_simple_fn((d, d), || draws.normal() / (d as f64).sqrt());
        let [online, target] = (constructed.make)(&truth, &random);
        let sum = &online + &target;
        let limit = if frobenius(&sum) > 0.0 { recovered(&sum) } else { recovered(&online) };
        let beside = if frobenius(&sum) > 0.0 { &sum } else { &random };
        let outside = outside_span(&truth, &online, beside);
        let project = |seen: &Array2<f64>| seen.dot(&source.dictionary.t());
        let mut encoders = Encoders { online: project(&online), target: project(&target) };
        let mut recovery = vec![recovered(&online)];
        for _ in 0..steps {
            encoders.step(&moment, Step { rate, decay });
            recovery.push(recovered(&encoders.online.dot(&source.dictionary)));
        }
        Followed { recovery, limit, outside }
    };
    let mut found = vec![];
    let mut table = Table::new(&["start_made_such_that", "start", "step", "min_max_cosine"]);
    for constructed in &CONSTRUCTED {
        let followed = options.for_starts(|i| follow(constructed, i));
        for (i, f) in followed.iter().enumerate() {
            f.recovery.iter().enumerate().for_each(|(t, recovery)| table.push(&[&constructed.label, &i, &t, recovery]));
        }
        let largest = |of: &dyn Fn(&Followed) -> f64| followed.iter().map(of).fold(0.0, f64::max);
        let label = constructed.label;
        let error = largest(&|f| (f.recovery[steps] - f.limit).abs());
        report.checks.push(Check::at_most(
            format!("{label}: recovery against its limit, largest difference"),
            error,
            1e-6,
        ));
        let at_end = largest(&|f| f.recovery[steps]);
        report.checks.push(match constructed.recovers {
            true => Check::at_least(
                format!("{label}: recovery"),
                followed.iter().map(|f| f.recovery[steps]).fold(1.0, f64::min),
                1.0 - 1e-6,
            ),
            false => Check::at_most(format!("{label}: recovery, best start"), at_end, 0.999),
        });
        let outside = largest(&|f| f.outside);
        report.checks.push(match constructed.holds_truth {
            true => Check::at_most(format!("{label}: share of the truth outside of the span"), outside, 1e-10),
            false => Check::at_least(format!("{label}: its largest share"), outside, 0.1),
        });
        found.push(followed.into_iter().map(|f| f.recovery).collect());
    }
    report.table("corollary", &table)?;
    report.figure("corollary", |path| figure(options, &found).draw(path))
}

fn figure(options: &Options, recoveries: &[Recovery]) -> Figure {
    let curve = |(i, recovery): (usize, &Recovery)| Curve {
        label: CONSTRUCTED[i].label.into(),
        style: style(i),
        x: super::steps(options.corollary.steps),
        runs: recovery.clone(),
    };
    Figure {
        title: "The truth must lie in the span of the start, and there it must be the sum of the two encoders".into(),
        subtitle: format!(
            "population gradient descent; d = m = {}, η = {}, λ = {}, α = {}, sparsity {}",
            options.d, options.corollary.rate, options.corollary.decay, options.alpha, options.sparsity
        ),
        panels: vec![Panel {
            title: "Recovery by the online encoder".into(),
            x_label: "step".into(),
            y_label: "min max-cosine".into(),
            y_range: Some((0.0, 1.03)),
            curves: recoveries.iter().enumerate().map(curve).collect(),
            ..Panel::default()
        }],
        columns: 1,
        band: Band::Sem,
        ..Figure::default()
    }
}
