//! A run as its experiment plans it.

use std::{fmt, sync::Arc};

use super::{RunSpec, id::run_id, layout::StateDict};

/// One run of an experiment.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// Name of its experiment, and of the folder that it is recorded in.
    pub experiment: String,
    /// Name of its folder: readable labels and the hash of its settings.
    pub id: String,
    /// What tells its curve from the others: arm and grid values. Runs that differ only in the seed share it.
    pub label: String,
    /// Place of its arm among the experiment's arms.
    pub arm: usize,
    /// Place of its grid values among the grid's points.
    pub point: usize,
    /// Its settings, all of them.
    pub spec: Arc<RunSpec>,
    /// Parameters to start from instead of the drawn ones.
    pub start: Option<Arc<StateDict>>,
}

/// `fig2/ncl-sp-0.1_seed1_635f98ba51`, as in the folder of results.
impl fmt::Display for PlannedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.experiment, self.id)
    }
}

impl PlannedRun {
    /// A run that stands alone, on no grid: the first point of the first arm, from the drawn parameters.
    pub fn alone(experiment: impl Into<String>, id: String, label: impl Into<String>, spec: Arc<RunSpec>) -> Self {
        Self { experiment: experiment.into(), id, label: label.into(), arm: 0, point: 0, spec, start: None }
    }

    /// The same run with another seed.
    pub fn with_seed(&self, seed: u64) -> Self {
        let spec = RunSpec { seed, ..(*self.spec).clone() };
        Self { id: run_id(&self.label, &spec), spec: Arc::new(spec), ..self.clone() }
    }
}
