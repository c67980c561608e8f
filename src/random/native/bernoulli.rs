use std::fmt;

use super::Key;

/// Random bits that are 1 with probability alpha, 64 to a word: the diagonals of the masks (Eq. 2, 3).
///
/// Alpha is kept to 32 binary digits. A word of bits is folded from one random word per digit, from the lowest set
/// digit upwards: `or` for a 1 (p becomes (1 + p) / 2), `and` for a 0 (p becomes p / 2). One half costs one random
/// word, a quarter two, and no alpha more than 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bernoulli {
    /// alpha * 2^32.
    numerator: u64,
}

/// A probability outside of `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidProbability(pub f64);

impl fmt::Display for InvalidProbability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a probability must lie between 0 and 1, not be {}", self.0)
    }
}

impl std::error::Error for InvalidProbability {}

impl Bernoulli {
    /// Binary digits of alpha.
    const DIGITS: u32 = 32;

    /// Bits that are 1 with probability `alpha`, rounded to a multiple of 2^-32.
    ///
    /// # Errors
    /// If `alpha` is not in `[0, 1]`.
    pub fn new(alpha: f64) -> Result<Self, InvalidProbability> {
        if !(0.0..=1.0).contains(&alpha) {
            return Err(InvalidProbability(alpha));
        }
        let one = 1u64 << Self::DIGITS;
        Ok(Self { numerator: (alpha * one as f64).round() as u64 })
    }

    /// The probability, after rounding.
    pub fn alpha(self) -> f64 {
        self.numerator as f64 / (1u64 << Self::DIGITS) as f64
    }

    /// The probability times 2^32.
    pub fn numerator(self) -> u64 {
        self.numerator
    }

    /// The digits to fold, lowest first: none for the constants 0 and 1, otherwise those from the lowest set one up.
    ///
    /// Word `c` of the bits folds the key's words `c * digits().len()` and following, one for each digit.
    pub fn digits(self) -> impl ExactSizeIterator<Item = bool> {
        let lowest = self.numerator.trailing_zeros().min(Self::DIGITS);
        (lowest..Self::DIGITS).map(move |digit| self.numerator >> digit & 1 == 1)
    }

    /// What the folding starts from: all ones where alpha is 1, otherwise zeros.
    pub fn start(self) -> u64 {
        (self.numerator >> Self::DIGITS).wrapping_neg()
    }

    /// Word `counter` of the bits under `key`.
    #[inline]
    pub fn word(self, key: Key, counter: u64) -> u64 {
        let digits = self.digits();
        let first = counter.wrapping_mul(digits.len() as u64);
        let words = key.words(first, 1);
        digits.zip(words).fold(self.start(), |bits, (digit, word)| if digit { bits | word } else { bits & word })
    }

    /// Fills `out` with the words `first_counter`, `first_counter + 1`, ... of [`word`](Self::word).
    ///
    /// Digit by digit over a block that stays in the cache, so that the compiler can work on several words at a time.
    #[inline(always)]
    pub fn fill(self, key: Key, first_counter: u64, out: &mut [u64]) {
        const BLOCK: usize = 256;
        let stride = self.digits().len() as u64;
        let mut first = first_counter.wrapping_mul(stride);
        for block in out.chunks_mut(BLOCK) {
            block.fill(self.start());
            for (digit, i) in self.digits().zip(0u64..) {
                let words = key.words(first.wrapping_add(i), stride);
                if digit {
                    block.iter_mut().zip(words).for_each(|(bits, word)| *bits |= word);
                } else {
                    block.iter_mut().zip(words).for_each(|(bits, word)| *bits &= word);
                }
            }
            first = first.wrapping_add(stride.wrapping_mul(BLOCK as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Purpose, testing::*},
        *,
    };

    #[test]
    fn bits_have_their_frequency_at_every_position() {
        for alpha in ALPHAS {
            let words = filled(alpha, key(), 0, WORDS);
            let variance = alpha * (1.0 - alpha);
            let bits = 64.0 * WORDS as f64;
            assert_near(ones(words.iter().copied()), alpha * bits, (variance * bits).sqrt());

            let mut chi_square = 0.0;
            for position in 0..64 {
                let count = ones(words.iter().map(|word| word >> position & 1));
                chi_square += (count - alpha * WORDS as f64).powi(2) / (variance * WORDS as f64);
            }
            assert_near(chi_square, 64.0, 128f64.sqrt());
        }
    }

    #[test]
    fn bits_of_views_seeds_epochs_and_rows_are_independent() {
        let run = Key::from_seed(1);
        let view = run.derive(Purpose::View1).derive(1u64);
        let others = [
            run.derive(Purpose::View2).derive(1u64),
            run.derive(Purpose::View1).derive(2u64),
            Key::from_seed(2).derive(Purpose::View1).derive(1u64),
        ];
        for alpha in ALPHAS {
            let words = filled(alpha, view, 0, WORDS);
            let words = || words.iter().copied();
            for other in others {
                let other = filled(alpha, other, 0, WORDS);
                assert_uncorrelated(words(), other.iter().copied(), alpha);
                assert_uncorrelated(words(), other.iter().copied().skip(1), alpha);
            }
            for rows in [1, 2, 7] {
                assert_uncorrelated(words(), words().skip(rows), alpha);
            }
            for distance in [1, 2, 13, 32] {
                assert_uncorrelated(words(), words().map(|word| word.rotate_left(distance)), alpha);
            }
        }
    }

    #[test]
    fn filling_equals_word_by_word() {
        for alpha in [0.0, 0.5, 0.25, 0.625, 0.1, 1.0] {
            for (first, length) in [(0, 0), (0, 1), (7, 255), (1 << 40, 256), (3, 1000), (u64::MAX - 300, 600)] {
                let one_by_one: Vec<u64> =
                    (0..length as u64).map(|i| bernoulli(alpha).word(key(), first.wrapping_add(i))).collect();
                assert_eq!(
                    filled(alpha, key(), first, length),
                    one_by_one,
                    "alpha {alpha}, from {first}, {length} words"
                );
            }
        }
    }

    #[test]
    fn certain_and_dyadic_probabilities_are_exact_and_cheap() {
        assert!(filled(0.0, key(), 0, 1000).iter().all(|&word| word == 0));
        assert!(filled(1.0, key(), 0, 1000).iter().all(|&word| word == u64::MAX));
        for (alpha, digits) in [
            (0.0, &[][..]),
            (1.0, &[]),
            (0.5, &[true]),
            (0.25, &[true, false]),
            (0.75, &[true, true]),
            (0.625, &[true, false, true]),
        ] {
            assert_eq!(bernoulli(alpha).alpha(), alpha);
            assert_eq!(bernoulli(alpha).digits().collect::<Vec<bool>>(), digits);
        }
        assert!((bernoulli(0.1).alpha() - 0.1).abs() <= 2f64.powi(-33));
        assert_eq!(filled(0.5, key(), 0, 3), [0, 1, 2].map(|counter| key().word(counter)));
    }

    #[test]
    fn only_probabilities_are_accepted() {
        for alpha in [-0.1, 1.1, f64::INFINITY, f64::NAN] {
            assert!(Bernoulli::new(alpha).is_err(), "{alpha}");
        }
        let message = Bernoulli::new(1.5).expect_err("too much").to_string();
        assert_eq!(message, "a probability must lie between 0 and 1, not be 1.5");
    }
}
