//! This program's own generator: counter-based, hence stateless.
//!
//! A [`Key`] names a sequence of 64-bit words, any of which can be had at once from its counter. Keys are derived from
//! a seed and then from tags that say what the draws are for ([`Purpose`]), in which epoch, and so on. A draw therefore
//! depends on what it is for, and never on the batch, cohort, thread, shard or device that asks for it.
//!
//! # Construction
//!
//! Word `c` of the key `(state, gamma)` is `mix(state + c * gamma)` modulo 2^64: SplitMix with a gamma of each key's own
//! (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014) and the finaliser "Mix13" of
//! D. Stafford. With one gamma for all, every sequence would be a stretch of the same cycle and two keys could overlap;
//! with two gammas, the sequences of two keys meet in isolated words at most.
//!
//! Everything is wrapping addition, multiplication, xor and logical shift of 64-bit integers, so that the words are the
//! same on vector units and on GPUs. What is drawn from a key is part of the program's results: the tests pin it.

mod bernoulli;
#[cfg(test)]
mod testing;

pub use bernoulli::{Bernoulli, InvalidProbability};

use super::Draws;

/// 2^64 divided by the golden ratio, made odd: bits without pattern.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The shifts of [`mix`], public for those who compute words elsewhere, such as on a GPU.
pub const MIX_SHIFTS: [u32; 3] = [30, 27, 31];
/// The multipliers of [`mix`].
pub const MIX_MULTIPLIERS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// Stafford's "Mix13": a bijection under which every input bit flips every output bit with a probability close to 1/2.
#[inline(always)]
pub const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> MIX_SHIFTS[0])).wrapping_mul(MIX_MULTIPLIERS[0]);
    word = (word ^ (word >> MIX_SHIFTS[1])).wrapping_mul(MIX_MULTIPLIERS[1]);
    word ^ (word >> MIX_SHIFTS[2])
}

/// What a sequence of draws is for.
///
/// The numbers enter the keys, hence every result: add new ones, never change existing ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// The dictionary M.
    Dictionary = 1,
    /// The latents z.
    Latents = 2,
    /// The noise epsilon.
    Noise = 3,
    /// The initial weights of the online encoder, or of the only one.
    OnlineInit = 4,
    /// The initial weights of the target encoder.
    TargetInit = 5,
    /// The initial weights and biases of all other linear layers.
    LinearInit = 6,
    /// The order in which an epoch takes the samples.
    EpochOrder = 7,
    /// The mask of the first view, or the only mask where the views depend on one.
    View1 = 8,
    /// The mask of the second view.
    View2 = 9,
    /// Noise of the first view's own under its mask.
    Noise1 = 10,
    /// Noise of the second view's own under its mask.
    Noise2 = 11,
    /// Noise on all of the first view.
    Added1 = 12,
    /// Noise on all of the second view.
    Added2 = 13,
    /// What the loss draws at a step.
    Loss = 14,
}

impl From<Purpose> for u64 {
    fn from(purpose: Purpose) -> Self {
        purpose as u64
    }
}

/// The name of a sequence of random words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    state: u64,
    gamma: u64,
}

impl Key {
    /// The root key of a seed; different seeds have different keys.
    pub const fn from_seed(seed: u64) -> Self {
        Self::from_state(mix(seed.wrapping_add(GOLDEN)))
    }

    /// The key that belongs to `tag` (a [`Purpose`], an epoch, an index) under this one. One key's tags give different
    /// keys, and the path matters: `a` then `b` is not `b` then `a`.
    pub fn derive(self, tag: impl Into<u64>) -> Self {
        Self::from_state(mix(self.state ^ mix(tag.into().wrapping_add(GOLDEN))))
    }

    /// The increment is a hash of the state, independent of the words that the key gives, and odd so as to reach all
    /// words.
    const fn from_state(state: u64) -> Self {
        Self { state, gamma: mix(!state) | 1 }
    }

    /// The number that the sequence starts from: word `c` is `mix(state + c * gamma)`.
    pub const fn state(self) -> u64 {
        self.state
    }

    /// The odd increment of the sequence: see [`state`](Self::state).
    pub const fn gamma(self) -> u64 {
        self.gamma
    }

    /// The word at `counter`: 64 independent fair bits.
    #[inline(always)]
    pub const fn word(self, counter: u64) -> u64 {
        mix(self.state.wrapping_add(counter.wrapping_mul(self.gamma)))
    }

    /// The words at `first`, `first + stride`, ... without end: one addition and one mix each.
    #[inline(always)]
    fn words(self, first: u64, stride: u64) -> impl Iterator<Item = u64> {
        let mut next = self.state.wrapping_add(first.wrapping_mul(self.gamma));
        let step = stride.wrapping_mul(self.gamma);
        std::iter::repeat_with(move || {
            let word = mix(next);
            next = next.wrapping_add(step);
            word
        })
    }

    /// Draws from this key's words, in order from the first.
    pub const fn stream(self) -> Stream {
        Stream { key: self, counter: 0, spare_normal: None }
    }
}

/// A key and a place in its sequence: [`Draws`] one after the other.
#[derive(Clone, Debug)]
pub struct Stream {
    key: Key,
    counter: u64,
    spare_normal: Option<f64>,
}

impl Stream {
    #[inline]
    fn next_word(&mut self) -> u64 {
        let word = self.key.word(self.counter);
        self.counter = self.counter.wrapping_add(1);
        word
    }
}

impl Draws for Stream {
    #[inline]
    fn uniform(&mut self) -> f64 {
        (self.next_word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller: a pair of normal numbers from a pair of words.
    fn normal(&mut self) -> f64 {
        if let Some(normal) = self.spare_normal.take() {
            return normal;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare_normal = Some(radius * sin);
        radius * cos
    }

    /// Lemire's method ("Fast random integer generation in an interval", ACM TOMACS 29(1), 2019): the high half of
    /// `word * n`, rejecting the few words that would make it uneven.
    fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        loop {
            let product = u128::from(self.next_word()) * u128::from(n);
            let low = product as u64;
            if low >= n || low >= n.wrapping_neg() % n {
                return (product >> 64) as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::permuted;
    use super::{testing::*, *};

    /// Computed from the definitions alone, by a few lines of Python with integers of any size.
    #[test]
    fn the_stream_stays_as_it_is() {
        assert_eq!(Key::from_seed(0).word(0), 0x4821_8226_ff3c_d4bf);
        let key = key();
        assert_eq!((key.state(), key.gamma()), (0x2e57_9c21_1b34_dc6d, 0x1a73_8130_a2f2_fd83));
        let words = [0, 1, 2, u64::MAX].map(|counter| key.word(counter));
        let known = [0x643e_72dc_1643_0eda, 0x4848_15a4_53d5_6838, 0x5ddd_b3d9_8482_198d, 0x314a_5271_e9c9_2dc7];
        assert_eq!(words, known);

        for (alpha, known) in [
            (0.5, [0x643e_72dc_1643_0eda, 0xc89e_43ab_215c_41f5]),
            (0.25, [0x4008_1084_1241_0818, 0x8b24_2600_0089_432e]),
            (0.75, [0x6c7e_77fc_57d7_6efa, 0xcff7_7eb3_6fb9_fbee]),
            (0.1, [0x5808_2440_4080_4200, 0x1_0002_8010]),
        ] {
            assert_eq!([0, 5].map(|counter| bernoulli(alpha).word(key, counter)), known, "alpha {alpha}");
        }

        let mut stream = key.stream();
        let uniforms = [(); 4].map(|()| stream.uniform());
        assert_eq!(uniforms, [0.391577891094368, 0.2823499227705121, 0.36666416225899245, 0.7401994757188408]);
        let mut stream = key.stream();
        assert_eq!([(); 8].map(|()| stream.below(50)), [19, 14, 18, 37, 26, 39, 27, 40]);
        // Logarithm, sine and cosine are the system's and may differ in the last digit.
        let mut stream = key.stream();
        assert!((stream.normal() + 0.2012343255526731).abs() < 1e-15);
        assert!((stream.normal() - 0.9763593118753208).abs() < 1e-15);
    }

    #[test]
    fn purposes_keep_their_numbers() {
        use Purpose::*;
        let all = [Dictionary, Latents, Noise, OnlineInit, TargetInit, LinearInit, EpochOrder, View1, View2];
        assert_eq!(all.map(u64::from), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn keys_differ_by_seed_tag_and_path() {
        let root = Key::from_seed(1);
        let mut keys: Vec<Key> = (0..1000).map(Key::from_seed).collect();
        keys.extend((0..1000u64).map(|tag| root.derive(tag)));
        keys.extend((0..1000u64).map(|tag| root.derive(Purpose::View1).derive(tag)));
        keys.extend((0..1000u64).map(|tag| root.derive(tag + 10).derive(Purpose::View1)));
        keys.sort_by_key(|key| key.state());
        keys.dedup_by_key(|key| key.state());
        assert_eq!(keys.len(), 4000);
        keys.sort_by_key(|key| key.gamma());
        keys.dedup_by_key(|key| key.gamma());
        assert_eq!(keys.len(), 4000);
    }

    #[test]
    fn one_bit_of_seed_tag_or_counter_flips_half_the_bits() {
        let flipped = |word: &dyn Fn(u64) -> u64| -> f64 {
            let flips = (0..1000u64).flat_map(|i| (0..64).map(move |bit| (i, i ^ 1 << bit)));
            ones(flips.map(|(a, b)| word(a) ^ word(b)))
        };
        let bits = 64_000.0 * 64.0;
        assert_near(flipped(&|seed| Key::from_seed(seed).word(0)), bits / 2.0, bits.sqrt() / 2.0);
        assert_near(flipped(&|tag| Key::from_seed(1).derive(tag).word(0)), bits / 2.0, bits.sqrt() / 2.0);
        assert_near(flipped(&|counter| Key::from_seed(1).word(counter)), bits / 2.0, bits.sqrt() / 2.0);
    }

    #[test]
    fn first_words_of_many_keys_are_independent() {
        let first = |seed| Key::from_seed(seed).derive(Purpose::EpochOrder).derive(1u64).word(0);
        let words: Vec<u64> = (0..WORDS as u64).map(first).collect();
        let counts: Vec<u64> =
            (0..64).map(|bit| words.iter().filter(|&word| word >> bit & 1 == 1).count() as u64).collect();
        assert_even(&counts);
        assert_uncorrelated(words.iter().copied(), words.iter().copied().skip(1), 0.5);
        let mut bytes = [0; 256];
        words.iter().flat_map(|word| word.to_le_bytes()).for_each(|byte| bytes[usize::from(byte)] += 1);
        assert_even(&bytes);
    }

    #[test]
    fn uniforms_are_even() {
        let mut stream = key().stream();
        let mut counts = [0; 1000];
        for _ in 0..200_000 {
            counts[(1000.0 * stream.uniform()) as usize] += 1;
        }
        assert_even(&counts);
    }

    #[test]
    fn normals_have_their_moments() {
        let mut stream = key().stream();
        let pairs: Vec<[f64; 2]> = (0..100_000).map(|_| [stream.normal(), stream.normal()]).collect();
        let normals = pairs.as_flattened();
        let n = normals.len() as f64;
        let moment = |power: i32| normals.iter().map(|x| x.powi(power)).sum::<f64>() / n;
        assert_near(moment(1), 0.0, (1.0 / n).sqrt());
        assert_near(moment(2), 1.0, (2.0 / n).sqrt());
        assert_near(moment(3), 0.0, (15.0 / n).sqrt());
        assert_near(moment(4), 3.0, (96.0 / n).sqrt());
        // The median of |x|, and the two normals of a pair and their squares, which Box and Muller make from the same words.
        let within = normals.iter().filter(|x| x.abs() < 0.6744897501960817).count() as f64;
        assert_near(within, n / 2.0, n.sqrt() / 2.0);
        let half = n / 2.0;
        assert_near(pairs.iter().map(|[x, y]| x * y).sum(), 0.0, half.sqrt());
        let squares = pairs.iter().map(|[x, y]| (x * x - 1.0) * (y * y - 1.0)).sum();
        assert_near(squares, 0.0, 2.0 * half.sqrt());
    }

    #[test]
    fn below_is_unbiased() {
        let mut stream = key().stream();
        let mut counts = [0; 7];
        (0..100_000).for_each(|_| counts[stream.below(7)] += 1);
        assert_even(&counts);
        assert_eq!(stream.below(1), 0);

        // Of 3/4 * 2^64 values, those divisible by 3 would come up twice as often without rejection.
        let mut counts = [0; 3];
        (0..10_000).for_each(|_| counts[stream.below(3 << 62) % 3] += 1);
        assert_even(&counts);
    }

    #[test]
    fn permutations_are_equally_likely() {
        let draws: &mut dyn Draws = &mut key().stream();
        let mut counts = [0; 256];
        for _ in 0..24_000 {
            let order = permuted(draws, &[0, 1, 2, 3]);
            counts[order.iter().fold(0, |code, item| 4 * code + item)] += 1;
        }
        let possible: Vec<u64> = counts.into_iter().filter(|&count| count > 0).collect();
        assert_eq!(possible.len(), 24);
        assert_even(&possible);
    }
}
