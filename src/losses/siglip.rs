use multiversion::multiversion;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Invariance, Kernel, Loss, Sides, Work, literal};
use crate::{
    fault::{Fault, ensure, positive},
    kernels::{Matrix, exp, product, unit_norm, view, view_mut},
};

/// The sigmoid loss of SigLIP (Zhai et al. 2023, Algorithm 1): every pair of a view 1 and a view 2 is classified by itself,
/// `- sum_ij ln sigmoid(y_ij (scale cos_ij + bias)) / B` with y = 1 for partners and -1 for others.
///
/// Scale and bias are the published initial values of what is learnt there; here they are constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Siglip {
    /// Multiplies the cosines: one over a temperature.
    pub scale: f64,
    /// Added to them; negative, since most pairs are not partners.
    pub bias: f64,
}

impl Default for Siglip {
    fn default() -> Self {
        Self { scale: 10.0, bias: -10.0 }
    }
}

impl Loss for Siglip {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn check(&self) -> Result<(), Fault> {
        positive("scale", self.scale)?;
        ensure(self.bias.is_finite(), "bias", || format!("a number, not {}", self.bias))
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap, Invariance::Rotation, Invariance::Scale]
    }

    fn work(&self, batch: usize, _width: usize) -> Work {
        let pairs = batch * batch;
        Work { similarities: pairs, exponentials: pairs, kept: 4 * pairs, ..Work::default() }
    }

    fn literal(&self, a: ArrayView2<f64>, b: ArrayView2<f64>) -> f64 {
        let (u, v) = (literal::unit_rows(a), literal::unit_rows(b));
        let term = |i: usize, j: usize| {
            let logit = self.scale * literal::dot(&u[i], &v[j]) + self.bias;
            let wrong: f64 = if i == j { -logit } else { logit };
            wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
        };
        literal::mean((0..u.len()).map(|i| (0..v.len()).map(|j| term(i, j)).sum()))
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Pairs { loss: *self, unit: Matrix::default(), gradient: Matrix::default(), s: Vec::new() }))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor {
        let [u, v] = [a, b].map(super::tensors::unit_rows);
        let logits = u.bmm(&v.transpose(1, 2)) * self.scale + self.bias; // (R, B, B)
        let n = logits.size()[1];
        let signs = tch::Tensor::eye(n, (logits.kind(), logits.device())) * 2.0 - 1.0;
        -(logits * signs).log_sigmoid().sum_dim_intlist([1i64, 2].as_slice(), false, None) / n as f64
    }
}

/// The loss by hand, with the unit views side by side, `(m, 2B)`, their gradient, and all similarities, `(B, B)`.
struct Pairs {
    loss: Siglip,
    unit: Matrix,
    gradient: Matrix,
    s: Vec<f32>,
}

impl Kernel for Pairs {
    fn loss(&mut self, z: [&Matrix; 2], gradients: &mut [Matrix; 2]) -> f64 {
        let (m, n) = (z[0].rows(), z[0].columns());
        self.unit.reshape(m, 2 * n);
        self.gradient.reshape(m, 2 * n);
        let inverse = [0, 1].map(|side| unit_norm::forward(z[side], &mut self.unit, side * n));
        let (u, v) = self.unit.view().split_at(ndarray::Axis(1), n);
        self.s.resize(n * n, 0.0);
        product(u.t(), v, view_mut(&mut self.s, n, n));
        let mut loss = 0.0;
        for (i, row) in self.s.chunks_exact_mut(n).enumerate() {
            loss += classify(row, i, self.loss.scale as f32, self.loss.bias as f32);
        }
        // The similarities have become the slopes of their terms.
        let slopes = view(&self.s, n, n);
        let (to_u, to_v) = self.gradient.view_mut().split_at(ndarray::Axis(1), n);
        product(v, slopes.t(), to_u);
        product(u, slopes, to_v);
        for side in [0, 1] {
            unit_norm::backward(&self.unit, &self.gradient, side * n, &inverse[side], &mut gradients[side]);
        }
        loss / n as f64
    }
}

/// Terms of view `i` with all of the other side, given their cosines, which become the terms' slopes over B.
#[multiversion(targets("x86_64+avx2+fma"))]
fn classify(cosines: &mut [f32], i: usize, scale: f32, bias: f32) -> f64 {
    let (mut sum, share) = (0.0, scale / cosines.len() as f32);
    for (j, s) in cosines.iter_mut().enumerate() {
        let sign = if i == j { -1.0 } else { 1.0 };
        let wrong = sign * s.mul_add(scale, bias);
        // softplus(wrong) and sigmoid(wrong), by an exponential that cannot overflow
        let e = exp(-wrong.abs());
        sum += f64::from(wrong.max(0.0)) + f64::from(e).ln_1p();
        let sigmoid = if wrong >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
        *s = sign * share * sigmoid;
    }
    sum
}
