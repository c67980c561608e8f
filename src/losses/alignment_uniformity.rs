use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Invariance, Loss, Sides, Work, literal};
use crate::fault::{Fault, ensure, positive};

/// Alignment and uniformity (Wang and Isola 2020): `E |u - v|^alpha + weight (U(u) + U(v)) / 2` of unit representations, with
/// `U(u) = ln mean_(i<j) exp(-t |u_i - u_j|^2)`. Constants as in the authors' `align_uniform`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlignmentUniformity {
    /// Power of the distance between partners.
    pub alpha: f64,
    /// Sharpness of the kernel between samples.
    pub t: f64,
    /// Weight of uniformity.
    pub weight: f64,
}

impl Default for AlignmentUniformity {
    fn default() -> Self {
        Self { alpha: 2.0, t: 2.0, weight: 1.0 }
    }
}

impl Loss for AlignmentUniformity {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn check(&self) -> Result<(), Fault> {
        positive("alpha", self.alpha)?;
        positive("t", self.t)?;
        ensure(self.weight.is_finite() && self.weight >= 0.0, "weight", || {
            format!("a weight of at least 0, not {}", self.weight)
        })
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap, Invariance::Rotation, Invariance::Scale]
    }

    fn work(&self, batch: usize, _width: usize) -> Work {
        let pairs = batch * batch;
        Work { similarities: pairs, exponentials: pairs, kept: 6 * pairs, ..Work::default() }
    }

    fn literal(&self, a: ArrayView2<f64>, b: ArrayView2<f64>) -> f64 {
        let (u, v) = (literal::unit_rows(a), literal::unit_rows(b));
        let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let alignment = literal::mean(u.iter().zip(&v).map(|(u, v)| square(u, v).powf(self.alpha / 2.0)));
        let uniformity = |u: &[Vec<f64>]| {
            let pairs = (0..u.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
            let count = (u.len() * (u.len() - 1) / 2) as f64;
            literal::log_sum_exp(pairs.map(|(i, j)| -self.t * square(&u[i], &u[j]))) - count.ln()
        };
        alignment + self.weight * (uniformity(&u) + uniformity(&v)) / 2.0
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor {
        use tch::{Kind, Tensor};

        let [u, v] = [a, b].map(super::tensors::unit_rows);
        let n = u.size()[1];
        let square = (&u - &v).square().sum_dim_intlist([2i64].as_slice(), false, None); // (R, B)
        let distance = if self.alpha == 2.0 { square } else { square.pow_tensor_scalar(self.alpha / 2.0) };
        let [of_u, of_v] = [&u, &v].map(|u| {
            let products = u.bmm(&u.transpose(1, 2)); // (R, B, B)
            let lengths = products.diagonal(0, 1, 2); // 1 but for zeros
            let squares = lengths.unsqueeze(1) + lengths.unsqueeze(2) - products * 2.0;
            let itself = Tensor::eye(n, (Kind::Bool, u.device()));
            let logits = (squares * -self.t).masked_fill(&itself, f64::NEG_INFINITY);
            logits.logsumexp([1i64, 2].as_slice(), false) - ((n * (n - 1)) as f64).ln()
        });
        distance.mean_dim([1i64].as_slice(), false, None) + (of_u + of_v) * (self.weight / 2.0)
    }
}
