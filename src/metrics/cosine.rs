use ndarray::{Array1, Array2, Axis};

/// An atom with a max-cosine of at least this counts as found.
pub const FOUND: f64 = 0.9;

/// Recovery of the dictionary by the encoder (Eq. 12): over the atoms j, the maximum, median and minimum of
/// `max_i |<W_i*, M_*j>| / (|W_i*| |M_*j|)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxCosine {
    /// Of the atom recovered best.
    pub max: f64,
    /// The mean of the middle two for an even number of atoms.
    pub median: f64,
    /// Of the atom recovered worst: 1 if all are found.
    pub min: f64,
    /// Atoms that are [`FOUND`]; none where a cosine is not a number.
    pub found: Option<usize>,
}

/// Signed cosines between neurons and atoms, `(m, d)`, for an encoder weight `(m, p)` and a dictionary `(p, d)`.
///
/// A neuron of zeros has cosines of zero here; in the authors' code it is a NaN.
pub fn cosines(weight: &Array2<f64>, dictionary: &Array2<f64>) -> Array2<f64> {
    let length = |squares: f64| if squares > 0.0 { squares.sqrt() } else { 1.0 };
    let neurons: Array1<f64> = weight.map_axis(Axis(1), |row| length(row.dot(&row)));
    let atoms: Array1<f64> = dictionary.map_axis(Axis(0), |atom| length(atom.dot(&atom)));
    weight.dot(dictionary) / neurons.insert_axis(Axis(1)) / atoms
}

/// Max-cosine of every atom, summarised.
pub fn max_cosine(weight: &Array2<f64>, dictionary: &Array2<f64>) -> MaxCosine {
    let cosines = cosines(weight, dictionary);
    let mut best: Vec<f64> =
        cosines.columns().into_iter().map(|atom| atom.iter().fold(0.0, |best: f64, c| best.max(c.abs()))).collect();
    if cosines.iter().any(|c| c.is_nan()) {
        return MaxCosine { max: f64::NAN, median: f64::NAN, min: f64::NAN, found: None };
    }
    best.sort_by(f64::total_cmp);
    let d = best.len();
    MaxCosine {
        max: best[d - 1],
        median: (best[(d - 1) / 2] + best[d / 2]) / 2.0,
        min: best[0],
        found: Some(best.iter().filter(|cosine| **cosine >= FOUND).count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_scaled_signed_permutation_recovers_everything() {
        let weight = array![[0.0, -3.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 7.0]];
        let recovered = max_cosine(&weight, &Array2::eye(3));
        assert_eq!(recovered, MaxCosine { max: 1.0, median: 1.0, min: 1.0, found: Some(3) });
    }

    #[test]
    fn the_median_of_an_even_number_is_the_middle_twos_mean() {
        // One neuron: its cosines with the four atoms are 1, 2, 3, 4 over their common length.
        let weight = array![[1.0, 2.0, 3.0, 4.0]];
        let measured = max_cosine(&weight, &Array2::eye(4));
        let length = 30f64.sqrt();
        assert!((measured.max - 4.0 / length).abs() < 1e-15);
        assert!((measured.median - 2.5 / length).abs() < 1e-15);
        assert!((measured.min - 1.0 / length).abs() < 1e-15);
    }

    #[test]
    fn a_dead_neuron_recovers_nothing() {
        let measured = max_cosine(&Array2::zeros((2, 3)), &Array2::eye(3));
        assert_eq!(measured, MaxCosine { max: 0.0, median: 0.0, min: 0.0, found: Some(0) });
    }
}
