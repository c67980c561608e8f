//! What a user can follow beside the results: messages by level, and TensorBoard's event files.

mod verbosity;

pub use verbosity::{bars, start_logger};
