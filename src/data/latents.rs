use ndarray::{Array1, Array2};

use crate::{
    random::{Draws, permuted},
    spec::{DataSpec, Latents, OneHotSign},
};

/// Latents `z` of every sample, `(n, d)`, each times its atom's strength.
pub fn draw(spec: &DataSpec, draws: &mut dyn Draws) -> Array2<f64> {
    let latents = draw_equal(spec, draws);
    match spec.strengths.factors(spec.d) {
        Some(factors) => latents * Array1::from(factors),
        None => latents,
    }
}

/// The same with strengths of 1.
fn draw_equal(spec: &DataSpec, draws: &mut dyn Draws) -> Array2<f64> {
    let (n, d) = (spec.samples, spec.d);
    // The vector of which every sample is a permutation, where there is one.
    let base = match spec.latents {
        Latents::FixedSupport { sparsity } => fixed_support(d, sparsity),
        Latents::OneHot { sign: OneHotSign::Common } => {
            // The authors shuffle (number of -1, number of +1) = (0, 1).
            let negative = permuted(draws, &[0, 1])[0] == 1;
            let mut base = vec![0.0; d];
            base[0] = if negative { -1.0 } else { 1.0 };
            base
        }
        _ => Vec::new(),
    };
    let correlation = spec.correlation;
    let mut sample = || match spec.latents {
        Latents::Symmetric { sparsity } if correlation > 0.0 => loop {
            let z = chain(draws, d, correlation, |draws| ternary(draws, sparsity));
            if z.iter().any(|&entry| entry != 0.0) {
                break z;
            }
        },
        Latents::Binary { sparsity } if correlation > 0.0 => {
            chain(draws, d, correlation, |draws| f64::from(draws.uniform() < sparsity))
        }
        Latents::Symmetric { sparsity } => symmetric(draws, d, sparsity),
        Latents::Binary { sparsity } => (0..d).map(|_| f64::from(draws.uniform() < sparsity)).collect(),
        Latents::FixedSupport { .. } | Latents::OneHot { sign: OneHotSign::Common } => permuted(draws, &base),
        Latents::OneHot { sign } => one_hot(draws, d, sign == OneHotSign::Random),
    };
    let values: Vec<f64> = (0..n).flat_map(|_| sample()).collect();
    Array2::from_shape_vec((n, d), values).expect("d values for each sample")
}

fn one_hot(draws: &mut dyn Draws, d: usize, random_sign: bool) -> Vec<f64> {
    let mut z = vec![0.0; d];
    z[draws.below(d)] = if random_sign && draws.below(2) == 0 { -1.0 } else { 1.0 };
    z
}

/// Where fewer samples than this share have a non-zero entry, redrawing until one has would take too long.
const RARE: f64 = 1e-3;

/// +-1 with probability `sparsity / 2` each, on condition that one entry is non-zero: redrawn until it is, or where that is
/// [`RARE`], with the first such entry drawn directly.
fn symmetric(draws: &mut dyn Draws, d: usize, sparsity: f64) -> Vec<f64> {
    if not_all_zero(d, sparsity) >= RARE {
        loop {
            let z = signs(draws, d, sparsity);
            if z.iter().any(|&entry| entry != 0.0) {
                return z;
            }
        }
    }
    on_condition(draws, d, sparsity)
}

/// The same, directly.
fn on_condition(draws: &mut dyn Draws, d: usize, sparsity: f64) -> Vec<f64> {
    // Pr(the first non-zero entry is at most j) = (1 - (1 - sparsity)^(j + 1)) / (1 - (1 - sparsity)^d)
    let first = ((-draws.uniform() * not_all_zero(d, sparsity)).ln_1p() / (-sparsity).ln_1p()) as usize;
    let first = first.min(d - 1); // a rounding may lead beyond
    let mut z = vec![0.0; first];
    z.push(if draws.below(2) == 0 { -1.0 } else { 1.0 });
    z.extend(signs(draws, d - first - 1, sparsity));
    z
}

/// Pr(an entry of d is non-zero), `1 - (1 - sparsity)^d`, to all digits.
fn not_all_zero(d: usize, sparsity: f64) -> f64 {
    -(d as f64 * (-sparsity).ln_1p()).exp_m1()
}

/// Independent entries: +-1 with probability `sparsity / 2` each, else 0.
fn signs(draws: &mut dyn Draws, count: usize, sparsity: f64) -> Vec<f64> {
    (0..count).map(|_| ternary(draws, sparsity)).collect()
}

/// +-1 with probability `sparsity / 2` each, else 0.
fn ternary(draws: &mut dyn Draws, sparsity: f64) -> f64 {
    match draws.uniform() {
        u if u < sparsity / 2.0 => 1.0,
        u if u < sparsity => -1.0,
        _ => 0.0,
    }
}

/// Entries of which each repeats the one before with probability `correlation`, and is drawn by itself otherwise. All have
/// the distribution of `entry`, and the i-th and j-th the correlation to the power of |i - j|: one copies the other, or
/// knows nothing of it.
fn chain(draws: &mut dyn Draws, d: usize, correlation: f64, entry: impl Fn(&mut dyn Draws) -> f64) -> Vec<f64> {
    let mut z: Vec<f64> = Vec::with_capacity(d);
    for _ in 0..d {
        let copied = z.last().copied().filter(|_| draws.uniform() < correlation);
        z.push(copied.unwrap_or_else(|| entry(draws)));
    }
    z
}

/// The authors' base vector: -1s, then +1s, then zeros, by `z[:s1] = -1; z[s1:s2] = 1`. Python counts negative indices
/// from the end, and takes indices beyond the end for the end.
fn fixed_support(d: usize, sparsity: f64) -> Vec<f64> {
    let negative = (d as f64 * sparsity / 2.0).ceil();
    let support = (d as f64 * sparsity).ceil().max(negative + 1.0);
    let place = |index: f64| if index < 0.0 { (d as f64 + index).max(0.0) } else { index.min(d as f64) } as usize;
    let mut z = vec![0.0; d];
    z[..place(negative)].fill(-1.0);
    z[place(negative)..place(support).max(place(negative))].fill(1.0);
    z
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random::native::Key, spec};

    fn drawn(latents: &str) -> Array2<f64> {
        let text = format!("{{data: {{samples: 40000, latents: {latents}}}}}");
        let spec = spec::resolve(&[&serde_yaml::from_str(&text).unwrap()]).unwrap();
        draw(&spec.data, &mut Key::from_seed(7).stream())
    }

    fn frequency(z: &Array2<f64>, value: f64) -> f64 {
        z.iter().filter(|&&entry| entry == value).count() as f64 / z.len() as f64
    }

    /// Within five standard errors of a frequency over `n` draws.
    fn close(measured: f64, expected: f64, n: f64) -> bool {
        (measured - expected).abs() < 5.0 * (expected * (1.0 - expected) / n).sqrt()
    }

    #[test]
    fn symmetric_latents_are_conditioned_on_a_support() {
        for sparsity in [0.1, 0.3, 0.9] {
            let z = drawn(&format!("{{kind: symmetric, sparsity: {sparsity}}}"));
            assert!(z.outer_iter().all(|row| row.iter().any(|&v| v != 0.0)));
            // Pr(z_i != 0 | z != 0) = sparsity / (1 - (1 - sparsity)^d)
            let expected = sparsity / (1.0 - (1.0f64 - sparsity).powi(10));
            for sign in [1.0, -1.0] {
                assert!(close(frequency(&z, sign), expected / 2.0, 4e5), "{sparsity} {}", frequency(&z, sign));
            }
        }
    }

    #[test]
    fn rare_supports_are_drawn_directly_from_the_same_distribution() {
        let (d, n, sparsity) = (8, 40_000, 0.2);
        // Both ways at a sparsity where redrawing is quick.
        let mut stream = Key::from_seed(11).stream();
        let direct = (0..n).flat_map(|_| on_condition(&mut stream, d, sparsity)).collect();
        let direct = Array2::from_shape_vec((n, d), direct).unwrap();
        let condition = 1.0 - (1.0f64 - sparsity).powi(d as i32);
        for column in direct.columns() {
            for sign in [1.0, -1.0] {
                let share = column.iter().filter(|&&entry| entry == sign).count() as f64 / n as f64;
                assert!(close(share, sparsity / 2.0 / condition, n as f64), "{share}");
            }
        }
        let alone = direct.outer_iter().filter(|z| z.iter().filter(|&&entry| entry != 0.0).count() == 1).count();
        let expected = d as f64 * sparsity * (1.0 - sparsity).powi(d as i32 - 1) / condition;
        assert!(close(alone as f64 / n as f64, expected, n as f64), "{alone}");
        // And where it is not.
        for sparsity in ["1e-9", "1e-300", "5e-324"] {
            let z = drawn(&format!("{{kind: symmetric, sparsity: {sparsity}}}"));
            assert!(z.outer_iter().all(|row| row.mapv(f64::abs).sum() == 1.0));
            assert!(close(frequency(&z.slice_move(ndarray::s![.., ..1]), 1.0), 0.05, 4e4) || sparsity == "5e-324");
        }
    }

    #[test]
    fn binary_latents_are_independent_bernoullis() {
        let z = drawn("{kind: binary, sparsity: 0.2}");
        assert!(close(frequency(&z, 1.0), 0.2, 4e5));
        assert_eq!(frequency(&z, -1.0), 0.0);
        let empty = z.outer_iter().filter(|row| row.sum() == 0.0).count() as f64 / 4e4;
        assert!(close(empty, 0.8f64.powi(10), 4e4), "{empty}");
    }

    #[test]
    fn one_hot_latents_have_one_entry_of_the_asked_sign() {
        for (sign, negatives) in [("positive", Some(0.0)), ("random", None), ("common", None)] {
            let z = drawn(&format!("{{kind: one_hot, sign: {sign}}}"));
            assert!(z.outer_iter().all(|row| row.iter().filter(|&&v| v != 0.0).count() == 1));
            let share = frequency(&z, -1.0) * 10.0;
            match (sign, negatives) {
                (_, Some(expected)) => assert_eq!(share, expected),
                ("common", _) => assert!(share == 0.0 || share == 1.0),
                _ => assert!(close(share, 0.5, 4e4), "{share}"),
            }
            // Every atom as often as the others.
            for column in z.columns() {
                let share = column.iter().filter(|&&v| v != 0.0).count() as f64 / 4e4;
                assert!(close(share, 0.1, 4e4));
            }
        }
    }

    #[test]
    fn fixed_supports_are_those_of_the_authors() {
        assert_eq!(fixed_support(10, 0.1), fixed_support(10, 0.2));
        let counts = |sparsity| {
            let z = fixed_support(10, sparsity);
            (z.iter().filter(|&&v| v == -1.0).count(), z.iter().filter(|&&v| v == 1.0).count())
        };
        assert_eq!(counts(0.1), (1, 1));
        assert_eq!(counts(0.3), (2, 1));
        // np.zeros(10) after the two assignments of `gen_z`.
        let ends = |sparsity| fixed_support(10, sparsity).iter().map(|v| *v as i8).collect::<Vec<_>>();
        assert_eq!(ends(0.0), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(ends(1.0), [-1, -1, -1, -1, -1, 1, 1, 1, 1, 1]);
        assert_eq!(ends(1.3), [-1, -1, -1, -1, -1, -1, -1, 1, 1, 1]);
        assert_eq!(ends(-0.5), [-1, -1, -1, -1, -1, -1, -1, -1, 1, 0]);
        assert_eq!(ends(-3.0), [0; 10]);
        assert_eq!(fixed_support(1, 0.3), [-1.0]);
        let z = drawn("{kind: fixed_support, sparsity: 0.3}");
        assert!(z.outer_iter().all(|row| row.sum() == -1.0 && row.mapv(f64::abs).sum() == 3.0));
    }
}
