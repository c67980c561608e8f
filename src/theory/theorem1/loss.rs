//! Both losses with exact expectations over the masks.
//!
//! With M = I and latents on the standard basis, a masked input is `b e_i`, b Bernoulli(alpha), and its representation
//! `b r_i` with `r_i` column i of R = ReLU(W). Inner products of representations are therefore masks times entries of
//! G = R^T R, and both losses are functions of G alone.
//!
//! The contrastive loss has two forms. The proof (A.16) takes the expectation over the negatives' masks outside the
//! logarithm, as with one negative for each atom. The limit of Eq. 9 for ever more negatives has it inside, and has
//! other minimisers.

use ndarray::{Array1, Array2, Zip};

use super::expectation::{expected_log_sum_exp, log_expected_sum_exp};
use crate::{
    random::{Draws, native::Stream},
    theory::columns::normalize_columns,
};

/// What both losses depend on beside the weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Views {
    /// Probability that a mask keeps a coordinate.
    pub alpha: f64,
    /// Divides the similarities of the contrastive loss.
    pub temperature: f64,
}

/// R = ReLU(W), whose column i represents the i-th atom.
pub fn representations(weight: &Array2<f64>) -> Array2<f64> {
    weight.mapv(|entry| entry.max(0.0))
}

/// A gradient by the representations as one by the weight: nothing where ReLU is silent.
fn where_active(mut gradient: Array2<f64>, weight: &Array2<f64>) -> Array2<f64> {
    Zip::from(&mut gradient).and(weight).for_each(|slope, &entry| *slope *= f64::from(u8::from(entry > 0.0)));
    gradient
}

impl Views {
    /// The non-contrastive loss (Eq. 6) of an online and a target encoder: `2 - 2 alpha^2 mean_i <r_i, r'_i>`.
    ///
    /// On unit columns it is at least `2 - 2 alpha^2`, by Cauchy and Schwarz, and equals that wherever both encoders
    /// are the same and have no negative entry.
    pub fn non_contrastive(&self, online: &Array2<f64>, target: &Array2<f64>) -> f64 {
        let overlap = (representations(online) * representations(target)).sum() / online.ncols() as f64;
        2.0 - 2.0 * self.alpha.powi(2) * overlap
    }

    /// [`non_contrastive`](Self::non_contrastive) with one encoder for both views, and its gradient.
    pub fn non_contrastive_gradient(&self, weight: &Array2<f64>) -> (f64, Array2<f64>) {
        let gradient = representations(weight) * (-4.0 * self.alpha.powi(2) / weight.ncols() as f64);
        (self.non_contrastive(weight, weight), gradient)
    }

    /// The contrastive loss in expectation as the proof has it (A.16), with the d atoms as each other's negatives:
    /// `mean_i E[-b c_i G_ii / t + log sum_j exp(b c_j G_ij / t)]`, b and c Bernoulli(alpha).
    pub fn contrastive(&self, weight: &Array2<f64>) -> f64 {
        self.contrastive_gradient(weight).0
    }

    /// [`contrastive`](Self::contrastive) and its gradient. Where an entry is zero, the derivative towards smaller ones
    /// is taken, which is zero, as in every library's ReLU.
    pub fn contrastive_gradient(&self, weight: &Array2<f64>) -> (f64, Array2<f64>) {
        let (value, gradient) = self.contrastive_of(&representations(weight));
        (value, where_active(gradient, weight))
    }

    /// The contrastive loss as a function of the representations R, `(m, d)`, without negative entries, and its gradient.
    pub fn contrastive_of(&self, representations: &Array2<f64>) -> (f64, Array2<f64>) {
        self.contrast(representations, expected_log_sum_exp)
    }

    /// The limit of Eq. 9 for ever more negatives, up to the logarithm of their number over d:
    /// `mean_i E_b[-b alpha G_ii / t + log sum_j E_c exp(b c_j G_ij / t)]`, and its gradient.
    pub fn limit_gradient(&self, weight: &Array2<f64>) -> (f64, Array2<f64>) {
        let (value, gradient) = self.limit_of(&representations(weight));
        (value, where_active(gradient, weight))
    }

    /// [`limit_gradient`](Self::limit_gradient) as a function of the representations R.
    pub fn limit_of(&self, representations: &Array2<f64>) -> (f64, Array2<f64>) {
        self.contrast(representations, log_expected_sum_exp)
    }

    /// [`limit_of`](Self::limit_of) with cosine similarities, as the experiments have them: R with columns of unit length.
    pub fn cosine_limit(&self, weight: &Array2<f64>) -> f64 {
        let mut representations = representations(weight);
        normalize_columns(&mut representations);
        self.limit_of(&representations).0
    }

    /// A contrastive loss of representations and its gradient, by the mean logarithm of a row of similarities.
    fn contrast(
        &self,
        representations: &Array2<f64>,
        mean_log: fn(&[f64], f64) -> (f64, Array1<f64>),
    ) -> (f64, Array2<f64>) {
        let d = representations.ncols();
        let scale = self.alpha / d as f64;
        let similarities = representations.t().dot(representations) / self.temperature;
        let mut value = 0.0;
        let mut by_similarity = Array2::zeros((d, d)); // dL / dG
        for (i, (row, mut slopes)) in similarities.rows().into_iter().zip(by_similarity.rows_mut()).enumerate() {
            let (expected, shares) = mean_log(&row.to_vec(), self.alpha);
            value += (1.0 - self.alpha) * (d as f64).ln() / d as f64 + scale * (expected - self.alpha * row[i]);
            slopes.assign(&shares);
            slopes[i] -= self.alpha;
            slopes *= scale / self.temperature;
        }
        (value, representations.dot(&(&by_similarity + &by_similarity.t())))
    }

    /// The temperature from which on permutations minimise the [limit](Self::limit_of) of Eq. 9 over U:
    /// `1 / log((d - alpha) / (1 - alpha))`; zero for alpha = 1.
    pub fn critical_temperature(&self, d: usize) -> f64 {
        ((d as f64 - self.alpha) / (1.0 - self.alpha)).ln().recip()
    }

    /// A minimiser of the [limit](Self::limit_of) of Eq. 9 over U, `(d, d)` with d of at least 2.
    ///
    /// The limit grows with every `G_ij`, at least 0. With those at zero, the derivative by `G_ii` vanishes where
    /// `exp(G_ii / t) = (d - alpha) / (1 - alpha)`. Below the critical temperature that is an inner point, attained by
    /// columns whose rest is negative: ReLU takes it away.
    pub fn limit_minimiser(&self, d: usize) -> Array2<f64> {
        let overlap = (self.temperature / self.critical_temperature(d)).min(1.0);
        let mut weight = Array2::from_diag_elem(d, overlap.sqrt());
        (0..d).for_each(|j| weight[[(j + 1) % d, j]] = -(1.0 - overlap).sqrt());
        weight
    }

    /// The contrastive loss of a permutation matrix, its minimum over U: `G = I`.
    ///
    /// The loss falls with every `G_ii`, at most 1 on U, and grows with every `G_ij`, at least 0; both bounds are
    /// attained together only where the columns of R are orthonormal, so that R, hence W, is a permutation.
    pub fn contrastive_minimum(&self, d: usize) -> f64 {
        self.contrastive_of(&Array2::eye(d)).0
    }

    /// The curvature of the contrastive loss at a permutation, the same in all `d (d - 1)` directions, in the coordinates
    /// of [`orthant_spectrum`](super::hessian::orthant_spectrum): twice the slope towards a positive entry, which is
    /// `2 dL / dG_ij`.
    pub fn permutation_curvature(&self, d: usize) -> f64 {
        let Self { alpha, temperature } = *self;
        let d = d as f64;
        let share = (1.0 - alpha) / d + alpha / (d - 1.0 + temperature.recip().exp());
        4.0 * alpha.powi(2) / (d * temperature) * share
    }

    /// An unbiased estimate of [`contrastive`](Self::contrastive) from `samples` draws of all masks, with its standard
    /// error.
    pub fn contrastive_sampled(&self, weight: &Array2<f64>, samples: usize, draws: &mut Stream) -> (f64, f64) {
        let r = representations(weight);
        let d = r.ncols();
        let similarities = r.t().dot(&r) / self.temperature;
        let mut masks = |_: usize| -> Vec<bool> { (0..d).map(|_| draws.uniform() < self.alpha).collect() };
        let values: Vec<f64> = (0..samples)
            .map(|sample| {
                let (anchors, keys) = (masks(sample), masks(sample));
                let of_anchor = |i: usize| {
                    let logit = |j: usize| if anchors[i] && keys[j] { similarities[[i, j]] } else { 0.0 };
                    (0..d).map(|j| logit(j).exp()).sum::<f64>().ln() - logit(i)
                };
                (0..d).map(of_anchor).sum::<f64>() / d as f64
            })
            .collect();
        let n = samples as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, (variance / n).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;
    use crate::{
        random::native::Key,
        theory::columns::{collapsed, frobenius, permutation, random_non_negative, random_signed},
    };

    const VIEWS: Views = Views { alpha: 0.6, temperature: 0.5 };

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} is not {b}");
    }

    fn signed(d: usize, seed: u64) -> Array2<f64> {
        random_signed((d, d), &mut Key::from_seed(seed).stream())
    }

    /// Both losses from their definitions: every latent, every pair of masks, every entry of them.
    fn brute_force(weight: &Array2<f64>, Views { alpha, temperature }: Views) -> (f64, f64) {
        let d = weight.ncols();
        let mask = |code: usize| Array2::from_diag(&Array1::from_shape_fn(d, |i| (code >> i & 1) as f64));
        let chance = |code: usize| {
            let ones = code.count_ones() as i32;
            alpha.powi(ones) * (1.0 - alpha).powi(d as i32 - ones)
        };
        let encode = |mask: &Array2<f64>, atom: usize| {
            let z = Array1::from_shape_fn(d, |i| f64::from(u8::from(i == atom)));
            weight.dot(&mask.dot(&z)).mapv(|activation| activation.max(0.0))
        };
        let (mut non_contrastive, mut contrastive) = (0.0, 0.0);
        for first in 0..1 << d {
            for second in 0..1 << d {
                let (d1, d2) = (mask(first), mask(second));
                let weight = chance(first) * chance(second) / d as f64;
                for i in 0..d {
                    let h = encode(&d1, i);
                    let similarity = |j: usize| h.dot(&encode(&d2, j));
                    non_contrastive += weight * (2.0 - 2.0 * similarity(i));
                    let all: f64 = (0..d).map(|j| (similarity(j) / temperature).exp()).sum();
                    contrastive -= weight * ((similarity(i) / temperature).exp() / all).ln();
                }
            }
        }
        (non_contrastive, contrastive)
    }

    #[test]
    fn closed_forms_are_the_definitions() {
        for d in 1..=4 {
            for (seed, weight) in [(1, signed(d, 1)), (2, collapsed(d)), (3, Array2::eye(d))] {
                let views = Views { alpha: [0.3, 0.5, 1.0][seed % 3], temperature: [0.1, 1.0][seed % 2] };
                let (non_contrastive, contrastive) = brute_force(&weight, views);
                close(views.non_contrastive(&weight, &weight), non_contrastive, 1e-13);
                close(views.contrastive(&weight), contrastive, 1e-13);
            }
        }
    }

    #[test]
    fn the_estimator_is_unbiased_within_its_error() {
        for (d, weight) in [(3, signed(3, 7)), (24, signed(24, 8))] {
            let mut draws = Key::from_seed(9).stream();
            let (mean, error) = VIEWS.contrastive_sampled(&weight, 4000, &mut draws);
            let deviations = (mean - VIEWS.contrastive(&weight)) / error;
            assert!(deviations.abs() < 4.0 && error < 0.02, "d = {d}: {deviations} standard errors of {error}");
        }
    }

    /// Central differences of `value` at `weight`.
    fn differences(weight: &Array2<f64>, value: impl Fn(&Array2<f64>) -> f64) -> Array2<f64> {
        let step = 1e-6;
        Array2::from_shape_fn(weight.dim(), |place| {
            let moved = |by: f64| {
                let mut weight = weight.clone();
                weight[place] += by;
                value(&weight)
            };
            (moved(step) - moved(-step)) / (2.0 * step)
        })
    }

    #[test]
    fn gradients_are_finite_differences() {
        for d in [2, 5] {
            let weight = signed(d, 11);
            let (_, gradient) = VIEWS.contrastive_gradient(&weight);
            assert!(frobenius(&(gradient - differences(&weight, |w| VIEWS.contrastive(w)))) < 1e-9);
            let (_, gradient) = VIEWS.limit_gradient(&weight);
            assert!(frobenius(&(gradient - differences(&weight, |w| VIEWS.limit_gradient(w).0))) < 1e-9);
            let (_, gradient) = VIEWS.non_contrastive_gradient(&weight);
            assert!(frobenius(&(gradient - differences(&weight, |w| VIEWS.non_contrastive(w, w)))) < 1e-9);
        }
    }

    #[test]
    fn only_permutations_reach_the_contrastive_minimum() {
        let minimum = VIEWS.contrastive_minimum(4);
        close(VIEWS.contrastive(&permutation(&[2, 0, 3, 1])), minimum, 1e-14);
        for seed in 0..50 {
            let mut draws = Key::from_seed(seed).stream();
            assert!(VIEWS.contrastive(&random_non_negative((4, 4), &mut draws)) > minimum + 1e-3);
            assert!(VIEWS.contrastive(&signed(4, seed)) > minimum + 1e-3);
        }
        // A permutation with one sign flipped is not one: its ReLU has lost a column.
        let mut flipped = Array2::eye(4);
        flipped[[1, 1]] = -1.0;
        assert!(VIEWS.contrastive(&flipped) > minimum + 0.01);
    }

    #[test]
    fn in_one_dimension_the_proofs_form_has_another_minimiser() {
        let one = |sign: f64| Array2::from_elem((1, 1), sign);
        close(VIEWS.contrastive(&one(1.0)), VIEWS.contrastive(&one(-1.0)), 1e-15);
    }

    /// Eq. 9 on samples: the mean over anchors of its value with so many negatives, with its standard error.
    fn sampled_with_negatives(views: Views, weight: &Array2<f64>, anchors: usize, negatives: usize) -> (f64, f64) {
        let similarities = representations(weight).t().dot(&representations(weight)) / views.temperature;
        let (mut draws, d) = (Key::from_seed(21).stream(), weight.ncols());
        let values: Vec<f64> = (0..anchors)
            .map(|_| {
                let i = draws.below(d);
                let anchor = draws.uniform() < views.alpha;
                let mut logit = |j: usize| {
                    if draws.uniform() < views.alpha && anchor { similarities[[i, j]] } else { 0.0 }
                };
                let positive = logit(i);
                // Every atom as often as every other.
                let sum: f64 = (0..negatives).map(|k| logit(k % d).exp()).sum();
                ((sum + positive.exp()) * d as f64 / negatives as f64).ln() - positive
            })
            .collect();
        let mean = values.iter().sum::<f64>() / anchors as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (anchors - 1) as f64;
        (mean, (variance / anchors as f64).sqrt())
    }

    #[test]
    fn with_ever_more_negatives_equation_9_tends_to_the_limit() {
        for (weight, seed) in [(signed(3, 1), 1), (Array2::eye(3), 2)] {
            let (mean, error) = sampled_with_negatives(VIEWS, &weight, 3000, 3000);
            let limit = VIEWS.limit_gradient(&weight).0;
            assert!((mean - limit).abs() < 4.0 * error + 0.002 && error < 0.02, "{seed}: {mean}, {limit}, {error}");
            let proof = VIEWS.contrastive(&weight);
            assert!(seed == 1 || (mean - proof).abs() > 0.02, "{seed}: {mean}, not the proof's form, {proof}");
        }
    }

    #[test]
    fn below_the_critical_temperature_the_limit_prefers_other_matrices() {
        // d = 3, alpha = 1/2: 1 / ln 5.
        let views = |temperature| Views { alpha: 0.5, temperature };
        assert!((views(1.0).critical_temperature(3) - 0.621_334_934_559_612).abs() < 1e-14);
        let permuted = |temperature| views(temperature).limit_of(&Array2::eye(3)).0;
        let counterexample = views(0.2).limit_minimiser(3);
        let least = views(0.2).limit_gradient(&counterexample).0;
        // By hand: at the minimum exp(G_ii / t) = 5, at a permutation e^5.
        let (half_ln_3, ln_5) = (3f64.ln() / 2.0, 5f64.ln());
        close(least, half_ln_3 + ln_5 / 4.0, 1e-14);
        close(permuted(0.2), half_ln_3 - 1.25 + (2.5 + 5f64.exp() / 2.0).ln() / 2.0, 1e-14);
        assert!((least - 0.9517).abs() < 1e-4 && (permuted(0.2) - 1.4693).abs() < 1e-3, "{least}, {}", permuted(0.2));
        close(counterexample[[0, 0]], (0.2 * ln_5).sqrt(), 1e-15);
        assert!(counterexample[[1, 0]] < -0.8);
        assert!(counterexample.columns().into_iter().all(|column| (column.dot(&column) - 1.0).abs() < 1e-15));
        for temperature in [0.62, 0.63] {
            let least = views(temperature).limit_gradient(&views(temperature).limit_minimiser(3)).0;
            let below = least < permuted(temperature) - 1e-9;
            assert_eq!(below, temperature < 0.6213, "{temperature}: {least} and {}", permuted(temperature));
            for seed in 0..200 {
                assert!(views(temperature).limit_gradient(&signed(3, seed)).0 > least, "nothing is lower");
            }
        }
    }

    #[test]
    fn with_cosine_similarities_signs_do_not_matter_at_any_temperature() {
        let mut weight = Array2::eye(4) * 0.6;
        (0..4).for_each(|j| weight[[(j + 1) % 4, j]] = -0.8);
        for temperature in [0.05, 1.0, 5.0] {
            let views = Views { temperature, ..VIEWS };
            close(views.cosine_limit(&weight), views.cosine_limit(&Array2::eye(4)), 1e-14);
        }
    }

    #[test]
    fn all_non_negative_matrices_minimise_the_non_contrastive_loss() {
        let minimum = 2.0 - 2.0 * VIEWS.alpha.powi(2);
        for seed in 0..50 {
            let weight = random_non_negative((6, 6), &mut Key::from_seed(seed).stream());
            close(VIEWS.non_contrastive(&weight, &weight), minimum, 1e-15);
            assert!(VIEWS.non_contrastive(&weight, &signed(6, seed)) > minimum);
        }
    }
}
