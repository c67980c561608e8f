//! Gradient descent of two linear encoders, in expectation, in closed form and on samples.

use ndarray::Array2;
use serde::Deserialize;

use crate::random::Draws;

/// Symmetric latents: every entry is non-zero with probability `sparsity`, its sign fair, until one entry is non-zero.
pub fn kappa(sparsity: f64, d: usize) -> f64 {
    sparsity / (1.0 - (1.0 - sparsity).powi(d as i32))
}

/// Where data comes from: `x = M z + eps`, seen through two independent masks.
#[derive(Clone, Debug)]
pub struct Source {
    /// M, `(p, d)`, with orthonormal columns.
    pub dictionary: Array2<f64>,
    /// Probability of a latent entry to be non-zero, before latents of zeros are redrawn.
    pub sparsity: f64,
    /// Probability that a mask keeps a coordinate.
    pub alpha: f64,
    /// Standard deviation of eps.
    pub noise: f64,
}

impl Source {
    /// `E[D1 x x^T D2] = alpha^2 (kappa M M^T + sigma^2 I)`, `(p, p)`: the masks of a coordinate are independent.
    pub fn moment(&self) -> Array2<f64> {
        let (p, d) = self.dictionary.dim();
        let signal = self.dictionary.dot(&self.dictionary.t()) * kappa(self.sparsity, d);
        (signal + Array2::<f64>::eye(p) * self.noise.powi(2)) * self.alpha.powi(2)
    }

    /// `c = 2 eta alpha^2 (kappa + sigma^2)`: by how much a step of rate eta mixes the two encoders.
    pub fn mixing(&self, rate: f64) -> f64 {
        2.0 * rate * self.alpha.powi(2) * (kappa(self.sparsity, self.dictionary.ncols()) + self.noise.powi(2))
    }

    /// `n` samples x, `(n, p)`.
    pub fn samples(&self, n: usize, draws: &mut impl Draws) -> Array2<f64> {
        let (p, d) = self.dictionary.dim();
        let mut latents = Array2::zeros((n, d));
        for mut z in latents.rows_mut() {
            while z.iter().all(|&entry: &f64| entry == 0.0) {
                z.mapv_inplace(|_| match draws.uniform() / self.sparsity {
                    share if share < 0.5 => 1.0,
                    share if share < 1.0 => -1.0,
                    _ => 0.0,
                });
            }
        }
        let mut samples = latents.dot(&self.dictionary.t());
        if self.noise > 0.0 {
            samples += &Array2::from_shape_simple_fn((n, p), || self.noise * draws.normal());
        }
        samples
    }

    /// `D x` for every sample, each with a mask of its own.
    pub fn view(&self, samples: &Array2<f64>, draws: &mut impl Draws) -> Array2<f64> {
        samples.mapv(|entry| if draws.uniform() < self.alpha { entry } else { 0.0 })
    }

    /// The mean of `D1 x x^T D2` over samples `(n, p)`, with fresh masks: an unbiased estimate of
    /// [`moment`](Self::moment).
    pub fn sampled_moment(&self, samples: &Array2<f64>, draws: &mut impl Draws) -> Array2<f64> {
        let first = self.view(samples, draws);
        first.t().dot(&self.view(samples, draws)) / samples.nrows() as f64
    }
}

/// One step's learning rate eta and weight decay factor lambda.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// eta.
    pub rate: f64,
    /// lambda, which multiplies the weights: 1 for no decay.
    pub decay: f64,
}

/// A number that changes from step to step: it swings like a cosine from `from` to `to` and back.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swing {
    /// The value at step 0 and after every period.
    pub from: f64,
    /// The value in the middle of a period.
    pub to: f64,
    /// Steps for there and back.
    pub period: f64,
}

impl Swing {
    /// The number at a step, counted from 0.
    pub fn at(&self, step: usize) -> f64 {
        let phase = std::f64::consts::TAU * step as f64 / self.period;
        self.from + (self.to - self.from) * (1.0 - phase.cos()) / 2.0
    }
}

/// W^o and W^t, `(m, p)` each.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoders {
    /// W^o.
    pub online: Array2<f64>,
    /// W^t.
    pub target: Array2<f64>,
}

impl Encoders {
    /// A step of both at once down the linear loss (Eq. 7): `W^o <- lambda W^o + 2 eta W^t (D1 x x^T D2)^T` and
    /// `W^t <- lambda W^t + 2 eta W^o (D1 x x^T D2)`, given the (expected or sampled) moment `D1 x x^T D2`.
    pub fn step(&mut self, moment: &Array2<f64>, Step { rate, decay }: Step) {
        let online = &self.online * decay + self.target.dot(&moment.t()) * (2.0 * rate);
        self.target = &self.target * decay + self.online.dot(moment) * (2.0 * rate);
        self.online = online;
    }

    /// A step of both at once down the linear loss with the penalty `(1 - lambda) / 2 (|W^o|^2 + |W^t|^2)` in it (Eq. 13):
    /// the rate multiplies the penalty's gradient too.
    pub fn descend(&mut self, moment: &Array2<f64>, Step { rate, decay }: Step) {
        let by_online = &self.online * (1.0 - decay) - self.target.dot(&moment.t()) * 2.0;
        let by_target = &self.target * (1.0 - decay) - self.online.dot(moment) * 2.0;
        self.online.scaled_add(-rate, &by_online);
        self.target.scaled_add(-rate, &by_target);
    }

    /// The same step in turns: the target follows the online encoder that has already moved.
    pub fn step_in_turns(&mut self, moment: &Array2<f64>, Step { rate, decay }: Step) {
        self.online = &self.online * decay + self.target.dot(&moment.t()) * (2.0 * rate);
        self.target = &self.target * decay + self.online.dot(moment) * (2.0 * rate);
    }
}

/// C2 as Theorem 2 prints it, `sum_j c_j prod_{i >= j} (lambda - c_i) prod_{k < j} (lambda + c_k)`: wrong from the first
/// step on, since the step that mixes the encoders by `c_j` is not also one that multiplies by `lambda - c_j`.
pub fn printed_sum_coefficient(decay: f64, mixing: &[f64]) -> f64 {
    let term = |(j, c): (usize, &f64)| {
        let after: f64 = mixing[j..].iter().map(|c| decay - c).product();
        let before: f64 = mixing[..j].iter().map(|c| decay + c).product();
        c * after * before
    };
    mixing.iter().enumerate().map(term).sum()
}

/// The coefficients of Theorem 2 after some steps.
///
/// The sum `(W^o + W^t) M` is multiplied by `lambda + c` in every step and the difference by `lambda - c`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClosedForm {
    /// The product of `lambda + c` over the steps.
    pub sum: f64,
    /// The product of `lambda - c`, the theorem's C1.
    pub difference: f64,
}

impl Default for ClosedForm {
    fn default() -> Self {
        Self { sum: 1.0, difference: 1.0 }
    }
}

impl ClosedForm {
    /// Takes a step with the given decay and [mixing](Source::mixing).
    pub fn advance(&mut self, decay: f64, mixing: f64) {
        self.sum *= decay + mixing;
        self.difference *= decay - mixing;
    }

    /// `W^o_t M = C1 W^o_0 M + C2 (W^o_0 + W^t_0) M`, from what both encoders times M were at the start, `(m, d)`.
    pub fn online(&self, online: &Array2<f64>, target: &Array2<f64>) -> Array2<f64> {
        online * self.difference + (online + target) * ((self.sum - self.difference) / 2.0)
    }

    /// `W^t_t M`, by symmetry.
    pub fn target(&self, online: &Array2<f64>, target: &Array2<f64>) -> Array2<f64> {
        self.online(target, online)
    }
}

/// The length of the part of `matrix` outside the span of `a` and `b`, as vectors, relative to its own length.
pub fn outside_span(matrix: &Array2<f64>, a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let dot = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum();
    let remove = |from: &Array2<f64>, along: &Array2<f64>| from - &(along * (dot(from, along) / dot(along, along)));
    let beside = remove(b, a);
    // Twice: once leaves the rounding of what was removed.
    let rest = (0..2).fold(matrix.clone(), |rest, _| remove(&remove(&rest, a), &beside));
    (dot(&rest, &rest) / dot(matrix, matrix)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        linalg::orthonormal_columns,
        random::native::{Key, Stream},
        theory::columns::frobenius,
    };

    fn draws(seed: u64) -> Stream {
        Key::from_seed(seed).derive(1000u64).stream()
    }

    fn gaussian(shape: (usize, usize), seed: u64) -> Array2<f64> {
        let mut draws = draws(seed);
        Array2::from_shape_simple_fn(shape, || draws.normal())
    }

    fn source(p: usize, d: usize, noise: f64) -> Source {
        Source { dictionary: orthonormal_columns(&gaussian((p, d), 1)), sparsity: 0.3, alpha: 0.6, noise }
    }

    /// The linear loss without weight decay, from its definition: all latents and all pairs of masks.
    fn brute_force(source: &Source, online: &Array2<f64>, target: &Array2<f64>) -> f64 {
        let (p, d) = source.dictionary.dim();
        let power = |base: f64, n: u32| base.powi(n as i32);
        let mask_chance = |mask: usize| {
            power(source.alpha, mask.count_ones()) * power(1.0 - source.alpha, p as u32 - mask.count_ones())
        };
        let masked =
            |x: &Array2<f64>, mask: usize| Array2::from_shape_fn((p, 1), |(i, _)| x[[i, 0]] * (mask >> i & 1) as f64);
        let mut overlap = 0.0;
        for code in 1..3usize.pow(d as u32) {
            let z = Array2::from_shape_fn((d, 1), |(i, _)| [0.0, 1.0, -1.0][code / 3usize.pow(i as u32) % 3]);
            let support = z.iter().filter(|&&entry| entry != 0.0).count() as u32;
            if support == 0 {
                continue;
            }
            let all = 1.0 - power(1.0 - source.sparsity, d as u32);
            let chance = power(source.sparsity / 2.0, support) * power(1.0 - source.sparsity, d as u32 - support) / all;
            let x = source.dictionary.dot(&z);
            for first in 0..1 << p {
                for second in 0..1 << p {
                    let product = (online.dot(&masked(&x, first)) * target.dot(&masked(&x, second))).sum();
                    overlap += chance * mask_chance(first) * mask_chance(second) * product;
                }
            }
        }
        2.0 - 2.0 * overlap
    }

    #[test]
    fn the_moment_is_that_of_all_latents_and_masks() {
        for (p, d) in [(2, 2), (4, 3)] {
            let source = source(p, d, 0.0);
            let (online, target) = (gaussian((3, p), 2), gaussian((3, p), 3));
            let closed = 2.0 - 2.0 * (online.dot(&source.moment()) * &target).sum();
            assert!((closed - brute_force(&source, &online, &target)).abs() < 1e-13);
        }
    }

    #[test]
    fn the_sampled_moment_is_unbiased_within_its_error() {
        let source = source(6, 3, 0.4);
        let mut draws = draws(5);
        let batches: Vec<Array2<f64>> = (0..200)
            .map(|_| {
                let samples = source.samples(100, &mut draws);
                source.sampled_moment(&samples, &mut draws)
            })
            .collect();
        let n = batches.len() as f64;
        let mean = batches.iter().fold(Array2::<f64>::zeros((6, 6)), |sum, batch| sum + batch) / n;
        let squares =
            batches.iter().fold(Array2::<f64>::zeros((6, 6)), |sum, batch| sum + (batch - &mean).mapv(|x| x * x));
        let errors = squares.mapv(|sum: f64| (sum / (n - 1.0) / n).sqrt());
        for ((place, difference), error) in (mean - source.moment()).indexed_iter().zip(&errors) {
            assert!(difference.abs() < 5.0 * error, "{place:?}: {difference}, error {error}");
        }
    }

    #[test]
    fn a_step_follows_the_gradient() {
        let source = source(3, 2, 0.0);
        let start = Encoders { online: gaussian((2, 3), 7), target: gaussian((2, 3), 8) };
        let mut moved = start.clone();
        moved.step(&source.moment(), Step { rate: 0.1, decay: 1.0 });
        let size = 1e-5;
        for place in [(0, 0), (1, 2)] {
            let loss = |by: f64, of_online: bool| {
                let mut at = start.clone();
                if of_online {
                    at.online[place] += by
                } else {
                    at.target[place] += by
                }
                brute_force(&source, &at.online, &at.target)
            };
            let slope = |of_online| (loss(size, of_online) - loss(-size, of_online)) / (2.0 * size);
            assert!((start.online[place] - 0.1 * slope(true) - moved.online[place]).abs() < 1e-9);
            assert!((start.target[place] - 0.1 * slope(false) - moved.target[place]).abs() < 1e-9);
        }
    }

    #[test]
    fn descent_on_the_penalised_loss_follows_its_gradient() {
        let source = source(3, 2, 0.0);
        let start = Encoders { online: gaussian((2, 3), 7), target: gaussian((2, 3), 8) };
        let mut moved = start.clone();
        moved.descend(&source.moment(), Step { rate: 0.1, decay: 0.7 });
        let loss = |online: &Array2<f64>| {
            let squares = frobenius(online).powi(2) + frobenius(&start.target).powi(2);
            brute_force(&source, online, &start.target) + 0.3 / 2.0 * squares
        };
        let nudged = |by: f64| {
            let mut online = start.online.clone();
            online[[1, 2]] += by;
            loss(&online)
        };
        let slope = (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
        assert!((start.online[[1, 2]] - 0.1 * slope - moved.online[[1, 2]]).abs() < 1e-9);
    }

    #[test]
    fn the_printed_coefficient_is_wrong_from_the_first_step_on() {
        let (decay, mixing) = (0.9, [0.02, 0.06, 0.04]);
        let mut closed = ClosedForm::default();
        for ((t, c), (printed, true_one)) in
            mixing.iter().enumerate().zip([(0.0176, 0.02), (0.061_152, 0.072), (0.082_972_8, 0.0972)])
        {
            closed.advance(decay, *c);
            assert!((printed_sum_coefficient(decay, &mixing[..=t]) - printed).abs() < 1e-12);
            assert!(((closed.sum - closed.difference) / 2.0 - true_one).abs() < 1e-4);
        }
        // By hand: (0.92 * 0.96 - 0.88 * 0.84) / 2.
        let mut two = ClosedForm::default();
        mixing[..2].iter().for_each(|c| two.advance(decay, *c));
        assert!(((two.sum - two.difference) / 2.0 - 0.072).abs() < 1e-15);
    }

    #[test]
    fn the_closed_form_is_gradient_descent() {
        for noise in [0.0, 0.5] {
            let source = source(12, 4, noise);
            let moment = source.moment();
            let start = Encoders { online: gaussian((6, 12), 9), target: gaussian((6, 12), 10) };
            let (online, target) = (start.online.dot(&source.dictionary), start.target.dot(&source.dictionary));
            let rate = Swing { from: 0.0, to: 0.05, period: 700.0 };
            let decay = Swing { from: 1.0, to: 0.99, period: 1100.0 };
            let (mut encoders, mut closed) = (start, ClosedForm::default());
            for t in 0..10_000 {
                let step = Step { rate: rate.at(t), decay: decay.at(t) };
                encoders.step(&moment, step);
                closed.advance(step.decay, source.mixing(step.rate));
            }
            for (found, expected) in [
                (encoders.online.dot(&source.dictionary), closed.online(&online, &target)),
                (encoders.target.dot(&source.dictionary), closed.target(&online, &target)),
            ] {
                assert!(frobenius(&(&found - &expected)) < 1e-10 * frobenius(&expected));
                assert!(outside_span(&found, &online, &target) < 1e-10);
            }
        }
    }

    #[test]
    fn turns_leave_the_closed_form_but_not_the_span() {
        let source = source(12, 4, 0.2);
        let start = Encoders { online: gaussian((6, 12), 9), target: gaussian((6, 12), 10) };
        let (online, target) = (start.online.dot(&source.dictionary), start.target.dot(&source.dictionary));
        let (mut encoders, mut closed) = (start, ClosedForm::default());
        for _ in 0..300 {
            encoders.step_in_turns(&source.moment(), Step { rate: 0.1, decay: 0.99 });
            closed.advance(0.99, source.mixing(0.1));
        }
        let found = encoders.online.dot(&source.dictionary);
        let expected = closed.online(&online, &target);
        assert!(frobenius(&(&found - &expected)) > 0.05 * frobenius(&expected));
        assert!(outside_span(&found, &online, &target) < 1e-12);
    }

    #[test]
    fn what_is_outside_of_a_span() {
        let (a, b) = (gaussian((3, 2), 1), gaussian((3, 2), 2));
        assert!(outside_span(&(&a * 3.0 - &b), &a, &b) < 1e-15);
        let e = |i: usize| Array2::from_shape_fn((1, 3), |(_, j)| f64::from(u8::from(i == j)));
        assert!((outside_span(&(e(0) * 3.0 + e(2) * 4.0), &e(0), &(e(0) + e(1))) - 0.8).abs() < 1e-15);
    }

    #[test]
    fn swings_go_there_and_back() {
        let swing = Swing { from: 1.0, to: 3.0, period: 8.0 };
        assert!(
            (swing.at(0) - 1.0).abs() < 1e-15 && (swing.at(4) - 3.0).abs() < 1e-15 && (swing.at(8) - 1.0).abs() < 1e-15
        );
    }
}
