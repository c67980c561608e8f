//! Independent components by FastICA: symmetric, with tanh (Hyvarinen, "Fast and robust fixed-point algorithms for
//! independent component analysis", IEEE Transactions on Neural Networks 10(3), 1999).

use ndarray::{Array1, Array2, Axis};

use super::{centred, pca};
use crate::{linalg::symmetric_eigen, random::Draws};

/// Steps, at most; a few dozen are usual.
const STEPS: usize = 1000;

/// Directions have settled once none turns by more than a cosine of 1 less this.
const SETTLED: f64 = 1e-10;

/// The directions of the mixing, `(k, p)`: what each of `most` independent sources adds to a sample, up to scale. As many
/// as the samples `(n, p)` span, at most.
pub fn directions(samples: &Array2<f64>, most: usize, draws: &mut dyn Draws) -> Array2<f64> {
    let (variances, axes) = pca::components(samples, most);
    let spreads = Array1::from(variances).mapv(f64::sqrt).insert_axis(Axis(1)); // (k, 1)
    let white = centred(samples).dot(&(&axes / &spreads).t()); // (n, k)
    let k = axes.nrows();
    let mut unmixing = decorrelated(&Array2::from_shape_simple_fn((k, k), || draws.normal()));
    for _ in 0..STEPS {
        let next = decorrelated(&step(&white, &unmixing));
        let turned = (&next * &unmixing).sum_axis(Axis(1)).iter().map(|cosine| 1.0 - cosine.abs()).fold(0.0, f64::max);
        unmixing = next;
        if turned < SETTLED {
            break;
        }
    }
    unmixing.dot(&(axes * spreads))
}

/// `E[tanh(w x) x] - E[tanh'(w x)] w` for every row w of the unmixing `(k, k)`, over whitened samples x `(n, k)`.
fn step(white: &Array2<f64>, unmixing: &Array2<f64>) -> Array2<f64> {
    let n = white.nrows() as f64;
    let bent = white.dot(&unmixing.t()).mapv_into(f64::tanh); // (n, k)
    let slope = bent.mapv(|value| 1.0 - value * value).sum_axis(Axis(0)) / n;
    bent.t().dot(white) / n - unmixing * &slope.insert_axis(Axis(1))
}

/// The orthonormal rows nearest to those of a matrix: `(W W^T)^(-1/2) W`.
fn decorrelated(matrix: &Array2<f64>) -> Array2<f64> {
    let (values, vectors) = symmetric_eigen(&matrix.dot(&matrix.t()));
    let roots = Array1::from(values).mapv(|value| 1.0 / value.max(f64::MIN_POSITIVE).sqrt());
    (vectors.t().to_owned() * roots).dot(&vectors).dot(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ceilings::testing::draws, metrics::max_cosine};

    /// Uniform sources, mixed by a matrix whose columns are far from orthogonal.
    #[test]
    fn uniform_sources_are_unmixed() {
        let mut draws = draws(3);
        let sources = Array2::from_shape_simple_fn((20_000, 4), || draws.uniform() - 0.5);
        let mixing = Array2::from_shape_simple_fn((6, 4), || draws.normal());
        let samples = sources.dot(&mixing.t()) + 2.0;

        let found = directions(&samples, 4, &mut draws);
        assert!(max_cosine(&found, &mixing).min > 0.999, "{:?}", max_cosine(&found, &mixing));
        let principal = pca::directions(&samples, 4);
        assert!(max_cosine(&principal, &mixing).min < 0.95, "the problem is none");
        assert_eq!(directions(&samples, 9, &mut draws).dim(), (4, 6));
    }

    #[test]
    fn decorrelated_rows_are_orthonormal() {
        let mut draws = draws(4);
        let rows = decorrelated(&Array2::from_shape_simple_fn((5, 5), || draws.normal()));
        assert!((rows.dot(&rows.t()) - Array2::<f64>::eye(5)).iter().all(|entry| entry.abs() < 1e-12));
        assert!((decorrelated(&rows) - &rows).iter().all(|entry| entry.abs() < 1e-12));
    }
}
