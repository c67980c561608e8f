//! How much work a run is, for progress bars and balanced shards.

use crate::spec::{Family, LossSpec, RunSpec};

/// Arithmetic of a whole run in floating-point operations, roughly.
pub fn work(spec: &RunSpec) -> f64 {
    let (p, m) = (spec.data.p as f64, spec.model.m as f64);
    let rows: f64 = spec.batches().iter().map(|batch| (batch.len() * spec.views.pairs) as f64).sum();
    let per_row = 12.0 * m * p * spec.model.layers as f64 + 100.0 * m;
    let heads = match spec.model.family {
        Family::NonContrastive => 6.0,
        Family::Contrastive => 12.0,
        Family::SimSiam => 24.0,
    };
    let batch = (spec.train.batch_size * spec.views.pairs) as f64;
    let pairs = match spec.loss {
        LossSpec::NtXent { .. } => 2.0 * batch * (6.0 * m + 20.0),
        LossSpec::AsymmetricNtXent { .. } => batch * (6.0 * m + 20.0),
        _ => 0.0,
    };
    spec.train.epochs as f64 * rows * (per_row + heads * m * m + pairs)
}

/// `16000 steps`
pub fn steps_text(spec: &RunSpec) -> String {
    format!("{} steps", spec.steps())
}
