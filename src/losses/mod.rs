//! Losses on libtorch tensors: representations `(R, B, m)` of two views in, one loss per run `(R,)` out.
//!
//! The second argument of the one-sided losses is the side under stop gradient; the caller detaches it.
//! Gradients come from autograd; the closed forms of the same losses stand in [`crate::fused`].

mod inner_product;
mod l2;
mod negative_cosine;
mod nt_xent;

pub use inner_product::inner_product;
pub use l2::l2;
pub use negative_cosine::negative_cosine;
pub use nt_xent::{asymmetric_nt_xent, nt_xent};
