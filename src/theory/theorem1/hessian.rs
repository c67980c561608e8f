//! Hessians on the non-negative part of U.
//!
//! A permutation is a corner of that part: there the losses have only one-sided slopes and no Hessian. In coordinates S
//! with `w_ij = s_ij^2 / |column j of S^2|` the same set has no corners, a slope into it becomes a curvature, and flat
//! directions stay flat; there the Hessian decides.

use ndarray::{Array2, Axis};

use crate::{
    linalg::symmetric_eigenvalues,
    theory::columns::{tangent, tangent_basis, with_unit_columns},
};

/// Eigenvalues, the smallest first, of the Hessian at the non-negative matrix `weight` of U in the coordinates S, without
/// the lengths of its columns, which change nothing: `d (m - 1)` of them. `by_representation` is the gradient with
/// respect to R as a function of R.
pub fn orthant_spectrum(weight: &Array2<f64>, by_representation: &dyn Fn(&Array2<f64>) -> Array2<f64>) -> Vec<f64> {
    const STEP: f64 = 1e-4;
    let gradient = |s: &Array2<f64>| {
        let squares = s * s;
        let lengths = squares.map_axis(Axis(0), |column| column.dot(&column).sqrt());
        let weight = &squares / &lengths;
        2.0 * s * tangent(&weight, by_representation(&weight)) / lengths
    };
    let s = with_unit_columns(weight.mapv(f64::sqrt));
    let basis = tangent_basis(&s);
    let columns: Vec<Array2<f64>> = basis
        .iter()
        .map(|axis| (gradient(&(&s + &(axis * STEP))) - gradient(&(&s - &(axis * STEP)))) / (2.0 * STEP))
        .collect();
    let entry = |i: usize, j: usize| (&basis[i] * &columns[j]).sum();
    let hessian = Array2::from_shape_fn((basis.len(), basis.len()), |(i, j)| (entry(i, j) + entry(j, i)) / 2.0);
    symmetric_eigenvalues(&hessian)
}

/// An eigenvalue below this is flat.
pub const FLAT: f64 = 1e-7;

/// How many of the eigenvalues are zero.
pub fn flat_directions(eigenvalues: &[f64]) -> usize {
    eigenvalues.iter().filter(|value| value.abs() < FLAT).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        random::native::Key,
        theory::{
            columns::{collapsed, permutation, random_non_negative},
            theorem1::{loss::Views, surroundings::merged_pair},
        },
    };

    const VIEWS: Views = Views { alpha: 0.4, temperature: 0.7 };

    fn contrastive(weight: &Array2<f64>) -> Vec<f64> {
        orthant_spectrum(weight, &|r| VIEWS.contrastive_of(r).1)
    }

    #[test]
    fn a_permutation_is_flat_for_one_loss_and_curved_for_the_other() {
        for d in 2..=5 {
            let weight = permutation(&(0..d).rev().collect::<Vec<_>>());
            let non_contrastive = orthant_spectrum(&weight, &|r| VIEWS.non_contrastive_gradient(r).1);
            assert_eq!(flat_directions(&non_contrastive), d * (d - 1));
            let eigenvalues = contrastive(&weight);
            assert_eq!(eigenvalues.len(), d * (d - 1));
            let expected = VIEWS.permutation_curvature(d);
            assert!(eigenvalues.iter().all(|value| (value - expected).abs() < 1e-8), "{expected}: {eigenvalues:?}");
        }
    }

    #[test]
    fn every_non_negative_matrix_is_flat_for_the_non_contrastive_loss() {
        let weight = random_non_negative((4, 4), &mut Key::from_seed(3).stream());
        for weight in [weight, collapsed(4), merged_pair(4)] {
            let eigenvalues = orthant_spectrum(&weight, &|r| VIEWS.non_contrastive_gradient(r).1);
            assert_eq!(flat_directions(&eigenvalues), 12);
        }
    }

    #[test]
    fn collapse_bends_down_and_a_merged_pair_does_not() {
        assert!(contrastive(&collapsed(4))[0] < -1e-3);
        let merged = contrastive(&merged_pair(4));
        assert!(merged[0] > -1e-9, "{merged:?}");
        assert_eq!(flat_directions(&merged), 1);
    }
}
