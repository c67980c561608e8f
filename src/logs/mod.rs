//! What a user can follow beside the results: messages by level, and TensorBoard's event files.

mod live;
mod tensorboard;
mod verbosity;

pub use live::{Logging, RunLog};
pub use tensorboard::EventFile;
pub use verbosity::{bars, complain, start_logger, tell};
