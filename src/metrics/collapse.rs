use ndarray::{Array2, Axis};

use super::spectrum;
use crate::linalg::symmetric_eigenvalues;

/// Whether representations have collapsed to a point, or to few dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collapse {
    /// Mean over neurons of the standard deviation over samples of unit-norm representations, times sqrt(m): 0 for
    /// complete collapse, about 1 for directions spread over the sphere (Chen and He 2021, Section 4.1).
    pub representation_std: f64,
    /// `exp` of the entropy of the normalised singular values of the centred representations: the number of
    /// dimensions in use (Roy and Vetterli 2007); small for dimensional collapse.
    pub effective_rank: f64,
    /// Mean cosine between the representations of two different samples: 1 for complete collapse; the lower, the
    /// better separated.
    pub mean_cosine: f64,
}

/// Measures collapse of representations `(B, m)`. `None` if a value is not finite or there are fewer than two samples.
pub fn collapse(representation: &Array2<f64>) -> Option<Collapse> {
    let (samples, m) = representation.dim();
    if samples < 2 || representation.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut unit = representation.clone();
    for mut row in unit.outer_iter_mut() {
        let length = row.dot(&row).sqrt();
        row.mapv_inplace(|value| value / length.max(1e-12));
    }
    let std = unit.std_axis(Axis(0), 0.0).mean().unwrap_or(0.0) * (m as f64).sqrt();
    let sum = unit.sum_axis(Axis(0));
    let n = samples as f64;
    let mean_cosine = (sum.dot(&sum) - unit.iter().map(|v| v * v).sum::<f64>()) / (n * (n - 1.0));
    Some(Collapse { representation_std: std, effective_rank: effective_rank(representation)?, mean_cosine })
}

fn effective_rank(representation: &Array2<f64>) -> Option<f64> {
    let mean = representation.mean_axis(Axis(0))?;
    let centred = representation - &mean;
    let covariance = centred.t().dot(&centred); // (m, m)
    if covariance.iter().any(|value| !value.is_finite()) {
        return None; // of a run that diverges: its square is too large for a number
    }
    let singular = symmetric_eigenvalues(&covariance).into_iter().map(|value| value.max(0.0).sqrt());
    let singular: Vec<f64> = singular.collect();
    Some(spectrum::effective_rank(&singular))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_constant_representation_is_completely_collapsed() {
        let measured = collapse(&Array2::from_elem((5, 3), 2.0)).unwrap();
        assert!(measured.representation_std < 1e-12 && measured.effective_rank < 1e-6);
        assert!((measured.mean_cosine - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_representation_too_large_to_be_squared_is_not_measured() {
        assert_eq!(collapse(&array![[1e200, 0.0], [0.0, 1e200]]), None);
    }

    #[test]
    fn effective_rank_counts_dimensions() {
        let line = array![[1.0, 1.0], [2.0, 2.0], [-3.0, -3.0]];
        assert!((collapse(&line).unwrap().effective_rank - 1.0).abs() < 1e-6);
        let cross = array![[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
        let measured = collapse(&cross).unwrap();
        assert!((measured.effective_rank - 2.0).abs() < 1e-9);
        assert!((measured.representation_std - 1.0).abs() < 1e-12);
    }
}
