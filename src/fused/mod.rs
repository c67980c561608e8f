//! The fast engine: forward and backward passes written out by hand, in single precision, for one run on one thread.
//!
//! The networks here are so small (50 x 50) that a general tensor library spends most of a step on its own bookkeeping.
//! A batch is kept feature-major (see `matrix.rs`): products are calls of the `gemm` crate, but for the weights' gradients
//! (see `row_products.rs`), and everything between two products is a loop over the contiguous samples of one neuron. Such loops are compiled twice, for AVX2 with FMA and
//! for the target's baseline, and the version that fits the machine is chosen at run time. Sums over a batch are taken
//! in a fixed order and finished in double precision, so a result depends on nothing but the run itself.

mod activation;
mod batch_norm;
mod engine;
mod exp;
mod gemm;
mod layer;
mod losses;
mod matrix;
mod network;
mod nt_xent;
mod parameters;
mod reduce;
mod row_products;
mod sgd;
mod unit_norm;
mod views;

pub use engine::FusedEngine;
use matrix::Matrix;

/// Kernels for those who measure them.
pub(crate) mod kernels {
    pub use super::{exp::exp, gemm::product, matrix::Matrix, row_products::accumulate_row_products};
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod testing;
