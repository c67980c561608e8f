//! The authors' scripts: their flags, their configuration files, and the runs that they describe.
//!
//! One of their runs is a [`RunSpec`](crate::spec::RunSpec) like any other, on the random streams of NumPy and PyTorch;
//! whatever is peculiar to their scripts stays in this folder.

pub mod argparse;
mod check_data_model;
pub mod command_line;
mod config;
mod flags;
pub mod literal;
mod plan;
mod script;
mod shell;
mod translate;
pub mod yaml;

pub use check_data_model::{Checked, OURS as CHECK_OURS, THEIRS as CHECK_FLAGS, check_data_model};
pub use command_line::CommandLine;
pub use config::{Config, Level};
pub use flags::Flags;
pub use plan::{Plan, plan, plan_of};
pub use script::Script;
pub use shell::{equivalent_lines, install_shim};
pub use translate::{Levels, translate};
