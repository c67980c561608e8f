use anyhow::Result;
use ndarray::Array2;
use rayon::prelude::*;
use serde::Deserialize;

use super::{
    Part,
    dynamics::{Encoders, Source, Swing},
};
use crate::{
    linalg::orthonormal_columns,
    random::{Draws, native::Key},
    theory::{key, require},
};

/// What to study. Every key must be given: `experiments/theory/theorem2.yaml` says what they mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub title: String,
    pub seed: u64,
    /// Input dimension, atoms, neurons.
    pub p: usize,
    pub d: usize,
    pub m: usize,
    pub alpha: f64,
    pub sparsity: f64,
    /// Random starts of every curve.
    pub starts: usize,
    pub population: Population,
    pub stochastic: Stochastic,
    pub rates: Rates,
    pub corollary: Corollary,
}

/// Expected gradient descent against the closed form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    pub steps: usize,
    pub schedules: Vec<Schedule>,
}

/// Learning rate and weight decay over the steps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub label: String,
    /// Standard deviation of the data's noise.
    pub noise: f64,
    pub rate: Swing,
    pub decay: Swing,
}

/// Gradient descent on samples.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stochastic {
    pub steps: usize,
    pub rate: f64,
    pub decay: f64,
    pub noise: f64,
    /// Batch sizes, and sizes of data sets of which every step takes the whole.
    pub sizes: Vec<usize>,
}

/// Learning rates on either side of where the norms stay bounded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    pub steps: usize,
    pub decay: f64,
    /// c over `1 - lambda`: the norms stay bounded up to 1.
    pub ratios: Vec<f64>,
}

/// Starts made to hold the truth, or not.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corollary {
    pub steps: usize,
    pub rate: f64,
    pub decay: f64,
}

impl crate::theory::Options for Options {
    fn check(&self) -> Result<()> {
        let Self { p, d, m, .. } = *self;
        require(d >= 2 && p >= d && m >= d, "d must be at least 2, and p and m at least d")?;
        require(self.alpha > 0.0 && self.alpha <= 1.0, "alpha must lie above 0 and not above 1")?;
        require(self.sparsity > 0.0 && self.sparsity <= 1.0, "the sparsity must lie above 0 and not above 1")?;
        require(self.starts >= 1, "at least one start is needed")?;
        require(self.stochastic.sizes.iter().all(|&size| size >= 1), "sizes must be at least 1")?;
        require(self.stochastic.sizes.len() >= 2, "a slope needs at least two sizes")?;
        require(self.population.steps >= 1 && self.corollary.steps >= 1, "at least one step is needed")?;
        require((0.0..1.0).contains(&self.rates.decay), "the decay of `rates` must lie below 1")
    }
}

impl Options {
    pub(super) fn source(&self, noise: f64) -> Source {
        let mut draws = self.key(Part::Dictionary, 0).stream();
        let gaussian = Array2::from_shape_simple_fn((self.p, self.d), || draws.normal());
        Source { dictionary: orthonormal_columns(&gaussian), sparsity: self.sparsity, alpha: self.alpha, noise }
    }

    pub(super) fn key(&self, part: Part, start: u64) -> Key {
        key(self.seed, b"theorem2", part as u64).derive(start)
    }

    /// The starts that all parts share but the corollary's: standard normal entries over the root of p.
    pub(super) fn start(&self, i: u64) -> Encoders {
        let mut draws = self.key(Part::Starts, i).stream();
        let scale = (self.p as f64).sqrt().recip();
        let mut gaussian = || Array2::from_shape_simple_fn((self.m, self.p), || scale * draws.normal());
        Encoders { online: gaussian(), target: gaussian() }
    }

    pub(super) fn for_starts<T: Send>(&self, of: impl Fn(u64) -> T + Send + Sync) -> Vec<T> {
        (0..self.starts as u64).into_par_iter().map(of).collect()
    }
}
