//! What the losses of one learning side share: cosines of every sample's two representations, with their gradient.
//!
//! No normalised copy is made: everything follows from each sample's two lengths and the scalar product.

use multiversion::multiversion;

use crate::kernels::{
    Matrix, reduce,
    unit_norm::{clear_clamped, inverse_lengths},
};

/// Cosines of every sample's two representations.
pub struct Cosine {
    /// `1 / max(|q|, floor)`, `(B,)`.
    pub inverse_q: Vec<f32>,
    /// `1 / max(|t|, floor)`, `(B,)`.
    pub inverse_t: Vec<f32>,
    /// `<q, t>` over both, `(B,)`.
    cosine: Vec<f32>,
    floor: f32,
}

impl Cosine {
    pub fn of(q: &Matrix, t: &Matrix, floor: f32) -> Self {
        let (inverse_q, inverse_t) = (inverse_lengths(q, floor), inverse_lengths(t, floor));
        let cosine = cosines(q, t, &inverse_q, &inverse_t);
        Self { inverse_q, inverse_t, cosine, floor }
    }

    pub fn mean(&self) -> f64 {
        reduce::total(&self.cosine) / self.cosine.len() as f64
    }

    /// Gradient of `factor` times the sum of the cosines, with respect to `q`.
    pub fn gradient(&self, q: &Matrix, t: &Matrix, factor: f64, gradient: &mut Matrix) {
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
