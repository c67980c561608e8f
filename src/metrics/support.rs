use ndarray::{Array2, ArrayView1};

use super::cosines;

/// Recovery of the latents' support by the representation (the authors' `check_support`), means over samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// Share of the true support that is found.
    pub found: f64,
    /// Share of the estimated support that is false: false entries of the matched neurons over the active entries of
    /// all neurons.
    pub false_share: f64,
    /// Density of the estimate minus density of the truth.
    pub sparsity_gap: f64,
}

/// Measures support recovery.
///
/// `weight` `(m, p)` and `dictionary` `(p, d)` match neurons to atoms, one to one and greedily by signed cosine;
/// `representation` `(B, m)` and `latents` `(B, d)` belong to the same samples. A sample without latents counts as
/// zero in all three means. A representation with a NaN has no support: all three are NaN.
pub fn support(
    weight: &Array2<f64>,
    dictionary: &Array2<f64>,
    representation: &Array2<f64>,
    latents: &Array2<f64>,
) -> Support {
    if representation.iter().any(|value| value.is_nan()) {
        return Support { found: f64::NAN, false_share: f64::NAN, sparsity_gap: f64::NAN };
    }
    let matching = match_neurons(&cosines(weight, dictionary));
    let (mut found, mut false_share, mut gap) = (0.0, 0.0, 0.0);
    for (h, z) in representation.outer_iter().zip(latents.outer_iter()) {
        let truth = nonzeros(z);
        if truth == 0.0 {
            continue;
        }
        let active = nonzeros(h);
        let (mut hits, mut misses) = (0.0, 0.0);
        for &(neuron, atom) in &matching {
            match (h[neuron] != 0.0, z[atom] != 0.0) {
                (true, true) => hits += 1.0,
                (true, false) => misses += 1.0,
                _ => {}
            }
        }
        found += hits / truth;
        false_share += misses / active.max(1.0);
        gap += active / h.len() as f64 - truth / z.len() as f64;
    }
    let samples = representation.nrows() as f64;
    Support { found: found / samples, false_share: false_share / samples, sparsity_gap: gap / samples }
}

fn nonzeros(values: ArrayView1<f64>) -> f64 {
    values.iter().filter(|&&value| value != 0.0).count() as f64
}

/// Pairs (neuron, atom): the largest cosine left, again and again, each neuron and atom once.
fn match_neurons(cosines: &Array2<f64>) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = cosines.indexed_iter().map(|(at, _)| at).collect();
    pairs.sort_by(|&a, &b| cosines[b].total_cmp(&cosines[a]));
    let (mut neurons, mut atoms) = (vec![false; cosines.nrows()], vec![false; cosines.ncols()]);
    pairs.retain(|&(neuron, atom)| {
        let free = !neurons[neuron] && !atoms[atom];
        if free {
            (neurons[neuron], atoms[atom]) = (true, true);
        }
        free
    });
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn matching_is_greedy_and_one_to_one() {
        let cosines = array![[0.9, 0.8], [0.85, 0.1], [-0.95, 0.2]];
        assert_eq!(match_neurons(&cosines), vec![(0, 0), (2, 1)]);
    }

    #[test]
    fn shares_are_means_over_samples() {
        // Neurons 0 and 1 match the atoms, neuron 2 is spare.
        let weight = array![[1.0, 0.0], [0.0, 1.0], [0.1, 0.1]];
        let latents = array![[1.0, 0.0], [-1.0, 1.0], [0.0, 0.0]];
        let representation = array![[2.0, 0.5, -0.1], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0]];
        let measured = support(&weight, &Array2::eye(2), &representation, &latents);
        assert!((measured.found - (1.0 + 0.5) / 3.0).abs() < 1e-15);
        assert!((measured.false_share - (1.0 / 3.0) / 3.0).abs() < 1e-15);
        assert!((measured.sparsity_gap - ((1.0 - 0.5) + (1.0 / 3.0 - 1.0)) / 3.0).abs() < 1e-15);
        let diverged = support(&weight, &Array2::eye(2), &(representation * f64::NAN), &latents);
        assert!(diverged.found.is_nan() && diverged.sparsity_gap.is_nan());
    }
}
