//! The coefficient C2 as the theorem prints it, and gradient descent on the loss with its penalty, against descent.

use ndarray::Array2;

use super::{
    Check, Options, Report,
    dynamics::{ClosedForm, Encoders, Step, printed_sum_coefficient},
    options::Coefficients,
    relative_difference, seen,
};
use crate::theory::Verdict;

/// How the names of the checks about the span begin.
const SPANS: [&str; 2] = ["W^o M outside", "the same with updates in turns"];

/// C2 after every step: as printed, in closed form, and as found by descent.
struct Found {
    printed: Vec<f64>,
    closed: Vec<f64>,
    descent: Vec<f64>,
}

/// Follows both descents; verdicts on the theorem's parts.
pub fn study(options: &Options, report: &mut Report) -> Vec<Verdict> {
    report.begin("the coefficients as printed");
    let Found { printed, closed, descent } = coefficients(options);
    let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let [decoupled, coupled] = penalised(options);
    report.checks.extend([
        Check::at_most(
            "C2 = (prod(lambda + c) - prod(lambda - c)) / 2 against descent",
            difference(&closed, &descent),
            1e-12,
        ),
        Check::at_most("descent on Eq. 13 against the closed form with 1 - eta (1 - lambda)", coupled, 1e-12),
    ]);
    let Coefficients { decay, mixing, rate } = &options.coefficients;
    let numbers = |values: &[f64]| values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ");
    let wrong = difference(&printed, &descent);
    let spans = report.checks.iter().filter(|check| SPANS.iter().any(|start| check.name.starts_with(start)));
    let outside = spans.map(|check| check.measured).fold(0.0, f64::max);
    vec![
        Verdict {
            statement: "Theorem 2, the span",
            printed: "in expectation, W^o_t M stays in the span of W^o_0 M and W^t_0 M",
            checked: "expected gradient descent, rates and decays constant or varying, with noise and without, at once and in turns",
            holds: SPANS.iter().all(|start| report.all_hold(start)),
            found: format!("largest share outside of it {:.0e} in {} steps", outside, options.population.steps),
            repair: "",
        },
        Verdict {
            statement: "Theorem 2, the coefficient C2",
            printed: "C2 = Σ_j c_j Π_{i≥j}(λ − c_i) Π_{k<j}(λ + c_k)",
            checked: "as printed, against expected gradient descent, both encoders at once",
            holds: wrong <= 1e-10,
            found: format!(
                "λ = {decay}, c = {}: {} printed, {} by descent",
                mixing.iter().map(f64::to_string).collect::<Vec<_>>().join(", "),
                numbers(&printed),
                numbers(&descent)
            ),
            repair: "the first product from i = j + 1; then C2 = (Π(λ + c_i) − Π(λ − c_i)) / 2",
        },
        Verdict {
            statement: "Theorem 2, as gradient descent on Eq. 13",
            printed: "a step multiplies the encoder by the decay factor λ of Eq. 13",
            checked: "gradient steps on the loss with the penalty (1 − λ)/2 ‖W‖² in it",
            holds: decoupled <= 1e-10,
            found: format!("λ = {decay}, η = {rate}: off by {:.1} % in {} steps", 100.0 * decoupled, mixing.len()),
            repair: "decay decoupled from the gradient, as in Remark 4; otherwise 1 − η(1 − λ) for λ",
        },
    ]
}

fn coefficients(options: &Options) -> Found {
    let Coefficients { decay, mixing, .. } = &options.coefficients;
    let (source, mut encoders) = (options.source(0.0), options.start(0));
    let moment = source.moment();
    let (online, target) = seen(&encoders, &source);
    let sum = &online + &target;
    let mut closed = ClosedForm::default();
    let mut found = Found { printed: vec![], closed: vec![], descent: vec![] };
    for (t, c) in mixing.iter().enumerate() {
        encoders.step(&moment, Step { rate: c / source.mixing(1.0), decay: *decay });
        closed.advance(*decay, *c);
        found.printed.push(printed_sum_coefficient(*decay, &mixing[..=t]));
        found.closed.push((closed.sum - closed.difference) / 2.0);
        let rest = seen(&encoders, &source).0 - &online * closed.difference;
        found.descent.push(along(&rest, &sum));
    }
    found
}

/// How much of `along` is in `matrix`.
fn along(matrix: &Array2<f64>, along: &Array2<f64>) -> f64 {
    (matrix * along).sum() / (along * along).sum()
}

/// How far gradient descent on Eq. 13 is from the closed form: with the factor lambda, and with `1 - eta (1 - lambda)`.
fn penalised(options: &Options) -> [f64; 2] {
    let Coefficients { decay, mixing, rate } = &options.coefficients;
    let source = options.source(0.0);
    let moment = source.moment();
    let start: Encoders = options.start(0);
    let (online, target) = seen(&start, &source);
    let (mut encoders, mut printed, mut coupled) = (start, ClosedForm::default(), ClosedForm::default());
    for _ in mixing {
        encoders.descend(&moment, Step { rate: *rate, decay: *decay });
        printed.advance(*decay, source.mixing(*rate));
        coupled.advance(1.0 - rate * (1.0 - decay), source.mixing(*rate));
    }
    let found = seen(&encoders, &source).0;
    [printed, coupled].map(|closed| relative_difference(&found, &closed.online(&online, &target)))
}
