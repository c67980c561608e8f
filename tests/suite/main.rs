//! Every test that goes through the crate's public interface or through the program, as one binary: linking the crate
//! takes longer than most of them.

#![allow(clippy::disallowed_macros)] // a test may panic

mod fuzz;
#[cfg(feature = "torch")]
mod reference;
#[macro_use]
mod workbench;

use contrastive_landscape::spec; // as the crate's own literal networks name it

mod adoption;
mod alpha_cl;
mod architecture;
mod ceilings;
mod certify;
mod claims;
mod cli;
mod cluster;
mod cuda_kernels;
mod data;
mod determinism;
mod export;
mod fake_cuda;
mod fuzz_authors;
mod fuzz_records;
mod fuzz_settings;
mod fuzz_training;
mod gpu_check;
mod inputs;
mod interrupt;
mod kernel_truth;
mod kill;
mod library;
mod losses;
mod outcomes;
mod output;
mod pictures;
mod python;
mod query;
mod readings;
mod report;
mod tensorboard;
mod theory;

#[cfg(feature = "torch")]
mod authors;
#[cfg(feature = "torch")]
mod dynamics;
#[cfg(feature = "torch")]
mod engines;
#[cfg(feature = "torch")]
mod faults;
#[cfg(feature = "torch")]
mod gpu;
#[cfg(feature = "torch")]
mod replay;
#[cfg(feature = "torch")]
mod resume;
#[cfg(feature = "torch")]
mod slices;
#[cfg(feature = "torch")]
mod step_truth;
#[cfg(feature = "torch")]
mod training;
