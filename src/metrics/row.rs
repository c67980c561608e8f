use super::{Collapse, MaxCosine, Recovery, Spectrum, Support};

/// What is measured on a run after `epoch` finished epochs. What a model does not have stays empty.
///
/// [`COLUMNS`](super::COLUMNS) says how `metrics.csv` reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Finished epochs; 0 before training.
    pub epoch: usize,
    /// Loss of the epoch's last batch, before its step (what the authors log); none at epoch 0.
    pub loss: Option<f64>,
    /// Mean loss over the epoch's batches; none at epoch 0.
    pub loss_mean: Option<f64>,
    /// Recovery of the dictionary by W^o.
    pub cosine: MaxCosine,
    /// Frobenius norm of W^o, the first layer.
    pub wo_norm: f64,
    /// Frobenius norm of W^t; none in models without a target encoder.
    pub wt_norm: Option<f64>,
    /// Norm of the first layer's bias; none without one.
    pub bo_norm: Option<f64>,
    /// The same of the target encoder.
    pub bt_norm: Option<f64>,
    /// Frobenius norm of W^o - W^t.
    pub weight_diff: Option<f64>,
    /// The costly columns, measured at an interval.
    pub detail: Option<Detail>,
}

/// The costly columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// On the last batch; none at epoch 0.
    pub support: Option<Support>,
    /// Of W^o.
    pub wo: Option<Spectrum>,
    /// Of W^t, or of W^o where `metrics.target_spectrum` is `online`.
    pub wt: Option<Spectrum>,
    /// Of the predictor's weight.
    pub wp: Option<Spectrum>,
    /// Of the projector's weight.
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
