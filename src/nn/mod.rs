//! Layers on libtorch tensors with a leading runs axis R: activations are `(R, B, m)`, weights `(R, m, p)`.
//!
//! One call computes a layer of every run of a cohort; no run's output depends on another's. Layers hold shallow
//! copies of the cohort's parameters, which the optimiser changes in place.

mod activation;
mod batch_norm;
mod linear;
mod no_grad;

pub use activation::activate;
pub use batch_norm::BatchNorm;
pub use linear::Linear;
pub use no_grad::no_grad;
