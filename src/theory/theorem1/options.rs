use anyhow::Result;
use serde::Deserialize;

use super::{
    Part,
    expectation::{MAX_LOGIT, MIN_ALPHA},
    loss::Views,
};
use crate::{
    random::native::Key,
    theory::{key, require},
};

/// What to study. Every key must be given: `experiments/theory/theorem1.yaml` says what they mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub title: String,
    pub seed: u64,
    /// Probability that a mask keeps a coordinate.
    pub alpha: f64,
    /// Divides the similarities of the contrastive loss, where no setting says otherwise.
    pub temperature: f64,
    pub witnesses: Witnesses,
    pub optima: Optima,
    pub descent: Descents,
    pub neurons: Neurons,
    pub spectra: Spectra,
    pub paths: Paths,
    pub slice: Slice,
}

/// Checks of the exact expectation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witnesses {
    /// Dimensions in which all masks are enumerated.
    pub enumerated: Vec<usize>,
    /// Dimensions in which masks are drawn.
    pub sampled: Vec<usize>,
    /// How many draws of all masks.
    pub samples: usize,
}

/// Random minimisers of the non-contrastive loss.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optima {
    pub dimensions: Vec<usize>,
    /// How many in each dimension.
    pub matrices: usize,
}

/// Descents from random starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descents {
    pub dimensions: Vec<usize>,
    /// How many in each dimension and setting.
    pub starts: usize,
    pub settings: Vec<Setting>,
    /// The step length is this times the temperature: see [`Descent::rate`].
    pub rate: f64,
    pub max_steps: usize,
    pub tolerance: f64,
    /// The dimension of which some ends are drawn.
    pub drawn: usize,
}

/// What is minimised, from where.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub label: String,
    pub loss: Minimised,
    pub start: Start,
    pub temperature: f64,
}

/// A loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Minimised {
    Contrastive,
    NonContrastive,
}

/// A distribution of starts: uniform on U, or on its non-negative part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    NonNegative,
    Signed,
}

/// Descents with more neurons than atoms, in the first setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neurons {
    pub dimension: usize,
    pub neurons: Vec<usize>,
    pub starts: usize,
}

/// Hessians at points with a name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spectra {
    pub dimensions: Vec<usize>,
    /// The dimension that is drawn.
    pub drawn: usize,
}

/// Paths from one permutation over a random minimiser of the non-contrastive loss to another permutation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    pub dimension: usize,
    pub paths: usize,
    /// Points on each half.
    pub points: usize,
}

/// The plane through a permutation, a random minimiser of the non-contrastive loss and complete collapse.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    pub dimension: usize,
    /// Grid points along either axis.
    pub points: usize,
}

impl crate::theory::Options for Options {
    fn check(&self) -> Result<()> {
        require((MIN_ALPHA..=1.0).contains(&self.alpha), "alpha must lie between 0.01 and 1")?;
        let temperatures = self.descent.settings.iter().map(|setting| setting.temperature).chain([self.temperature]);
        let valid = |t: f64| t >= 1.0 / MAX_LOGIT && t.is_finite();
        require(temperatures.into_iter().all(valid), "a temperature must be at least 1/300")?;
        let dimensions = [&self.optima.dimensions, &self.descent.dimensions, &self.witnesses.sampled];
        require(dimensions.into_iter().flatten().all(|&d| d >= 2), "dimensions must be at least 2")?;
        require(self.spectra.dimensions.iter().all(|&d| d >= 3), "spectra need dimensions of at least 3")?;
        require(
            self.witnesses.enumerated.iter().all(|d| (1..=16).contains(d)),
            "masks are enumerated for d = 1 to 16",
        )?;
        require(self.witnesses.samples >= 2, "at least 2 samples are needed")?;
        require(!self.descent.settings.is_empty(), "descents need at least one setting")?;
        require(self.neurons.neurons.iter().all(|&m| m >= self.neurons.dimension), "fewer neurons than atoms")?;
        require(self.paths.points >= 2 && self.slice.points >= 2, "paths and slices need at least 2 points")?;
        require(self.paths.dimension >= 2 && self.slice.dimension >= 2, "paths and slices need d of at least 2")
    }
}

impl Options {
    pub(super) fn views(&self) -> Views {
        Views { alpha: self.alpha, temperature: self.temperature }
    }

    pub(super) fn key(&self, part: Part, dimension: usize) -> Key {
        key(self.seed, b"theorem1", part as u64).derive(dimension as u64)
    }
}
