use multiversion::multiversion;
use ndarray::{ArrayView2, s};
use serde::{Deserialize, Serialize};

use super::{Invariance, Kernel, Loss, Sides, Work, literal};
use crate::{
    fault::{Fault, ensure, positive},
    kernels::{Matrix, accumulate, exp, product, reduce, unit_norm, view, view_mut},
};

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
        // Each side against itself.
        let pairs = 2 * batch * batch;
        Work { similarities: pairs, exponentials: pairs, kept: 3 * pairs, ..Work::default() }
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

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Distances {
            loss: *self,
            unit: Matrix::default(),
            gradient: Matrix::default(),
            pairs: Vec::new(),
        }))
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

/// The loss by hand, with the unit views side by side, `(m, 2B)`, their gradient, and one side's pairs, `(B, B)`.
struct Distances {
    loss: AlignmentUniformity,
    unit: Matrix,
    gradient: Matrix,
    pairs: Vec<f32>,
}

impl Kernel for Distances {
    fn loss(&mut self, z: [&Matrix; 2], gradients: &mut [Matrix; 2]) -> f64 {
        let (m, n) = (z[0].rows(), z[0].columns());
        self.unit.reshape(m, 2 * n);
        self.gradient.reshape(m, 2 * n);
        let inverse = [0, 1].map(|side| unit_norm::forward(z[side], &mut self.unit, side * n));
        let alignment = self.align(n);
        let uniformity = [0, 1].map(|side| self.spread(side, n));
        for side in [0, 1] {
            unit_norm::backward(&self.unit, &self.gradient, side * n, &inverse[side], &mut gradients[side]);
        }
        alignment + self.loss.weight * (uniformity[0] + uniformity[1]) / 2.0
    }
}

impl Distances {
    /// Alignment, whose gradient becomes the gradient: `alpha |u - v|^(alpha - 2) (u - v) / B` on the side of u.
    fn align(&mut self, n: usize) -> f64 {
        let mut squares = vec![0.0f32; n];
        for row in self.unit.iter() {
            let (u, v) = row.split_at(n);
            squares.iter_mut().zip(u).zip(v).for_each(|((square, u), v)| *square += (u - v) * (u - v));
        }
        let alpha = self.loss.alpha as f32;
        let slope = |&square: &f32| match square {
            _ if alpha == 2.0 => 2.0 / n as f32,
            0.0 => 0.0, // of the slopes that alpha < 2 allows here, the one that moves nothing
            square => alpha * square.powf(alpha / 2.0 - 1.0) / n as f32,
        };
        let slopes: Vec<f32> = squares.iter().map(slope).collect();
        for (gradient, row) in self.gradient.iter_mut().zip(self.unit.iter()) {
            let ((to_u, to_v), (u, v)) = (gradient.split_at_mut(n), row.split_at(n));
            for ((((to_u, to_v), u), v), slope) in to_u.iter_mut().zip(to_v).zip(u).zip(v).zip(&slopes) {
                *to_u = slope * (u - v);
                *to_v = -*to_u;
            }
        }
        squares.iter().map(|&square| f64::from(square).powf(self.loss.alpha / 2.0)).sum::<f64>() / n as f64
    }

    /// Uniformity of one side, whose gradient is added: with `e_ij = exp(-t |u_i - u_j|^2)` and E their sum over i < j,
    /// `weight t sum_j e_ij (u_j - u_i) / E`.
    fn spread(&mut self, side: usize, n: usize) -> f64 {
        let u = self.unit.view();
        let u = u.slice(s![.., side * n..(side + 1) * n]);
        self.pairs.resize(n * n, 0.0);
        product(u.t(), u, view_mut(&mut self.pairs, n, n));
        let largest = logits(&mut self.pairs, n, self.loss.t as f32);
        let sums = exponentials(&mut self.pairs, n, largest);
        // Each pair stands on both sides of the diagonal.
        let sum = sums.iter().sum::<f64>() / 2.0;
        let share = self.loss.weight * self.loss.t / sum;
        self.pairs.iter_mut().for_each(|e| *e *= share as f32);
        let mut gradient = self.gradient.view_mut();
        let mut gradient = gradient.slice_mut(s![.., side * n..(side + 1) * n]);
        accumulate(u, view(&self.pairs, n, n), gradient.view_mut());
        for (mut gradient, u) in gradient.rows_mut().into_iter().zip(u.rows()) {
            for ((gradient, u), sum) in gradient.iter_mut().zip(u).zip(&sums) {
                *gradient -= (share * sum) as f32 * u;
            }
        }
        f64::from(largest) + sum.ln() - ((n * (n - 1) / 2) as f64).ln()
    }
}

/// `<u_i, u_j> -> -t |u_i - u_j|^2` in place, minus infinity for a sample with itself. Returns the largest.
#[multiversion(targets("x86_64+avx2+fma"))]
fn logits(pairs: &mut [f32], n: usize, t: f32) -> f32 {
    let squares: Vec<f32> = pairs.iter().step_by(n + 1).copied().collect(); // of the lengths: 1 but for zeros
    let mut largest = f32::NEG_INFINITY;
    for (i, row) in pairs.chunks_exact_mut(n).enumerate() {
        for (s, square) in row.iter_mut().zip(&squares) {
            *s = -t * (squares[i] + square - 2.0 * *s);
        }
        row[i] = f32::NEG_INFINITY;
        largest = row.iter().copied().fold(largest, f32::max);
    }
    largest
}

/// `x -> exp(x - shift)` in place. Returns the rows' sums, `(n,)`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn exponentials(pairs: &mut [f32], n: usize, shift: f32) -> Vec<f64> {
    let sum_of = |row: &mut [f32]| {
        row.iter_mut().for_each(|x| *x = exp(*x - shift));
        reduce::total(row)
    };
    pairs.chunks_exact_mut(n).map(sum_of).collect()
}
