//! Alternating optimisation from a warm start, its assumptions and its rate.

use ndarray::Array2;
use serde::Deserialize;

use super::expectation::{Pairs, View};
use crate::{
    random::Draws,
    theory::columns::{frobenius, nearest_permutation, normalize_columns, normalize_rows},
};

/// What is scaled to unit length after every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Every neuron's weights, as the theorem has it.
    Rows,
    /// Every input's weights.
    Columns,
    /// Nothing.
    None,
}

/// Who moves when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turns {
    /// The online encoder to convergence, then the target, and again.
    Alternating,
    /// Both in every step.
    Simultaneous,
}

/// How to optimise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// b of SReLU (Eq. 14), in both encoders.
    pub bias: f64,
    /// Learning rate.
    pub rate: f64,
    /// What is scaled after a step.
    pub normalization: Normalization,
    /// Who moves when.
    pub turns: Turns,
    /// Steps of a turn, at most: it ends when a step moves no entry by more than [`SETTLED`].
    pub turn: usize,
    /// Pairs of turns, at most.
    pub rounds: usize,
}

/// A step that moves every entry by less than this ends a turn.
pub const SETTLED: f64 = 1e-12;
/// A round that moves both encoders by less than this, together, is the last one.
const AT_REST: f64 = 1e-9;
/// An encoder longer than this, as happens without normalisation, has run away: the loss has no minimum.
const RAN_AWAY: f64 = 1e6;
/// Both encoders this near to the identity have converged to it.
pub const AT_IDENTITY: f64 = 1e-6;

/// W^o and W^t, `(d, d)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoders {
    /// W^o, which sees the first view.
    pub online: Array2<f64>,
    /// W^t, which sees the second view.
    pub target: Array2<f64>,
}

impl Encoders {
    /// Two warm starts `I + Delta`, the entries of Delta uniform between plus and minus `radius`.
    pub fn warm(d: usize, radius: f64, draws: &mut impl Draws) -> Self {
        let mut start =
            || Array2::eye(d) + Array2::from_shape_simple_fn((d, d), || radius * (2.0 * draws.uniform() - 1.0));
        Self { online: start(), target: start() }
    }

    /// Frobenius distances of both from the identity.
    pub fn distances(&self) -> [f64; 2] {
        [&self.online, &self.target].map(|weight| frobenius(&(weight - &Array2::<f64>::eye(weight.nrows()))))
    }

    /// Whether both have converged to the identity.
    pub fn at_identity(&self) -> bool {
        self.distances().iter().all(|&distance| distance < AT_IDENTITY)
    }

    /// Whether both have converged to one and the same permutation, up to signs of rows.
    pub fn at_signed_permutation(&self) -> bool {
        nearest_permutation(&self.online.mapv(f64::abs)).distance < AT_IDENTITY
            && frobenius(&(&self.online - &self.target)) < AT_IDENTITY
    }

    /// With rows scaled to unit length: only their directions.
    pub fn directions(&self) -> Self {
        let mut directions = self.clone();
        normalize_rows(&mut directions.online);
        normalize_rows(&mut directions.target);
        directions
    }
}

impl Rule {
    /// One step of `weight`, in place; returns the largest movement of an entry.
    fn step(&self, pairs: &Pairs, weight: &mut Array2<f64>, answers: &Array2<f64>, view: View) -> f64 {
        let before = weight.clone();
        weight.scaled_add(-self.rate, &pairs.gradient(&before, answers, self.bias, view));
        match self.normalization {
            Normalization::Rows => normalize_rows(weight),
            Normalization::Columns => normalize_columns(weight),
            Normalization::None => {}
        }
        before.iter().zip(weight.iter()).fold(0.0, |largest: f64, (before, after)| largest.max((after - before).abs()))
    }

    /// Runs until a whole round has changed almost nothing, an encoder runs away, or the rounds are used up. `watch`
    /// sees the encoders before the first step and after every one; a turn that ends early shows its end for each step
    /// that it did not need.
    pub fn run(&self, pairs: &Pairs, mut encoders: Encoders, mut watch: impl FnMut(&Encoders)) -> Encoders {
        watch(&encoders);
        for _ in 0..self.rounds {
            let before = encoders.clone();
            match self.turns {
                Turns::Alternating => {
                    for view in [View::First, View::Second] {
                        let other = if view == View::First { &encoders.target } else { &encoders.online };
                        let answers = pairs.answers(other, self.bias, view);
                        let mut settled = false;
                        for _ in 0..self.turn {
                            if !settled {
                                let mover =
                                    if view == View::First { &mut encoders.online } else { &mut encoders.target };
                                settled = self.step(pairs, mover, &answers, view) < SETTLED;
                            }
                            watch(&encoders);
                        }
                    }
                }
                Turns::Simultaneous => {
                    for _ in 0..2 * self.turn {
                        let for_online = pairs.answers(&encoders.target, self.bias, View::First);
                        let for_target = pairs.answers(&encoders.online, self.bias, View::Second);
                        let moved = self.step(pairs, &mut encoders.online, &for_online, View::First).max(self.step(
                            pairs,
                            &mut encoders.target,
                            &for_target,
                            View::Second,
                        ));
                        watch(&encoders);
                        if moved < SETTLED {
                            break;
                        }
                    }
                }
            }
            let moved =
                frobenius(&(&encoders.online - &before.online)) + frobenius(&(&encoders.target - &before.target));
            let ran_away = frobenius(&encoders.online).max(frobenius(&encoders.target)) > RAN_AWAY;
            if ran_away || moved < AT_REST {
                break;
            }
        }
        encoders
    }
}

/// The assumptions of Theorem 3, for encoders I + Delta with `|Delta_ij| < radius`, noise `|eps_i| <= noise`, masks that
/// keep with probability alpha and latents of the given sparsity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// Atoms, neurons and inputs: M = I.
    pub d: usize,
    /// Bound on the entries of Delta.
    pub radius: f64,
    /// Bound on the entries of eps.
    pub noise: f64,
    /// Probability that a mask keeps a coordinate.
    pub alpha: f64,
    /// Probability of a latent entry to be non-zero, before latents of zeros are redrawn.
    pub sparsity: f64,
}

impl Assumptions {
    /// The radius the theorem allows: `1 / (10 d)`.
    pub fn largest_radius(d: usize) -> f64 {
        0.1 / d as f64
    }

    /// Biases for which every neuron i is active, at the start, exactly where the mask shows a non-zero `z_i`: our reading
    /// of the interval of Assumption 4, no wider than the printed one. `None` if there are none.
    ///
    /// Where neuron i should be silent, its input is at most `(1 + r) s + (d - 1) r (1 + s)`, r the radius and s the
    /// noise; where it should be active, at least `(1 - r)(1 - s) - (d - 1) r (1 + s)`. That Delta shrinks is the theorem's
    /// claim and no part of this: [`contraction`](Self::contraction) may still be above 1.
    pub fn biases(&self) -> Option<(f64, f64)> {
        let Self { d, radius: r, noise: s, .. } = *self;
        let others = (d - 1) as f64 * r * (1.0 + s);
        let silent = (1.0 + r) * s + others;
        let active = (1.0 - r) * (1.0 - s) - others;
        (silent < active).then_some((silent, active))
    }

    /// The largest alpha at which the off-diagonal entries shrink, near the identity; none if they always do.
    pub fn largest_alpha(&self, bias: f64) -> Option<f64> {
        let at_one = Self { alpha: 1.0, ..*self }.contraction(bias);
        (at_one >= 1.0).then(|| at_one.sqrt().recip())
    }

    /// By how much a turn multiplies the off-diagonal entries, near the identity.
    ///
    /// While neurons are active just where they should be, the gradient has the diagonal
    /// `alpha^2 kappa (W_ii (1 + s^2) - b)` and the other entries `W_ij alpha^4 kappa (beta + s^2)`, W the weight of the
    /// encoder that rests, beta the sparsity (`Pr(z_j != 0 | z_i != 0)`) and s^2 the variance of the noise. The rows of
    /// the encoder that moves turn to it.
    pub fn contraction(&self, bias: f64) -> f64 {
        let Self { noise: s, alpha, sparsity, .. } = *self;
        alpha.powi(2) * (sparsity + s.powi(2)) / (1.0 + s.powi(2) - bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        random::native::Key,
        theory::theorem3::expectation::{Noise, Source},
    };

    fn rule(bias: f64) -> Rule {
        Rule { bias, rate: 100.0, normalization: Normalization::Rows, turns: Turns::Alternating, turn: 50, rounds: 60 }
    }

    fn warm(d: usize, radius: f64, seed: u64) -> Encoders {
        Encoders::warm(d, radius, &mut Key::from_seed(seed).derive(1000u64).stream())
    }

    fn assumptions(source: Source, noise: f64) -> Assumptions {
        let Source { d, sparsity, alpha } = source;
        Assumptions { d, radius: Assumptions::largest_radius(d), noise, alpha, sparsity }
    }

    #[test]
    fn a_hundred_starts_inside_the_assumptions_converge_to_the_identity() {
        for (d, sigma) in [(3, 0.0), (5, 0.0), (3, 0.02)] {
            let source = Source { d, sparsity: 0.3, alpha: 0.5 };
            let assumed = assumptions(source, sigma);
            let pairs = source.pairs(if sigma > 0.0 { Noise::TwoPoint(sigma) } else { Noise::None }).unwrap();
            let (low, high) = assumed.biases().unwrap();
            for seed in 0..100 {
                let bias = low + (high - low) * (0.02 + 0.96 * seed as f64 / 99.0);
                let end = rule(bias).run(&pairs, warm(d, assumed.radius, seed), |_| {});
                assert!(end.at_identity(), "d = {d}, bias {bias}, start {seed}: {:?}", end.distances());
            }
        }
    }

    #[test]
    fn a_start_inside_the_assumptions_may_run_away_where_latents_are_dense() {
        // A counterexample to the theorem as printed, and what repairs it: alpha^2 beta < 1 - b.
        for (alpha, converging) in [(0.9, 0), (0.75, 20)] {
            let source = Source { d: 3, sparsity: 0.9, alpha };
            let assumed = assumptions(source, 0.0);
            let (low, high) = assumed.biases().unwrap();
            assert!(low < 0.1 && 0.4 < high - 0.4, "0.4 is deep inside of {low} to {high}");
            assert_eq!(assumed.contraction(0.4) < 1.0, converging > 0);
            let pairs = source.pairs(Noise::None).unwrap();
            let rule = Rule { rounds: 200, ..rule(0.4) };
            let ends = (0..20).map(|seed| rule.run(&pairs, warm(3, assumed.radius, seed), |_| {}));
            assert_eq!(ends.filter(Encoders::at_identity).count(), converging, "alpha = {alpha}");
        }
    }

    #[test]
    fn the_error_shrinks_at_the_predicted_rate() {
        for sigma in [0.0, 0.02] {
            let source = Source { d: 3, sparsity: 0.6, alpha: 0.8 };
            let pairs = source.pairs(if sigma > 0.0 { Noise::TwoPoint(sigma) } else { Noise::None }).unwrap();
            let (bias, assumed) = (0.3, assumptions(source, sigma));
            let mut turns = vec![];
            let mut steps = 0;
            let rule = Rule { rate: 1000.0, turn: 20, ..rule(bias) };
            rule.run(&pairs, warm(3, assumed.radius, 1), |encoders| {
                if steps % 20 == 0 {
                    turns.push(encoders.distances()[(steps / 20 + 1) % 2]);
                }
                steps += 1;
            });
            // After turn k the encoder that has just moved: the ratio of two turns in a row.
            let late = turns.len() - 2;
            let measured = turns[late] / turns[late - 1];
            assert!((measured - assumed.contraction(bias)).abs() < 1e-4, "{measured}: {turns:?}");
        }
    }

    #[test]
    fn without_a_bias_nothing_is_learned_and_with_too_large_a_one_nothing_moves() {
        let pairs = Source { d: 3, sparsity: 0.3, alpha: 0.5 }.pairs(Noise::None).unwrap();
        let start = warm(3, 0.03, 1);
        let linear = rule(0.0).run(&pairs, start.clone(), |_| {});
        assert!(!linear.at_identity());
        assert!(frobenius(&(&linear.online - &start.directions().target)) < 1e-9, "the target is copied");
        let silent = rule(1.2).run(&pairs, start.clone(), |_| {});
        assert!(frobenius(&(&silent.online - &start.directions().online)) < 1e-9);
    }

    #[test]
    fn simultaneous_steps_converge_too() {
        let pairs = Source { d: 3, sparsity: 0.3, alpha: 0.5 }.pairs(Noise::None).unwrap();
        let simultaneous = Rule { turns: Turns::Simultaneous, ..rule(0.4) };
        assert!(simultaneous.run(&pairs, warm(3, 0.03, 1), |_| {}).at_identity());
    }

    #[test]
    fn the_interval_of_biases() {
        let at = |d, noise| assumptions(Source { d, sparsity: 0.2, alpha: 0.5 }, noise).biases();
        let (low, high) = at(4, 0.0).unwrap();
        assert!((low - 0.075).abs() < 1e-15 && (high - 0.9).abs() < 1e-15);
        assert_eq!(at(4, 0.6), None);
        // Whether Delta shrinks is a separate question.
        let dense = assumptions(Source { d: 4, sparsity: 0.9, alpha: 1.0 }, 0.0);
        assert_eq!(dense.biases(), Some((low, high)));
        assert!(dense.contraction(0.4) > 1.0);
        let dense = assumptions(Source { d: 4, sparsity: 0.9, alpha: 0.5 }, 0.0);
        let limit = dense.largest_alpha(0.4).unwrap();
        assert!((Assumptions { alpha: limit, ..dense }.contraction(0.4) - 1.0).abs() < 1e-15);
        assert_eq!(dense.largest_alpha(0.05), None);
    }

    #[test]
    fn what_counts_as_recovery() {
        let mut flipped = Array2::from_diag(&ndarray::array![1.0, -1.0]);
        flipped.swap([0, 0], [0, 1]);
        flipped.swap([1, 0], [1, 1]);
        let encoders = Encoders { online: flipped.clone(), target: flipped.clone() };
        assert!(encoders.at_signed_permutation() && !encoders.at_identity());
        let apart = Encoders { target: flipped.mapv(f64::abs), online: flipped };
        assert!(!apart.at_signed_permutation());
        assert!(Encoders { online: Array2::eye(3) * 2.0, target: Array2::eye(3) }.directions().at_identity());
    }
}
