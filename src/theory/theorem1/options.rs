use serde::Deserialize;

use super::{
    Part,
    expectation::{MAX_LOGIT, MIN_ALPHA},
    loss::Views,
};
use crate::{
    fault::{Fault, ensure, positive},
    random::native::Key,
    theory::{every, key, one_of, within},
};

/// What to study. Every key must be given: `experiments/theory/theorem1.yaml` says what they mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Title of tables and figures.
    pub title: String,
    /// Seed of every draw.
    pub seed: u64,
    /// Probability that a mask keeps a coordinate.
    pub alpha: f64,
    /// Divides the similarities of the contrastive loss, where no setting says otherwise.
    pub temperature: f64,
    /// Checks of the exact expectation over the masks.
    pub witnesses: Witnesses,
    /// (a): random minimisers of the non-contrastive loss.
    pub optima: Optima,
    /// (b): descents from random starts.
    pub descent: Descents,
    /// The same with more neurons than atoms.
    pub neurons: Neurons,
    /// Eq. 9 with ever more negatives.
    pub limit: Limit,
    /// The flat arcs of local minima.
    pub arcs: Arcs,
    /// Hessians at points with a name.
    pub spectra: Spectra,
    /// Losses along paths between permutations.
    pub paths: Paths,
    /// Losses in a plane.
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

/// Eq. 9 with ever more negatives, on either side of the temperature at which its minimisers change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub dimensions: Vec<usize>,
    pub temperatures: Vec<f64>,
    /// Descents from signed starts, for each dimension and temperature.
    pub starts: usize,
}

/// The flat arcs of local minima: two atoms share a neuron while a third turns between two.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arcs {
    pub dimension: usize,
    /// Steps from one end of the arc to the other.
    pub points: usize,
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

/// The largest dimension of a study: beyond it, it takes days.
const LARGEST: usize = 256;
/// Counts of matrices, starts and points, at most.
const MANY: usize = 1_000_000;

impl crate::theory::Options for Options {
    fn check(&self) -> Result<(), Fault> {
        let Self { witnesses, optima, descent, neurons, limit, arcs, spectra, paths, slice, .. } = self;
        within("alpha", &[self.alpha], MIN_ALPHA..=1.0)?;
        temperatures("temperature", &[self.temperature])?;
        within("witnesses.enumerated", &witnesses.enumerated, 1..=16)?;
        within("witnesses.sampled", &witnesses.sampled, 2..=LARGEST)?;
        within("witnesses.samples", &[witnesses.samples], 2..=MANY)?;
        within("optima.dimensions", &optima.dimensions, 2..=LARGEST)?;
        within("optima.matrices", &[optima.matrices], 1..=MANY)?;
        within("descent.dimensions", &descent.dimensions, 2..=LARGEST)?;
        within("descent.starts", &[descent.starts], 1..=MANY)?;
        ensure(!descent.settings.is_empty(), "descent.settings", || "give at least one setting".into())?;
        for (i, setting) in descent.settings.iter().enumerate() {
            temperatures(&format!("descent.settings[{i}].temperature"), &[setting.temperature])?;
        }
        positive("descent.rate", descent.rate)?;
        positive("descent.tolerance", descent.tolerance)?;
        within("descent.max_steps", &[descent.max_steps], 1..=100 * MANY)?;
        one_of("descent.drawn", descent.drawn, &descent.dimensions)?;
        within("neurons.dimension", &[neurons.dimension], 2..=LARGEST)?;
        within("neurons.neurons", &neurons.neurons, neurons.dimension..=LARGEST)?;
        within("neurons.starts", &[neurons.starts], 1..=MANY)?;
        within("limit.dimensions", &limit.dimensions, 2..=LARGEST)?;
        temperatures("limit.temperatures", &limit.temperatures)?;
        within("limit.starts", &[limit.starts], 1..=MANY)?;
        within("arcs.dimension", &[arcs.dimension], 3..=LARGEST)?;
        within("arcs.points", &[arcs.points], 2..=MANY)?;
        within("spectra.dimensions", &spectra.dimensions, 3..=24)?; // Hessians have d^4 entries.
        one_of("spectra.drawn", spectra.drawn, &spectra.dimensions)?;
        within("paths.dimension", &[paths.dimension], 2..=LARGEST)?;
        within("paths.paths", &[paths.paths], 1..=MANY)?;
        within("paths.points", &[paths.points], 2..=MANY)?;
        within("slice.dimension", &[slice.dimension], 2..=LARGEST)?;
        within("slice.points", &[slice.points], 2..=10_000)
    }
}

/// A fault unless exponentials of similarities over all temperatures are numbers.
fn temperatures(path: &str, values: &[f64]) -> Result<(), Fault> {
    let valid = |t: &f64| *t >= 1.0 / MAX_LOGIT && t.is_finite();
    every(path, values, valid, "a temperature must be a number of at least 1/300")
}

impl Options {
    pub(super) fn views(&self) -> Views {
        Views { alpha: self.alpha, temperature: self.temperature }
    }

    pub(super) fn key(&self, part: Part, dimension: usize) -> Key {
        key(self.seed, b"theorem1", part as u64).derive(dimension as u64)
    }
}
