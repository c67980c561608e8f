//! What lies at the end of a descent: a minimum or a saddle, a permutation or not.

use ndarray::{Array2, Axis, Zip};

use super::{descent::End, loss::representations};
use crate::{
    linalg::extreme_eigenvalues,
    random::native::Key,
    theory::columns::{nearest_permutation, tangent, tangent_basis, with_unit_columns},
};

/// A matrix this near to a permutation counts as one.
pub const AT_PERMUTATION: f64 = 1e-6;
/// An entry this near to zero counts as zero, as does a curvature.
const NEAR: f64 = 1e-5;

/// How a loss rises around a point of U: whether the point is a local minimum.
///
/// ReLU gives the loss corners wherever an entry is zero, so a Hessian alone does not decide. Around a point with zero
/// entries there are three ways to go, which to second order do not mix, unless some zero entry costs no slope: then
/// each of these is tried by itself, which may show a saddle but not a minimum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surroundings {
    /// The smallest slope towards making one of the zero entries positive.
    pub slope: f64,
    /// The smallest curvature towards making one of them positive that costs no slope; infinite if all do.
    pub entering: f64,
    /// The smallest curvature towards making one of them negative, which shortens the column's representation.
    pub wasting: f64,
    /// The smallest eigenvalue of the Hessian on the tangent space, among the directions that leave the zero entries at
    /// zero.
    pub curvature: f64,
}

impl Surroundings {
    /// Explores around `weight`, with entries of almost zero set to zero. `by_representation` is the gradient with respect
    /// to R = ReLU(W) as a function of R.
    pub fn of(weight: &Array2<f64>, key: Key, by_representation: &dyn Fn(&Array2<f64>) -> Array2<f64>) -> Self {
        let snap = |entry: f64| if entry.abs() < NEAR { 0.0 } else { entry };
        let weight = with_unit_columns(weight.mapv(snap));
        let zero = weight.mapv(|entry| entry == 0.0);
        let slopes = by_representation(&representations(&weight));
        let mut slope = f64::INFINITY;
        Zip::from(&slopes).and(&zero).for_each(|along, &zero| slope = if zero { slope.min(*along) } else { slope });
        // Column r cos(e), -sin(e): the loss changes by -<dL/dr, r> e^2 / 2.
        let reward = (&slopes * &representations(&weight)).sum_axis(Axis(0));
        let cornered = zero.columns().into_iter().map(|column| column.iter().any(|&zero| zero));
        let wasting = cornered.zip(&reward).filter(|(any, _)| *any).map(|(_, reward)| -reward);
        let free = zero.indexed_iter().filter(|(place, zero)| **zero && slopes[*place].abs() < NEAR);
        let entering = free.map(|(place, _)| entering(&weight, place, by_representation));
        Self {
            slope,
            entering: entering.fold(f64::INFINITY, f64::min),
            wasting: wasting.fold(f64::INFINITY, f64::min),
            curvature: curvature(&weight, key, by_representation),
        }
    }

    /// Whether no way leads down, as far as numbers can tell.
    pub fn is_minimum(&self) -> bool {
        self.slope > -NEAR && self.entering > -NEAR && self.wasting > -NEAR && self.curvature > -NEAR
    }
}

/// The curvature towards making the zero entry at `place` positive, by the change of the slope on the way.
fn entering(
    weight: &Array2<f64>,
    (row, column): (usize, usize),
    by_representation: &dyn Fn(&Array2<f64>) -> Array2<f64>,
) -> f64 {
    const ANGLE: f64 = 1e-3;
    let slope = |angle: f64| {
        let mut moved = weight.clone();
        let mut ahead = weight.column(column).to_owned() * -angle.sin();
        ahead[row] = angle.cos();
        moved.column_mut(column).mapv_inplace(|entry| entry * angle.cos());
        moved[[row, column]] = angle.sin();
        // Entries that ReLU takes away do not count.
        let gradient = by_representation(&representations(&moved));
        let along = gradient.column(column).into_iter().zip(&ahead).zip(moved.column(column));
        along.filter(|(_, entry)| **entry >= 0.0).map(|((slope, ahead), _)| slope * ahead).sum::<f64>()
    };
    (slope(ANGLE) - slope(0.0)) / ANGLE
}

/// The smallest eigenvalue of the Riemannian Hessian among directions that keep zero entries at zero, by central
/// differences of the gradient. Infinite where there is no such direction, as at a permutation.
fn curvature(weight: &Array2<f64>, key: Key, by_representation: &dyn Fn(&Array2<f64>) -> Array2<f64>) -> f64 {
    const STEP: f64 = 0.1 * NEAR; // steps over no corner
    let gradient = |at: &Array2<f64>| {
        let mut gradient = by_representation(&representations(at));
        Zip::from(&mut gradient).and(at).for_each(|slope, &entry| *slope *= f64::from(u8::from(entry > 0.0)));
        tangent(at, gradient)
    };
    let keeps =
        |direction: &Array2<f64>| Zip::from(direction).and(weight).all(|&along, &entry| entry != 0.0 || along == 0.0);
    let basis: Vec<Array2<f64>> = tangent_basis(weight).into_iter().filter(keeps).collect();
    let apply = |v: &[f64]| {
        let mut direction = Array2::zeros(weight.dim());
        v.iter().zip(&basis).for_each(|(along, axis)| direction.scaled_add(*along, axis));
        let moved = |by: f64| gradient(&with_unit_columns(weight + &(&direction * by)));
        let image = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        basis.iter().map(|axis| (axis * &image).sum()).collect()
    };
    extreme_eigenvalues(basis.len(), basis.len(), key, apply).map_or(f64::INFINITY, |extremes| extremes.smallest)
}

/// What lies at the end of a descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A permutation matrix, which recovers every atom: the theorem's minimum.
    Permutation,
    /// Another minimum: of the contrastive loss a local one, with atoms merged on one neuron or mapped to zero.
    OtherMinimum,
    /// A stationary point with a way down.
    Saddle,
    /// Not yet stationary when the steps ran out.
    Unfinished,
}

impl Kind {
    /// Every kind with its name.
    pub const ALL: [(Kind, &'static str); 4] = [
        (Kind::Permutation, "permutation"),
        (Kind::OtherMinimum, "another minimum"),
        (Kind::Saddle, "saddle"),
        (Kind::Unfinished, "unfinished"),
    ];

    /// Its name in tables and pictures.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind of an end, by its weight and, if that is stationary, by the curvature there.
    pub fn of(end: &End, surroundings: &Surroundings) -> Self {
        match () {
            () if is_permutation(&end.weight) => Kind::Permutation,
            () if !end.converged => Kind::Unfinished,
            () if surroundings.is_minimum() => Kind::OtherMinimum,
            () => Kind::Saddle,
        }
    }
}

fn is_permutation(weight: &Array2<f64>) -> bool {
    weight.is_square() && nearest_permutation(weight).distance < AT_PERMUTATION
}

/// Atoms mapped to zero, and pairs of atoms that share a neuron.
pub fn dead_and_merged(weight: &Array2<f64>) -> (usize, usize) {
    let r = representations(weight);
    let overlap = r.t().dot(&r);
    let d = r.ncols();
    let dead = (0..d).filter(|&i| overlap[[i, i]] < NEAR).count();
    let merged = (0..d).flat_map(|i| (0..i).map(move |j| (i, j))).filter(|&pair| overlap[pair] > 1e-3).count();
    (dead, merged)
}

/// A matrix of U in which atoms 0 and 1 share neuron 0 while atom 2 keeps both neurons 1 and 2 busy: a local minimum of
/// the contrastive loss that is no permutation. For `d >= 3`.
pub fn merged_pair(d: usize) -> Array2<f64> {
    on_arc(d, std::f64::consts::FRAC_PI_4)
}

/// The same with atom 2 turned between its neurons: wholly on neuron 1 at angle 0, on neuron 2 at a right angle. All of them
/// have the same loss, an arc.
pub fn on_arc(d: usize, angle: f64) -> Array2<f64> {
    let mut weight = Array2::eye(d);
    weight[[1, 1]] = 0.0;
    weight[[0, 1]] = 1.0;
    weight[[1, 2]] = angle.cos();
    weight[[2, 2]] = angle.sin();
    weight
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::{
        columns::{collapsed, permutation, random_signed},
        theorem1::loss::Views,
    };

    const VIEWS: Views = Views { alpha: 0.5, temperature: 1.0 };

    fn around(weight: &Array2<f64>) -> Surroundings {
        Surroundings::of(weight, Key::from_seed(1), &|r| VIEWS.contrastive_of(r).1)
    }

    /// The smallest rise of the contrastive loss over random steps of length about `size` on U.
    fn smallest_rise(weight: &Array2<f64>, size: f64) -> f64 {
        let loss = VIEWS.contrastive(weight);
        let rise = |seed: u64| {
            let step = random_signed(weight.dim(), &mut Key::from_seed(seed).stream());
            VIEWS.contrastive(&with_unit_columns(weight + &(step * size))) - loss
        };
        (0..500).map(rise).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn permutations_and_merged_pairs_are_local_minima_and_collapse_is_a_saddle() {
        for d in 4..=6 {
            let at_permutation = around(&permutation(&(0..d).rev().collect::<Vec<_>>()));
            assert!(at_permutation.is_minimum() && at_permutation.slope > 1e-3, "{at_permutation:?}");
            assert_eq!(at_permutation.curvature, f64::INFINITY);
            let merged = merged_pair(d);
            let at_merged = around(&merged);
            assert!(at_merged.is_minimum() && at_merged.slope > 1e-3, "{at_merged:?}");
            assert!(
                at_merged.curvature.abs() < 1e-8,
                "turning atom 2 between its neurons costs nothing: {at_merged:?}"
            );
            assert!(smallest_rise(&merged, 1e-4) > 0.0);
            assert!(VIEWS.contrastive(&merged) > VIEWS.contrastive_minimum(d) + 1e-3);
            assert_eq!(dead_and_merged(&merged), (0, 1));
            assert!(!around(&collapsed(d)).is_minimum());
            assert!(smallest_rise(&collapsed(d), 1e-3) < 0.0);
        }
    }

    #[test]
    fn an_arc_of_minima_ends_in_saddles_of_the_same_loss() {
        let d = 4;
        for share in [0.1, 0.4, 0.9] {
            let inside = on_arc(d, share * std::f64::consts::FRAC_PI_2);
            assert!(around(&inside).is_minimum(), "{:?}", around(&inside));
            assert!((VIEWS.contrastive(&inside) - VIEWS.contrastive(&merged_pair(d))).abs() < 1e-14);
        }
        for angle in [0.0, std::f64::consts::FRAC_PI_2] {
            let end = on_arc(d, angle);
            let at_end = around(&end);
            assert!((VIEWS.contrastive(&end) - VIEWS.contrastive(&merged_pair(d))).abs() < 1e-14);
            assert!(!at_end.is_minimum() && at_end.slope.abs() < 1e-12 && at_end.entering < -1e-3, "{at_end:?}");
        }
        // The way down leads to a permutation without a rise: atom 1 moves to the idle neuron.
        let on_the_way = |angle: f64| {
            let mut weight = on_arc(d, 0.0);
            weight[[0, 1]] = angle.cos();
            weight[[2, 1]] = angle.sin();
            VIEWS.contrastive(&weight)
        };
        let losses: Vec<f64> = (0..=90).map(|degrees| on_the_way(f64::from(degrees).to_radians())).collect();
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0] + 1e-15));
        assert!((losses[90] - VIEWS.contrastive_minimum(d)).abs() < 1e-14);
    }

    #[test]
    fn the_curvatures_are_those_of_the_loss() {
        let weight = merged_pair(4);
        let at = around(&weight);
        let rise = |row: usize, column: usize, by: f64| {
            let mut moved = weight.clone();
            moved[[row, column]] = by;
            VIEWS.contrastive(&with_unit_columns(moved)) - VIEWS.contrastive(&weight)
        };
        let pairs: Vec<_> = weight.indexed_iter().filter(|(_, entry)| **entry == 0.0).map(|(place, _)| place).collect();
        let smallest =
            |of: &dyn Fn(usize, usize) -> f64| pairs.iter().map(|&(i, j)| of(i, j)).fold(f64::INFINITY, f64::min);
        assert!((smallest(&|i, j| rise(i, j, 1e-7) / 1e-7) - at.slope).abs() < 1e-6);
        assert!((smallest(&|i, j| 2.0 * rise(i, j, -1e-3) / 1e-6) - at.wasting).abs() < 1e-6);
    }
}
