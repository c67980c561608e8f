use ndarray::Array2;

use crate::linalg::singular_values;

/// Singular values of a weight matrix, in short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spectrum {
    /// The largest singular value: the spectral norm.
    pub largest: f64,
    /// The smallest of the `min(rows, columns)` singular values.
    pub smallest: f64,
    /// `exp` of the entropy of the singular values, normalised: the number of dimensions in use (Roy and Vetterli 2007).
    pub effective_rank: f64,
}

impl Spectrum {
    /// Largest over smallest.
    pub fn condition_number(self) -> f64 {
        self.largest / self.smallest
    }
}

/// The singular values of a matrix, in double precision. A matrix with a value that is not finite has none.
pub fn spectrum(weight: &Array2<f64>) -> Option<Spectrum> {
    if weight.is_empty() || weight.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let values = singular_values(weight);
    let effective_rank = effective_rank(&values);
    Some(Spectrum { largest: *values.first()?, smallest: *values.last()?, effective_rank })
}

/// `exp` of the entropy of singular values as shares of their sum; 0 where all are.
pub(super) fn effective_rank(singular: &[f64]) -> f64 {
    let total: f64 = singular.iter().sum();
    if total == 0.0 {
        return 0.0;
    }
    let entropy: f64 = singular.iter().map(|s| s / total).filter(|share| *share > 0.0).map(|q| -q * q.ln()).sum();
    entropy.exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn of_a_scaled_rotation() {
        let (sin, cos) = 0.3f64.sin_cos();
        let matrix = array![[3.0 * cos, -2.0 * sin], [3.0 * sin, 2.0 * cos]];
        let measured = spectrum(&matrix).unwrap();
        assert!((measured.largest - 3.0).abs() < 1e-14 && (measured.smallest - 2.0).abs() < 1e-14);
        assert!((measured.condition_number() - 1.5).abs() < 1e-14);
        // Shares of 3/5 and 2/5.
        let entropy = -(0.6f64 * 0.6f64.ln() + 0.4 * 0.4f64.ln());
        assert!((measured.effective_rank - entropy.exp()).abs() < 1e-14);
    }

    #[test]
    fn of_a_diverged_weight() {
        assert_eq!(spectrum(&array![[f64::NAN]]), None);
    }
}
