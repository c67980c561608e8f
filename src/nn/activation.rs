use tch::Tensor;

use crate::spec::Activation;

/// The encoder's non-linearity on pre-activations `x`, `(R, B, m)`, with the layer's bias `b`, `(R, m)`.
///
/// `b` is read by the two symmetric ReLUs only: as the threshold of the paper's (Eq. 14), and as the shift of the
/// negative half of the authors' (`models/model_utils.py`).
pub fn activate(activation: Activation, x: &Tensor, b: Option<&Tensor>) -> Tensor {
    let b = || -> Tensor { b.map_or_else(|| Tensor::zeros_like(x), |b| b.unsqueeze(1)) }; // (R, 1, m)
    match activation {
        Activation::Identity => x.shallow_clone(),
        Activation::Relu => x.relu(),
        Activation::Srelu => (x - b()).relu() - (-x - b()).relu(),
        Activation::SymRelu => x.relu() - (b() * 2.0 - x).relu(),
    }
}
