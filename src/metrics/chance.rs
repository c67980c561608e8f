//! The chance level of max-cosines: what an encoder scores that has found the dictionary's span and nothing more.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::{LazyLock, Mutex},
};

use ndarray::Array2;

use crate::{
    linalg::orthonormal_columns,
    random::{Draws, native::Key},
};

/// Mean max-cosines of neurons that point at random within a space that holds the atoms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// Of the atom that random neurons come nearest to.
    pub max: f64,
    /// Over the atoms; the mean of the middle two for an even number.
    pub median: f64,
    /// Of the atom that they miss most.
    pub min: f64,
}

/// Random numbers drawn for a level: enough for the third digit at the sizes of the paper.
const NUMBERS: usize = 2_000_000;

/// The geometry of a dictionary's atoms, up to a rotation of everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Atoms {
    /// This many, of unit length and orthogonal.
    Orthonormal(usize),
    /// All with the same cosine to each other.
    Coherent {
        /// How many.
        atoms: usize,
        /// Of any two.
        cosine: f64,
    },
    /// Random directions; the level is a mean over them, too.
    Random {
        /// How many.
        atoms: usize,
        /// Of the space that they are drawn in.
        dimensions: usize,
    },
}

/// The chance level of `neurons` random directions in the span of the atoms, by simulation (the same for every call).
///
/// It is not small: 50 directions in the span of 10 orthonormal atoms come within a cosine of 0.59 of the atom that they
/// miss most.
pub fn chance(neurons: usize, atoms: Atoms) -> Chance {
    static LEVELS: LazyLock<Mutex<HashMap<(usize, Atoms), Chance>>> = LazyLock::new(Mutex::default);
    let mut levels = LEVELS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *levels.entry((neurons, atoms)).or_insert_with(|| match atoms {
        Atoms::Orthonormal(atoms) => simulate(neurons, atoms, atoms),
        Atoms::Coherent { atoms, cosine } => simulate_among(neurons, (atoms, atoms), |_| coherent(atoms, cosine)),
        Atoms::Random { atoms, dimensions } => simulate_among(neurons, (dimensions.min(atoms), atoms), |draws| {
            within_span(&random_atoms(draws, dimensions, atoms))
        }),
    })
}

impl Eq for Atoms {}

impl Hash for Atoms {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (kind, atoms, other) = match *self {
            Self::Orthonormal(atoms) => (0, atoms, 0),
            Self::Coherent { atoms, cosine } => (1, atoms, cosine.to_bits()),
            Self::Random { atoms, dimensions } => (2, atoms, dimensions as u64),
        };
        (kind, atoms, other).hash(state);
    }
}

/// Unit atoms with equal cosines, `(d, d)`: the root of their Gram matrix.
pub fn coherent(atoms: usize, cosine: f64) -> Array2<f64> {
    let apart = (1.0 - cosine).sqrt();
    let shared = ((1.0 + (atoms as f64 - 1.0) * cosine).sqrt() - apart) / atoms as f64;
    Array2::from_shape_fn((atoms, atoms), |(i, j)| if i == j { apart + shared } else { shared })
}

/// Columns of a standard Gaussian matrix, `(p, d)`, scaled to unit length.
pub fn random_atoms(draws: &mut dyn Draws, p: usize, d: usize) -> Array2<f64> {
    let mut atoms = Array2::from_shape_simple_fn((p, d), || draws.normal());
    for mut atom in atoms.columns_mut() {
        let length = atom.dot(&atom).sqrt();
        atom /= length;
    }
    atoms
}

/// The atoms `(p, d)` in coordinates of their span, `(min(p, d), d)`.
fn within_span(atoms: &Array2<f64>) -> Array2<f64> {
    if atoms.nrows() <= atoms.ncols() { atoms.clone() } else { orthonormal_columns(atoms).t().dot(atoms) }
}

/// Random directions in a space of this many dimensions that holds the orthonormal atoms.
fn simulate(neurons: usize, atoms: usize, dimensions: usize) -> Chance {
    let key = Key::from_seed(0x6368_616e_6365).derive(neurons as u64).derive(atoms as u64);
    let mut stream = key.derive(dimensions as u64).stream();
    average(neurons * dimensions, || {
        let mut best = vec![0.0f64; atoms];
        for _ in 0..neurons {
            let direction = direction(&mut stream, dimensions);
            best.iter_mut().zip(&direction).for_each(|(best, entry)| *best = best.max(entry.abs()));
        }
        best
    })
}

/// Random directions in the space of the atoms' coordinates, `(k, d)`, which are drawn anew each time; `shape` is (k, d).
fn simulate_among(
    neurons: usize,
    (dimensions, atoms): (usize, usize),
    mut coordinates: impl FnMut(&mut dyn Draws) -> Array2<f64>,
) -> Chance {
    let key = Key::from_seed(0x6368_616e_6365).derive(neurons as u64);
    let mut stream = key.derive(dimensions as u64).derive(atoms as u64).stream();
    average(neurons.saturating_mul(dimensions).saturating_mul(atoms) / 32, || {
        let coordinates = coordinates(&mut stream);
        let directions: Vec<f64> = (0..neurons).flat_map(|_| direction(&mut stream, coordinates.nrows())).collect();
        let directions = Array2::from_shape_vec((neurons, coordinates.nrows()), directions).expect("k for each");
        let cosines = directions.dot(&coordinates); // (m, d)
        cosines.columns().into_iter().map(|atom| atom.iter().fold(0.0f64, |best, c| best.max(c.abs()))).collect()
    })
}

fn direction(draws: &mut dyn Draws, dimensions: usize) -> Vec<f64> {
    let direction: Vec<f64> = (0..dimensions).map(|_| draws.normal()).collect();
    let length = direction.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
    direction.into_iter().map(|entry| entry / length).collect()
}

/// Of as many max-cosines of all atoms as are worth their time.
fn average(numbers: usize, mut best_cosines: impl FnMut() -> Vec<f64>) -> Chance {
    let draws = (NUMBERS / numbers.max(1)).clamp(16, 4000);
    let mut sum = Chance { max: 0.0, median: 0.0, min: 0.0 };
    for _ in 0..draws {
        let mut best = best_cosines();
        let atoms = best.len();
        best.sort_by(f64::total_cmp);
        let middle = if atoms > 0 { (best[(atoms - 1) / 2] + best[atoms / 2]) / 2.0 } else { f64::NAN };
        sum.max += best.last().copied().unwrap_or(f64::NAN);
        sum.median += middle;
        sum.min += best.first().copied().unwrap_or(f64::NAN);
    }
    let mean = |sum: f64| sum / draws as f64;
    Chance { max: mean(sum.max), median: mean(sum.median), min: mean(sum.min) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_alone_gives_high_cosines() {
        // Known to three digits from a separate simulation.
        for (neurons, atoms, dimensions, expected) in [
            (50, 10, 10, [0.592, 0.714, 0.836]),
            (50, 10, 50, [0.272, 0.344, 0.440]),
            (10, 10, 10, [0.380, 0.571, 0.763]),
            (100, 10, 10, [0.658, 0.758, 0.860]),
        ] {
            let Chance { max, median, min } = simulate(neurons, atoms, dimensions);
            for (found, expected) in [min, median, max].into_iter().zip(expected) {
                assert!((found - expected).abs() < 4e-3, "{neurons}, {dimensions}: {found} is not {expected}");
            }
        }
        assert_eq!(chance(50, Atoms::Orthonormal(10)), simulate(50, 10, 10));
    }

    #[test]
    fn one_direction_in_a_plane_has_the_closed_form() {
        // The larger of |cos| and |sin| has the mean 2 sqrt(2) / pi, the smaller 2 (2 - sqrt(2)) / pi.
        let Chance { max, min, .. } = chance(1, Atoms::Orthonormal(2));
        let (pi, root) = (std::f64::consts::PI, std::f64::consts::SQRT_2);
        assert!((max - 2.0 * root / pi).abs() < 5e-3 && (min - 2.0 * (2.0 - root) / pi).abs() < 8e-3, "{max}, {min}");
        assert_eq!(chance(5, Atoms::Orthonormal(1)), Chance { max: 1.0, median: 1.0, min: 1.0 });
    }

    #[test]
    fn other_atoms_have_levels_of_their_own() {
        // A plane full of atoms has one along, and one across, any direction.
        let crowded = chance(1, Atoms::Random { atoms: 400, dimensions: 2 });
        assert!(crowded.max > 0.9999 && crowded.min < 0.01, "{crowded:?}");
        let single = chance(1, Atoms::Random { atoms: 1, dimensions: 2 });
        assert_eq!(single.min, single.max);
        assert!((single.min - 1.0).abs() < 1e-12, "the span of one atom is a line: {single:?}");
        // Two lines at 60 degrees: the nearer one is within 30 degrees on one side and within 60 on the other, so the mean
        // of its cosine is 2 (sin 30 + sin 60) / pi.
        let level = chance(1, Atoms::Coherent { atoms: 2, cosine: 0.5 });
        let expected = 2.0 / std::f64::consts::PI * (0.5 + 0.75f64.sqrt());
        assert!((level.max - expected).abs() < 8e-3, "{} is not {expected}", level.max);
        // Orthogonal atoms are the limit of both kinds.
        let near = chance(20, Atoms::Coherent { atoms: 10, cosine: 0.0 });
        let exact = chance(20, Atoms::Orthonormal(10));
        assert!((near.min - exact.min).abs() < 8e-3 && (near.max - exact.max).abs() < 8e-3);
        let wide = chance(20, Atoms::Random { atoms: 10, dimensions: 3000 });
        assert!((wide.median - exact.median).abs() < 0.03, "{wide:?}, {exact:?}");
    }
}
