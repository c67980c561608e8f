//! Settings: the schema of a run and of an experiment file, and how one becomes the other.

mod error;
mod experiment;
mod file;
mod id;
mod input;
mod lines;
mod resolve;
mod run;
mod seeds;
pub mod tree;
mod validate;

pub use error::{InputError, nearest, unknown};
pub use experiment::{Experiment, PlannedRun, TableSpec, plan_all};
pub use file::read_yaml;
pub use id::run_id;
pub use input::Overrides;
pub use lines::Lines;
pub use resolve::{Fault, defaults, resolve};
pub use run::*;
pub use seeds::Seeds;
