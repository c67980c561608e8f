use std::slice::{ChunksExact, ChunksExactMut};

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

/// Values of a batch, feature-major: a contiguous row of B samples for each of m neurons (or inputs), `(m, B)`.
///
/// This is the transpose of PyTorch's layout. A neuron's bias, threshold and batch norm are then constants of an inner
/// loop over contiguous samples, a batch's sums are sums along a row, and no width m needs padding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Matrix {
    /// The transpose of samples `(B, p)` in single precision.
    pub fn from_samples(samples: ArrayView2<f64>) -> Self {
        let (columns, rows) = samples.dim();
        Self { data: samples.t().iter().map(|&value| value as f32).collect(), rows, columns }
    }

    /// The transpose, `(B, m)`, in double precision.
    pub fn to_samples(&self) -> Array2<f64> {
        self.view().t().mapv(f64::from)
    }

    /// Gives the matrix a new shape and unspecified values, reusing its memory.
    pub fn reshape(&mut self, rows: usize, columns: usize) {
        self.data.resize(rows * columns, 0.0);
        (self.rows, self.columns) = (rows, columns);
    }

    /// Number of neurons, m.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of samples, B.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The samples of neuron `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.columns..][..self.columns]
    }

    /// The samples of neuron `i`, mutable.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.data[i * self.columns..][..self.columns]
    }

    /// Rows in order.
    pub fn iter(&self) -> ChunksExact<'_, f32> {
        self.data.chunks_exact(self.columns.max(1))
    }

    /// Rows in order, mutable.
    pub fn iter_mut(&mut self) -> ChunksExactMut<'_, f32> {
        self.data.chunks_exact_mut(self.columns.max(1))
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// All values, row after row, mutable.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// `(m, B)`
    pub fn view(&self) -> ArrayView2<'_, f32> {
        view(&self.data, self.rows, self.columns)
    }

    /// `(m, B)`, mutable.
    pub fn view_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        view_mut(&mut self.data, self.rows, self.columns)
    }
}

/// Row-major values as a matrix. `data` holds `rows x columns` of them.
pub fn view(data: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), data).expect("one value for every entry")
}

/// As [`view`], mutable.
pub fn view_mut(data: &mut [f32], rows: usize, columns: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns), data).expect("one value for every entry")
}
