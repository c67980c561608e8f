//! Dictionary learning: codes and atoms in turn, each with the other held fixed.
//!
//! Codes by ISTA (Daubechies, Defrise and De Mol, "An iterative thresholding algorithm for linear inverse problems with a
//! sparsity constraint", 2004), going on from those of the round before; atoms one after the other, each to its best place
//! on the unit sphere (Mairal et al. 2010, Algorithm 2).

use ndarray::{Array1, Array2, Axis, Zip};

use super::{normalize_rows, penalty};
use crate::{linalg::symmetric_eigenvalues, metrics::random_atoms, random::Draws};

/// Rounds of both.
const ROUNDS: usize = 300;

/// Steps of the codes in each round.
const STEPS: usize = 20;

/// Starts. One in ten ends in a minimum that lacks an atom, which its objective tells.
const STARTS: usize = 3;

/// Learns `k` atoms, `(k, p)`, from samples `(n, p)`, by descending `|x - z D|^2 / 2 + penalty |z|_1` from random
/// directions: of several starts, the one that ends lowest.
pub fn learn(samples: &Array2<f64>, k: usize, draws: &mut dyn Draws) -> Array2<f64> {
    let penalty = penalty(samples);
    let mut best = (f64::INFINITY, Array2::zeros((0, samples.ncols())));
    for _ in 0..STARTS {
        let mut atoms = random_atoms(draws, samples.ncols(), k).t().as_standard_layout().into_owned();
        let mut codes = Array2::zeros((samples.nrows(), k));
        for _ in 0..ROUNDS {
            encode(samples, &atoms, penalty, &mut codes);
            update(samples, &codes, &mut atoms);
        }
        let objective = objective(samples, &codes, &atoms, penalty);
        if objective < best.0 {
            best = (objective, atoms);
        }
    }
    best.1
}

/// Half the squared error of all samples, and their penalty.
fn objective(samples: &Array2<f64>, codes: &Array2<f64>, atoms: &Array2<f64>, penalty: f64) -> f64 {
    let error = samples - codes.dot(atoms);
    (&error * &error).sum() / 2.0 + penalty * codes.mapv(f64::abs).sum()
}

/// Takes the codes `(n, k)` nearer to their best for these atoms.
fn encode(samples: &Array2<f64>, atoms: &Array2<f64>, penalty: f64, codes: &mut Array2<f64>) {
    let gram = atoms.dot(&atoms.t());
    let aim = samples.dot(&atoms.t());
    let steepest = symmetric_eigenvalues(&gram).last().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
    let threshold = penalty / steepest;
    for _ in 0..STEPS {
        let gradient = codes.dot(&gram) - &aim;
        Zip::from(&mut *codes).and(&gradient).for_each(|code, gradient| {
            let moved = *code - gradient / steepest;
            *code = moved.signum() * (moved.abs() - threshold).max(0.0);
        });
    }
}

/// Moves every atom `(k, p)` to its best place for these codes. One that no sample uses takes the direction of the sample
/// that is represented worst, as in K-SVD.
fn update(samples: &Array2<f64>, codes: &Array2<f64>, atoms: &mut Array2<f64>) {
    let uses = codes.t().dot(codes); // (k, k)
    let aims = codes.t().dot(samples); // (k, p)
    let mut rest: Option<Array1<f64>> = None;
    for j in 0..atoms.nrows() {
        if uses[[j, j]] > 0.0 {
            let others = uses.row(j).dot(&*atoms);
            let moved = &atoms.row(j) + &((&aims.row(j) - &others) / uses[[j, j]]);
            let length = moved.dot(&moved).sqrt();
            if length > 0.0 {
                atoms.row_mut(j).assign(&(moved / length));
            }
            continue;
        }
        let squares =
            rest.get_or_insert_with(|| (samples - codes.dot(&*atoms)).mapv(|entry| entry * entry).sum_axis(Axis(1)));
        let worst = (0..squares.len()).max_by(|&a, &b| squares[a].total_cmp(&squares[b])).unwrap_or(0);
        squares[worst] = 0.0; // the next one takes another
        let mut replaced = samples.row(worst).to_owned().insert_axis(Axis(0));
        normalize_rows(&mut replaced);
        if replaced.iter().any(|&entry| entry != 0.0) {
            atoms.row_mut(j).assign(&replaced.row(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ceilings::testing::{draws, sparse},
        metrics::max_cosine,
    };

    #[test]
    fn atoms_of_sparse_samples_without_noise_are_recovered() {
        let (samples, dictionary) = sparse(400, 12, 8, 5);
        let found = max_cosine(&learn(&samples, 8, &mut draws(6)), &dictionary);
        assert!(found.min > 0.99, "{found:?}");
    }

    #[test]
    fn neither_half_of_a_round_is_a_loss() {
        let (samples, _) = sparse(100, 10, 6, 7);
        let penalty = penalty(&samples);
        let mut draws = draws(8);
        let mut atoms = random_atoms(&mut draws, 10, 6).t().to_owned();
        let mut codes = Array2::zeros((100, 6));
        encode(&samples, &atoms, penalty, &mut codes);
        let mut last = objective(&samples, &codes, &atoms, penalty);
        let first = last;
        for _ in 0..20 {
            update(&samples, &codes, &mut atoms);
            let moved = objective(&samples, &codes, &atoms, penalty);
            encode(&samples, &atoms, penalty, &mut codes);
            let coded = objective(&samples, &codes, &atoms, penalty);
            assert!(moved <= last + 1e-9 && coded <= moved + 1e-9, "{last} {moved} {coded}");
            last = coded;
        }
        assert!(last < 0.9 * first, "{first} {last}");
    }

    /// For orthonormal atoms the best codes are known: products, drawn towards zero.
    #[test]
    fn codes_of_orthonormal_atoms_are_soft_thresholds() {
        let (samples, dictionary) = sparse(20, 7, 4, 9);
        let atoms = dictionary.t().to_owned();
        let mut codes = Array2::zeros((20, 4));
        encode(&samples, &atoms, 0.25, &mut codes);
        let expected = samples.dot(&dictionary).mapv(|product| product.signum() * (product.abs() - 0.25).max(0.0));
        assert!((codes - expected).iter().all(|entry| entry.abs() < 1e-12));
    }

    #[test]
    fn an_atom_that_nobody_uses_takes_the_worst_sample() {
        let samples = ndarray::array![[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]];
        let mut atoms = ndarray::array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
        let codes = ndarray::array![[1.0, 0.0], [0.0, 0.0]];
        update(&samples, &codes, &mut atoms);
        assert_eq!(atoms, ndarray::array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
    }
}
