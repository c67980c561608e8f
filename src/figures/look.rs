//! How curves are shown: what the command line and an experiment's file say beyond the runs themselves.

use std::str::FromStr;

use crate::{
    plots::{Scale, Size},
    spec::{Experiment, PanelSpec, PlannedRun},
};

/// Which panels, and what their axes show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes {
    /// Panels in place of the experiment's, if any.
    pub panels: Vec<PanelSpec>,
    /// Epochs on a logarithmic axis, which has a place for 0.
    pub log_x: bool,
    /// Values on a logarithmic axis; those at or below zero are missing.
    pub log_y: bool,
    /// The epochs that are shown, of all.
    pub x_range: Option<Interval>,
    /// The values that are shown.
    pub y_range: Option<Interval>,
    /// Width and height of the picture; as its panels need, if not given.
    pub size: Option<Size>,
}

/// `0.5..1`: from one number to a larger one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The smaller end.
    pub low: f64,
    /// The larger end.
    pub high: f64,
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends =
            text.split_once("..").and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
        match ends {
            Some((low, high)) if f64::is_finite(low) && f64::is_finite(high) && low < high => Ok(Self { low, high }),
            _ => Err(format!("`{text}` is not a range; valid: two numbers, the smaller one first, such as 0.5..1")),
        }
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl Axes {
    /// These as flags of the command line.
    pub fn flags(&self) -> Vec<String> {
        let Self { panels, log_x, log_y, x_range, y_range, size } = self;
        let mut flags = Vec::new();
        if !panels.is_empty() {
            flags.extend(["--panels".into(), panels.iter().map(PanelSpec::to_string).collect::<Vec<_>>().join(",")]);
        }
        flags.extend(log_x.then(|| "--log-x".to_string()));
        flags.extend(log_y.then(|| "--log-y".to_string()));
        // As one word each: a range may begin with a minus sign.
        flags.extend(x_range.map(|range| format!("--x-range={range}")));
        flags.extend(y_range.map(|range| format!("--y-range={range}")));
        flags.extend(size.map(|size| format!("--size={size}")));
        flags
    }

    /// The vertical scale.
    pub fn y_scale(&self) -> Scale {
        if self.log_y { Scale::Log } else { Scale::Linear }
    }

    /// The horizontal scale.
    pub fn x_scale(&self) -> Scale {
        if self.log_x { Scale::LogFromZero } else { Scale::Linear }
    }

    /// Whether an epoch is shown.
    pub fn shows(&self, epoch: f64) -> bool {
        self.x_range.is_none_or(|range| (range.low..=range.high).contains(&epoch))
    }

    /// The ends of the vertical axis, where a column that is bounded has these bounds; none leaves them to the curves.
    pub fn y_ends(&self, bounds: Option<(f64, f64)>) -> Option<(f64, f64)> {
        // On a logarithmic axis, bounds such as 0 to 1 have no place, and hide what a logarithm is to show.
        let own = self.y_range.map(|range| (range.low, range.high));
        own.or(bounds.filter(|_| !self.log_y))
    }
}

/// What an arm is called in pictures.
pub fn label_of_arm<'a>(experiment: &'a Experiment, arm: &'a str) -> &'a str {
    experiment.look.get(arm).and_then(|look| look.label.as_deref()).unwrap_or(arm)
}

/// What a curve is called in a legend: the arm as the file calls it there, and the grid's values in words.
pub fn legend(experiment: &Experiment, run: &PlannedRun) -> String {
    let arm = experiment.arms.get_index(run.arm).map(|(name, _)| name.as_str()).unwrap_or_default();
    let shown = label_of_arm(experiment, arm);
    let rest = run.label.strip_prefix(arm).unwrap_or(&run.label).trim_start_matches(", ");
    let parts = rest.split(", ").filter(|part| !part.is_empty()).map(in_words);
    [shown.to_string()].into_iter().filter(|arm| !arm.is_empty()).chain(parts).collect::<Vec<_>>().join(", ")
}

/// `sparsity 0.1` for `sp 0.1`: labels name runs too, and are short.
fn in_words(part: &str) -> String {
    let words = [("sp ", "sparsity "), ("mask ", "masking "), ("c ", "closeness ")];
    let long = words.iter().find_map(|(short, long)| Some(format!("{long}{}", part.strip_prefix(short)?)));
    long.unwrap_or_else(|| part.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_two_numbers_in_order() {
        assert_eq!("0.5..1".parse(), Ok(Interval { low: 0.5, high: 1.0 }));
        assert_eq!("-1e-3..2".parse::<Interval>().unwrap().to_string(), "-0.001..2");
        for wrong in ["", "1", "1..", "2..1", "1..1", "a..b", "0..inf", "nan..1"] {
            assert!(wrong.parse::<Interval>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_in_words() {
        assert_eq!(
            ["sp 0.1", "mask 0.5", "c 2", "batch_size 32"].map(in_words),
            ["sparsity 0.1", "masking 0.5", "closeness 2", "batch size 32"]
        );
    }
}
