//! The fused kernel of NT-Xent (Chen et al. 2020, Eq. 1), of the authors' asymmetric variant (Eq. 9) and of DCL.
//!
//! With unit embeddings `u_i` and `s_ij = <u_i, u_j>`, the loss is the mean over the anchors i of
//! `ln sum_j exp(s_ij / t) - s_ip / t`, p the partner. Its gradient, `sum_j h_ij u_j` with
//! `h_ij = exp(s_ij / t) (w_i + w_j)` and weights `w` from the sums, needs every similarity twice: once for the sums
//! and once for the products. Similarities are symmetric, so only one tile of each mirrored pair is computed, kept, and
//! used for both sides.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::{ArrayViewMut2, s};

use super::{Kernel, Work};
use crate::kernels::{Matrix, accumulate, exp, product, reduce::total, unit_norm, view, view_mut};

/// Rows and columns of a tile: large enough for the products to be fast, small enough for the second cache.
const TILE: usize = 128;

/// Sums of exponentials below this have lost terms to underflow.
const SMALLEST_SUM: f64 = 1e-25;

/// Who is compared with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchors {
    /// Every one of the 2B views, against the 2B - 1 others (SimCLR).
    AllViews,
    /// The B samples of view 1, each against all of view 2 (the authors' `Asymmetric_NT_Xent`).
    FirstView,
}

impl Anchors {
    /// What the loss costs on a batch of pairs.
    pub fn work(self, batch: usize) -> Work {
        // Of 2B views against each other, half of the similarities are computed, since they are symmetric.
        let (pairs, table) = match self {
            Self::AllViews => (2 * batch * batch, 4 * batch * batch),
            Self::FirstView => (batch * batch, batch * batch),
        };
        // Autograd keeps them all: similarities, masked, shifted, exponentials, and gradients of these.
        Work { similarities: pairs, exponentials: pairs, kept: 6 * table, ..Work::default() }
    }
}

/// The loss with its working memory, which grows with the largest batch seen: 2 MiB of tiles at B = 512.
#[derive(Clone, Debug)]
pub struct Contrast {
    anchors: Anchors,
    /// Whether an anchor's partner is in its denominator: in NT-Xent it is, in DCL it is not.
    against_partner: bool,
    temperature: f32,
    /// Unit embeddings of both views side by side, `(m, 2B)`.
    unit: Matrix,
    /// Gradient with respect to `unit`, `(m, 2B)`.
    gradient: Matrix,
    /// One slot of `TILE x TILE` values for each of `pairs`.
    tiles: Vec<f32>,
    /// Pairs of blocks of columns of `unit`: the rows and columns of a tile.
    pairs: Vec<(Range<usize>, Range<usize>)>,
}

impl Contrast {
    /// The same with the partner left out of each anchor's sum (DCL).
    pub fn decoupled(self) -> Self {
        Self { against_partner: false, ..self }
    }

    /// `temperature` divides the similarities.
    pub fn new(anchors: Anchors, temperature: f64) -> Self {
        let empty = Matrix::default;
        let temperature = temperature as f32;
        let (unit, gradient) = (empty(), empty());
        Self { anchors, against_partner: true, temperature, unit, gradient, tiles: Vec::new(), pairs: Vec::new() }
    }

    /// Cuts both views into blocks at the same places and lists the pairs that need a tile.
    fn pair_blocks(&mut self, batch: usize) {
        let blocks: Vec<Range<usize>> = [0, batch]
            .into_iter()
            .flat_map(|view| (0..batch).step_by(TILE).map(move |i| view + i..view + batch.min(i + TILE)))
            .collect();
        let half = blocks.len() / 2;
        let all = (0..2 * half).flat_map(|i| (i..2 * half).map(move |j| (i, j)));
        let needed = |&(i, j): &(usize, usize)| self.anchors == Anchors::AllViews || (i < half && j >= half);
        self.pairs = all.filter(needed).map(|(i, j)| (blocks[i].clone(), blocks[j].clone())).collect();
        self.tiles.resize(self.pairs.len() * TILE * TILE, 0.0);
    }

    /// Fills the tiles with similarities, and with minus infinity for what is in no anchor's sum: a view itself and, in
    /// DCL, its partner. Returns the similarities of partners, `(B,)`.
    fn similarities(&mut self, batch: usize) -> Vec<f32> {
        let mut partners = vec![0.0; batch];
        let unit = self.unit.view();
        for ((i, j), tile) in self.pairs.iter().zip(self.tiles.chunks_exact_mut(TILE * TILE)) {
            let tile = &mut tile[..i.len() * j.len()];
            let (rows, columns) = (unit.slice(s![.., i.clone()]), unit.slice(s![.., j.clone()]));
            product(rows.t(), columns, view_mut(tile, i.len(), j.len()));
            let diagonal = tile.iter_mut().step_by(j.len() + 1);
            if i == j {
                diagonal.for_each(|itself| *itself = f32::NEG_INFINITY);
            } else if j.start == i.start + batch {
                for (partner, similarity) in partners[i.clone()].iter_mut().zip(diagonal) {
                    *partner = *similarity;
                    if !self.against_partner {
                        *similarity = f32::NEG_INFINITY;
                    }
                }
            }
        }
        partners
    }

    /// Replaces similarities by `exp((s - 1) / t)`. Returns their sums over the rows and columns, `(2B,)`.
    fn exponentials_and_sums(&mut self) -> Vec<f64> {
        let mut sums = vec![0.0; self.unit.columns()];
        for ((i, j), tile) in self.pairs.iter().zip(self.tiles.chunks_exact_mut(TILE * TILE)) {
            let mut columns = [0.0; TILE];
            exponentials(&mut tile[..i.len() * j.len()], self.temperature, &mut sums[i.clone()], &mut columns);
            if i != j {
                sums[j.clone()].iter_mut().zip(columns).for_each(|(sum, column)| *sum += f64::from(column));
            }
        }
        sums
    }

    /// The largest similarity in each row and column, `(2B,)`.
    fn largest_similarities(&self) -> Vec<f32> {
        let mut largest = vec![f32::NEG_INFINITY; self.unit.columns()];
        self.for_each_similarity(|i, j, s| {
            largest[i] = largest[i].max(s);
            largest[j] = largest[j].max(s);
        });
        largest
    }

    /// Sums of `exp((s - shift) / t)` over the rows and columns, each with its own shift, `(2B,)`.
    fn sums_of_shifted_exponentials(&self, shift: &[f32]) -> Vec<f64> {
        let mut sums = vec![0.0; shift.len()];
        self.for_each_similarity(|i, j, s| {
            sums[i] += f64::from(exp((s - shift[i]) / self.temperature));
            sums[j] += f64::from(exp((s - shift[j]) / self.temperature));
        });
        sums
    }

    /// Visits every pair of views that has a tile, once.
    fn for_each_similarity(&self, mut visit: impl FnMut(usize, usize, f32)) {
        for ((i, j), tile) in self.pairs.iter().zip(self.tiles.chunks_exact(TILE * TILE)) {
            for (row, similarities) in i.clone().zip(tile.chunks_exact(j.len())) {
                for (column, &s) in j.clone().zip(similarities) {
                    // A tile on the diagonal holds each of its pairs twice.
                    if i != j || row < column {
                        visit(row, column, s);
                    }
                }
            }
        }
    }

    /// Starts the gradient with the partners' part, `- strength u_p`.
    fn attract(&mut self, batch: usize, strength: f32) {
        self.gradient.reshape(self.unit.rows(), self.unit.columns());
        for (gradient, unit) in self.gradient.iter_mut().zip(self.unit.iter()) {
            let ((first, second), (u1, u2)) = (gradient.split_at_mut(batch), unit.split_at(batch));
            first.iter_mut().zip(u2).for_each(|(gradient, u)| *gradient = -strength * u);
            second.iter_mut().zip(u1).for_each(|(gradient, u)| *gradient = -strength * u);
        }
    }

    /// Adds `sum_j h_ij u_j` to the gradient. The tiles hold exponentials or, if a shift is given, similarities.
    fn repel(&mut self, weights: &[f32], shift: Option<&[f32]>) {
        let mut h = vec![0.0; TILE * TILE];
        let unit = self.unit.view();
        let mut gradient = self.gradient.view_mut();
        for ((i, j), tile) in self.pairs.iter().zip(self.tiles.chunks_exact(TILE * TILE)) {
            let h = &mut h[..i.len() * j.len()];
            let tile = &tile[..h.len()];
            let w = (&weights[i.clone()], &weights[j.clone()]);
            match shift {
                None => weigh(tile, w, h),
                Some(shift) => weigh_shifted(tile, self.temperature, (&shift[i.clone()], &shift[j.clone()]), w, h),
            }
            let h = view(h, i.len(), j.len());
            let (u_i, u_j) = (unit.slice(s![.., i.clone()]), unit.slice(s![.., j.clone()]));
            accumulate(u_i, h, columns(&mut gradient, j));
            if i != j {
                accumulate(u_j, h.t(), columns(&mut gradient, i));
            }
        }
    }
}

impl Kernel for Contrast {
    /// Embeddings of any length: they are normalised here.
    fn loss(&mut self, z: [&Matrix; 2], gradients: &mut [Matrix; 2]) -> f64 {
        let (m, batch) = (z[0].rows(), z[0].columns());
        self.unit.reshape(m, 2 * batch);
        let inverse = [0, 1].map(|view| unit_norm::forward(z[view], &mut self.unit, view * batch));
        self.pair_blocks(batch);
        let anchors = match self.anchors {
            Anchors::AllViews => 2 * batch,
            Anchors::FirstView => batch,
        };

        let partners = self.similarities(batch);
        // Exponentials are taken relative to a bound of the similarities or, where that leaves too little of a sum, to
        // each anchor's largest.
        let mut shift = vec![1.0; 2 * batch];
        let mut sums = self.exponentials_and_sums();
        let underflow = sums[..anchors].iter().any(|&sum| sum < SMALLEST_SUM);
        if underflow {
            self.similarities(batch);
            shift = self.largest_similarities();
            shift[anchors..].fill(f32::INFINITY);
            sums = self.sums_of_shifted_exponentials(&shift);
        }
        let temperature = f64::from(self.temperature);
        let term = |i: usize| sums[i].ln() + f64::from(shift[i] - partners[i % batch]) / temperature;
        let loss = (0..anchors).map(term).sum::<f64>() / anchors as f64;

        let share = 1.0 / (anchors as f64 * temperature);
        let mut weights: Vec<f32> = sums.iter().map(|sum| (share / sum) as f32).collect();
        weights[anchors..].fill(0.0);
        self.attract(batch, (share * (anchors / batch) as f64) as f32);
        self.repel(&weights, underflow.then_some(shift.as_slice()));
        for view in [0, 1] {
            unit_norm::backward(&self.unit, &self.gradient, view * batch, &inverse[view], &mut gradients[view]);
        }
        loss
    }
}

fn columns<'a>(matrix: &'a mut ArrayViewMut2<f32>, range: &Range<usize>) -> ArrayViewMut2<'a, f32> {
    matrix.slice_mut(s![.., range.clone()])
}

/// `s -> exp((s - 1) / t)` in place. Adds to the rows' sums and to the columns'.
#[multiversion(targets("x86_64+avx2+fma"))]
fn exponentials(tile: &mut [f32], temperature: f32, rows: &mut [f64], columns: &mut [f32; TILE]) {
    let (factor, width) = (1.0 / temperature, tile.len() / rows.len());
    for (sum, row) in rows.iter_mut().zip(tile.chunks_exact_mut(width)) {
        for (s, column) in row.iter_mut().zip(columns.iter_mut()) {
            *s = exp(s.mul_add(factor, -factor));
            *column += *s;
        }
        *sum += total(row);
    }
}

/// `h = e (w_i + w_j)`
#[multiversion(targets("x86_64+avx2+fma"))]
fn weigh(tile: &[f32], w: (&[f32], &[f32]), h: &mut [f32]) {
    let width = w.1.len();
    for ((row, h), w_i) in tile.chunks_exact(width).zip(h.chunks_exact_mut(width)).zip(w.0) {
        for ((h, e), w_j) in h.iter_mut().zip(row).zip(w.1) {
            *h = e * (w_i + w_j);
        }
    }
}

/// `h = exp((s - shift_i) / t) w_i + exp((s - shift_j) / t) w_j`
#[multiversion(targets("x86_64+avx2+fma"))]
fn weigh_shifted(tile: &[f32], temperature: f32, shift: (&[f32], &[f32]), w: (&[f32], &[f32]), h: &mut [f32]) {
    let width = w.1.len();
    let rows = tile.chunks_exact(width).zip(h.chunks_exact_mut(width)).zip(shift.0.iter().zip(w.0));
    for ((row, h), (&shift_i, &w_i)) in rows {
        for ((h, &s), (&shift_j, &w_j)) in h.iter_mut().zip(row).zip(shift.1.iter().zip(w.1)) {
            *h = exp((s - shift_i) / temperature) * w_i + exp((s - shift_j) / temperature) * w_j;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{Draws, assert_close, finite_differences, widen};

    /// The definition, for embeddings `z1` then `z2`, `(m, B)` row-major each.
    fn reference(anchors: Anchors, z: &[f64], m: usize, t: f64) -> f64 {
        let b = z.len() / (2 * m);
        let embedding = |i: usize| -> Vec<f64> { (0..m).map(|k| z[(i / b * m + k) * b + i % b]).collect() };
        let unit: Vec<Vec<f64>> = (0..2 * b)
            .map(|i| {
                let z = embedding(i);
                let length = z.iter().map(|z| z * z).sum::<f64>().sqrt();
                z.iter().map(|z| z / length).collect()
            })
            .collect();
        let s = |i: usize, j: usize| unit[i].iter().zip(&unit[j]).map(|(a, b)| a * b).sum::<f64>() / t;
        let anchor = |i: usize| {
            let others: Vec<f64> = match anchors {
                Anchors::AllViews => (0..2 * b).filter(|&j| j != i).map(|j| s(i, j)).collect(),
                Anchors::FirstView => (b..2 * b).map(|j| s(i, j)).collect(),
            };
            let largest = others.iter().copied().fold(f64::MIN, f64::max);
            largest + others.iter().map(|s| (s - largest).exp()).sum::<f64>().ln() - s(i, (i + b) % (2 * b))
        };
        let count = if anchors == Anchors::AllViews { 2 * b } else { b };
        (0..count).map(anchor).sum::<f64>() / count as f64
    }

    fn check(anchors: Anchors, z: &[Matrix; 2], temperature: f64, tolerance: f64) {
        let m = z[0].rows();
        let mut gradients: [Matrix; 2] = Default::default();
        let value = Contrast::new(anchors, temperature).loss([&z[0], &z[1]], &mut gradients);
        let at = [widen(z[0].as_slice()), widen(z[1].as_slice())].concat();
        let t = f64::from(temperature as f32);
        let expected = reference(anchors, &at, m, t);
        let context = format!("{anchors:?}, t = {temperature}");
        assert!((value - expected).abs() <= tolerance * expected.abs().max(1.0), "{value} for {expected}; {context}");

        // One pair's share of the gradient; attraction and repulsion of this size may cancel.
        let share = 1.0 / (t * m as f64 * z[0].columns() as f64);
        let scale = 10.0 * t; // the finite differences' step in units of what bends the loss
        let scaled: Vec<f64> = at.iter().map(|z| z / scale).collect();
        let expected = finite_differences(&scaled, |z| reference(anchors, z, m, t));
        for (found, expected) in gradients.iter().flat_map(Matrix::as_slice).zip(expected) {
            let (found, expected) = (f64::from(*found) / share, expected / scale / share);
            assert!(
                (found - expected).abs() <= tolerance * expected.abs().max(1.0),
                "{found} for {expected}; {context}"
            );
        }
    }

    /// Partners that resemble each other.
    fn embeddings(seed: u64, m: usize, batch: usize) -> [Matrix; 2] {
        let mut draws = Draws::new(seed);
        let first = draws.matrix(m, batch);
        let mut second = first.clone();
        second.as_mut_slice().iter_mut().for_each(|z| *z += draws.value());
        [first, second]
    }

    const ALL: [Anchors; 2] = [Anchors::AllViews, Anchors::FirstView];

    #[test]
    fn values_and_gradients() {
        for anchors in ALL {
            for (m, batch) in [(2, 2), (7, 13), (16, 9)] {
                check(anchors, &embeddings(8, m, batch), 0.5, 2e-5);
                check(anchors, &embeddings(9, m, batch), 0.05, 2e-5);
            }
        }
    }

    /// Too many entries to perturb one by one: slopes in random directions.
    #[test]
    fn batches_of_several_tiles() {
        let mut draws = Draws::new(13);
        for anchors in ALL {
            for (m, batch) in [(5, TILE + 2), (3, 2 * TILE)] {
                let z = embeddings(14, m, batch);
                let mut gradients: [Matrix; 2] = Default::default();
                let value = Contrast::new(anchors, 0.5).loss([&z[0], &z[1]], &mut gradients);
                let at = [widen(z[0].as_slice()), widen(z[1].as_slice())].concat();
                let expected = reference(anchors, &at, m, 0.5);
                assert!((value - expected).abs() < 1e-6 * expected, "{value} for {expected}");

                let gradient = [widen(gradients[0].as_slice()), widen(gradients[1].as_slice())].concat();
                for _ in 0..3 {
                    let direction = widen(&draws.values(at.len()));
                    let moved = |by: f64| at.iter().zip(&direction).map(|(z, d)| z + by * d).collect::<Vec<_>>();
                    let along = |step: &[f64]| reference(anchors, &moved(step[0]), m, 0.5);
                    let parts: Vec<f64> = gradient.iter().zip(&direction).map(|(g, d)| g * d).collect();
                    let (slope, size) = (parts.iter().sum::<f64>(), parts.iter().map(|part| part.abs()).sum::<f64>());
                    let expected = finite_differences(&[0.0], along)[0];
                    assert!((slope - expected).abs() < 1e-6 * size, "{slope} for {expected} of {size}; {anchors:?}");
                }
            }
        }
    }

    /// No two embeddings are similar, so a shift by 1 would make every exponential underflow.
    #[test]
    fn a_small_temperature_on_dissimilar_embeddings() {
        let mut draws = Draws::new(10);
        let z = [0, 3].map(|first| {
            let mut z = draws.matrix(6, 3);
            z.as_mut_slice().iter_mut().for_each(|z| *z *= 0.1);
            (0..3).for_each(|i| z.row_mut(first + i)[i] = 1.0);
            z
        });
        for anchors in ALL {
            for temperature in [0.05, 0.01, 0.003] {
                check(anchors, &z, temperature, 2e-5);
            }
            check(anchors, &embeddings(11, 3, 20), 0.003, 1e-4);
        }
    }

    /// torch: 2B identical embeddings give ln(2B - 1), and B against B give ln(B).
    #[test]
    fn identical_embeddings() {
        let mut z = Matrix::zeros(3, 100);
        z.as_mut_slice().fill(0.5);
        for (anchors, candidates) in [(Anchors::AllViews, 199.0f64), (Anchors::FirstView, 100.0)] {
            let mut gradients: [Matrix; 2] = Default::default();
            let value = Contrast::new(anchors, 0.05).loss([&z, &z], &mut gradients);
            assert!((value - candidates.ln()).abs() < 1e-5, "{value}");
            for gradient in gradients {
                assert!(gradient.as_slice().iter().all(|g| g.abs() < 1e-6));
            }
        }
    }

    #[test]
    fn the_views_may_be_exchanged() {
        let z = embeddings(12, 16, 48);
        let (mut ab, mut ba) = (Default::default(), Default::default());
        let mut loss = Contrast::new(Anchors::AllViews, 0.05);
        let first = loss.loss([&z[0], &z[1]], &mut ab);
        let second = loss.loss([&z[1], &z[0]], &mut ba);
        let (ab, ba): ([Matrix; 2], [Matrix; 2]) = (ab, ba);
        assert!((first - second).abs() < 1e-6 * first);
        assert_close(ab[0].as_slice(), &widen(ba[1].as_slice()), 1e-5);
        assert_close(ab[1].as_slice(), &widen(ba[0].as_slice()), 1e-5);
    }
}
