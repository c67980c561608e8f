//! What the tests of the generator measure with.

use super::{Bernoulli, Key, Purpose};

/// Statistics of draws from fixed seeds may lie this many standard deviations from their expectation.
pub const SIGMAS: f64 = 5.0;
pub const WORDS: usize = 20_000;
pub const ALPHAS: [f64; 8] = [1.0 / 1024.0, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9, 0.999];

pub fn key() -> Key {
    Key::from_seed(2022).derive(Purpose::View1).derive(3u64)
}

pub fn bernoulli(alpha: f64) -> Bernoulli {
    Bernoulli::new(alpha).expect("a probability")
}

pub fn filled(alpha: f64, key: Key, first_counter: u64, length: usize) -> Vec<u64> {
    let mut words = vec![0x5555; length];
    bernoulli(alpha).fill(key, first_counter, &mut words);
    words
}

#[track_caller]
pub fn assert_near(value: f64, expected: f64, deviation: f64) {
    let sigmas = (value - expected) / deviation;
    assert!(sigmas.abs() < SIGMAS, "{value} is {sigmas:.1} standard deviations away from {expected}");
}

/// Fails unless `counts` look like those of equally likely outcomes.
#[track_caller]
pub fn assert_even(counts: &[u64]) {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let chi_square: f64 = counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum();
    let freedom = counts.len() as f64 - 1.0;
    assert_near(chi_square, freedom, (2.0 * freedom).sqrt());
}

pub fn ones(words: impl IntoIterator<Item = u64>) -> f64 {
    words.into_iter().map(|word| u64::from(word.count_ones())).sum::<u64>() as f64
}

/// Fails unless the bits of `a` and `b`, each 1 with probability `alpha`, look uncorrelated.
#[track_caller]
pub fn assert_uncorrelated(a: impl Iterator<Item = u64> + Clone, b: impl Iterator<Item = u64> + Clone, alpha: f64) {
    let bits = 64.0 * a.clone().count().min(b.clone().count()) as f64;
    let pairs = a.clone().zip(b.clone());
    let both = ones(pairs.clone().map(|(a, b)| a & b)) / bits;
    let (in_a, in_b) = pairs.fold((0.0, 0.0), |(in_a, in_b), (a, b)| (in_a + ones([a]), in_b + ones([b])));
    let covariance = both - in_a / bits * in_b / bits;
    assert_near(covariance / (alpha * (1.0 - alpha)), 0.0, bits.sqrt().recip());
}
