//! The Mersenne twister MT19937, the engine under both NumPy's and PyTorch's generators.
//!
//! Matsumoto and Nishimura, "Mersenne twister: a 623-dimensionally equidistributed uniform pseudo-random number
//! generator", ACM TOMACS 8(1), 1998; seeding as in their revision of 2002 (`init_genrand` and
//! `init_by_array`).

use multiversion::multiversion;

/// Words of state, regenerated all at once.
const N: usize = 624;
/// Distance between the words that a recurrence step combines.
const M: usize = 397;

/// A Mersenne twister and its place in the current block of words.
#[derive(Clone, Debug)]
pub struct Mt19937 {
    block: [u32; N],
    /// Index of the next word in `block`; `N` when the block is used up.
    next: usize,
}

impl Mt19937 {
    /// Seeds as `init_genrand` does, hence as `numpy.random.seed(seed)` and `torch.manual_seed(seed)` do.
    pub fn new(seed: u32) -> Self {
        let mut block = [seed; N];
        for i in 1..N {
            let previous = block[i - 1];
            block[i] = (previous ^ (previous >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { block, next: N }
    }

    /// Seeds by several words as `init_by_array` does, hence as Python's `random.seed`. There is at least one.
    pub fn by_array(key: &[u32]) -> Self {
        let mut block = Self::new(19_650_218).block;
        let mut i = 1;
        let mut mix = |factor: u32, add: u32, i: usize| {
            let previous = block[i - 1];
            block[i] = (block[i] ^ (previous ^ (previous >> 30)).wrapping_mul(factor)).wrapping_add(add);
            if i + 1 < N {
                return i + 1;
            }
            block[0] = block[N - 1];
            1
        };
        for j in (0..key.len()).cycle().take(N.max(key.len())) {
            i = mix(1_664_525, key[j].wrapping_add(j as u32), i);
        }
        for _ in 1..N {
            i = mix(1_566_083_941, (i as u32).wrapping_neg(), i);
        }
        block[0] = 0x8000_0000;
        Self { block, next: N }
    }

    /// The next 32-bit word.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if self.next == N {
            twist(&mut self.block);
            self.next = 0;
        }
        let word = self.block[self.next];
        self.next += 1;
        temper(word)
    }

    /// The next two words as one, the first in the high half.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        (high << 32) | u64::from(self.next_u32())
    }

    /// Passes over the next `words` words without tempering them: the state is regenerated block by block, in a loop
    /// that the compiler vectorises.
    #[inline]
    pub fn skip(&mut self, words: u64) {
        let mut end = self.next as u64 + words;
        while end > N as u64 {
            twist(&mut self.block);
            end -= N as u64;
        }
        self.next = end as usize;
    }

    /// Number of words of a saved state.
    pub const SAVED: usize = N + 1;

    /// The state: the block and the place in it.
    pub fn save(&self) -> Vec<u32> {
        self.block.iter().copied().chain([self.next as u32]).collect()
    }

    /// A twister in a saved state; none if the words are not a state.
    pub fn restored(words: &[u32]) -> Option<Self> {
        let (&next, block) = words.split_last()?;
        let next = (next as usize <= N).then_some(next as usize)?;
        Some(Self { block: block.try_into().ok()?, next })
    }
}

/// Replaces a block of state by the next one.
///
/// Two loops over constant ranges in place of one with wrapped indices, and a mask in place of a branch on the low bit,
/// so that the compiler can work on several words at a time: replaying the authors' scripts is mostly passing over
/// words that they draw and do not use.
#[multiversion(targets("x86_64+avx2"))]
fn twist(block: &mut [u32; N]) {
    for i in 0..N - M {
        block[i] = block[i + M] ^ twisted(block[i], block[i + 1]);
    }
    for i in N - M..N - 1 {
        block[i] = block[i + M - N] ^ twisted(block[i], block[i + 1]);
    }
    block[N - 1] = block[M - 1] ^ twisted(block[N - 1], block[0]);
}

/// The top bit of `high` joined to the low bits of `low`, times the recurrence's matrix.
#[inline(always)]
fn twisted(high: u32, low: u32) -> u32 {
    let joined = (high & 0x8000_0000) | (low & 0x7fff_ffff);
    (joined >> 1) ^ ((low & 1).wrapping_neg() & 0x9908_b0df)
}

/// The output transformation of a word of state.
#[inline(always)]
fn temper(mut word: u32) -> u32 {
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c_5680;
    word ^= (word << 15) & 0xefc6_0000;
    word ^ (word >> 18)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_known_values() {
        // The C++ standard ([rand.predef]) requires the 10000th word of mt19937, with the default seed 5489, to be this
        // one.
        let mut twister = Mt19937::new(5489);
        assert_eq!(twister.next_u32(), 3_499_211_612);
        twister.skip(9_998);
        assert_eq!(twister.next_u32(), 4_123_659_995);
    }

    #[test]
    fn several_words_of_seed_give_the_known_values() {
        // The first words of the authors' mt19937ar.out, whose key has four words.
        let mut twister = Mt19937::by_array(&[0x123, 0x234, 0x345, 0x456]);
        assert_eq!([(); 3].map(|()| twister.next_u32()), [1_067_595_299, 955_945_823, 477_289_528]);
    }

    #[test]
    fn a_restored_state_goes_on() {
        for drawn in [0, 1, 623, 624, 1000] {
            let mut twister = Mt19937::new(7);
            twister.skip(drawn);
            let saved = twister.save();
            assert_eq!(saved.len(), Mt19937::SAVED);
            assert_eq!(Mt19937::restored(&saved).unwrap().next_u64(), twister.next_u64());
            assert!(Mt19937::restored(&saved[1..]).is_none());
        }
    }

    #[test]
    fn skipping_equals_drawing() {
        for before in [0, 1, 622, 623, 624, 700] {
            for words in [0, 1, 2, 100, 623, 624, 625, 1248, 5000] {
                let mut drawn = Mt19937::new(7);
                (0..before).for_each(|_| _ = drawn.next_u32());
                let mut skipped = drawn.clone();
                (0..words).for_each(|_| _ = drawn.next_u32());
                skipped.skip(words);
                assert_eq!(skipped.next_u64(), drawn.next_u64(), "skipping {words} after {before}");
            }
        }
    }
}
