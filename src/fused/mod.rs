//! The fast engine: forward and backward passes written out by hand, in single precision, for one run on one thread.
//!
//! The networks here are so small (50 x 50) that a general tensor library spends most of a step on its own bookkeeping.
//! A batch is kept feature-major (see [`Matrix`](crate::kernels::Matrix)): products are calls of the `gemm` crate,
//! except those for the weights' gradients, and everything between two products is a loop over the contiguous samples
//! of one neuron. A result depends only on the run itself. [`cuda`] does the same on a GPU.
//!
//! ```
//! use std::sync::Arc;
//! use contrastive_landscape::{RunSpec, engine::Engine, fused::FusedEngine, train::Cohort};
//!
//! let spec: RunSpec = "{method: cl, data: {samples: 64}, train: {batch_size: 32}}".parse()?;
//! let mut cohort = Cohort::draw(&[Arc::new(spec)])?;
//! let mut engine = FusedEngine::new(cohort.members())?;
//! cohort.begin_epoch(0);
//! let losses = engine.step(&cohort.batch(0))?; // one for each run
//! assert!(losses[0].is_finite());
//! # Ok::<(), anyhow::Error>(())
//! ```

mod activation;
mod constraints;
pub mod cuda;
mod engine;
mod layer;
mod network;
mod optimizer;
mod parameters;
mod views;

pub use cuda::CudaEngine;
pub use engine::FusedEngine;

#[cfg(test)]
mod reference;
