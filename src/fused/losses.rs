//! Losses between a representation that learns and one under stop gradient: value, and gradient of the first.
//!
//! Arguments are `(m, B)`; values and gradients are means over the batch. With unit norms, no normalised copy is made:
//! everything follows from each sample's two lengths and the scalar product.

use multiversion::multiversion;

use super::{
    Matrix, reduce,
    unit_norm::{self, clear_clamped, inverse_lengths},
};

/// `2 - 2 E <q, t>` (Eq. 6, 8, 15); with `normalize`, of unit representations. `gradient` is that of `q`.
pub fn inner_product(q: &Matrix, t: &Matrix, normalize: bool, gradient: &mut Matrix) -> f64 {
    let b = q.columns() as f64;
    if normalize {
        let cosine = Cosine::of(q, t, unit_norm::EPSILON);
        cosine.gradient(q, t, -2.0 / b, gradient);
        2.0 - 2.0 * cosine.mean()
    } else {
        scaled(t, -2.0 / b, gradient);
        2.0 - 2.0 * product(q, t) / b
    }
}

/// `E |q - t|^2` (Eq. 4, 5); with `normalize`, of unit representations. `gradient` is that of `q`.
pub fn l2(q: &Matrix, t: &Matrix, normalize: bool, gradient: &mut Matrix) -> f64 {
    let b = q.columns() as f64;
    if normalize {
        let cosine = Cosine::of(q, t, unit_norm::EPSILON);
        // |u - s|^2 = 2 - 2 <u, s> on the sphere, so the gradients agree. The value would lose its digits near zero.
        cosine.gradient(q, t, -2.0 / b, gradient);
        unit_distance(q, t, &cosine) / b
    } else {
        difference(q, t, 2.0 / b, gradient);
        distance(q, t) / b
    }
}

/// `-E cos(p, z)`, SimSiam's D, with lengths bounded below by 1e-8 as in PyTorch's `F.cosine_similarity`.
pub fn negative_cosine(p: &Matrix, z: &Matrix, gradient: &mut Matrix) -> f64 {
    let cosine = Cosine::of(p, z, 1e-8);
    cosine.gradient(p, z, -1.0 / p.columns() as f64, gradient);
    -cosine.mean()
}

/// Cosines of every sample's two representations.
struct Cosine {
    /// `1 / max(|q|, floor)`, `(B,)`.
    inverse_q: Vec<f32>,
    /// `1 / max(|t|, floor)`, `(B,)`.
    inverse_t: Vec<f32>,
    /// `<q, t>` over both, `(B,)`.
    cosine: Vec<f32>,
    floor: f32,
}

impl Cosine {
    fn of(q: &Matrix, t: &Matrix, floor: f32) -> Self {
        let (inverse_q, inverse_t) = (inverse_lengths(q, floor), inverse_lengths(t, floor));
        let cosine = cosines(q, t, &inverse_q, &inverse_t);
        Self { inverse_q, inverse_t, cosine, floor }
    }

    fn mean(&self) -> f64 {
        reduce::total(&self.cosine) / self.cosine.len() as f64
    }

    /// Gradient of `factor` times the sum of the cosines, with respect to `q`.
    fn gradient(&self, q: &Matrix, t: &Matrix, factor: f64, gradient: &mut Matrix) {
        // d cos = (t / |t| - cos q / |q|) / |q|, without the second term where the length was clamped.
        let mut along = self.cosine.clone();
        clear_clamped(&mut along, &self.inverse_q, self.floor);
        let factor = factor as f32;
        let on_t: Vec<f32> = self.inverse_q.iter().zip(&self.inverse_t).map(|(q, t)| factor * q * t).collect();
        let on_q: Vec<f32> = self.inverse_q.iter().zip(&along).map(|(q, along)| factor * along * q * q).collect();
        combine(t, &on_t, q, &on_q, gradient);
    }
}

/// `<q, t>` times both factors, for every sample.
#[multiversion(targets("x86_64+avx2+fma"))]
fn cosines(q: &Matrix, t: &Matrix, factor_q: &[f32], factor_t: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0f32; q.columns()];
    for (q, t) in q.iter().zip(t.iter()) {
        for ((out, &q), &t) in out.iter_mut().zip(q).zip(t) {
            *out = q.mul_add(t, *out);
        }
    }
    for ((out, &q), &t) in out.iter_mut().zip(factor_q).zip(factor_t) {
        *out *= q * t;
    }
    out
}

/// `out = a f - b g` with a factor for each sample.
#[multiversion(targets("x86_64+avx2+fma"))]
fn combine(a: &Matrix, f: &[f32], b: &Matrix, g: &[f32], out: &mut Matrix) {
    out.reshape(a.rows(), a.columns());
    for ((out, a), b) in out.iter_mut().zip(a.iter()).zip(b.iter()) {
        for ((((out, &a), &f), &b), &g) in out.iter_mut().zip(a).zip(f).zip(b).zip(g) {
            *out = a * f - b * g;
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
    use crate::fused::testing::{Draws, assert_close, finite_differences, widen};

    type Loss = fn(&Matrix, &Matrix, &mut Matrix) -> f64;

    /// Mean over the samples of `of(q, t)`, from `(m, B)` row-major.
    fn mean(q: &[f64], t: &[f64], b: usize, of: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
        let column = |x: &[f64], j: usize| x.iter().skip(j).step_by(b).copied().collect::<Vec<_>>();
        (0..b).map(|j| of(&column(q, j), &column(t, j))).sum::<f64>() / b as f64
    }

    fn dot(q: &[f64], t: &[f64]) -> f64 {
        q.iter().zip(t).map(|(q, t)| q * t).sum()
    }

    fn unit(v: &[f64], floor: f64) -> Vec<f64> {
        let length = dot(v, v).sqrt().max(floor);
        v.iter().map(|v| v / length).collect()
    }

    fn square_distance(q: &[f64], t: &[f64]) -> f64 {
        q.iter().zip(t).map(|(q, t)| (q - t) * (q - t)).sum()
    }

    fn check(loss: Loss, reference: impl Fn(&[f64], &[f64]) -> f64) {
        let mut draws = Draws::new(6);
        for (m, b) in [(2, 1), (16, 32), (7, 13), (50, 37)] {
            let (q, t) = (draws.matrix(m, b), draws.matrix(m, b));
            let mut gradient = Matrix::default();
            let value = loss(&q, &t, &mut gradient);
            let t = widen(t.as_slice());
            let at = widen(q.as_slice());
            assert!((value - mean(&at, &t, b, &reference)).abs() < 1e-6, "{value}");
            assert_close(gradient.as_slice(), &finite_differences(&at, |q| mean(q, &t, b, &reference)), 2e-6);
        }
    }

    #[test]
    fn inner_product_as_defined() {
        check(|q, t, g| inner_product(q, t, false, g), |q, t| 2.0 - 2.0 * dot(q, t));
        check(|q, t, g| inner_product(q, t, true, g), |q, t| 2.0 - 2.0 * dot(&unit(q, 1e-12), &unit(t, 1e-12)));
    }

    #[test]
    fn l2_as_defined() {
        check(|q, t, g| l2(q, t, false, g), square_distance);
        check(|q, t, g| l2(q, t, true, g), |q, t| square_distance(&unit(q, 1e-12), &unit(t, 1e-12)));
    }

    #[test]
    fn negative_cosine_as_defined() {
        check(negative_cosine, |p, z| -dot(&unit(p, 1e-8), &unit(z, 1e-8)));
    }

    #[test]
    fn a_small_l2_loss_keeps_its_digits() {
        let mut draws = Draws::new(7);
        let q = draws.matrix(50, 64);
        let mut t = q.clone();
        t.as_mut_slice().iter_mut().for_each(|t| *t *= 1.0 + 1e-4 * draws.value());
        let value = l2(&q, &t, true, &mut Matrix::default());
        let distance = |q: &[f64], t: &[f64]| square_distance(&unit(q, 1e-12), &unit(t, 1e-12));
        let expected = mean(&widen(q.as_slice()), &widen(t.as_slice()), 64, distance);
        assert!((value / expected - 1.0).abs() < 1e-3, "{value} for {expected}");
    }

    /// A dead representation: PyTorch's F.normalize divides it by 1e-12 and passes the gradient through.
    #[test]
    fn a_zero_sample_has_the_gradient_of_the_clamped_division() {
        let (q, mut t) = (Matrix::zeros(2, 1), Matrix::zeros(2, 1));
        t.as_mut_slice().copy_from_slice(&[3.0, 4.0]);
        let mut gradient = Matrix::default();
        assert_eq!(inner_product(&q, &t, true, &mut gradient), 2.0);
        assert_close(gradient.as_slice(), &[-1.2e12, -1.6e12], 1e-6);
        assert_eq!(negative_cosine(&q, &t, &mut gradient), 0.0);
        assert_close(gradient.as_slice(), &[-0.6e8, -0.8e8], 1e-6);
    }
}
