use ndarray::{Array1, Array2, ArrayView1, Axis};

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
///
/// For a model in single precision the authors take the neurons' lengths in single precision too. Where neurons tie, as
/// copies of one atom do, that decides which of them is matched.
pub fn support(
    weight: &Array2<f64>,
    dictionary: &Array2<f64>,
    representation: &Array2<f64>,
    latents: &Array2<f64>,
    is_single: bool,
) -> Support {
    if representation.iter().any(|value| value.is_nan()) {
        return Support { found: f64::NAN, false_share: f64::NAN, sparsity_gap: f64::NAN };
    }
    let matching =
        match_neurons(&if is_single { single_cosines(weight, dictionary) } else { cosines(weight, dictionary) });
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

/// Cosines by lengths as NumPy has them of a float32 array. A neuron of zeros has cosines of zero, as in [`cosines`].
fn single_cosines(weight: &Array2<f64>, dictionary: &Array2<f64>) -> Array2<f64> {
    let length = |neuron: ArrayView1<f64>| {
        let squares: Vec<f32> = neuron.iter().map(|&value| value as f32 * value as f32).collect();
        let length = f64::from(pairwise_sum(&squares).sqrt());
        if length > 0.0 { length } else { 1.0 }
    };
    let neurons: Array1<f64> = weight.map_axis(Axis(1), length);
    let atoms: Array1<f64> = dictionary.map_axis(Axis(0), |atom| atom.dot(&atom).sqrt());
    let lengths = neurons.insert_axis(Axis(1)) * atoms;
    weight.dot(dictionary) / lengths
}

/// NumPy's sum of a contiguous float32 array (`pairwise_sum` of its `loops_utils`): eight sums side by side in blocks of up
/// to 128 numbers, halves of more than that.
fn pairwise_sum(values: &[f32]) -> f32 {
    const BLOCK: usize = 128;
    let n = values.len();
    if n < 8 {
        return values.iter().fold(0.0, |sum, value| sum + value);
    }
    if n > BLOCK {
        let half = n / 2 - n / 2 % 8;
        return pairwise_sum(&values[..half]) + pairwise_sum(&values[half..]);
    }
    let (rows, rest) = values.as_chunks::<8>();
    let mut sums = rows[0];
    for row in &rows[1..] {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
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
        let measured = support(&weight, &Array2::eye(2), &representation, &latents, false);
        assert!((measured.found - (1.0 + 0.5) / 3.0).abs() < 1e-15);
        assert!((measured.false_share - (1.0 / 3.0) / 3.0).abs() < 1e-15);
        assert!((measured.sparsity_gap - ((1.0 - 0.5) + (1.0 / 3.0 - 1.0)) / 3.0).abs() < 1e-15);
        let diverged = support(&weight, &Array2::eye(2), &(representation * f64::NAN), &latents, true);
        assert!(diverged.found.is_nan() && diverged.sparsity_gap.is_nan());
    }

    /// `np.linalg.norm(a.T, axis=0)` of `a = np.arange(1, p + 1, dtype=np.float32)[None] / np.float32(7)`.
    #[test]
    fn lengths_are_numpys() {
        for (p, length) in [(3, 0.534_522_5), (30, 13.890_975), (130, 122.957_19)] {
            let values: Vec<f32> = (1..=p).map(|i| i as f32 / 7.0).map(|value| value * value).collect();
            assert_eq!(pairwise_sum(&values).sqrt(), length);
        }
    }

    /// Neurons that are copies of atoms, `M[:, np.random.choice(2, 3)].T` in float32 of `gen_M(3, 2)` by the seeds 3 and 7 of
    /// NumPy, and the order in which the authors' `check_support` matches them.
    #[test]
    fn single_precision_decides_ties_as_theirs_does() {
        let atoms = array![
            [-0.9867857172523176, 0.02923816949828013],
            [-0.053237620142459016, -0.9874827352251745],
            [0.15303497648706424, -0.1549934743032684]
        ];
        let copy = [-0.9867857098579407, -0.05323762074112892, 0.153034970164299];
        let neurons = ndarray::arr2(&[[0.029238170012831688, -0.9874827265739441, -0.15499347448349], copy, copy]);
        assert_eq!(match_neurons(&single_cosines(&neurons, &atoms)), [(1, 0), (0, 1)]);
        assert_eq!(match_neurons(&cosines(&neurons, &atoms)), [(0, 1), (1, 0)]);
        let atoms = array![
            [-0.9060406723083136, 0.19443141398425196],
            [-0.017590033146355075, -0.9047428297834075],
            [0.4228248938473339, 0.3789945081549292]
        ];
        let copy = [-0.9060406684875488, -0.017590032890439034, 0.422824889421463];
        let neurons = ndarray::arr2(&[copy, copy, [0.19443140923976898, -0.9047428369522095, 0.37899449467658997]]);
        assert_eq!(match_neurons(&single_cosines(&neurons, &atoms)), [(2, 1), (0, 0)]);
        assert_eq!(match_neurons(&cosines(&neurons, &atoms)), [(0, 0), (2, 1)]);
    }
}
