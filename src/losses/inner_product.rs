use multiversion::multiversion;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

#[cfg(feature = "torch")]
use super::tensors;
use super::{Invariance, Kernel, Loss, Sides, check_penalty, cosine::Cosine, literal};
use crate::{
    fault::Fault,
    kernels::{Matrix, reduce, unit_norm},
};

/// `2 - 2 E <h_o(a1), SG h_t(a2)>` (Eq. 6; after a predictor, Eq. 8; on SReLU with a fixed bias, Eq. 15).
///
/// On unit representations this is the [`L2`](super::L2) loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InnerProduct {
    /// Whether representations are scaled to unit length.
    pub normalize: bool,
    /// `c` of `c/2 (|W^o|^2 + |W^t|^2)`, added to the loss (Eq. 7, 13).
    pub weight_penalty: f64,
}

impl Default for InnerProduct {
    fn default() -> Self {
        Self { normalize: true, weight_penalty: 0.0 }
    }
}

impl Loss for InnerProduct {
    fn sides(&self) -> Sides {
        Sides::LearnerAndTeacher
    }

    fn check(&self) -> Result<(), Fault> {
        check_penalty(self.weight_penalty)
    }

    fn invariances(&self) -> &'static [Invariance] {
        if self.normalize {
            &[Invariance::Swap, Invariance::Rotation, Invariance::Scale]
        } else {
            &[Invariance::Swap, Invariance::Rotation]
        }
    }

    fn weight_penalty(&self) -> f64 {
        self.weight_penalty
    }

    fn literal(&self, q: ArrayView2<f64>, t: ArrayView2<f64>) -> f64 {
        let unit = |v: &[f64]| if self.normalize { literal::unit(v, 1e-12) } else { v.to_vec() };
        2.0 - 2.0 * literal::mean_of_pairs(q, t, |q, t| literal::dot(&unit(q), &unit(t)))
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(*self))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, q: &tch::Tensor, t: &tch::Tensor) -> tch::Tensor {
        let [q, t] = [q, t].map(|z| if self.normalize { tensors::unit_rows(z) } else { z.shallow_clone() });
        2.0 - 2.0 * tensors::mean_of_sums(&(q * t))
    }
}

impl Kernel for InnerProduct {
    fn loss(&mut self, [q, t]: [&Matrix; 2], [gradient, _]: &mut [Matrix; 2]) -> f64 {
        let b = q.columns() as f64;
        if self.normalize {
            let cosine = Cosine::of(q, t, unit_norm::EPSILON);
            cosine.gradient(q, t, -2.0 / b, gradient);
            2.0 - 2.0 * cosine.mean()
        } else {
            scaled(t, -2.0 / b, gradient);
            2.0 - 2.0 * product(q, t) / b
        }
    }
}

/// Sum over the batch of `<q, t>`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn product(q: &Matrix, t: &Matrix) -> f64 {
    q.iter().zip(t.iter()).map(|(q, t)| reduce::dot(q, t)).sum()
}

/// `out = factor t`
#[multiversion(targets("x86_64+avx2+fma"))]
fn scaled(t: &Matrix, factor: f64, out: &mut Matrix) {
    out.reshape(t.rows(), t.columns());
    for (out, &t) in out.as_mut_slice().iter_mut().zip(t.as_slice()) {
        *out = factor as f32 * t;
    }
}
