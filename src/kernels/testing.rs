//! What the kernels' tests share: draws, comparisons, finite differences.

use ndarray::Array2;

use super::Matrix;

/// A small deterministic generator of test inputs.
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [-1, 1), a multiple of 2^-23, so exact in single precision.
    pub fn value(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.value()).collect()
    }

    pub fn array(&mut self, rows: usize, columns: usize) -> Array2<f32> {
        Array2::from_shape_simple_fn((rows, columns), || self.value())
    }

    pub fn matrix(&mut self, rows: usize, columns: usize) -> Matrix {
        let mut matrix = Matrix::zeros(rows, columns);
        matrix.as_mut_slice().fill_with(|| self.value());
        matrix
    }
}

impl Matrix {
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        let mut matrix = Self::default();
        matrix.reshape(rows, columns);
        matrix
    }
}

/// Compares with a reference, relative to the reference's largest value.
#[track_caller]
pub fn assert_close<V: std::borrow::Borrow<f32>>(found: impl IntoIterator<Item = V>, expected: &[f64], tolerance: f64) {
    let found: Vec<f64> = found.into_iter().map(|value| f64::from(*value.borrow())).collect();
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(f64::MIN_POSITIVE, |size, value| size.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= tolerance * size, "entry {i}: {found} for {expected}, error {error:.2e} of {size:.2e}");
    }
}

/// Gradient of `f` at `x` by central differences.
pub fn finite_differences(x: &[f64], mut f: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut x = x.to_vec();
    (0..x.len())
        .map(|i| {
            let at = x[i];
            x[i] = at + STEP;
            let above = f(&x);
            x[i] = at - STEP;
            let below = f(&x);
            x[i] = at;
            (above - below) / (2.0 * STEP)
        })
        .collect()
}

/// Single-precision values in double precision.
pub fn widen(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&value| f64::from(value)).collect()
}
