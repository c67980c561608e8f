//! Settings: the schema of a run and of an experiment file, and how one becomes the other.

mod error;
mod resolve;
mod run;
pub mod tree;
mod validate;

pub use error::{InputError, nearest, unknown};
pub use resolve::{Fault, defaults, resolve};
pub use run::*;
