use super::{Collapse, MaxCosine, Recovery, Spectrum, Support};

/// What is measured on a run after `epoch` finished epochs. What a model does not have stays empty.
///
/// [`COLUMNS`](super::COLUMNS) says how `metrics.csv` reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub epoch: usize,
    /// Loss of the epoch's last batch, before its step (what the authors log); none at epoch 0.
    pub loss: Option<f64>,
    /// Mean loss over the epoch's batches; none at epoch 0.
    pub loss_mean: Option<f64>,
    /// Recovery of the dictionary by W^o.
    pub cosine: MaxCosine,
    /// Frobenius norms of W^o, W^t and of the first layers' biases, and |W^o - W^t|.
    pub wo_norm: f64,
    pub wt_norm: Option<f64>,
    pub bo_norm: Option<f64>,
    pub bt_norm: Option<f64>,
    pub weight_diff: Option<f64>,
    /// The costly columns, measured at an interval.
    pub detail: Option<Detail>,
}

/// The costly columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// On the last batch; none at epoch 0.
    pub support: Option<Support>,
    pub wo: Option<Spectrum>,
    pub wt: Option<Spectrum>,
    pub wp: Option<Spectrum>,
    pub wproj: Option<Spectrum>,
    /// On the last batch; none at epoch 0.
    pub collapse: Option<Collapse>,
    /// Of W^o.
    pub recovery: Option<Recovery>,
    /// Minimum max-cosine of W^t.
    pub wt_min_cosine: Option<f64>,
    /// Linear decoding of the latents from the last batch's representations; none at epoch 0.
    pub latent_r2: Option<f64>,
}
