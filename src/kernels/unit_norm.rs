//! Unit norm of every sample's representation, `u = v / |v|` (PyTorch's `F.normalize`).

use multiversion::multiversion;

use super::Matrix;

/// Shorter samples are divided by this instead of their length.
pub const EPSILON: f32 = 1e-12;

/// `1 / max(|v|, floor)` for each sample (column) of `v` `(m, B)`.
#[multiversion(targets("x86_64+avx2+fma"))]
pub fn inverse_lengths(v: &Matrix, floor: f32) -> Vec<f32> {
    let mut lengths = vec![0.0f32; v.columns()];
    for row in v.iter() {
        for (square, &v) in lengths.iter_mut().zip(row) {
            *square = v.mul_add(v, *square);
        }
    }
    for length in &mut lengths {
        *length = 1.0 / length.sqrt().max(floor);
    }
    lengths
}

/// `u = v / max(|v|, 1e-12)`, into the columns of `u` from `first` on. Returns the inverse lengths for [`backward`].
#[multiversion(targets("x86_64+avx2+fma"))]
pub fn forward(v: &Matrix, u: &mut Matrix, first: usize) -> Vec<f32> {
    let inverse = inverse_lengths(v, EPSILON);
    for (u, v) in u.iter_mut().zip(v.iter()) {
        for ((u, &v), &inverse) in u[first..].iter_mut().zip(v).zip(&inverse) {
            *u = v * inverse;
        }
    }
    inverse
}

/// Gradient with respect to `v` from that with respect to `u`; both `u` matrices are read from column `first` on.
#[multiversion(targets("x86_64+avx2+fma"))]
pub fn backward(u: &Matrix, gradient_u: &Matrix, first: usize, inverse: &[f32], gradient_v: &mut Matrix) {
    let columns = first..first + inverse.len();
    let mut along = vec![0.0f32; inverse.len()];
    for (u, g) in u.iter().zip(gradient_u.iter()) {
        for ((along, &u), &g) in along.iter_mut().zip(&u[columns.clone()]).zip(&g[columns.clone()]) {
            *along = u.mul_add(g, *along);
        }
    }
    clear_clamped(&mut along, inverse, EPSILON);
    gradient_v.reshape(u.rows(), inverse.len());
    for ((out, u), g) in gradient_v.iter_mut().zip(u.iter()).zip(gradient_u.iter()) {
        let (u, g) = (&u[columns.clone()], &g[columns.clone()]);
        for ((((out, &u), &g), &inverse), &along) in out.iter_mut().zip(u).zip(g).zip(inverse).zip(&along) {
            *out = inverse * (g - u * along);
        }
    }
}

/// Where the length was below the floor, the divisor is a constant and the gradient keeps its component along `u`.
#[inline(always)]
pub fn clear_clamped(along: &mut [f32], inverse: &[f32], floor: f32) {
    for (along, &inverse) in along.iter_mut().zip(inverse) {
        if inverse >= 1.0 / floor {
            *along = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{Draws, assert_close, finite_differences, widen};

    /// `(m, B)` row-major.
    fn reference(v: &[f64], b: usize) -> Vec<f64> {
        let length = |j: usize| v.iter().skip(j).step_by(b).map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
        v.iter().enumerate().map(|(i, v)| v / length(i % b)).collect()
    }

    #[test]
    fn values_and_gradients() {
        let mut draws = Draws::new(4);
        for (m, b, first) in [(1, 1, 0), (7, 13, 0), (16, 32, 32), (50, 37, 5)] {
            let v = draws.matrix(m, b);
            let mut u = Matrix::zeros(m, first + b);
            let inverse = forward(&v, &mut u, first);
            let tail = |m: &Matrix| m.iter().flat_map(|row| row[first..].to_vec()).collect::<Vec<_>>();
            assert_close(tail(&u), &reference(&widen(v.as_slice()), b), 1e-6);

            let weight = draws.matrix(m, first + b);
            let mut gradient = Matrix::default();
            backward(&u, &weight, first, &inverse, &mut gradient);
            let weight = tail(&weight);
            let expected = finite_differences(&widen(v.as_slice()), |v| {
                reference(v, b).iter().zip(&weight).map(|(u, &w)| u * f64::from(w)).sum()
            });
            if m > 1 {
                assert_close(gradient.as_slice(), &expected, 5e-6);
            }
        }
    }

    #[test]
    fn a_zero_sample_stays_zero_and_its_gradient_is_finite() {
        let (v, mut u, mut gradient) = (Matrix::zeros(3, 1), Matrix::zeros(3, 1), Matrix::default());
        let inverse = forward(&v, &mut u, 0);
        assert_eq!(u.as_slice(), [0.0; 3]);
        let mut ones = Matrix::zeros(3, 1);
        ones.as_mut_slice().fill(1.0);
        backward(&u, &ones, 0, &inverse, &mut gradient);
        assert_close(gradient.as_slice(), &[1e12; 3], 1e-6);
    }
}
