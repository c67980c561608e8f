//! The expectation over the masks of one view: of the logarithm of a sum of exponentials of masked similarities.

use std::sync::LazyLock;

use ndarray::Array1;

/// Largest logit: far beyond it numbers overflow.
pub const MAX_LOGIT: f64 = 300.0;
/// Smallest alpha for which expectations are computed.
pub const MIN_ALPHA: f64 = 0.01;

/// `E log sum_j exp(c_j g_j)`, c_j independent Bernoulli(alpha), and its gradient `E[c_j exp(g_j) / sum]`, for
/// logits `g_j` between 0 and [`MAX_LOGIT`] and alpha at least [`MIN_ALPHA`]; the error of the value
/// is rounding, relative to the largest logit.
///
/// The 2^d masks need not be enumerated. The sum is X = d + sum_j c_j w_j with w_j = exp(g_j) - 1, and from
/// `log x = integral over s > 0 of (exp(-s) - exp(-s x)) / s` follows
/// `E log X = log mu + integral of (exp(-s mu) - phi(s)) / s`, where
/// `phi(s) = E exp(-s X) = exp(-s d) prod_j (1 - alpha + alpha exp(-s w_j))` and mu = E X. In the variable `log s` the
/// integrand is analytic within pi / 2 of the real axis, so that the trapezoidal rule converges exponentially (Trefethen
/// and Weideman, SIAM Review 56(3), 2014).
pub fn expected_log_sum_exp(logits: &[f64], alpha: f64) -> (f64, Array1<f64>) {
    debug_assert!(logits.iter().all(|logit| (0.0..=MAX_LOGIT).contains(logit)) && alpha >= MIN_ALPHA);
    if alpha == 1.0 {
        return enumerated_log_sum_exp(logits, alpha);
    }
    let d = logits.len() as f64;
    let excess: Vec<f64> = logits.iter().map(|logit| logit.exp_m1()).collect();
    let mean = d + alpha * excess.iter().sum::<f64>();
    let mut value = mean.ln();
    // Below the first node the shares' integrand is alpha s, and the rule's terms form a geometric series.
    let below = alpha * LOWEST.exp() / STEP.exp_m1() / mean;
    let mut shares = Array1::from_elem(logits.len(), below);
    let mut kept = vec![0.0; logits.len()];
    for scaled in NODES.iter() {
        let s = scaled / mean;
        let floor = (-s * d).exp();
        if floor == 0.0 {
            break;
        }
        let mut phi = floor;
        for (kept, w) in kept.iter_mut().zip(&excess) {
            if *w == 0.0 {
                *kept = alpha; // Most similarities are zero near a permutation.
                continue;
            }
            let power = alpha * (-s * w).exp();
            let factor = 1.0 - alpha + power;
            phi *= factor;
            *kept = power / factor;
        }
        value += STEP * ((-scaled).exp() - phi);
        shares.iter_mut().zip(&kept).for_each(|(share, kept)| *share += s * phi * kept);
    }
    shares.iter_mut().zip(&excess).for_each(|(share, w)| *share *= STEP * (1.0 + w));
    (value, shares)
}

/// Distance of the nodes in `log(s mu)`: the error is about `exp(-pi^2 / STEP)`.
const STEP: f64 = 0.25;
/// The first node, below which the integrand, at most `(s mu / alpha)^2`, is negligible.
const LOWEST: f64 = -19.0;

/// The nodes `s mu`, up to where `exp(-s d)` is negligible for the largest logits.
static NODES: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let count = (MAX_LOGIT + 8.0 - LOWEST) / STEP;
    (0..=count as i32).map(|k| (LOWEST + STEP * f64::from(k)).exp()).collect()
});

/// `log E sum_j exp(c_j g_j)`, the expectation inside of the logarithm, and its gradient.
pub fn log_expected_sum_exp(logits: &[f64], alpha: f64) -> (f64, Array1<f64>) {
    let kept: Array1<f64> = logits.iter().map(|logit| alpha * logit.exp()).collect();
    let sum = kept.sum() + (1.0 - alpha) * logits.len() as f64;
    (sum.ln(), kept / sum)
}

/// The same as [`expected_log_sum_exp`] by its definition, over all masks: a check of the other, for up to a dozen
/// logits.
pub fn enumerated_log_sum_exp(logits: &[f64], alpha: f64) -> (f64, Array1<f64>) {
    let kept = |mask: usize, j: usize| mask >> j & 1 == 1;
    let sums: Vec<f64> = (0..1usize << logits.len())
        .map(|mask| logits.iter().enumerate().map(|(j, logit)| if kept(mask, j) { logit.exp() } else { 1.0 }).sum())
        .collect();
    // The masks drop out one after the other, the lowest bit first.
    let expect = |mut values: Vec<f64>| {
        while values.len() > 1 {
            values = values.chunks_exact(2).map(|pair| (1.0 - alpha) * pair[0] + alpha * pair[1]).collect();
        }
        values[0]
    };
    let share = |j: usize| {
        let of = |(mask, sum): (usize, &f64)| if kept(mask, j) { logits[j].exp() / sum } else { 0.0 };
        expect(sums.iter().enumerate().map(of).collect())
    };
    (expect(sums.iter().map(|sum| sum.ln()).collect()), (0..logits.len()).map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, native::Key};

    #[test]
    fn quadrature_is_enumeration() {
        for d in [1, 2, 5, 9, 12] {
            let mut draws = Key::from_seed(d as u64).stream();
            for largest in [0.0, 0.1, 2.0, 20.0, 200.0] {
                let logits: Vec<f64> = (0..d).map(|_| largest * draws.uniform()).collect();
                for alpha in [0.01, 0.5, 0.99] {
                    let (value, shares) = expected_log_sum_exp(&logits, alpha);
                    let (expected, expected_shares) = enumerated_log_sum_exp(&logits, alpha);
                    assert!((value - expected).abs() < 1e-14 * (1.0 + largest), "{value} is not {expected}");
                    for (share, expected) in shares.iter().zip(&expected_shares) {
                        assert!(
                            (share - expected).abs() <= 1e-12 * (1.0 + expected.abs()),
                            "{share} is not {expected}"
                        );
                    }
                }
            }
        }
        assert_eq!(expected_log_sum_exp(&[0.0, 2f64.ln()], 1.0).0, 3f64.ln());
    }
}
