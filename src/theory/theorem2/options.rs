use ndarray::Array2;
use rayon::prelude::*;
use serde::Deserialize;

use super::{
    Part,
    dynamics::{Encoders, Source, Swing},
};
use crate::{
    fault::{Fault, ensure, positive},
    linalg::orthonormal_columns,
    random::{Draws, native::Key},
    theory::{key, not_negative, probabilities, within},
};

/// What to study. Every key must be given: `experiments/theory/theorem2.yaml` says what they mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Title of tables and figures.
    pub title: String,
    /// Seed of every draw.
    pub seed: u64,
    /// Input dimension.
    pub p: usize,
    /// Atoms.
    pub d: usize,
    /// Neurons.
    pub m: usize,
    /// Probability that a mask keeps a coordinate.
    pub alpha: f64,
    /// Probability of a latent entry to be non-zero, before latents of zeros are redrawn.
    pub sparsity: f64,
    /// Random starts of every curve.
    pub starts: usize,
    /// The coefficients as printed, against descent.
    pub coefficients: Coefficients,
    /// Expected gradient descent, against the closed form.
    pub population: Population,
    /// Gradient descent on samples.
    pub stochastic: Stochastic,
    /// Learning rates on either side of where the norms stay bounded.
    pub rates: Rates,
    /// Starts made to hold the truth, or not.
    pub corollary: Corollary,
}

/// The coefficients that the theorem prints, against descent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    pub decay: f64,
    /// c of every step.
    pub mixing: Vec<f64>,
    /// Learning rate of gradient descent on the loss with its penalty (Eq. 13).
    pub rate: f64,
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
    /// Batch sizes, and sizes of data sets that every step takes in full.
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

/// Sizes, starts and steps, at most.
const MANY: usize = 10_000_000;

impl crate::theory::Options for Options {
    fn check(&self) -> Result<(), Fault> {
        let Self { p, d, m, coefficients, population, stochastic, rates, corollary, .. } = self;
        within("d", &[*d], 2..=4096)?;
        ensure(p >= d, "p", || format!("must be at least d = {d}, not {p}"))?;
        ensure(m >= d, "m", || format!("must be at least d = {d}, not {m}"))?;
        within("p", &[*p], 2..=4096)?;
        within("m", &[*m], 2..=4096)?;
        probabilities("alpha", &[self.alpha])?;
        probabilities("sparsity", &[self.sparsity])?;
        within("starts", &[self.starts], 1..=MANY)?;
        not_negative("coefficients.decay", &[coefficients.decay])?;
        not_negative("coefficients.mixing", &coefficients.mixing)?;
        positive("coefficients.rate", coefficients.rate)?;
        within("population.steps", &[population.steps], 1..=MANY)?;
        ensure(!population.schedules.is_empty(), "population.schedules", || "give at least one schedule".into())?;
        for (i, schedule) in population.schedules.iter().enumerate() {
            not_negative(&format!("population.schedules[{i}].noise"), &[schedule.noise])?;
            for (name, Swing { from, to, period }) in [("rate", schedule.rate), ("decay", schedule.decay)] {
                let path = format!("population.schedules[{i}].{name}");
                not_negative(&format!("{path}.from"), &[from])?;
                not_negative(&format!("{path}.to"), &[to])?;
                positive(&format!("{path}.period"), period)?;
            }
        }
        within("stochastic.steps", &[stochastic.steps], 1..=MANY)?;
        not_negative("stochastic.rate", &[stochastic.rate])?;
        not_negative("stochastic.decay", &[stochastic.decay])?;
        not_negative("stochastic.noise", &[stochastic.noise])?;
        within("stochastic.sizes", &stochastic.sizes, 1..=MANY)?;
        ensure(stochastic.sizes.len() >= 2, "stochastic.sizes", || "a slope needs at least two sizes".into())?;
        within("rates.steps", &[rates.steps], 2..=MANY)?;
        ensure((0.0..1.0).contains(&rates.decay), "rates.decay", || {
            format!("must be at least 0 and below 1, not {}", rates.decay)
        })?;
        not_negative("rates.ratios", &rates.ratios)?;
        within("corollary.steps", &[corollary.steps], 1..=MANY)?;
        not_negative("corollary.rate", &[corollary.rate])?;
        not_negative("corollary.decay", &[corollary.decay])
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

    /// The starts that all parts but the corollary share: standard normal entries over the root of p.
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
