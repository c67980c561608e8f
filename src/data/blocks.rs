//! Masks of whole blocks of entries.

use super::streams::Position;
use crate::{
    engine::with_complement,
    random::native::Key,
    spec::{Masks, ViewSpec},
};

/// Mask bits of both views for every pair of a batch, `ceil(p / 64)` words each. The block of a pair begins where the word at
/// the pair's place says.
pub fn masks(keys: [Key; 2], views: &ViewSpec, p: usize, at: Position) -> [Vec<u64>; 2] {
    let first = at.seen * views.pairs as u64;
    let pairs = at.samples * views.pairs;
    let draw = |view: usize, pairs: usize| -> Vec<u64> {
        let zeros = (views.masking_probs()[view] * p as f64).round() as usize;
        let start = |pair: u64| ((u128::from(keys[view].word(first + pair)) * p as u128) >> 64) as usize;
        (0..pairs as u64).flat_map(|pair| without_block(p, start(pair), zeros)).collect()
    };
    match views.masks {
        Masks::Independent => [0, 1].map(|view| draw(view, pairs)),
        Masks::Dependent => with_complement(draw(0, pairs)),
        Masks::Shared => with_complement(draw(0, 1).repeat(pairs)),
    }
}

/// Ones for p entries, but zeros from `start` on, past the end to the beginning.
fn without_block(p: usize, start: usize, zeros: usize) -> Vec<u64> {
    let mut words = vec![u64::MAX; p.div_ceil(64)];
    for j in (start..start + zeros).map(|j| j % p) {
        words[j / 64] &= !(1 << (j % 64));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_goes_round_the_end() {
        assert_eq!(without_block(70, 68, 4), [u64::MAX << 2, u64::MAX << 6 | 0b001111]);
        assert_eq!(without_block(3, 1, 0), [u64::MAX]);
        assert_eq!(without_block(3, 2, 3)[0] & 0b111, 0);
    }
}
