//! The chance level of max-cosines: what an encoder scores that has found the dictionary's span and nothing more.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

use crate::random::{Draws, native::Key};

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

/// The chance level of `neurons` random directions in the span of `atoms` orthonormal atoms, by simulation (the same for
/// every call).
///
/// It is not small: 50 directions in the span of 10 atoms come within a cosine of 0.59 of the atom that they miss most.
pub fn chance(neurons: usize, atoms: usize) -> Chance {
    static LEVELS: LazyLock<Mutex<HashMap<(usize, usize), Chance>>> = LazyLock::new(Mutex::default);
    let mut levels = LEVELS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *levels.entry((neurons, atoms)).or_insert_with(|| simulate(neurons, atoms, atoms))
}

/// Random directions in a space of this many dimensions that holds the atoms.
fn simulate(neurons: usize, atoms: usize, dimensions: usize) -> Chance {
    let draws = (NUMBERS / (neurons * dimensions).max(1)).clamp(16, 4000);
    let key = Key::from_seed(0x6368_616e_6365).derive(neurons as u64).derive(atoms as u64);
    let mut stream = key.derive(dimensions as u64).stream();
    let mut sum = Chance { max: 0.0, median: 0.0, min: 0.0 };
    for _ in 0..draws {
        let mut best = vec![0.0f64; atoms];
        for _ in 0..neurons {
            let direction: Vec<f64> = (0..dimensions).map(|_| stream.normal()).collect();
            let length = direction.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
            best.iter_mut().zip(&direction).for_each(|(best, entry)| *best = best.max(entry.abs() / length));
        }
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
        assert_eq!(chance(50, 10), simulate(50, 10, 10));
    }

    #[test]
    fn one_direction_in_a_plane_has_the_closed_form() {
        // The larger of |cos| and |sin| has the mean 2 sqrt(2) / pi, the smaller 2 (2 - sqrt(2)) / pi.
        let Chance { max, min, .. } = chance(1, 2);
        let (pi, root) = (std::f64::consts::PI, std::f64::consts::SQRT_2);
        assert!((max - 2.0 * root / pi).abs() < 5e-3 && (min - 2.0 * (2.0 - root) / pi).abs() < 8e-3, "{max}, {min}");
        assert_eq!(chance(5, 1), Chance { max: 1.0, median: 1.0, min: 1.0 });
    }
}
