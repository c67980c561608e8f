//! Views of a batch: samples by index, masked and scaled.

use std::array::from_fn;

use multiversion::multiversion;

use super::Matrix;

/// `ceil(p / 64)`: words of mask bits for each sample of p entries.
pub fn mask_words(p: usize) -> usize {
    p.div_ceil(64)
}

/// Samples handled together: one cache line of each view's row.
const BLOCK: usize = 16;

/// Both views of a batch, `(p, B)` each, of samples `x`, `(n, p)` row-major.
///
/// `rows` holds the batch's sample indices (all below n), `masks` the bits of view 1 and of view 2, [`mask_words`] for
/// each of the batch's samples: bit j (of the words, counted on from the lowest of the first) keeps entry j, times
/// `scale`.
#[multiversion(targets("x86_64+avx2+fma"))]
pub fn mask_views(x: &[f32], p: usize, rows: &[u32], masks: &[Vec<u64>; 2], scale: f32, views: &mut [Matrix; 2]) {
    views.iter_mut().for_each(|view| view.reshape(p, rows.len()));
    let [first, second] = views;
    for (block, rows) in rows.chunks(BLOCK).enumerate() {
        let columns = block * BLOCK..block * BLOCK + rows.len();
        // A last block that is not full repeats its first sample; the copies are dropped below.
        let at = |i: usize| if i < rows.len() { i } else { 0 };
        let samples: [&[f32]; BLOCK] = from_fn(|i| &x[rows[at(i)] as usize * p..][..p]);
        let mut bits = [[0u32; BLOCK]; 2];
        for (j, views) in first.iter_mut().zip(second.iter_mut()).map(<[_; 2]>::from).enumerate() {
            if j % 32 == 0 {
                let word = |i: usize| (columns.start + at(i)) * mask_words(p) + j / 64;
                bits = masks.each_ref().map(|words| from_fn(|i| (words[word(i)] >> (j % 64)) as u32));
            }
            let entries: [f32; BLOCK] = from_fn(|i| samples[i][j] * scale);
            for (view, bits) in views.into_iter().zip(&mut bits) {
                let mut masked = [0.0; BLOCK];
                for i in 0..BLOCK {
                    let keep = (bits[i] & 1).wrapping_neg(); // all ones or all zeros
                    masked[i] = f32::from_bits(entries[i].to_bits() & keep);
                    bits[i] >>= 1;
                }
                let out = &mut view[columns.clone()];
                match out.first_chunk_mut::<BLOCK>() {
                    Some(out) => *out = masked,
                    None => out.copy_from_slice(&masked[..rows.len()]),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fused::testing::Draws;

    #[test]
    fn every_bit_keeps_its_entry() {
        let mut draws = Draws::new(5);
        for (p, n, batch) in [(1, 1, 1), (20, 7, 32), (50, 100, 37), (64, 9, 8), (130, 33, 65)] {
            let x = draws.values(n * p);
            let rows: Vec<u32> = (0..batch).map(|_| (draws.bits() % n as u64) as u32).collect();
            let words = mask_words(p);
            let masks: [Vec<u64>; 2] = from_fn(|_| (0..batch * words).map(|_| draws.bits()).collect());
            let mut views = Default::default();
            mask_views(&x, p, &rows, &masks, 2.0, &mut views);
            for (view, mask) in views.iter().zip(&masks) {
                assert_eq!((view.rows(), view.columns()), (p, batch));
                for j in 0..p {
                    for b in 0..batch {
                        let keep = mask[b * words + j / 64] >> (j % 64) & 1 == 1;
                        let expected = if keep { 2.0 * x[rows[b] as usize * p + j] } else { 0.0 };
                        assert_eq!(view.row(j)[b], expected, "entry {j} of sample {b}");
                    }
                }
            }
        }
    }
}
