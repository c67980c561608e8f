use ndarray::{Array2, ArrayView1};

use super::{FOUND, cosines};
use crate::linalg::{assignment, row_space};

/// How well an encoder has the dictionary, beyond max-cosines: its span, which neuron answers which atom, and with
/// which sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// `|V^T M|^2 / |M|^2`, V the leading right singular vectors of W, as many as there are atoms: 1 if they span what the
    /// atoms span, and on average d / p for directions at random. None where there are more atoms than dimensions: they
    /// span everything.
    pub span_overlap: Option<f64>,
    /// Neurons with a cosine of at least [`FOUND`] with some atom, over the atoms that have such neurons.
    pub neurons_per_atom: Option<f64>,
    /// The smallest, over atoms, of the largest signed cosines.
    pub signed_min: f64,
    /// The smallest, over atoms, of the cosines with a neuron of their own, under the assignment with the largest sum.
    /// Zero where there are fewer neurons than atoms.
    pub matched_min: f64,
}

/// Measures an encoder `(m, p)` against a dictionary `(p, d)`. `None` if a value is not finite.
pub fn recovery(weight: &Array2<f64>, dictionary: &Array2<f64>) -> Option<Recovery> {
    let cosines = cosines(weight, dictionary);
    if weight.is_empty() || cosines.iter().any(|cosine| !cosine.is_finite()) {
        return None;
    }
    let is_proper = dictionary.ncols() <= dictionary.nrows();
    let basis = row_space(weight, dictionary.ncols()); // (k, p)
    let square = |matrix: &Array2<f64>| matrix.iter().map(|entry| entry * entry).sum::<f64>();
    let near = |cosine: &&f64| cosine.abs() >= FOUND;
    let neurons = cosines.rows().into_iter().filter(|row| row.iter().any(|cosine| near(&cosine))).count();
    let atoms = cosines.columns().into_iter().filter(|atom| atom.iter().any(|cosine| near(&cosine))).count();
    let largest = |atom: ArrayView1<f64>| atom.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sizes = cosines.mapv(f64::abs);
    let matched = match assignment(&sizes.t().to_owned()) {
        Some(neurons) => neurons.iter().enumerate().map(|(atom, &neuron)| sizes[[neuron, atom]]).fold(1.0, f64::min),
        None => 0.0,
    };
    Some(Recovery {
        span_overlap: is_proper.then(|| (square(&basis.dot(dictionary)) / square(dictionary)).min(1.0)),
        neurons_per_atom: (atoms > 0).then(|| neurons as f64 / atoms as f64),
        signed_min: cosines.columns().into_iter().map(largest).fold(f64::INFINITY, f64::min),
        matched_min: matched,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, s};

    #[test]
    fn atoms_found_twice_and_with_the_wrong_sign() {
        // Atom 0 by two neurons, atom 1 with the wrong sign, atom 2 by nobody.
        let weight = array![[1.0, 0.0, 0.0, 0.1], [2.0, 0.1, 0.0, 0.0], [0.0, -3.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        let dictionary = Array2::<f64>::eye(4).slice_move(s![.., ..3]);
        let measured = recovery(&weight, &dictionary).unwrap();
        assert_eq!(measured.neurons_per_atom, Some(1.5));
        assert!((measured.signed_min - 0.0).abs() < 1e-15);
        assert_eq!(measured.matched_min, 0.0);
        // The leading three directions are near the axes 1, 0 and 3: two of the three atoms.
        assert!((measured.span_overlap.unwrap() - 2.0 / 3.0).abs() < 0.01, "{measured:?}");
    }

    #[test]
    fn one_neuron_cannot_answer_two_atoms() {
        let both = array![[1.0, 1.0, 0.0], [0.0, 0.1, 1.0]];
        let measured = recovery(&both, &Array2::<f64>::eye(3).slice_move(s![.., ..2])).unwrap();
        // Each atom's best neuron is the first; one to one, the second answers atom 1.
        assert!((measured.signed_min - 0.5f64.sqrt()).abs() < 1e-12);
        assert!((measured.matched_min - 0.1 / 1.01f64.sqrt()).abs() < 1e-12);
        assert_eq!(measured.neurons_per_atom, None);
        assert_eq!(recovery(&array![[1.0, 0.0]], &Array2::eye(2)).unwrap().matched_min, 0.0);
        let overcomplete =
            recovery(&array![[1.0, 0.0], [0.0, 1.0]], &array![[1.0, 0.0, 0.6], [0.0, 1.0, 0.8]]).unwrap();
        assert_eq!((overcomplete.span_overlap, overcomplete.matched_min), (None, 0.0));
        assert_eq!(recovery(&array![[f64::NAN, 0.0]], &Array2::eye(2)), None);
    }

    #[test]
    fn a_rotation_within_the_span_finds_the_span_alone() {
        let (sin, cos) = 0.7f64.sin_cos();
        let turned = array![[cos, sin, 0.0], [-sin, cos, 0.0]];
        let measured = recovery(&turned, &Array2::<f64>::eye(3).slice_move(s![.., ..2])).unwrap();
        assert!((measured.span_overlap.unwrap() - 1.0).abs() < 1e-12 && measured.matched_min < 0.8);
    }
}
