//! The flags of the authors' scripts that change a run (`common_args.py`).

use serde::Deserialize;

/// Every flag that changes a run, with the defaults of `common_args.py`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flags {
    /// Unit-norm representations in the loss; `main.py` alone.
    pub normalize_repr: bool,
    /// Decay of a target by exponential moving average; the published scripts assert it off.
    pub ema_decay: Option<f64>,
    /// Independent masks in `main_simclr.py`, whose views are dependent otherwise.
    pub use_masking: bool,
    /// Several pairs of views of each sample.
    pub use_multimasking: bool,
    /// How many pairs; `main_simsiam.py` always makes five.
    pub n_aug: usize,
    /// Batch norm, in the models that have it.
    pub use_bn: bool,
    /// Of NT-Xent, dividing the similarities; `main_simclr.py` alone.
    pub temperature: f64,
    /// Whether `simplified-noalt-pred` applies its predictor.
    pub use_pred: bool,
    /// Trained biases of `simplified`'s encoders.
    pub use_bias: bool,
    /// Bias of the predictor; `main.py` alone.
    pub use_pred_bias: bool,
    /// The identity as dictionary.
    pub m_identity: bool,
    /// Unit-norm columns of weights after every step; `main.py` alone.
    pub use_alt_norm: bool,
    /// Unit-norm rows of weights after every step; `main.py` alone.
    pub use_row_norm: bool,
    /// Biases of `simplified` are `bias_val` and do not learn.
    pub const_bias: bool,
    /// Biases of `simplified` are clamped to [-1, 1] after every step.
    pub clip_bias: bool,
    /// The constant of `const_bias`.
    pub bias_val: f64,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            normalize_repr: false,
            ema_decay: None,
            use_masking: false,
            use_multimasking: false,
            n_aug: 5,
            use_bn: false,
            temperature: 0.05,
            use_pred: false,
            use_bias: true,
            use_pred_bias: true,
            m_identity: false,
            use_alt_norm: false,
            use_row_norm: false,
            const_bias: false,
            clip_bias: false,
            bias_val: 0.005,
        }
    }
}
