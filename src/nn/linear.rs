use tch::Tensor;

/// `x W^T + b`, as PyTorch's `nn.Linear`.
#[derive(Debug)]
pub struct Linear {
    /// `(R, m, p)`
    pub weight: Tensor,
    /// `(R, m)`
    pub bias: Option<Tensor>,
}

impl Linear {
    /// `(R, B, p)` to `(R, B, m)`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match &self.bias {
            // The bias first, then the product onto it: the order of PyTorch's addmm.
            Some(bias) => bias.unsqueeze(1).baddbmm(x, &self.weight.transpose(1, 2), 1.0, 1.0),
            None => self.forward_without_bias(x),
        }
    }

    /// `x W^T`, for activations that take the bias as their threshold.
    pub fn forward_without_bias(&self, x: &Tensor) -> Tensor {
        x.bmm(&self.weight.transpose(1, 2))
    }
}
