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
        Activation::Srelu => srelu(x, &b()),
        Activation::SymRelu => x.relu() - (b() * 2.0 - x).relu(),
    }
}

/// `ReLU(x - b) - ReLU(-x - b)`, as `x (above + below) - b (above - below)` with the indicators of the two halves. Under a
/// negative threshold both are active where a view is wholly masked, and the loss's gradient at a representation of
/// length zero is as large as its smallest length is small: through two ReLUs, two sums of 1e11 would have to cancel in
/// the threshold's gradient. Here they never arise.
fn srelu(x: &Tensor, b: &Tensor) -> Tensor {
    let above = (x - b).gt(0.0).to_kind(x.kind());
    let below = (x + b).lt(0.0).to_kind(x.kind());
    x * (&above + &below) - b * (above - below)
}
