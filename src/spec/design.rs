//! Screening designs: which of several differences between two protocols moves a number.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::{Mapping, Value};

use super::tree;

/// One factor at a time, around both ends: the experiment's base is one corner, all factors together are the other; an
/// arm leaves each corner in each factor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// Name of the corner without any factor.
    pub from: String,
    /// Name of the corner with all factors.
    pub to: String,
    /// Settings that each factor makes; no two factors make the same one.
    pub factors: IndexMap<String, Value>,
}

impl Design {
    /// The arm that leaves the corner `from` in this factor alone.
    pub fn with(&self, factor: &str) -> String {
        format!("{} + {factor}", self.from)
    }

    /// The arm that leaves the corner `to` in this factor alone.
    pub fn without(&self, factor: &str) -> String {
        format!("{} - {factor}", self.to)
    }

    /// Every arm with its settings.
    pub(super) fn arms(&self) -> IndexMap<String, Value> {
        let settings = |chosen: &dyn Fn(&str) -> bool| {
            let mut settings = Value::Mapping(Mapping::new());
            self.factors.iter().filter(|(name, _)| chosen(name)).for_each(|(_, v)| tree::merge(&mut settings, v));
            settings
        };
        let mut arms = IndexMap::from([(self.from.clone(), settings(&|_| false))]);
        for factor in self.factors.keys() {
            arms.insert(self.with(factor), settings(&|name| name == factor));
        }
        for factor in self.factors.keys() {
            arms.insert(self.without(factor), settings(&|name| name != factor));
        }
        arms.insert(self.to.clone(), settings(&|_| true));
        arms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_leave_each_corner_in_each_factor() {
        let text = "{from: paper, to: code, factors: {rate: {train: {lr: 1}}, start: {train: {epochs: 2}, seed: 3}}}";
        let arms = serde_yaml::from_str::<Design>(text).unwrap().arms();
        let arm = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
        assert_eq!(
            arms.keys().map(String::as_str).collect::<Vec<_>>(),
            ["paper", "paper + rate", "paper + start", "code - rate", "code - start", "code"]
        );
        assert_eq!(arms["paper"], arm("{}"));
        assert_eq!(arms["paper + rate"], arm("{train: {lr: 1}}"));
        assert_eq!(arms["code - rate"], arm("{train: {epochs: 2}, seed: 3}"));
        assert_eq!(arms["code"], arm("{train: {lr: 1, epochs: 2}, seed: 3}"));
    }
}
