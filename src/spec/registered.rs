//! Claims that are fixed before they are tested: what will be measured, on which seeds, and what decides.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

use super::{Bound, Experiment, Fault, Lines, Moment, Overrides, PlannedExperiment, Seeds, file::read_yaml};
use crate::{
    fault::{ensure, positive, unknown},
    metrics::{column, column_keys},
};

/// A registration, as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The seeds that decide, of every claim that names none of its own: these, all of them, and no others.
    pub seeds: Seeds,
    /// How far from a published value counts as agreement.
    pub margin: f64,
    /// The claims, in the file's order.
    pub claims: Vec<Registered>,
}

/// A claim with the test that decides it, at every point of its experiment's grid.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// Its name; no two claims have the same.
    pub id: String,
    /// Where the paper makes it.
    pub source: String,
    /// The claim in words.
    pub says: String,
    /// The experiment's file, relative to the registration's.
    pub experiment: PathBuf,
    /// The seeds that decide, instead of the registration's.
    #[serde(default)]
    pub seeds: Option<Seeds>,
    /// An arm, or the label of a curve; every curve if not given.
    #[serde(default)]
    pub of: Option<String>,
    /// A column of `metrics.csv`.
    #[serde(default = "min_cosine")]
    pub measure: String,
    /// When it is read off.
    #[serde(default)]
    pub at: Moment,
    /// If given, the claim is about the change since then.
    #[serde(default)]
    pub since: Option<Moment>,
    /// The test that decides it.
    pub statistic: Statistic,
}

/// What is computed of the seeds' values, and what it is compared with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Statistic {
    /// Their mean, against a number.
    Mean {
        /// The number above which the claim has it,
        above: Option<f64>,
        /// or below which.
        below: Option<f64>,
    },
    /// Their mean less that of other runs at the same point of the grid, against a number.
    Difference {
        /// The other runs.
        from: Bound,
        /// The number above which the claim has the difference,
        above: Option<f64>,
        /// or below which.
        below: Option<f64>,
    },
    /// The share of them that reach a value, against a share.
    Share {
        /// The value to reach.
        reaching: f64,
        /// The share above which the claim has it,
        above: Option<f64>,
        /// or below which.
        below: Option<f64>,
    },
    /// Their mean, against a published one: with its standard deviation over so many seeds, if it has one.
    Published {
        /// The published mean,
        mean: f64,
        /// its standard deviation over seeds, if that is published,
        std: Option<f64>,
        /// and their number.
        n: Option<usize>,
    },
}

fn min_cosine() -> String {
    "min_cosine".into()
}

impl Registration {
    /// Reads the file. Every fault names the file and the line.
    pub fn read(file: &Path) -> Result<Self> {
        let (mut registration, lines): (Self, Lines) = read_yaml(file, &Overrides::default())?;
        registration.check().map_err(|fault| lines.fault(fault, &[""]))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        registration.claims.iter_mut().for_each(|claim| claim.experiment = folder.join(&claim.experiment));
        Ok(registration)
    }

    /// The runs that its claims are about, or compare with, on the seeds that decide: of every experiment no others.
    ///
    /// # Errors
    /// [`InputError`](super::InputError) where an experiment is none, or lacks a curve that a claim names.
    pub fn plan(&self) -> Result<Vec<PlannedExperiment>> {
        let mut plans: Vec<PlannedExperiment> = vec![];
        for claim in &self.claims {
            let (experiment, lines) = Experiment::read(&claim.experiment)?;
            let curves = experiment.curves(claim.of.as_deref());
            let other = match &claim.statistic {
                Statistic::Difference { from: Bound::Runs { experiment: other, of }, .. } => {
                    let (other, lines) = match other {
                        Some(name) => Experiment::read(&experiment.sibling(name))?,
                        None => (experiment.clone(), lines.clone()),
                    };
                    let compared: Result<_> =
                        curves.iter().map(|curve| other.counterpart(of.as_deref(), curve)).collect();
                    Some((other, lines, compared?))
                }
                _ => None,
            };
            let seeds = Overrides::with_seeds(Some(Seeds(self.seeds(claim).to_vec())));
            for (experiment, lines, curves) in std::iter::once((experiment, lines, curves)).chain(other) {
                let mut runs = experiment.plan(&lines, &seeds)?;
                runs.retain(|run| curves.iter().any(|curve| curve.label == run.label));
                match plans.iter_mut().find(|(planned, _)| planned.name == experiment.name) {
                    Some((_, planned)) => {
                        runs.retain(|run| planned.iter().all(|other| other.id != run.id));
                        planned.extend(runs);
                    }
                    None => plans.push((experiment, runs)),
                }
            }
        }
        Ok(plans)
    }

    /// The seeds that decide a claim.
    pub fn seeds<'a>(&'a self, claim: &'a Registered) -> &'a [u64] {
        &claim.seeds.as_ref().unwrap_or(&self.seeds).0
    }

    fn check(&self) -> Result<(), Fault> {
        positive("margin", self.margin)?;
        for (index, claim) in self.claims.iter().enumerate() {
            let at = |key: &str| format!("claims[{index}].{key}");
            ensure(column(&claim.measure).is_some(), &at("measure"), || {
                unknown("column", &claim.measure, column_keys())
            })?;
            let twice = self.claims[..index].iter().any(|other| other.id == claim.id);
            ensure(!twice, &at("id"), || format!("`{}` names two claims", claim.id))?;
            claim.statistic.check().map_err(|message| Fault::new(&at("statistic"), message))?;
        }
        Ok(())
    }
}

impl Registered {
    /// What the claim measures of a run, given the values of its columns; none where it has no such value.
    pub fn measured(&self, at: impl Fn(&str, Moment) -> Option<f64>) -> Option<f64> {
        let now = at(&self.measure, self.at)?;
        let then = self.since.map_or(Some(0.0), |since| at(&self.measure, since))?;
        Some(now - then)
    }

    /// The same in words: `min_cosine at the end`, `min_cosine at the end less at the start`.
    pub fn quantity(&self) -> String {
        let since = self.since.map_or(String::new(), |since| format!(" less {}", since.words()));
        format!("{} {}{since}", self.measure, self.at.words())
    }
}

impl Statistic {
    /// On which side of which number the statistic must lie: 1 for above, -1 for below. None for a published value.
    pub fn side(&self) -> Option<(f64, f64)> {
        match self {
            Self::Mean { above, below } | Self::Difference { above, below, .. } | Self::Share { above, below, .. } => {
                above.map(|bound| (1.0, bound)).or(below.map(|bound| (-1.0, bound)))
            }
            Self::Published { .. } => None,
        }
    }

    fn check(&self) -> Result<(), String> {
        let says = |valid: bool, message: &str| if valid { Ok(()) } else { Err(message.to_owned()) };
        match self {
            Self::Mean { above, below } | Self::Difference { above, below, .. } | Self::Share { above, below, .. } => {
                says(above.is_some() != below.is_some(), "give one of `above` and `below`")?;
            }
            Self::Published { std, n, .. } => {
                says(std.is_some() == n.is_some(), "`std` and `n` go together")?;
                says(
                    n.is_none_or(|n| n >= 2) && std.is_none_or(|std| std >= 0.0),
                    "`n` is at least 2, `std` at least 0",
                )?;
            }
        }
        match self {
            Self::Difference { from: Bound::Number(_), .. } => Err("`from` names other runs".into()),
            Self::Share { .. } => {
                let share = self.side().is_some_and(|(_, bound)| (0.0..=1.0).contains(&bound));
                says(share, "a share lies between 0 and 1")
            }
            _ => Ok(()),
        }
    }
}
