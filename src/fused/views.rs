//! Views of a batch: samples by index, masked and scaled.

use multiversion::multiversion;
use ndarray::Array2;

use crate::kernels::Matrix;

/// `ceil(p / 64)`: words of mask bits for each sample of p entries.
pub fn mask_words(p: usize) -> usize {
    p.div_ceil(64)
}

/// Both views of a batch, `(p, B)` each, of samples `x`, `(p, n)`.
///
/// `rows` holds the batch's sample indices (all below n), `masks` the bits of view 1 and of view 2, [`mask_words`] for
/// each of the batch's samples: bit j (of the words, counted on from the lowest of the first) keeps entry j, times
/// `scale`.
#[multiversion(targets("x86_64+avx2+fma"))]
pub fn mask_views(x: &Matrix, rows: &[u32], masks: &[Vec<u64>; 2], scale: f32, views: &mut [Matrix; 2]) {
    let (p, words) = (x.rows(), mask_words(x.rows()));
    views.iter_mut().for_each(|view| view.reshape(p, rows.len()));
    let [first, second] = views;
    gather(x, rows, second);
    let mut bits = [vec![0u32; rows.len()], vec![0u32; rows.len()]];
    for j in 0..p {
        if j % 32 == 0 {
            for (bits, mask) in bits.iter_mut().zip(masks) {
                let words = mask.chunks_exact(words);
                bits.iter_mut().zip(words).for_each(|(bits, words)| *bits = (words[j / 64] >> (j % 64)) as u32);
            }
        }
        let samples = first.row_mut(j).iter_mut().zip(second.row_mut(j));
        for ((first, second), (bits1, bits2)) in samples.zip(bits[0].iter().zip(&bits[1])) {
            let entry = *second * scale;
            *first = if bits1 >> (j % 32) & 1 == 1 { entry } else { 0.0 };
            *second = if bits2 >> (j % 32) & 1 == 1 { entry } else { 0.0 };
        }
    }
}

/// Adds noise `(B, p)` to a view `(p, B)`.
pub fn add(view: &mut Matrix, noise: &Array2<f64>) {
    for (view, noise) in view.iter_mut().zip(noise.columns()) {
        view.iter_mut().zip(noise).for_each(|(view, noise)| *view += *noise as f32);
    }
}

/// Samples `rows` of `x`: four entries at a time, so that an index is read and checked once for four.
#[inline(always)]
fn gather(x: &Matrix, rows: &[u32], out: &mut Matrix) {
    let (n, b) = (x.columns(), rows.len());
    let of = |j: usize| &x.row(j)[..n];
    let mut fours = out.as_mut_slice().chunks_exact_mut(4 * b);
    for (four, j) in fours.by_ref().zip((0..).step_by(4)) {
        let [x0, x1, x2, x3] = [of(j), of(j + 1), of(j + 2), of(j + 3)];
        let (low, high) = four.split_at_mut(2 * b);
        let ((out0, out1), (out2, out3)) = (low.split_at_mut(b), high.split_at_mut(b));
        for ((((out0, out1), out2), out3), &row) in out0.iter_mut().zip(out1).zip(out2).zip(out3).zip(rows) {
            let row = row as usize;
            (*out0, *out1, *out2, *out3) = (x0[row], x1[row], x2[row], x3[row]);
        }
    }
    for (out, j) in fours.into_remainder().chunks_exact_mut(b).zip(x.rows() - x.rows() % 4..) {
        out.iter_mut().zip(rows).for_each(|(out, &row)| *out = of(j)[row as usize]);
    }
}

#[cfg(test)]
mod tests {
    use std::array::from_fn;

    use super::*;
    use crate::kernels::testing::Draws;

    #[test]
    fn every_bit_keeps_its_entry() {
        let mut draws = Draws::new(5);
        for (p, n, batch) in [(1, 1, 1), (20, 7, 32), (50, 100, 37), (64, 9, 8), (130, 33, 65)] {
            let x = draws.matrix(p, n);
            let rows: Vec<u32> = (0..batch).map(|_| (draws.bits() % n as u64) as u32).collect();
            let words = mask_words(p);
            let masks: [Vec<u64>; 2] = from_fn(|_| (0..batch * words).map(|_| draws.bits()).collect());
            let mut views = <[Matrix; 2]>::default();
            mask_views(&x, &rows, &masks, 2.0, &mut views);
            for (view, mask) in views.iter().zip(&masks) {
                assert_eq!((view.rows(), view.columns()), (p, batch));
                for j in 0..p {
                    for b in 0..batch {
                        let keep = mask[b * words + j / 64] >> (j % 64) & 1 == 1;
                        let expected = if keep { 2.0 * x.row(j)[rows[b] as usize] } else { 0.0 };
                        assert_eq!(view.row(j)[b], expected, "entry {j} of sample {b}");
                    }
                }
            }
        }
    }
}
