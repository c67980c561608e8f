use anyhow::Result;
use serde::Deserialize;

use super::{
    Part,
    alternation::{Assumptions, Encoders, Normalization, Rule, Turns},
    expectation::Source,
};
use crate::{
    random::native::Key,
    theory::{key, require},
};

/// What to study. Every key must be given: `experiments/theory/theorem3.yaml` says what they mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub title: String,
    pub seed: u64,
    /// Probability that a mask keeps a coordinate, where no sweep says otherwise; so for the next two.
    pub alpha: f64,
    /// Probability of a latent entry to be non-zero.
    pub sparsity: f64,
    pub bias: f64,
    /// Learning rate.
    pub rate: f64,
    /// Steps of a turn, at most.
    pub turn: usize,
    /// Pairs of turns, at most.
    pub rounds: usize,
    /// Random warm starts of every point.
    pub starts: usize,
    pub inside: Inside,
    pub convergence: Convergence,
    pub sweeps: Sweeps,
    pub contraction: Contraction,
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
    /// Warm-start radii over the largest that the theorem allows.
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

impl crate::theory::Options for Options {
    fn check(&self) -> Result<()> {
        let dimensions =
            self.inside.dimensions.iter().chain(&self.convergence.dimensions).chain(&self.sweeps.dimensions);
        let dimensions = dimensions.chain([&self.convergence.dimension, &self.contraction.dimension]);
        require(
            dimensions.into_iter().all(|d| (2..=9).contains(d)),
            "dimensions must lie between 2 and 9: there are 3^d views",
        )?;
        require(
            (2..=5).contains(&self.sweeps.dimension_of_noises),
            "dimension_of_noises must lie between 2 and 5: there are 7^d views",
        )?;
        require(
            self.inside.dimensions.iter().min().is_some_and(|d| *d <= 5),
            "inside needs a dimension of at most 5 for its noise",
        )?;
        require(
            self.contraction.dimension <= 5,
            "the dimension of `contraction` must be at most 5: there are 7^d views",
        )?;
        let probabilities =
            self.sweeps.alphas.iter().chain(&self.sweeps.sparsities_of_alphas).chain(&self.convergence.sparsities);
        let probabilities =
            probabilities.chain([&self.alpha, &self.sparsity, &self.contraction.alpha, &self.contraction.sparsity]);
        require(
            probabilities.into_iter().all(|p| *p > 0.0 && *p <= 1.0),
            "alpha and sparsity must lie above 0 and not above 1",
        )?;
        let biases = self.sweeps.biases.iter().chain(&self.convergence.biases).chain([&self.bias]);
        require(biases.into_iter().all(|b| *b >= 0.0), "a bias must not be negative")?;
        require(!self.sweeps.dimensions.is_empty(), "sweeps need at least one dimension")?;
        require(
            self.starts >= 1 && self.convergence.starts >= 1 && self.samples.starts >= 1,
            "at least one start is needed",
        )?;
        require(self.turn >= 1 && self.convergence.turn >= 1, "a turn has at least one step")?;
        require(self.samples.sizes.len() >= 2, "a slope needs at least two sizes")
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
