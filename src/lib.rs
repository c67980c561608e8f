//! Contrastive and non-contrastive learning on sparse-coding data: a reproduction of, and laboratory for,
//! Pokle, Tian, Li and Risteski, *Contrasting the landscape of contrastive and non-contrastive learning* (AISTATS 2022).

pub mod authors;
#[cfg(feature = "torch")]
pub mod autograd;
pub mod bench;
pub mod claims;
pub mod cli;
pub mod cluster;
#[cfg(feature = "torch")]
pub mod crosscheck;
pub mod data;
mod device;
pub mod engine;
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
pub mod plots;
pub mod random;
pub mod record;
pub mod report;
pub mod runner;
#[cfg(feature = "torch")]
pub mod slices;
pub mod spec;
pub mod statistics;
pub mod theory;
pub mod train;

pub use device::Device;
