//! The picture of what every arm of a sweep finds, and how soon.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::Value;

use super::Fault;
use crate::fault::{ensure, unknown};

/// Arms from top to bottom, with a mark for each point of the grid: where the minimum max-cosine ends, and after how many
/// steps all atoms were found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomesSpec {
    /// The path of the grid that the colours of marks say.
    pub color: String,
    /// A path with two values: marks are filled at its first and open at its second.
    #[serde(default)]
    pub fill: Option<String>,
    /// What other methods reach, drawn as vertical lines: their names, and minimum max-cosines.
    #[serde(default)]
    pub references: IndexMap<String, f64>,
}

impl OutcomesSpec {
    /// Colours that can be told apart in one row.
    const MOST_COLORS: usize = 7;

    /// Checks the paths against the experiment's grid, all of which they must name.
    pub(super) fn check(&self, grid: &IndexMap<String, Vec<Value>>) -> Result<(), Fault> {
        let paths: Vec<&str> = grid.keys().map(String::as_str).collect();
        let named = [("outcomes.color", Some(&self.color)), ("outcomes.fill", self.fill.as_ref())];
        for (key, path) in named.iter().filter_map(|(key, path)| Some((key, (*path)?))) {
            if !grid.contains_key(path) {
                return Err(Fault::new(key, format!("{key}: {}", unknown("path of the grid", path, &paths))));
            }
        }
        ensure(grid[&self.color].len() <= Self::MOST_COLORS, "outcomes.color", || {
            format!("outcomes.color: {} has more than {} values", self.color, Self::MOST_COLORS)
        })?;
        if let Some(fill) = &self.fill {
            ensure(grid[fill].len() == 2, "outcomes.fill", || format!("outcomes.fill: {fill} must have two values"))?;
            ensure(*fill != self.color, "outcomes.fill", || {
                format!("outcomes.fill: {fill} is outcomes.color already")
            })?;
        }
        if let Some(other) = paths.iter().find(|path| **path != self.color && Some(**path) != self.fill.as_deref()) {
            let message = format!("outcomes: neither color nor fill says {other}; valid: a grid of one or two paths");
            return Err(Fault::new("outcomes", message));
        }
        let strange = self.references.iter().find(|(_, value)| !(0.0..=1.0).contains(*value));
        strange.map_or(Ok(()), |(name, value)| {
            let key = format!("outcomes.references.{name}");
            Err(Fault::new(&key, format!("{key}: {value} is no max-cosine; valid: 0 to 1")))
        })
    }
}
