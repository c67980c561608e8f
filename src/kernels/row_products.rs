//! `C += A B^T` where the rows of both are a batch's contiguous samples: a weight's gradient, `dW += dZ A^T`.
//!
//! Every entry is a scalar product of two rows, so nothing is packed: a block of entries keeps a vector of partial sums
//! each in registers while its rows go by. A general product packs both operands first, and takes 1.4 times as long at
//! 50 x 512 x 50.

use std::array::from_fn;

use pulp::{Arch, Simd, WithSimd};

use super::Matrix;

/// `C += A B^T`, with A `(m, B)`, B `(p, B)` and C `(m, p)` row-major.
pub fn accumulate_row_products(a: &Matrix, b: &Matrix, c: &mut [f32]) {
    assert_eq!((a.columns(), a.rows() * b.rows()), (b.columns(), c.len()), "shapes of a product");
    Arch::new().dispatch(RowProducts { a, b, c });
}

struct RowProducts<'a> {
    a: &'a Matrix,
    b: &'a Matrix,
    c: &'a mut [f32],
}

impl WithSimd for RowProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many partial sums as there are registers beside those for the rows.
        if S::REGISTER_COUNT >= 32 { self.by_blocks::<S, 5, 5>(simd) } else { self.by_blocks::<S, 3, 4>(simd) }
    }
}

impl RowProducts<'_> {
    /// Blocks of `M x P` entries, narrower ones at the ends.
    #[inline(always)]
    fn by_blocks<S: Simd, const M: usize, const P: usize>(mut self, simd: S) {
        let full = self.a.rows() - self.a.rows() % M;
        (0..full).step_by(M).for_each(|i| self.rows::<S, M, P>(simd, i));
        (full..self.a.rows()).for_each(|i| self.rows::<S, 1, P>(simd, i));
    }

    #[inline(always)]
    fn rows<S: Simd, const M: usize, const P: usize>(&mut self, simd: S, i: usize) {
        let full = self.b.rows() - self.b.rows() % P;
        (0..full).step_by(P).for_each(|j| self.block::<S, M, P>(simd, i, j));
        (full..self.b.rows()).for_each(|j| self.block::<S, M, 1>(simd, i, j));
    }

    /// Entries `i..i + M`, `j..j + P`.
    #[inline(always)]
    fn block<S: Simd, const M: usize, const P: usize>(&mut self, simd: S, i: usize, j: usize) {
        let a: [_; M] = from_fn(|k| S::as_simd_f32s(self.a.row(i + k)));
        let b: [_; P] = from_fn(|k| S::as_simd_f32s(self.b.row(j + k)));
        let vectors = a[0].0.len();
        // Slices of one known length, so that no access in the loop is checked.
        let a_vectors: [_; M] = from_fn(|k| &a[k].0[..vectors]);
        let b_vectors: [_; P] = from_fn(|k| &b[k].0[..vectors]);
        let mut sums = [[simd.splat_f32s(0.0); P]; M];
        for v in 0..vectors {
            add(simd, &mut sums, from_fn(|k| a_vectors[k][v]), from_fn(|k| b_vectors[k][v]));
        }
        if !a[0].1.is_empty() {
            // `from_fn` and not `map`, which the compiler does not inline into functions of other target features.
            let a: [_; M] = from_fn(|k| simd.partial_load_f32s(a[k].1));
            let b: [_; P] = from_fn(|k| simd.partial_load_f32s(b[k].1));
            add(simd, &mut sums, a, b);
        }
        for (k, sums) in sums.into_iter().enumerate() {
            let c = &mut self.c[(i + k) * self.b.rows() + j..][..P];
            c.iter_mut().zip(sums).for_each(|(c, sum)| *c += simd.reduce_sum_f32s(sum));
        }
    }
}

/// `sums += a b^T`, vector by vector.
#[inline(always)]
fn add<S: Simd, const M: usize, const P: usize>(
    simd: S,
    sums: &mut [[S::f32s; P]; M],
    a: [S::f32s; M],
    b: [S::f32s; P],
) {
    for (sums, a) in sums.iter_mut().zip(a) {
        for (sum, b) in sums.iter_mut().zip(b) {
            *sum = simd.mul_add_f32s(a, b, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{Draws, assert_close};

    #[test]
    fn products_of_odd_shapes() {
        let mut draws = Draws::new(18);
        for [m, p, batch] in [[50, 50, 512], [1, 1, 1], [16, 20, 32], [7, 13, 5], [3, 65, 129], [50, 49, 488]] {
            let (a, b) = (draws.matrix(m, batch), draws.matrix(p, batch));
            let mut c = vec![1.0; m * p];
            accumulate_row_products(&a, &b, &mut c);
            let product =
                |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
            let expected: Vec<f64> = a.iter().flat_map(|a| b.iter().map(move |b| 1.0 + product(a, b))).collect();
            assert_close(&c, &expected, 1e-6);
        }
    }
}
