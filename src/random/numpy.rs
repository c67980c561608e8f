//! NumPy's legacy generator, `numpy.random.RandomState`, from which the authors' scripts draw data and masks.
//!
//! NumPy has frozen this stream for good (NEP 19): seeded alike, every version gives the same values.

use super::mt19937::Mt19937;
use super::{Draws, cumulative};

/// `numpy.random.RandomState(seed)`, or the global generator after `numpy.random.seed(seed)`.
///
/// - `random_sample()` is [`Draws::uniform`], `normal(0, s)` is `s *` [`Draws::normal`];
/// - `choice(k, size)` and `randint(k, size=size)` are `size` times [`Draws::below`]`(k)`;
/// - `choice(k, size, p=p)` is `size` times [`Draws::choose`] over the [`cumulative`] `p`;
/// - `permutation(array)` is [`permuted`](super::permuted).
#[derive(Clone, Debug)]
pub struct RandomState {
    twister: Mt19937,
    /// The second normal number of the last pair. Only normal draws use it: other draws in between leave it waiting.
    spare_normal: Option<f64>,
}

impl RandomState {
    /// Seeds as `numpy.random.seed(seed)` does with an integer; NumPy, too, takes 32 bits only.
    pub fn new(seed: u32) -> Self {
        Self { twister: Mt19937::new(seed), spare_normal: None }
    }

    /// The state, as [`Self::restored`] takes it: the twister's, and the normal number that waits.
    pub fn save(&self) -> Vec<u32> {
        let spare = self.spare_normal.map_or([0; 3], |spare| {
            let bits = spare.to_bits();
            [1, (bits >> 32) as u32, bits as u32]
        });
        [self.twister.save().as_slice(), &spare].concat()
    }

    /// A generator in a saved state; none if the words are not a state.
    pub fn restored(words: &[u32]) -> Option<Self> {
        let (twister, &[waits, high, low]) = words.split_last_chunk()?;
        let spare = f64::from_bits(u64::from(high) << 32 | u64::from(low));
        Some(Self { twister: Mt19937::restored(twister)?, spare_normal: (waits == 1).then_some(spare) })
    }

    /// Passes over the next `n` uniform numbers without computing them.
    pub fn skip_uniforms(&mut self, n: u64) {
        self.twister.skip(2 * n);
    }

    /// Draws a view's mask: `choice([0, 1], (p, p), p=[1 - prob_ones, prob_ones])` of the authors' `dataset/*.py`,
    /// which keep only its diagonal.
    ///
    /// `diagonal(i, one)` is told the entries of the diagonal in order; the other `p * p - p` are skipped, which is far
    /// faster than drawing them. `prob_ones` is the authors' argument of that name, 1 minus their masking probability.
    pub fn mask_diagonal(&mut self, p: usize, prob_ones: f64, mut diagonal: impl FnMut(usize, bool)) {
        let prob_zero = cumulative(&[1.0 - prob_ones, prob_ones])[0];
        for i in 0..p {
            if i > 0 {
                self.skip_uniforms(p as u64);
            }
            diagonal(i, self.uniform() >= prob_zero);
        }
    }
}

impl Draws for RandomState {
    #[inline]
    fn uniform(&mut self) -> f64 {
        let high = u64::from(self.twister.next_u32() >> 5);
        let low = u64::from(self.twister.next_u32() >> 6);
        ((high << 26) | low) as f64 / (1u64 << 53) as f64
    }

    /// Marsaglia's polar method, returning the second value of a pair first.
    fn normal(&mut self) -> f64 {
        if let Some(normal) = self.spare_normal.take() {
            return normal;
        }
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare_normal = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// Masked rejection: words cut to the fewest bits that hold `n - 1`, until one is small enough. A choice among one
    /// draws nothing.
    fn below(&mut self, n: usize) -> usize {
        let max = n as u64 - 1;
        if max == 0 {
            return 0;
        }
        let mask = u64::MAX >> max.leading_zeros();
        loop {
            let word = match u32::try_from(max) {
                Ok(_) => u64::from(self.twister.next_u32()),
                Err(_) => self.twister.next_u64(),
            };
            if word & mask <= max {
                return (word & mask) as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{self, assert_digest, by_seed, indices, numbers};
    use super::super::{permuted, shuffle};
    use super::*;

    fn uniforms(state: &mut RandomState, n: usize) -> Vec<f64> {
        (0..n).map(|_| state.uniform()).collect()
    }

    fn normals(state: &mut RandomState, n: usize) -> Vec<f64> {
        (0..n).map(|_| state.normal()).collect()
    }

    fn choices(state: &mut RandomState, k: usize, size: usize) -> Vec<usize> {
        (0..size).map(|_| state.below(k)).collect()
    }

    fn widened(indices: &[usize]) -> Vec<u64> {
        indices.iter().map(|&index| index as u64).collect()
    }

    #[test]
    fn matches_numpy() {
        for (seed, draws) in by_seed(&recorded::few()) {
            let state = || RandomState::new(seed);

            assert_eq!(uniforms(&mut state(), 5), numbers(&draws["random_sample_5"]));
            assert_eq!(normals(&mut state(), 7), numbers(&draws["normal_7"]));

            let mut scaled = state();
            let mut drawn: Vec<f64> = normals(&mut scaled, 6).iter().map(|normal| 0.25 * normal).collect();
            drawn.extend(uniforms(&mut scaled, 2));
            assert_eq!(drawn, numbers(&draws["normal_3x2_scaled_then_random"]));

            assert_eq!(permuted(&mut state(), &[0.0, 1.0]), numbers(&draws["permutation_of_0_1"]));
            let ten: Vec<usize> = (0..10).collect();
            assert_eq!(permuted(&mut state(), &ten), indices(&draws["permutation_of_array_10"]));
            assert_eq!(choices(&mut state(), 10, 20), indices(&draws["choice_10_size_20"]));

            let mut mixed = state();
            let five: Vec<f64> = (0..5).map(f64::from).collect();
            let mut drawn: Vec<f64> = choices(&mut mixed, 7, 5).iter().map(|&choice| choice as f64).collect();
            drawn.extend(normals(&mut mixed, 3));
            drawn.extend(permuted(&mut mixed, &five));
            drawn.extend(choices(&mut mixed, 7, 3).iter().map(|&choice| choice as f64));
            drawn.extend(uniforms(&mut mixed, 2));
            let key = "mixed: choice(7,5), normal(3), permutation(5), choice(7,3), random(2)";
            assert_eq!(drawn, numbers(&draws[key]));
        }
    }

    #[test]
    fn matches_numpy_mask() {
        for (seed, draws) in by_seed(&recorded::few()) {
            let mask = indices(&draws["choice_0_1_p_0.25_0.75_4x4"]);

            let mut state = RandomState::new(seed);
            let cdf = cumulative(&[0.25, 0.75]);
            let drawn: Vec<usize> = (0..16).map(|_| state.choose(&cdf)).collect();
            assert_eq!(drawn, mask);

            let mut skipping = RandomState::new(seed);
            let mut diagonal = Vec::new();
            skipping.mask_diagonal(4, 0.75, |i, one| diagonal.push((i, usize::from(one))));
            assert_eq!(diagonal, [(0, mask[0]), (1, mask[5]), (2, mask[10]), (3, mask[15])]);
            assert_eq!(skipping.uniform(), state.uniform());
        }
    }

    #[test]
    fn matches_numpy_on_large_draws() {
        for (seed, draws) in by_seed(&recorded::large()["numpy"]) {
            let state = || RandomState::new(seed);

            assert_digest(&uniforms(&mut state(), 1000), &draws["random_sample_1000"]);
            assert_digest(&normals(&mut state(), 2500), &draws["normal_50x50"]);

            let mut among = state();
            let mut drawn = normals(&mut among, 1);
            drawn.extend(uniforms(&mut among, 3));
            drawn.extend(normals(&mut among, 2));
            drawn.extend(permuted(&mut among, &[0.0, 1.0, 2.0, 3.0, 4.0]));
            drawn.extend(normals(&mut among, 2));
            assert_digest(&drawn, &draws["normal_1, random_sample_3, normal_2, permutation_5, normal_2"]);

            for n in [10, 1000] {
                let mut items: Vec<u64> = (0..n).collect();
                shuffle(&mut state(), &mut items);
                assert_digest(&items, &draws[format!("permutation_{n}")]);
            }

            assert_digest(&widened(&choices(&mut state(), 10, 50)), &draws["choice_10_size_50"]);
            let mut few = state();
            let drawn = [choices(&mut few, 1, 3), choices(&mut few, 3, 5)].concat();
            assert_digest(&widened(&drawn), &draws["choice_1_size_3, choice_3_size_5"]);
            assert_digest(&widened(&choices(&mut state(), 1 << 32, 5)), &draws["choice_2^32_size_5"]);
            assert_digest(&widened(&choices(&mut state(), 1 << 40, 50)), &draws["choice_2^40_size_50"]);

            let mut state = state();
            let cdf = cumulative(&[0.1, 0.2, 0.3, 0.4]);
            let drawn: Vec<u64> = (0..1000).map(|_| state.choose(&cdf) as u64).collect();
            assert_digest(&drawn, &draws["choice_4_p_0.1_0.2_0.3_0.4_size_1000"]);
        }
    }

    #[test]
    fn matches_numpy_on_large_masks() {
        const MASKS: &[(&str, usize)] = &[
            ("0.0", 50),
            ("0.1", 50),
            ("0.25", 50),
            ("0.5", 50),
            ("0.75", 50),
            ("0.9", 50),
            ("1.0", 50),
            ("0.5", 1),
            ("0.9", 20),
        ];
        for (seed, draws) in by_seed(&recorded::large()["numpy"]) {
            for (masking_prob, p) in MASKS {
                let prob_ones = 1.0 - masking_prob.parse::<f64>().expect("a number");
                let mut state = RandomState::new(seed);
                let mut drawn: Vec<u64> = Vec::new();
                for _ in 0..7 {
                    state.mask_diagonal(*p, prob_ones, |_, one| drawn.push(one.into()));
                }
                drawn.push(state.below(1 << 40) as u64);
                assert_digest(&drawn, &draws[format!("mask_diagonals q={masking_prob} p={p} masks=7, choice_2^40")]);
            }
        }
    }

    #[test]
    fn skipping_uniforms_keeps_the_spare_normal() {
        let (mut drawing, mut skipping) = (RandomState::new(3), RandomState::new(3));
        assert_eq!(drawing.normal(), skipping.normal());
        uniforms(&mut drawing, 1001);
        skipping.skip_uniforms(1001);
        assert_eq!(normals(&mut drawing, 3), normals(&mut skipping, 3));
        assert_eq!(drawing.uniform(), skipping.uniform());
    }

    #[test]
    fn a_mask_of_nothing_draws_nothing() {
        let mut state = RandomState::new(1);
        state.mask_diagonal(0, 0.5, |_, _| unreachable!("no entries"));
        assert_eq!(state.uniform(), RandomState::new(1).uniform());
    }
}
