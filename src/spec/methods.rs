use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

/// A named preset: one row of `methods.yaml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// What experiments and `landscape methods` call it.
    pub name: String,
    /// What it is, in one line.
    pub summary: String,
    /// Where the paper defines it.
    pub equation: String,
    /// The file of the authors' repository that it mirrors.
    pub mirrors: String,
    /// What it changes in the default settings.
    pub settings: Value,
}

/// Every method, in the order of the table.
pub fn methods() -> &'static [Method] {
    static TABLE: LazyLock<Vec<Method>> = LazyLock::new(|| {
        serde_yaml::from_str(include_str!("methods.yaml")).expect("the embedded table of methods is well-formed")
    });
    &TABLE
}
