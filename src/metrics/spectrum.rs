use ndarray::Array2;

use crate::linalg::singular_values;

/// Extreme singular values of a weight matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spectrum {
    pub largest: f64,
    pub smallest: f64,
}

impl Spectrum {
    /// Largest over smallest.
    pub fn condition_number(self) -> f64 {
        self.largest / self.smallest
    }
}

/// Extreme singular values of a matrix, in double precision. A matrix with a value that is not finite has none.
pub fn spectrum(weight: &Array2<f64>) -> Option<Spectrum> {
    if weight.is_empty() || weight.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let values = singular_values(weight);
    Some(Spectrum { largest: *values.first()?, smallest: *values.last()? })
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
    }

    #[test]
    fn of_a_diverged_weight() {
        assert_eq!(spectrum(&array![[f64::NAN]]), None);
    }
}
