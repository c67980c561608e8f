use std::path::Path;

use anyhow::Result;

use super::weights::{dictionary, online};
use crate::{
    metrics::{Finding, chance, max_cosine, recovery},
    record::read_run,
    spec::Moment,
};

/// What a finished run found, from its final weights and its rows: records of every age have it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What tells the run's curve from the others of its experiment.
    pub label: String,
    /// None where weights are not numbers.
    pub finding: Option<Finding>,
    /// Minimum max-cosine of the final W^o.
    pub min_cosine: f64,
    /// The chance level of the minimum max-cosine.
    pub chance: f64,
    /// How many atoms the dictionary has: d.
    pub atoms: usize,
    /// Atoms with a max-cosine of at least 0.9; none where a cosine is not a number.
    pub found: Option<usize>,
    /// Share of the atoms' span that W^o's leading directions span; none where weights are not finite, or where the atoms
    /// span everything.
    pub span_overlap: Option<f64>,
    /// Neurons within 0.9 of an atom, over the atoms found; none if none is.
    pub neurons_per_atom: Option<f64>,
    /// Gradient steps until the minimum max-cosine first reached 0.9, at the measured epochs.
    pub steps_to_found: Option<f64>,
}

/// Reads a run's folder and says what it found.
pub fn outcome(folder: &Path) -> Result<Outcome> {
    let record = read_run(folder)?;
    let online = online(&record)?;
    let dictionary = dictionary(&record);
    let (cosine, recovery) = (max_cosine(&online, &dictionary), recovery(&online, &dictionary));
    let atoms = dictionary.ncols();
    Ok(Outcome {
        finding: cosine.found.zip(recovery).map(|(found, recovery)| Finding::of(found, atoms, recovery.span_overlap)),
        min_cosine: cosine.min,
        chance: chance(online.nrows(), record.spec.data.atoms()).min,
        atoms,
        found: cosine.found,
        span_overlap: recovery.and_then(|recovery| recovery.span_overlap),
        neurons_per_atom: recovery.and_then(|recovery| recovery.neurons_per_atom),
        steps_to_found: record.metrics.at("steps_to_found", Moment::End),
        label: record.summary.label,
    })
}
