//! What the literal forms are written with: plain loops in double precision, one representation after the other.

use ndarray::ArrayView2;

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `v / max(|v|, floor)`
pub fn unit(v: &[f64], floor: f64) -> Vec<f64> {
    let length = dot(v, v).sqrt().max(floor);
    v.iter().map(|v| v / length).collect()
}

/// Rows `(B, m)` scaled to unit length, as PyTorch's `F.normalize`.
pub fn unit_rows(z: ArrayView2<f64>) -> Vec<Vec<f64>> {
    z.rows().into_iter().map(|row| unit(&row.to_vec(), 1e-12)).collect()
}

/// The 2B views of a batch, of unit length: those of the first side, then their partners in the same order.
pub fn unit_views(z1: ArrayView2<f64>, z2: ArrayView2<f64>) -> Vec<Vec<f64>> {
    [unit_rows(z1), unit_rows(z2)].concat()
}

pub fn mean(terms: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = terms.len() as f64;
    terms.sum::<f64>() / n
}

/// Mean over the samples of both sides, `(B, m)`.
pub fn mean_of_pairs(a: ArrayView2<f64>, b: ArrayView2<f64>, of: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
    mean(a.rows().into_iter().zip(b.rows()).map(|(a, b)| of(&a.to_vec(), &b.to_vec())))
}

/// `ln sum_j exp(x_j)`, relative to the largest.
pub fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + terms.map(|x| (x - largest).exp()).sum::<f64>().ln()
}
