//! Linear algebra on plain arrays: spectra of small dense matrices by nalgebra, the ends of an operator's spectrum by
//! Lanczos' method, planes through three points.

mod lanczos;
mod plane;

pub use lanczos::{Extremes, extreme_eigenvalues};
pub use plane::{Plane, evenly};

use nalgebra::DMatrix;
use ndarray::{Array1, Array2, ArrayViewMut2, Axis, s};
use pathfinding::{kuhn_munkres::kuhn_munkres, matrix::Matrix};

fn dense(matrix: &Array2<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[[i, j]])
}

/// Singular values, the largest first.
pub fn singular_values(matrix: &Array2<f64>) -> Vec<f64> {
    dense(matrix).singular_values().iter().copied().collect()
}

/// An orthonormal basis of the space that the columns of `matrix`, `(p, d)` with `p >= d`, span: Q of its Householder QR.
///
/// Signs are LAPACK's: every reflection sends its column to the axis away from it, so no digits cancel. (nalgebra's Q, with
/// a positive diagonal of R, differs in the signs of columns, and dictionaries would differ from NumPy's.)
pub fn orthonormal_columns(matrix: &Array2<f64>) -> Array2<f64> {
    let (mut work, d) = (matrix.clone(), matrix.ncols());
    // One column more, so that none lies in one piece: sums over columns keep one order whatever d is.
    let mut q = Array2::from_shape_fn((matrix.nrows(), d + 1), |(i, j)| f64::from(i == j)).slice_move(s![.., ..d]);
    let mut axes = Vec::with_capacity(d);
    for j in 0..d {
        let mut axis = work.slice(s![j.., j]).to_owned();
        if axis.iter().skip(1).all(|&entry| entry == 0.0) {
            axis.fill(0.0); // on its axis already
        } else {
            axis[0] += axis.dot(&axis).sqrt().copysign(axis[0]);
        }
        reflect(&axis, work.slice_mut(s![j.., j..]));
        axes.push(axis);
    }
    for (j, axis) in axes.iter().enumerate().rev() {
        reflect(axis, q.slice_mut(s![j.., j..]));
    }
    q
}

/// Reflects every column along `axis`; an axis of zeros reflects nothing.
fn reflect(axis: &Array1<f64>, mut columns: ArrayViewMut2<f64>) {
    let square = axis.dot(axis);
    if square > 0.0 {
        let along = axis.dot(&columns) * (2.0 / square);
        columns.zip_mut_with(&axis.view().insert_axis(Axis(1)).dot(&along.insert_axis(Axis(0))), |x, y| *x -= y);
    }
}

/// An orthonormal basis, `(k, p)`, of the `most` leading directions of the rows of `matrix`, `(m, p)`: its right singular
/// vectors with the largest singular values. Fewer where the rank is less.
pub fn row_space(matrix: &Array2<f64>, most: usize) -> Array2<f64> {
    let decomposed = dense(matrix).svd(false, true);
    let Some(vectors) = decomposed.v_t else { return Array2::zeros((0, matrix.ncols())) };
    let values = &decomposed.singular_values;
    let largest = values.iter().copied().fold(0.0, f64::max);
    let rank = values.iter().filter(|value| **value > 1e-12 * largest).count();
    Array2::from_shape_fn((rank.min(most), matrix.ncols()), |(i, j)| vectors[(i, j)])
}

/// The column that each row is matched with, one to one, so that the sum of the gains is largest. `None` where there
/// are more rows than columns.
pub fn assignment(gains: &Array2<f64>) -> Option<Vec<usize>> {
    // The library needs weights with a total order: entries rounded to 40 binary digits.
    let fixed = |entry: &f64| (entry * 2f64.powi(40)).round() as i64;
    if gains.is_empty() || gains.nrows() > gains.ncols() {
        return None;
    }
    let weights = Matrix::from_vec(gains.nrows(), gains.ncols(), gains.iter().map(fixed).collect()).ok()?;
    Some(kuhn_munkres(&weights).1)
}

/// A symmetric matrix's function: the same eigenvectors, every eigenvalue replaced. `f` is given each eigenvalue and the
/// largest. Not-a-numbers in, not-a-numbers out.
pub fn map_eigenvalues(matrix: &Array2<f64>, f: impl Fn(f64, f64) -> f64) -> Array2<f64> {
    if !matrix.iter().all(|entry| entry.is_finite()) {
        return Array2::from_elem(matrix.dim(), f64::NAN);
    }
    let decomposed = dense(matrix).symmetric_eigen();
    let largest = decomposed.eigenvalues.max();
    let (vectors, values) = (&decomposed.eigenvectors, decomposed.eigenvalues.map(|value| f(value, largest)));
    let mapped = vectors * DMatrix::from_diagonal(&values) * vectors.transpose();
    Array2::from_shape_fn(matrix.dim(), |(i, j)| mapped[(i, j)])
}

/// Eigenvalues of a symmetric matrix, smallest first; only the lower triangle is read.
pub fn symmetric_eigenvalues(matrix: &Array2<f64>) -> Vec<f64> {
    let mut values: Vec<f64> = dense(matrix).symmetric_eigenvalues().iter().copied().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Eigenvalues of a symmetric matrix, largest first, and their eigenvectors, as rows `(n, n)` in the same order; only the
/// lower triangle is read.
pub fn symmetric_eigen(matrix: &Array2<f64>) -> (Vec<f64>, Array2<f64>) {
    let n = matrix.nrows();
    let decomposed = dense(matrix).symmetric_eigen();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| decomposed.eigenvalues[b].total_cmp(&decomposed.eigenvalues[a]));
    let vectors = Array2::from_shape_fn((n, n), |(i, j)| decomposed.eigenvectors[(j, order[i])]);
    (order.into_iter().map(|place| decomposed.eigenvalues[place]).collect(), vectors)
}

/// The slope of the least-squares line through points `(x, y)`.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    sum(&|point| (point.0 - x) * (point.1 - y)) / sum(&|point| (point.0 - x).powi(2))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::random::{Draws, native::Key};

    #[test]
    fn slopes_of_lines() {
        assert!((slope(&[(1.0, 5.0), (2.0, 3.0), (4.0, -1.0)]) + 2.0).abs() < 1e-15);
        assert!((slope(&[(0.0, 0.0), (1.0, 2.0), (2.0, 1.0)]) - 0.5).abs() < 1e-15);
    }

    /// Rows and columns drawn from a seed.
    pub(super) fn random_symmetric(n: usize, seed: u64) -> Array2<f64> {
        let mut draws = Key::from_seed(seed).stream();
        let half = Array2::from_shape_fn((n, n), |_| draws.normal());
        &half + &half.t()
    }

    #[test]
    fn known_spectra() {
        let singular = singular_values(&array![[0.0, 3.0], [-4.0, 0.0]]);
        assert!((singular[0] - 4.0).abs() < 1e-14 && (singular[1] - 3.0).abs() < 1e-14);
        let eigen = symmetric_eigenvalues(&array![[2.0, 1.0], [1.0, 2.0]]);
        assert!((eigen[0] - 1.0).abs() < 1e-14 && (eigen[1] - 3.0).abs() < 1e-14);
    }

    #[test]
    fn eigenvectors_make_the_matrix_again() {
        let matrix = random_symmetric(6, 2);
        let (values, vectors) = symmetric_eigen(&matrix);
        assert!(values.is_sorted_by(|a, b| a >= b));
        let scaled = &vectors * &Array1::from(values).insert_axis(Axis(1));
        assert!((vectors.t().dot(&scaled) - matrix).iter().all(|entry| entry.abs() < 1e-12));
        assert!((vectors.dot(&vectors.t()) - Array2::<f64>::eye(6)).iter().all(|entry| entry.abs() < 1e-12));
    }

    #[test]
    fn orthonormal_columns_span_the_same() {
        let matrix = random_symmetric(6, 1).slice(ndarray::s![.., ..3]).to_owned();
        let q = orthonormal_columns(&matrix);
        assert!((q.t().dot(&q) - Array2::<f64>::eye(3)).iter().all(|entry| entry.abs() < 1e-14));
        assert!((q.dot(&q.t().dot(&matrix)) - matrix).iter().all(|entry| entry.abs() < 1e-14));
    }
}
