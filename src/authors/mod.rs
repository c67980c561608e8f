//! The authors' scripts: their flags, their configuration files, and the runs that they describe.

mod translate;

pub use translate::{Config, Flags, Levels, Script, translate};
