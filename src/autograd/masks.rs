//! Mask bits as tensors, drawn on the engine's device: the words of [`crate::random::native`] in 64-bit integer
//! arithmetic, the same to the last bit wherever they are drawn.

use tch::{Device, Kind, Tensor};

use crate::{
    engine::{MaskBits, NativeMasks},
    random::native::{Bernoulli, Key, MIX_MULTIPLIERS, MIX_SHIFTS},
    spec::Masks,
};

/// Makes the masks of a cohort's batches on a device, from the little that has to travel there for each.
#[derive(Debug)]
pub struct MaskDrawer {
    device: Device,
    /// What the native draws of the last batch needed, kept for the next.
    fold: Option<Fold>,
}

impl MaskDrawer {
    pub fn new(device: Device) -> Self {
        Self { device, fold: None }
    }

    /// The numbers that have to be on the device for [`Self::words`] of a batch: a place for each sequence of words or,
    /// where the draws are not native, the words.
    pub fn numbers(&mut self, masks: &[&MaskBits]) -> Vec<i64> {
        match native(masks) {
            Some(places) => self.fold(&places).starts(&places),
            None => {
                let words: Vec<_> = masks.iter().map(|masks| masks.words()).collect();
                [0, 1]
                    .iter()
                    .flat_map(|&view| words.iter().flat_map(move |run| &run[view]))
                    .map(|&w| w as i64)
                    .collect()
            }
        }
    }

    /// Words of both views, `(2, R, B, ceil(p / 64))`, of a batch of `pairs` pairs whose [`Self::numbers`] are given on the
    /// device.
    pub fn words(&mut self, masks: &[&MaskBits], numbers: &Tensor, pairs: i64) -> Tensor {
        let runs = masks.len() as i64;
        let Some(places) = native(masks) else { return numbers.reshape([2, runs, pairs, -1]) };
        let words = self.fold(&places).draw(numbers, places[0].drawn() as i64);
        let words =
            words.reshape([-1, runs, words.size()[1] / places[0].words_of_pair as i64, places[0].words_of_pair as i64]);
        let both = match places[0].masks {
            Masks::Independent => words,
            Masks::Dependent | Masks::Shared => Tensor::cat(&[&words, &words.bitwise_not()], 0),
        };
        both.expand([2, runs, pairs, -1], false)
    }

    /// The constants for draws at these places.
    fn fold(&mut self, places: &[NativeMasks]) -> &Fold {
        let sequences = sequences(places);
        let words = places[0].drawn();
        match &self.fold {
            Some(fold) if fold.sequences == sequences && fold.words >= words => {}
            _ => self.fold = Some(Fold::new(sequences, words, self.device)),
        }
        self.fold.as_ref().expect("it has just been made")
    }
}

/// The places of all runs, if all draw natively.
fn native(masks: &[&MaskBits]) -> Option<Vec<NativeMasks>> {
    let place = |masks: &&MaskBits| match masks {
        MaskBits::Native(place) => Some(*place),
        MaskBits::Drawn(_) => None,
    };
    masks.iter().map(place).collect()
}

/// What is drawn: view 1 of all runs, and view 2 where that does not follow from view 1.
fn sequences(places: &[NativeMasks]) -> Vec<(Key, Bernoulli)> {
    let views = if places[0].masks == Masks::Independent { 2 } else { 1 };
    (0..views).flat_map(|view| places.iter().map(move |place| (place.keys[view], place.keep[view]))).collect()
}

/// Draws the words of S sequences side by side. [`Bernoulli::word`] folds one word of a key for each binary digit of the
/// probability; here step i folds digit i of every sequence that has one, so the work does not grow with the number of
/// different probabilities.
#[derive(Debug)]
struct Fold {
    sequences: Vec<(Key, Bernoulli)>,
    /// Most words of a sequence that can be drawn at once.
    words: usize,
    /// Distance between neighbouring words of a key, `(S, 1)`.
    gamma: Tensor,
    /// Distance of each word's first digit from that of the first word, `(S, words)`.
    offsets: Tensor,
    /// The bits before the first digit, `(S, 1)`.
    start: Tensor,
    digits: Vec<Digit>,
}

/// Digit i of all sequences.
#[derive(Debug)]
enum Digit {
    /// The same for all of them.
    Common(bool),
    /// `(bits | word & or) & (word | and)` with two masks `(S, 1)`: both all ones for a digit 1, both zero for a digit
    /// 0, and zero and all ones beyond the last digit, which leaves the bits as they are.
    Mixed { or: Tensor, and: Tensor },
}

impl Fold {
    fn new(sequences: Vec<(Key, Bernoulli)>, words: usize, device: Device) -> Self {
        let column = |value: &dyn Fn(&(Key, Bernoulli)) -> u64| {
            let values: Vec<i64> = sequences.iter().map(|sequence| value(sequence) as i64).collect();
            Tensor::from_slice(&values).to_device(device).unsqueeze(1)
        };
        let digits = |keep: &Bernoulli| keep.digits().len() as u64;
        let most = sequences.iter().map(|(_, keep)| keep.digits().len()).max().unwrap_or(0);
        let digit = |i: usize| {
            let of = |keep: &Bernoulli| keep.digits().nth(i);
            let first = of(&sequences[0].1);
            match first {
                Some(digit) if sequences.iter().all(|(_, keep)| of(keep) == first) => Digit::Common(digit),
                _ => Digit::Mixed {
                    or: column(&|(_, keep)| ones(of(keep) == Some(true))),
                    and: column(&|(_, keep)| ones(of(keep) != Some(false))),
                },
            }
        };
        let stride = column(&|(key, keep)| key.gamma().wrapping_mul(digits(keep)));
        Self {
            gamma: column(&|(key, _)| key.gamma()),
            offsets: stride * Tensor::arange(words as i64, (Kind::Int64, device)),
            start: column(&|(_, keep)| keep.start()),
            digits: (0..most).map(digit).collect(),
            words,
            sequences,
        }
    }

    /// The input from which word 0 of each sequence's first digit is mixed, at the places of a batch.
    fn starts(&self, places: &[NativeMasks]) -> Vec<i64> {
        let counters = places.iter().map(|place| place.counter).cycle();
        let start = |(&(key, keep), counter): (&(Key, Bernoulli), u64)| {
            let first = counter.wrapping_mul(keep.digits().len() as u64);
            key.state().wrapping_add(first.wrapping_mul(key.gamma())) as i64
        };
        self.sequences.iter().zip(counters).map(start).collect()
    }

    /// `count` words of each sequence, `(S, count)`, from its start `(S,)`.
    fn draw(&self, starts: &Tensor, count: i64) -> Tensor {
        let mut place = starts.unsqueeze(1) + self.offsets.narrow(1, 0, count);
        let mut bits = self.start.expand([-1, count], false);
        for (i, digit) in self.digits.iter().enumerate() {
            if i > 0 {
                place += &self.gamma;
            }
            let word = mix(&place);
            bits = match digit {
                Digit::Common(true) => bits.bitwise_or_tensor(&word),
                Digit::Common(false) => bits.bitwise_and_tensor(&word),
                Digit::Mixed { or, and } => {
                    let set = bits.bitwise_or_tensor(&word.bitwise_and_tensor(or));
                    set.bitwise_and_tensor(&word.bitwise_or_tensor(and))
                }
            };
        }
        bits
    }
}

/// All ones or none.
fn ones(whether: bool) -> u64 {
    u64::from(whether).wrapping_neg()
}

/// [`crate::random::native::mix`] of every entry. Integers wrap around in libtorch as well.
fn mix(word: &Tensor) -> Tensor {
    let folded = |word: &Tensor, shift: u32| {
        // libtorch shifts the sign bit in; the mask takes it out again.
        let shifted = word.bitwise_right_shift_tensor_scalar(i64::from(shift)).bitwise_and(i64::MAX >> (shift - 1));
        word.bitwise_xor_tensor(&shifted)
    };
    let word = folded(word, MIX_SHIFTS[0]) * MIX_MULTIPLIERS[0] as i64;
    let word = folded(&word, MIX_SHIFTS[1]) * MIX_MULTIPLIERS[1] as i64;
    folded(&word, MIX_SHIFTS[2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::native::Purpose;

    /// Of a batch of 37 pairs.
    fn words(drawer: &mut MaskDrawer, masks: &[MaskBits]) -> Tensor {
        let masks: Vec<&MaskBits> = masks.iter().collect();
        let numbers = Tensor::from_slice(&drawer.numbers(&masks));
        drawer.words(&masks, &numbers, 37)
    }

    /// Covers different probabilities in one cohort, large counters, and more than one word per pair.
    #[test]
    fn tensors_draw_the_words_of_the_host() {
        let mut drawer = MaskDrawer::new(Device::Cpu);
        for masks in [Masks::Independent, Masks::Dependent, Masks::Shared] {
            let place = |(run, alpha): (u64, f64)| {
                let key = Key::from_seed(run);
                let keys = [Purpose::View1, Purpose::View2].map(|purpose| key.derive(purpose));
                let keep = [alpha, 1.0 - alpha / 2.0].map(|alpha| Bernoulli::new(alpha).unwrap());
                let (counter, pairs, words_of_pair) = (run * 0x1234_5678_9abc, 37, 3);
                MaskBits::Native(NativeMasks { masks, keys, keep, counter, pairs, words_of_pair })
            };
            let alphas = [0.5, 0.3, 0.5, 0.0, 1.0, 0.75];
            let cohort: Vec<MaskBits> = (1..).zip(alphas).map(place).collect();
            let expected: Vec<MaskBits> = cohort.iter().map(|masks| MaskBits::Drawn(masks.words())).collect();
            let drawn = words(&mut drawer, &cohort);
            assert_eq!(drawn.size(), [2, 6, 37, 3]);
            assert!(drawn.equal(&words(&mut drawer, &expected)), "{masks:?}");
        }
    }
}
