use nalgebra::DMatrix;

use crate::random::{Draws, native::Key};

/// The two ends of a spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extremes {
    /// The smallest Ritz value: an upper bound on the smallest eigenvalue.
    pub smallest: f64,
    /// The largest Ritz value: a lower bound on the largest eigenvalue.
    pub largest: f64,
    /// How far, at most, either is from an eigenvalue: the norm of `A v - value v` for its unit vector `v`.
    pub residual: f64,
}

/// Extreme eigenvalues of a symmetric operator on R^`dimension`, given as a matrix-vector product: Lanczos' method with
/// full reorthogonalisation, `steps` applications from a random start drawn from `key`. With `steps >= dimension` the
/// whole space is searched. `None` for a space without dimensions or values that are not finite.
///
/// Paige's theory: Golub and Van Loan, *Matrix Computations*, 4th edition, Section 10.3.
pub fn extreme_eigenvalues(
    dimension: usize,
    steps: usize,
    key: Key,
    mut apply: impl FnMut(&[f64]) -> Vec<f64>,
) -> Option<Extremes> {
    let mut draws = key.stream();
    let mut random = |basis: &[Vec<f64>]| {
        let mut vector: Vec<f64> = (0..dimension).map(|_| draws.normal()).collect();
        orthogonalize(&mut vector, basis);
        let norm = norm(&vector);
        vector.iter_mut().for_each(|entry| *entry /= norm);
        vector
    };
    let steps = steps.min(dimension);
    let mut basis: Vec<Vec<f64>> = vec![];
    let (mut diagonal, mut below) = (vec![], vec![]);
    let mut next = random(&basis);
    for _ in 0..steps {
        let mut image = apply(&next);
        diagonal.push(dot(&image, &next));
        basis.push(next);
        orthogonalize(&mut image, &basis);
        let length = norm(&image);
        if !length.is_finite() {
            return None;
        }
        let scale = diagonal.iter().chain(&below).fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
        next = if length > 1e-12 * scale && length > 0.0 {
            below.push(length);
            image.iter().map(|entry| entry / length).collect()
        } else {
            // The space so far is invariant: go on in its complement.
            below.push(0.0);
            if basis.len() == dimension { vec![] } else { random(&basis) }
        };
    }
    let last = *below.last()?;
    let tridiagonal = DMatrix::from_fn(steps, steps, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => below[i.min(j)],
        _ => 0.0,
    });
    let eigen = tridiagonal.symmetric_eigen();
    let (low, high) = (eigen.eigenvalues.imin(), eigen.eigenvalues.imax());
    let residual = |i: usize| (last * eigen.eigenvectors[(steps - 1, i)]).abs();
    Some(Extremes {
        smallest: eigen.eigenvalues[low],
        largest: eigen.eigenvalues[high],
        residual: residual(low).max(residual(high)),
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

/// Removes the parts of `vector` along an orthonormal `basis`; twice, since once leaves the rounding of large parts.
fn orthogonalize(vector: &mut [f64], basis: &[Vec<f64>]) {
    for direction in basis.iter().chain(basis) {
        let along = dot(vector, direction);
        vector.iter_mut().zip(direction).for_each(|(entry, other)| *entry -= along * other);
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::linalg::{symmetric_eigenvalues, tests::random_symmetric};

    fn lanczos(matrix: &Array2<f64>, steps: usize) -> Extremes {
        let apply = |v: &[f64]| matrix.dot(&Array1::from(v.to_vec())).to_vec();
        extreme_eigenvalues(matrix.nrows(), steps, Key::from_seed(1), apply).unwrap()
    }

    #[test]
    fn lanczos_agrees_with_the_dense_solver() {
        for (n, steps) in [(1, 1), (2, 2), (7, 7), (60, 60), (200, 80)] {
            let matrix = random_symmetric(n, n as u64);
            let dense = symmetric_eigenvalues(&matrix);
            let found = lanczos(&matrix, steps);
            assert!(found.residual < 1e-6, "{n}: {found:?}");
            assert!((found.smallest - dense[0]).abs() < 1e-9, "{n}: {found:?}");
            assert!((found.largest - dense[n - 1]).abs() < 1e-9, "{n}: {found:?}");
        }
    }

    #[test]
    fn lanczos_goes_on_after_an_invariant_space() {
        // One distinct eigenvalue: every start is an eigenvector. Then two, whose Krylov spaces have two dimensions.
        let found = lanczos(&(3.0 * Array2::<f64>::eye(5)), 5);
        assert!((found.smallest - 3.0).abs() < 1e-14 && (found.largest - 3.0).abs() < 1e-14, "{found:?}");
        let few = Array2::from_diag(&array![0.0, 0.0, 0.0, -2.0, 0.0]);
        let found = lanczos(&few, 5);
        assert!((found.smallest + 2.0).abs() < 1e-12 && found.largest.abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_has_no_spectrum() {
        let nan = |v: &[f64]| vec![f64::NAN; v.len()];
        assert_eq!(extreme_eigenvalues(3, 3, Key::from_seed(1), nan), None);
        assert_eq!(extreme_eigenvalues(0, 3, Key::from_seed(1), |_| vec![]), None);
    }
}
