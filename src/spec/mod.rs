//! Settings: the schema of a run and of an experiment file, and how one becomes the other.

mod check_data;
mod claim;
mod data;
mod design;
mod experiment;
mod extends;
mod file;
mod fit;
mod give_way;
mod id;
mod input;
pub mod layout;
mod lines;
mod measured;
mod methods;
mod open;
mod optimizer;
mod panel;
mod registered;
mod resolve;
mod run;
mod seeds;
mod sources;
pub mod tree;
mod validate;
pub mod yaml;

pub use crate::fault::{Fault, InputError, nearest, unknown};
pub use claim::{Bound, Claim, Moment, Published};
pub use design::Design;
pub use experiment::{
    ArmLook, CurveName, Experiment, Ink, MapSpec, PlannedRun, TableSpec, check_names, plan_all, plan_file, short,
};
pub use file::read_yaml;
pub use fit::{Candidate, FitSpec};
pub use id::run_id;
pub use input::Overrides;
pub use lines::Lines;
pub use methods::{Method, methods};
pub use open::{OpenSetting, OpenSettings, Reading};
#[cfg(test)]
pub(crate) use optimizer::recorded as optimizer_tests;
pub use optimizer::{Memory, Optimizer, Schedule};
pub use panel::PanelSpec;
pub use registered::{Registered, Registration, Statistic};
pub use resolve::{defaults, resolve};
pub use run::*;
pub use seeds::Seeds;
pub use sources::{common_folder, place, sources};
