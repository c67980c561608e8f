//! The fast engine: forward and backward passes written out by hand, in single precision, for one run on one thread.
//!
//! The networks here are so small (50 x 50) that a general tensor library spends most of a step on its own bookkeeping.
//! A batch is kept feature-major (see [`Matrix`](crate::kernels::Matrix)): products are calls of the `gemm` crate, but for
//! the weights' gradients, and everything between two products is a loop over the contiguous samples of one neuron. A
//! result depends on nothing but the run itself.

mod activation;

mod engine;
mod layer;
mod network;
mod parameters;
mod sgd;
mod views;

pub use engine::FusedEngine;

#[cfg(test)]
mod reference;
