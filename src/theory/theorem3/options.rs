use serde::Deserialize;

use super::{
    Part,
    alternation::{Assumptions, Encoders, Normalization, Rule, Turns},
    expectation::Source,
};
use crate::{
    fault::{Fault, ensure, positive},
    random::native::Key,
    theory::{every, key, not_negative, probabilities, within},
};

/// What to study. Every key must be given: `experiments/theory/theorem3.yaml` says what they mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Title of tables and figures.
    pub title: String,
    /// Seed of every draw.
    pub seed: u64,
    /// Probability that a mask keeps a coordinate, where no sweep says otherwise; likewise the next two.
    pub alpha: f64,
    /// Probability of a latent entry to be non-zero.
    pub sparsity: f64,
    /// b of SReLU (Eq. 14).
    pub bias: f64,
    /// Learning rate.
    pub rate: f64,
    /// Steps of a turn, at most.
    pub turn: usize,
    /// Pairs of turns, at most.
    pub rounds: usize,
    /// Random warm starts of every point.
    pub starts: usize,
    /// Starts that fulfil all assumptions.
    pub inside: Inside,
    /// Settings on either side of the hypothesis that the theorem lacks.
    pub hypothesis: Hypothesis,
    /// Distances against steps.
    pub convergence: Convergence,
    /// One assumption after the other broken.
    pub sweeps: Sweeps,
    /// The rate at which the error shrinks.
    pub contraction: Contraction,
    /// The same on samples.
    pub samples: Samples,
}

/// Starts that fulfil all assumptions, biases spread over their interval.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inside {
    pub dimensions: Vec<usize>,
    /// Two-point noise, in the smallest of the dimensions.
    pub noise: f64,
}

/// Settings that fulfil all assumptions, on either side of the hypothesis that the theorem lacks: every combination.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    pub dimension: usize,
    pub alphas: Vec<f64>,
    pub sparsities: Vec<f64>,
    pub biases: Vec<f64>,
}

/// Distances against steps, with a rate so small that the turns can be seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convergence {
    pub rate: f64,
    pub turn: usize,
    pub rounds: usize,
    pub starts: usize,
    /// The dimension where no other is said.
    pub dimension: usize,
    pub dimensions: Vec<usize>,
    pub sparsities: Vec<f64>,
    pub biases: Vec<f64>,
}

/// One assumption after the other broken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweeps {
    /// Warm-start radii relative to the largest that the theorem allows.
    pub radii: Vec<f64>,
    pub dimensions: Vec<usize>,
    /// Biases, each with starts of the radii `radii_of_biases`.
    pub biases: Vec<f64>,
    pub radii_of_biases: Vec<f64>,
    /// Sizes of two-point noise, each with the biases `biases_of_noises`, in the dimension `dimension_of_noises`.
    pub noises: Vec<f64>,
    pub biases_of_noises: Vec<f64>,
    pub dimension_of_noises: usize,
    /// Probabilities that masks keep a coordinate, each with the sparsities `sparsities_of_alphas`.
    pub alphas: Vec<f64>,
    pub sparsities_of_alphas: Vec<f64>,
    /// Changes of the algorithm, over the radii.
    pub variants: Vec<Variant>,
}

/// A change of the algorithm.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub label: String,
    pub normalization: Normalization,
    pub turns: Turns,
    /// Judge directions of rows, not their lengths.
    pub directions: bool,
}

/// The rate at which the error shrinks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contraction {
    pub dimension: usize,
    pub alpha: f64,
    pub sparsity: f64,
    pub noise: f64,
    pub biases: Vec<f64>,
}

/// Optimisation on samples.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    pub dimension: usize,
    pub sizes: Vec<usize>,
    pub starts: usize,
    pub rounds: usize,
    /// Standard deviations of Gaussian noise, one curve each.
    pub noises: Vec<f64>,
    /// Standard deviations along an axis, with each of `sizes_of_levels` samples.
    pub levels: Vec<f64>,
    pub sizes_of_levels: Vec<usize>,
}

/// Starts, steps and samples, at most.
const MANY: usize = 10_000_000;

impl crate::theory::Options for Options {
    fn check(&self) -> Result<(), Fault> {
        let Self { inside, hypothesis, convergence, sweeps, contraction, samples, .. } = self;
        // There are 3^d views without noise, and 7^d with it.
        let (views, noisy_views) = (2..=9, 2..=5);
        probabilities("alpha", &[self.alpha])?;
        probabilities("sparsity", &[self.sparsity])?;
        not_negative("bias", &[self.bias])?;
        positive("rate", self.rate)?;
        within("turn", &[self.turn], 1..=MANY)?;
        within("rounds", &[self.rounds], 1..=MANY)?;
        within("starts", &[self.starts], 1..=MANY)?;
        within("inside.dimensions", &inside.dimensions, views.clone())?;
        not_negative("inside.noise", &[inside.noise])?;
        ensure(inside.dimensions.iter().any(|d| noisy_views.contains(d)), "inside.dimensions", || {
            format!("needs one of at most {} for the noise", noisy_views.end())
        })?;
        within("hypothesis.dimension", &[hypothesis.dimension], views.clone())?;
        probabilities("hypothesis.alphas", &hypothesis.alphas)?;
        probabilities("hypothesis.sparsities", &hypothesis.sparsities)?;
        not_negative("hypothesis.biases", &hypothesis.biases)?;
        positive("convergence.rate", convergence.rate)?;
        within("convergence.turn", &[convergence.turn], 1..=MANY)?;
        within("convergence.rounds", &[convergence.rounds], 1..=MANY)?;
        within("convergence.starts", &[convergence.starts], 1..=MANY)?;
        within("convergence.dimension", &[convergence.dimension], views.clone())?;
        within("convergence.dimensions", &convergence.dimensions, views.clone())?;
        probabilities("convergence.sparsities", &convergence.sparsities)?;
        not_negative("convergence.biases", &convergence.biases)?;
        every(
            "sweeps.radii",
            &sweeps.radii,
            |radius| *radius > 0.0 && radius.is_finite(),
            "must be a positive number",
        )?;
        within("sweeps.dimensions", &sweeps.dimensions, views)?;
        not_negative("sweeps.biases", &sweeps.biases)?;
        not_negative("sweeps.radii_of_biases", &sweeps.radii_of_biases)?;
        not_negative("sweeps.noises", &sweeps.noises)?;
        not_negative("sweeps.biases_of_noises", &sweeps.biases_of_noises)?;
        within("sweeps.dimension_of_noises", &[sweeps.dimension_of_noises], noisy_views.clone())?;
        probabilities("sweeps.alphas", &sweeps.alphas)?;
        probabilities("sweeps.sparsities_of_alphas", &sweeps.sparsities_of_alphas)?;
        ensure(!sweeps.variants.is_empty(), "sweeps.variants", || "give at least one variant".into())?;
        within("contraction.dimension", &[contraction.dimension], noisy_views)?;
        probabilities("contraction.alpha", &[contraction.alpha])?;
        probabilities("contraction.sparsity", &[contraction.sparsity])?;
        not_negative("contraction.noise", &[contraction.noise])?;
        not_negative("contraction.biases", &contraction.biases)?;
        within("samples.dimension", &[samples.dimension], 2..=4096)?;
        within("samples.sizes", &samples.sizes, 1..=MANY)?;
        ensure(samples.sizes.len() >= 2, "samples.sizes", || "a slope needs at least two sizes".into())?;
        within("samples.starts", &[samples.starts], 1..=MANY)?;
        within("samples.rounds", &[samples.rounds], 1..=MANY)?;
        not_negative("samples.noises", &samples.noises)?;
        not_negative("samples.levels", &samples.levels)?;
        within("samples.sizes_of_levels", &samples.sizes_of_levels, 1..=MANY)
    }
}

impl Options {
    pub(super) fn source(&self, d: usize) -> Source {
        Source { d, sparsity: self.sparsity, alpha: self.alpha }
    }

    /// The theorem's assumptions, with the largest warm-start radius it allows.
    pub(super) fn assumptions(&self, Source { d, sparsity, alpha }: Source, noise: f64) -> Assumptions {
        Assumptions { d, radius: Assumptions::largest_radius(d), noise, alpha, sparsity }
    }

    /// The theorem's algorithm.
    pub(super) fn rule(&self) -> Rule {
        Rule {
            bias: self.bias,
            rate: self.rate,
            normalization: Normalization::Rows,
            turns: Turns::Alternating,
            turn: self.turn,
            rounds: self.rounds,
        }
    }

    /// Warm start number `i`: the same Delta, up to its scale, whatever is swept.
    pub(super) fn start(&self, d: usize, radius: f64, i: u64) -> Encoders {
        Encoders::warm(d, radius, &mut self.key(Part::Starts, d, i).stream())
    }

    pub(super) fn key(&self, part: Part, d: usize, i: u64) -> Key {
        key(self.seed, b"theorem3", part as u64).derive(d as u64).derive(i)
    }
}
