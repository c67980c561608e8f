//! Principal directions.

use ndarray::{Array2, s};

use super::centred;
use crate::linalg::symmetric_eigen;

/// Directions whose variance is below this share of the largest are rounding.
const RANK: f64 = 1e-12;

/// The leading principal directions of samples `(n, p)`, `(k, p)`, with the variances along them, largest first: at most
/// `most`, and no more than the samples span.
pub fn components(samples: &Array2<f64>, most: usize) -> (Vec<f64>, Array2<f64>) {
    let x = centred(samples);
    let (mut variances, directions) = symmetric_eigen(&(x.t().dot(&x) / x.nrows() as f64));
    let largest = variances.first().copied().unwrap_or(0.0);
    let rank = variances.iter().take_while(|&&variance| variance > RANK * largest).count();
    variances.truncate(rank.min(most));
    let kept = directions.slice(s![..variances.len(), ..]).to_owned();
    (variances, kept)
}

/// The directions of [`components`] alone.
pub fn directions(samples: &Array2<f64>, most: usize) -> Array2<f64> {
    components(samples, most).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ceilings::testing::draws, linalg::orthonormal_columns, metrics::max_cosine, random::Draws};

    #[test]
    fn the_axes_of_a_gaussian_are_found() {
        let mut draws = draws(1);
        let gaussian = Array2::from_shape_simple_fn((5, 5), || draws.normal());
        let axes = orthonormal_columns(&gaussian);
        let spread = [9.0, 5.0, 3.0, 0.1, 0.0];
        let z = Array2::from_shape_fn((20_000, 5), |(_, j)| 7.0 + spread[j] * draws.normal());
        let samples = z.dot(&axes.t());

        let (variances, found) = components(&samples, 3);
        for (variance, spread) in variances.iter().zip(spread) {
            assert!((variance / spread.powi(2) - 1.0).abs() < 0.05, "{variance}");
        }
        for (i, direction) in found.rows().into_iter().enumerate() {
            assert!(direction.dot(&axes.column(i)).abs() > 0.999);
        }
        assert!(max_cosine(&found, &axes.slice_move(s![.., ..3])).min > 0.999);
        assert_eq!(directions(&samples, 9).nrows(), 4, "one axis has no spread");
    }
}
