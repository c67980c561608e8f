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

/// `E |h_o(a1) - SG h_t(a2)|^2` (Eq. 4; after a predictor, Eq. 5).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L2 {
    /// Whether representations are scaled to unit length.
    pub normalize: bool,
    /// `c` of `c/2 (|W^o|^2 + |W^t|^2)`, added to the loss (Eq. 7, 13).
    pub weight_penalty: f64,
}

impl Default for L2 {
    fn default() -> Self {
        Self { normalize: true, weight_penalty: 0.0 }
    }
}

impl Loss for L2 {
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
        literal::mean_of_pairs(q, t, |q, t| unit(q).iter().zip(unit(t)).map(|(q, t)| (q - t).powi(2)).sum())
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(*self))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, q: &tch::Tensor, t: &tch::Tensor) -> tch::Tensor {
        let [q, t] = [q, t].map(|z| if self.normalize { tensors::unit_rows(z) } else { z.shallow_clone() });
        tensors::mean_of_sums(&(q - t).square())
    }
}

impl Kernel for L2 {
    fn loss(&mut self, [q, t]: [&Matrix; 2], [gradient, _]: &mut [Matrix; 2]) -> f64 {
        let b = q.columns() as f64;
        if self.normalize {
            let cosine = Cosine::of(q, t, unit_norm::EPSILON);
            // |u - s|^2 = 2 - 2 <u, s> on the sphere, so the gradients agree. The value would lose its digits near zero.
            cosine.gradient(q, t, -2.0 / b, gradient);
            unit_distance(q, t, &cosine) / b
        } else {
            difference(q, t, 2.0 / b, gradient);
            distance(q, t) / b
        }
    }
}

/// Sum over the batch of `|u(q) - u(t)|^2`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn unit_distance(q: &Matrix, t: &Matrix, cosine: &Cosine) -> f64 {
    let mut squares = vec![0.0f32; q.columns()];
    for (q, t) in q.iter().zip(t.iter()) {
        let lengths = cosine.inverse_q.iter().zip(&cosine.inverse_t);
        for (((square, &q), &t), (&inverse_q, &inverse_t)) in squares.iter_mut().zip(q).zip(t).zip(lengths) {
            let difference = q * inverse_q - t * inverse_t;
            *square = difference.mul_add(difference, *square);
        }
    }
    reduce::total(&squares)
}

/// Sum over the batch of `|q - t|^2`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn distance(q: &Matrix, t: &Matrix) -> f64 {
    q.iter().zip(t.iter()).map(|(q, t)| reduce::sum2(q, t, |q, t| (q - t) * (q - t))).sum()
}

/// `out = factor (q - t)`
#[multiversion(targets("x86_64+avx2+fma"))]
fn difference(q: &Matrix, t: &Matrix, factor: f64, out: &mut Matrix) {
    out.reshape(t.rows(), t.columns());
    for ((out, &q), &t) in out.as_mut_slice().iter_mut().zip(q.as_slice()).zip(t.as_slice()) {
        *out = factor as f32 * (q - t);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::Draws;

    #[test]
    fn a_small_loss_keeps_its_digits() {
        let mut draws = Draws::new(7);
        let q = draws.matrix(50, 64);
        let mut t = q.clone();
        t.as_mut_slice().iter_mut().for_each(|t| *t *= 1.0 + 1e-4 * draws.value());
        let mut loss = L2::default();
        let value = Kernel::loss(&mut loss, [&q, &t], &mut Default::default());
        let expected = loss.literal(q.to_samples().view(), t.to_samples().view());
        assert!((value / expected - 1.0).abs() < 1e-3, "{value} for {expected}");
    }
}
