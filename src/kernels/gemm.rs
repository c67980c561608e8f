//! Products of small matrices, whatever their strides.
//!
//! A linear layer's forward pass is `Z = W A`, its backward pass `dW += dZ A^T` and `dA = W^T dZ`, with A `(p, B)` and
//! Z `(m, B)` feature-major: transposes are views, nothing is copied.

use gemm_common::Parallelism;
use ndarray::{ArrayView2, ArrayViewMut2};

/// `C = A B`: `(m, k)` times `(k, n)`.
pub fn product(a: ArrayView2<f32>, b: ArrayView2<f32>, c: ArrayViewMut2<f32>) {
    gemm(a, b, c, false);
}

/// `C += A B`: `(m, k)` times `(k, n)`.
pub fn accumulate(a: ArrayView2<f32>, b: ArrayView2<f32>, c: ArrayViewMut2<f32>) {
    gemm(a, b, c, true);
}

fn gemm(a: ArrayView2<f32>, b: ArrayView2<f32>, mut c: ArrayViewMut2<f32>, accumulate: bool) {
    let ((m, k), n) = (a.dim(), b.ncols());
    assert_eq!((b.nrows(), c.dim()), (k, (m, n)), "shapes of a product");
    let (&[a_row, a_column], &[b_row, b_column]) = (a.strides(), b.strides()) else { unreachable!("two axes") };
    let &[c_row, c_column] = c.strides() else { unreachable!("two axes") };
    // The kernels fill columns: where C has rows, its transpose is C^T = B^T A^T.
    if c_column < c_row {
        return gemm(b.t(), a.t(), c.reversed_axes(), accumulate);
    }
    // SAFETY: the views' own shapes and strides, checked against each other above; `c` is borrowed exclusively.
    unsafe {
        gemm_f32::gemm::f32::get_gemm_fn()(
            m,
            n,
            k,
            c.as_mut_ptr(),
            c_column,
            c_row,
            accumulate,
            a.as_ptr(),
            a_column,
            a_row,
            b.as_ptr(),
            b_column,
            b_row,
            1.0, // factor on C
            1.0, // factor on A B
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::kernels::testing::{Draws, assert_close};

    /// The literal sums, in double precision.
    fn reference(a: ArrayView2<f32>, b: ArrayView2<f32>) -> Vec<f64> {
        let entry = |i, j| (0..a.ncols()).map(|k| f64::from(a[(i, k)]) * f64::from(b[(k, j)])).sum();
        (0..a.nrows()).flat_map(|i| (0..b.ncols()).map(move |j| (i, j))).map(|(i, j)| entry(i, j)).collect()
    }

    #[test]
    fn products_of_odd_shapes_and_transposes() {
        let mut draws = Draws::new(1);
        for [m, k, n] in [[50, 50, 512], [1, 1, 1], [16, 20, 32], [7, 13, 5], [3, 129, 65], [50, 488, 50]] {
            let (a, b) = (draws.array(m, k), draws.array(k, n));
            let (a_t, b_t) = (a.t().as_standard_layout().into_owned(), b.t().as_standard_layout().into_owned());
            let expected = reference(a.view(), b.view());
            for (a, b) in [(a.view(), b.view()), (a_t.t(), b.view()), (a.view(), b_t.t()), (a_t.t(), b_t.t())] {
                let mut c = Array2::from_elem((m, n), f32::NAN);
                product(a, b, c.view_mut());
                assert_close(c.iter(), &expected, 1e-5);
                accumulate(a, b, c.view_mut());
                assert_close(c.iter().map(|c| c / 2.0), &expected, 1e-5);
            }
        }
    }
}
