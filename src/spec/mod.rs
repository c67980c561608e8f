//! Settings: the schema of a run and of an experiment file, and how one becomes the other.

mod claim;
mod design;
mod error;
mod experiment;
mod extends;
mod file;
mod fit;
mod id;
mod input;
mod lines;
mod resolve;
mod run;
mod seeds;
pub mod tree;
mod validate;

pub use claim::{Bound, Claim, Moment, Published};
pub use design::Design;
pub use error::{InputError, nearest, unknown};
pub use experiment::{CurveName, Experiment, MapSpec, PlannedRun, TableSpec, plan_all, short};
pub use file::read_yaml;
pub use fit::{Candidate, FitSpec};
pub use id::run_id;
pub use input::Overrides;
pub use lines::Lines;
pub use resolve::{Fault, defaults, resolve};
pub use run::*;
pub use seeds::Seeds;
