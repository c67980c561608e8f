//! Contrastive and non-contrastive learning on sparse-coding data: a reproduction of, and laboratory for,
//! Pokle, Tian, Li and Risteski, *Contrasting the landscape of contrastive and non-contrastive learning* (AISTATS 2022).
//!
//! The program `landscape` is what most people use. As a library, the front door is [`RunSpec`] (the settings of a run, read
//! from YAML), [`train`](fn@train) (a run in memory) and [`train_with_loss`] (with a [`Loss`](losses::Loss) of one's own);
//! [`plots`] draws figures from plain numbers, [`random`] has every generator, [`theory`] the theorems. `examples/` shows
//! each in use. The other modules are the program's own rooms: documented, but they may change with any release.
//! `docs/architecture.md` in the repository shows how they hang together.
//!
//! ```
//! use contrastive_landscape::{RunSpec, train};
//!
//! let spec: RunSpec = "{method: ncl, data: {samples: 64}, train: {epochs: 3, batch_size: 32}}".parse()?;
//! for row in train(&spec)?.rows {
//!     println!("epoch {}: minimum max-cosine {:.3}", row.epoch, row.cosine.min);
//! }
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! # Features
//! `torch` (on by default): libtorch, for the reference engine, replays of the authors' scripts and slices of the loss
//! surface. Without it, everything else is there, and neither Python nor libtorch is needed.

#![warn(missing_docs)]
#![warn(clippy::print_stdout)] // `output` is the one writer

mod aligned;
pub mod authors;
#[cfg(feature = "torch")]
pub mod autograd;
pub mod bench;
pub mod ceilings;
pub mod certify;
pub mod claims;
pub mod cli;
#[cfg(feature = "torch")]
pub mod crosscheck;
pub mod data;
mod device;
pub mod engine;
pub mod export;
pub mod fault;
pub mod figures;
pub mod fused;
pub mod kernels;
pub mod linalg;
pub mod logs;
pub mod losses;
pub mod metrics;
#[cfg(feature = "torch")]
pub mod models;
#[cfg(feature = "torch")]
pub mod nn;
mod output;
pub mod plots;
pub mod query;
pub mod random;
pub mod record;
pub mod report;
pub mod runner;
#[cfg(feature = "torch")]
pub mod slices;
pub mod slurm;
pub mod spec;
pub mod statistics;
pub mod theory;
pub mod train;
mod trained;

pub use device::Device;
pub use fault::Fault;
pub use spec::RunSpec;
pub use trained::{Trained, train, train_with_loss};
