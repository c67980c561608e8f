//! Building blocks of hand-written kernels, in single precision on the CPU: a batch as a feature-major matrix, products,
//! sums, exponentials, unit lengths.
//!
//! Loops are compiled twice, for AVX2 with FMA and for the target's baseline, and the version that fits the machine is
//! chosen at run time. Sums over a batch are taken in a fixed order and finished in double precision, so a result depends
//! on nothing but its inputs.

pub mod batch_norm;
mod exp;
mod gemm;
mod matrix;
pub mod reduce;
mod row_products;
pub mod unit_norm;

pub use exp::exp;
pub use gemm::{accumulate, product};
pub use matrix::{Matrix, view, view_mut};
pub use row_products::accumulate_row_products;

#[cfg(test)]
pub(crate) mod testing;
