//! The least that a step can cost: its matrix products at the best rate that a product of such a shape reaches here,
//! and its exponentials; no memory traffic, nothing elementwise, no draws.

use std::{hint::black_box, time::Instant};

use anyhow::Result;
use multiversion::multiversion;
use ndarray::ArrayView2;

use super::serve::Timed;
use crate::{
    kernels::{Matrix, accumulate_row_products, exp, product},
    spec::{Family, Predictor, RunSpec, Turns},
};

/// `(m, k)` times `(k, n)`, this many times in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    pub m: usize,
    pub k: usize,
    pub n: usize,
    /// Whether the operands lie transposed in memory.
    pub transposed: (bool, bool),
    pub times: usize,
}

/// The arithmetic of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    pub products: Vec<Product>,
    pub exponentials: usize,
}

/// Rows and columns of a block of similarities that stays in the cache.
const BLOCK: usize = 128;

impl Work {
    /// Of one run's step on a batch of `b` pairs of views.
    ///
    /// A loss's scalar products are computed once and serve twice in the gradient.
    pub fn of_step(spec: &RunSpec, b: usize) -> Self {
        let mut work = Self::default();
        let (p, m) = (spec.data.p, spec.model.m);
        let depth = spec.model.branch(0).len();
        let inputs: Vec<usize> = (0..depth).map(|layer| if layer == 0 { p } else { m }).collect();
        let predictor = usize::from(spec.model.predictor != Predictor::None);
        let learners = match (spec.model.family, spec.train.turns) {
            (Family::NonContrastive, Turns::Alternating | Turns::Ema { .. }) => 1,
            _ => 2,
        };
        // Z = W A
        work.push(m, m, b, (false, false), learners * predictor);
        inputs.iter().for_each(|&inputs| work.push(m, inputs, b, (false, false), 2));
        // dW = dZ A^T
        work.push(m, b, m, (false, true), learners * predictor);
        inputs.iter().for_each(|&inputs| work.push(m, b, inputs, (false, true), learners));
        // dA = W^T dZ, except for the views
        work.push(m, m, b, (true, false), learners * (predictor + depth - 1));
        let loss = spec.loss.work(b, m);
        let blocks = (loss.similarities as f64 / (BLOCK * BLOCK) as f64).round() as usize;
        work.push(BLOCK, m, BLOCK, (true, false), blocks);
        work.push(m, BLOCK, BLOCK, (false, false), blocks);
        work.push(m, BLOCK, BLOCK, (false, true), blocks);
        let matrices = (loss.correlations as f64 / (m * m) as f64).round() as usize;
        work.push(m, b, m, (false, true), matrices);
        work.push(m, m, b, (false, false), 2 * matrices);
        work.exponentials = loss.exponentials;
        work
    }

    fn push(&mut self, m: usize, k: usize, n: usize, transposed: (bool, bool), times: usize) {
        if times > 0 {
            self.products.push(Product { m, k, n, transposed, times });
        }
    }

    /// Floating-point operations of the products.
    pub fn flops(&self) -> f64 {
        self.products.iter().map(|product| 2.0 * (product.m * product.k * product.n * product.times) as f64).sum()
    }
}

/// Does only the arithmetic of one run's steps, as a side of the benchmark.
pub struct Floor {
    /// For each batch of an epoch.
    steps: Vec<(Vec<Multiplication>, Vec<f32>)>,
}

impl Floor {
    pub fn new(spec: &RunSpec) -> Self {
        let steps = spec.batches().into_iter().map(|batch| {
            let work = Work::of_step(spec, batch.len() * spec.views.pairs);
            let products = work.products.iter().map(|&product| Multiplication::new(product)).collect();
            (products, vec![-1.0; work.exponentials])
        });
        Self { steps: steps.collect() }
    }
}

impl Timed for Floor {
    fn epoch(&mut self) -> Result<usize> {
        for (products, exponents) in &mut self.steps {
            products.iter_mut().for_each(Multiplication::run);
            black_box(sum_of_exponentials(exponents));
        }
        Ok(self.steps.len())
    }
}

/// A product with its operands, by whichever library is faster at it here.
struct Multiplication {
    product: Product,
    /// As stored: the transposes where the product says so.
    operands: [Matrix; 3],
    #[cfg(feature = "torch")]
    tensors: [tch::Tensor; 3],
    by: Library,
}

#[derive(Clone, Copy, PartialEq)]
enum Library {
    Gemm,
    /// Our own kernel for weight gradients.
    RowProducts,
    #[cfg(feature = "torch")]
    Libtorch,
}

impl Multiplication {
    fn new(product: Product) -> Self {
        let Product { m, k, n, transposed, .. } = product;
        let stored = |rows: usize, columns: usize, transposed: bool| {
            let mut matrix = Matrix::default();
            if transposed {
                matrix.reshape(columns, rows)
            } else {
                matrix.reshape(rows, columns)
            }
            let values = matrix.as_mut_slice().iter_mut().enumerate();
            values.for_each(|(i, value)| *value = (i * 31 % 23) as f32 / 23.0 - 0.5);
            matrix
        };
        let operands = [stored(m, k, transposed.0), stored(k, n, transposed.1), stored(m, n, false)];
        let mut multiplication = Self {
            product,
            #[cfg(feature = "torch")]
            tensors: tensors(&operands, transposed),
            operands,
            by: Library::Gemm,
        };
        let of_rows = transposed == (false, true);
        let libraries = [
            Library::Gemm,
            #[cfg(feature = "torch")]
            Library::Libtorch,
        ];
        let libraries = libraries.into_iter().chain(of_rows.then_some(Library::RowProducts));
        let timed: Vec<(Library, f64)> = libraries
            .map(|library| {
                multiplication.by = library;
                (library, multiplication.time())
            })
            .collect();
        let fastest = timed.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
        multiplication.by = fastest.map_or(Library::Gemm, |(library, _)| library);
        multiplication
    }

    /// The shortest of a few tries, in seconds.
    fn time(&mut self) -> f64 {
        const TRIES: usize = 30;
        let mut once = || {
            let clock = Instant::now();
            self.run();
            clock.elapsed().as_secs_f64()
        };
        (0..TRIES).map(|_| once()).fold(f64::INFINITY, f64::min)
    }

    fn run(&mut self) {
        fn oriented(matrix: &Matrix, transposed: bool) -> ArrayView2<'_, f32> {
            if transposed { matrix.view().reversed_axes() } else { matrix.view() }
        }
        let (left, right) = self.product.transposed;
        let [a, b, c] = &mut self.operands;
        for _ in 0..self.product.times {
            match self.by {
                Library::Gemm => product(oriented(a, left), oriented(b, right), c.view_mut()),
                Library::RowProducts => accumulate_row_products(a, b, c.as_mut_slice()),
                #[cfg(feature = "torch")]
                Library::Libtorch => drop(self.tensors[0].mm_out(&self.tensors[2], &self.tensors[1])),
            }
        }
    }
}

/// The operands for libtorch.
#[cfg(feature = "torch")]
fn tensors([a, b, c]: &[Matrix; 3], transposed: (bool, bool)) -> [tch::Tensor; 3] {
    let tensor = |matrix: &Matrix, transposed: bool| {
        let tensor = tch::Tensor::from_slice(matrix.as_slice());
        let tensor = tensor.reshape([matrix.rows() as i64, matrix.columns() as i64]);
        if transposed { tensor.tr() } else { tensor }
    };
    [tensor(a, transposed.0), tensor(b, transposed.1), tensor(c, false)]
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn sum_of_exponentials(exponents: &[f32]) -> f32 {
    let mut lanes = [0.0; 64];
    for chunk in exponents.as_chunks::<64>().0 {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += exp(x);
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::resolve;

    fn work(settings: &str) -> Work {
        let spec = resolve(&[&serde_yaml::from_str(settings).unwrap()]).unwrap();
        Work::of_step(&spec, 512)
    }

    /// Products of 50 x 50 x 512 counted by hand.
    #[test]
    fn products_of_a_step() {
        let one = 2.0 * 50.0 * 50.0 * 512.0;
        for (method, products) in
            [("simplified", 3.0), ("simplified-pred", 6.0), ("simplified-ml", 7.0), ("simsiam", 16.0)]
        {
            let work = work(&format!("{{method: {method}}}"));
            assert_eq!((work.flops() / one, work.exponentials), (products, 0), "{method}");
        }
        let simclr = work("{method: simclr-orig}");
        assert_eq!(simclr.exponentials, 1024 * 1024 / 2);
        assert_eq!(simclr.flops(), 10.0 * one + 3.0 * 1024.0 * 1024.0 * 50.0);
    }

    #[test]
    fn the_floor_does_its_work() {
        let spec = resolve(&[&serde_yaml::from_str("{method: simclr, train: {batch_size: 300}}").unwrap()]).unwrap();
        assert_eq!(Floor::new(&spec).epoch().unwrap(), spec.batches().len());
    }
}
