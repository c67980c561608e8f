use tch::Tensor;

use super::no_grad;

/// BatchNorm1d in training mode, each run over its own batch.
///
/// Normalises by the batch's mean and biased variance, then scales and shifts; the running statistics (unbiased
/// variance, momentum 0.1) are kept for the record and never used here, as in PyTorch's training mode.
#[derive(Debug)]
pub struct BatchNorm {
    /// `(R, m)`
    pub scale: Tensor,
    /// `(R, m)`
    pub shift: Tensor,
    /// `(R, m)`
    pub running_mean: Tensor,
    /// `(R, m)`
    pub running_var: Tensor,
    /// `(R,)`
    pub batches: Tensor,
}

const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

impl BatchNorm {
    /// `(R, B, m)` to `(R, B, m)`: one call of libtorch's kernel on the R m channels of all runs.
    pub fn forward(&mut self, x: &Tensor) -> Tensor {
        let (r, b, m) = x.size3().expect("activations are (R, B, m)");
        let flat = |parameter: &Tensor| parameter.reshape([r * m]);
        let _ = no_grad(|| self.batches.g_add_scalar_(1.0));
        Tensor::batch_norm(
            &x.transpose(0, 1).reshape([b, r * m]),
            Some(flat(&self.scale)),
            Some(flat(&self.shift)),
            Some(self.running_mean.view([r * m])), // a view: updated in place
            Some(self.running_var.view([r * m])),
            true,
            MOMENTUM,
            EPSILON,
            false,
        )
        .reshape([b, r, m])
        .transpose(0, 1)
    }
}
