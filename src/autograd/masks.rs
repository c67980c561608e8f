//! Mask bits as tensors, drawn on the engine's device: the words of [`crate::random::native`] in 64-bit integer
//! arithmetic, the same to the last bit wherever they are drawn.

use tch::{Device, Kind, Tensor};

use crate::{
    engine::{MaskBits, NativeMasks},
    random::native::{Bernoulli, Key, MIX_MULTIPLIERS, MIX_SHIFTS},
    spec::Masks,
};

/// Words of both views of a cohort, `(R, B, ceil(p / 64))` as int64, for batches of `pairs` pairs of views.
pub fn words(masks: &[&MaskBits], pairs: i64, device: Device) -> [Tensor; 2] {
    let native = masks.iter().map(|masks| match masks {
        MaskBits::Native(place) => Some(*place),
        MaskBits::Drawn(_) => None,
    });
    match native.collect::<Option<Vec<_>>>() {
        Some(places) => draw(&places, device),
        None => {
            let words: Vec<[Vec<u64>; 2]> = masks.iter().map(|masks| masks.words()).collect();
            [0, 1].map(|view| {
                let words: Vec<i64> = words.iter().flat_map(|run| run[view].iter().map(|&word| word as i64)).collect();
                Tensor::from_slice(&words).to_device(device).reshape([masks.len() as i64, pairs, -1])
            })
        }
    }
}

/// The same for native draws, which need nothing from the host but their places.
fn draw(places: &[NativeMasks], device: Device) -> [Tensor; 2] {
    let NativeMasks { masks, pairs, words_of_pair, .. } = places[0];
    let view = |view: usize| {
        let drawn = draw_view(places, view, device).reshape([places.len() as i64, -1, words_of_pair as i64]);
        drawn.expand([-1, pairs as i64, -1], false)
    };
    let first = view(0);
    let second = if masks == Masks::Independent { view(1) } else { first.bitwise_not() };
    [first, second]
}

/// Words of one view, `(R, words)`. Runs of one probability of keeping an entry are drawn together.
fn draw_view(places: &[NativeMasks], view: usize, device: Device) -> Tensor {
    let out = Tensor::zeros([places.len() as i64, places[0].drawn() as i64], (Kind::Int64, device));
    let mut left: Vec<usize> = (0..places.len()).collect();
    while let Some(&run) = left.first() {
        let keep = places[run].keep;
        let (alike, others): (Vec<usize>, Vec<usize>) = left.into_iter().partition(|&run| places[run].keep == keep);
        left = others;
        let sequences: Vec<(Key, u64)> =
            alike.iter().map(|&run| (places[run].keys[view], places[run].counter)).collect();
        let rows: Vec<i64> = alike.iter().map(|&run| run as i64).collect();
        let drawn = fold(keep, &sequences, out.size()[1], device);
        let _ = out.shallow_clone().index_copy_(0, &Tensor::from_slice(&rows).to_device(device), &drawn);
    }
    out
}

/// `count` words of [`Bernoulli::word`] from each key and counter on, `(sequences, count)`.
fn fold(keep: Bernoulli, sequences: &[(Key, u64)], count: i64, device: Device) -> Tensor {
    let digits = keep.digits().len() as u64;
    let column = |value: &dyn Fn(&(Key, u64)) -> u64| {
        let values: Vec<i64> = sequences.iter().map(|sequence| value(sequence) as i64).collect();
        Tensor::from_slice(&values).to_device(device).unsqueeze(1)
    };
    // What word 0 of the first digit is mixed from, and the distance to the next.
    let gamma = column(&|(key, _)| key.gamma());
    let first =
        column(&|(key, counter)| key.state().wrapping_add(counter.wrapping_mul(digits).wrapping_mul(key.gamma())));
    let places = Tensor::arange(count, (Kind::Int64, device)) * digits as i64;
    let start = first + &gamma * places; // (sequences, count)
    let bits = Tensor::full([sequences.len() as i64, count], keep.start() as i64, (Kind::Int64, device));
    keep.digits().enumerate().fold(bits, |bits, (i, digit)| {
        let word = mix(&start + &gamma * i as i64);
        if digit { bits.bitwise_or_tensor(&word) } else { bits.bitwise_and_tensor(&word) }
    })
}

/// [`crate::random::native::mix`] of every entry. Integers wrap around in libtorch as well.
fn mix(word: Tensor) -> Tensor {
    let folded = |word: &Tensor, shift: u32| {
        // libtorch shifts the sign in; the mask takes it out.
        let shifted = word.bitwise_right_shift_tensor_scalar(i64::from(shift)).bitwise_and(i64::MAX >> (shift - 1));
        word.bitwise_xor_tensor(&shifted)
    };
    let word = folded(&word, MIX_SHIFTS[0]) * MIX_MULTIPLIERS[0] as i64;
    let word = folded(&word, MIX_SHIFTS[1]) * MIX_MULTIPLIERS[1] as i64;
    folded(&word, MIX_SHIFTS[2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::native::Purpose;

    /// Also with different probabilities in one cohort, far counters, and more words than one for each pair.
    #[test]
    fn tensors_draw_the_words_of_the_host() {
        for masks in [Masks::Independent, Masks::Dependent, Masks::Shared] {
            let place = |(run, alpha): (u64, f64)| {
                let key = Key::from_seed(run);
                let keys = [Purpose::View1, Purpose::View2].map(|purpose| key.derive(purpose));
                let keep = Bernoulli::new(alpha).unwrap();
                let (counter, pairs, words_of_pair) = (run * 0x1234_5678_9abc, 37, 3);
                MaskBits::Native(NativeMasks { masks, keys, keep, counter, pairs, words_of_pair })
            };
            let alphas = [0.5, 0.3, 0.5, 0.0, 1.0, 0.75];
            let cohort: Vec<MaskBits> = (1..).zip(alphas).map(place).collect();
            let expected: Vec<MaskBits> = cohort.iter().map(|masks| MaskBits::Drawn(masks.words())).collect();
            let drawn = words(&cohort.iter().collect::<Vec<_>>(), 37, Device::Cpu);
            let expected = words(&expected.iter().collect::<Vec<_>>(), 37, Device::Cpu);
            for (drawn, expected) in drawn.iter().zip(&expected) {
                assert_eq!(drawn.size(), [6, 37, 3]);
                assert!(drawn.equal(expected), "{masks:?}");
            }
        }
    }
}
