//! Experiment files, read and checked: a title, a claim, a grid of runs, and what to draw of them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::Value;

use super::{
    Fault, claim::Claim, design::Design, extends, extends::Extended, fit::FitSpec, lines::Lines, look::ArmLook,
    outcomes::OutcomesSpec, panel::PanelSpec, resolve::readable, seeds::Seeds,
};
use crate::{
    fault::{ensure, unknown},
    input_error, metrics,
};

/// An experiment as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The file's name without its ending; names the folder of results and the pictures.
    #[serde(skip)]
    pub name: String,
    /// The file itself.
    #[serde(skip)]
    pub file: PathBuf,
    /// The experiment that this one is a variant of, by name: its file says `extends`.
    #[serde(default)]
    pub extends: Option<String>,
    /// Text above its pictures.
    pub title: String,
    /// Whose settings these are. If the file does not say, it is a variant of what it extends; else it has the settings of
    /// the paper's text where it names the place in the paper, and one's own where it does not.
    #[serde(default)]
    pub protocol: String,
    /// Where the paper shows it; empty for experiments of one's own.
    #[serde(default)]
    pub paper: String,
    /// What the paper says it shows, or what the experiment is to show.
    #[serde(default)]
    pub claim: String,
    /// The same as assertions, to be checked on the results.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// What we found, in words.
    #[serde(default)]
    pub finding: Option<String>,
    /// Settings of every run.
    #[serde(default = "empty")]
    pub base: Value,
    /// Named variants, each with its own settings on top of the base.
    #[serde(default)]
    pub arms: IndexMap<String, Value>,
    /// Arms made of the differences between two protocols; instead of `arms`.
    #[serde(default)]
    pub design: Option<Design>,
    /// Dotted paths and the values each takes; every combination is run.
    #[serde(default)]
    pub grid: IndexMap<String, Vec<Value>>,
    /// Seeds of every curve: one run each.
    pub seeds: Seeds,
    /// Panels of curves, each of a column of `metrics.csv` or several; no curves are drawn if there are none.
    #[serde(default = "main_panels")]
    pub panels: Vec<PanelSpec>,
    /// Names and colours of arms in pictures of curves.
    #[serde(default)]
    pub look: IndexMap<String, ArmLook>,
    /// Final values over two of the grid's paths.
    #[serde(default)]
    pub map: Option<MapSpec>,
    /// Where every arm ends, and how soon it has found all atoms.
    #[serde(default)]
    pub outcomes: Option<OutcomesSpec>,
    /// Columns of `metrics.csv` whose final values are drawn seed by seed.
    #[serde(default)]
    pub distribution: Vec<String>,
    /// A table of final values, beside published ones.
    #[serde(default)]
    pub table: Option<TableSpec>,
    /// Which value of one of the grid's paths comes nearest to another experiment's published table.
    #[serde(default)]
    pub fit: Option<FitSpec>,
}

/// A table of final values: a row for each arm and grid point.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// Columns of `metrics.csv`.
    pub columns: Vec<String>,
    /// Published mean and standard deviation of each column, by the row's label.
    #[serde(default)]
    pub published: IndexMap<String, Vec<[f64; 2]>>,
}

/// Heat maps of final values: one for each point of the rest of the grid and, where arms are no axis, each arm.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapSpec {
    /// The horizontal axis: a path of the grid, or [`arm`](Self::ARM).
    pub x: String,
    /// The vertical axis: another of these.
    pub y: String,
    /// A column of `metrics.csv`.
    #[serde(default = "min_cosine")]
    pub measure: String,
}

impl MapSpec {
    /// The axis whose values are the experiment's arms.
    pub const ARM: &str = "arm";
}

pub(super) fn empty() -> Value {
    Value::Mapping(serde_yaml::Mapping::new())
}

/// The keys that a file cannot do without, and what each is for.
const REQUIRED: [(&str, &str); 2] = [
    ("title", "what its pictures are called"),
    ("seeds", "which seeds each of its runs is trained with, such as 1..5"),
];

/// Names every key that is missing, with what it is for.
fn check_required(tree: &Value) -> Result<(), Fault> {
    let missing = REQUIRED.iter().filter(|(key, _)| tree.get(key).is_none());
    let missing: Vec<String> = missing.map(|(key, purpose)| format!("`{key}` ({purpose})")).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Fault::new("", format!("missing: {}", missing.join(" and ")))),
    }
}

fn min_cosine() -> String {
    "min_cosine".into()
}

fn main_panels() -> Vec<PanelSpec> {
    ["min_cosine", "loss_mean"].map(PanelSpec::one).into()
}

/// Arms times points of the grid, at most.
const MOST_CURVES: usize = 10_000;

/// Bytes of a run's name, at most: file systems take 255, and a run's files add to them.
pub(super) const LONGEST_NAME: usize = 200;

impl Experiment {
    /// Reads an experiment file. Every fault names the file and, where there is one, the line.
    pub fn read(path: &Path) -> Result<(Self, Lines)> {
        let (mut experiment, lines) = Self::read_alone(path)?;
        if let Some(mut fit) = experiment.fit.take() {
            fit.read(&experiment, &lines)?;
            experiment.fit = Some(fit);
        }
        Ok((experiment, lines))
    }

    /// The same without the table of its `fit`, which lies in another file: files may name each other, or even themselves.
    pub(super) fn read_alone(path: &Path) -> Result<(Self, Lines)> {
        let name = name(path)?;
        let Extended { tree, lines, own } = extends::read(path)?;
        check_required(&tree).map_err(|fault| lines.fault(fault, &[""]))?;
        let mut experiment: Self = serde_path_to_error::deserialize(tree).map_err(|error| {
            let at = error.path().to_string();
            lines.fault(readable(&at, &error.into_inner().to_string()), &[""])
        })?;
        experiment.name = name;
        experiment.file = path.to_path_buf();
        experiment.extends = experiment.extends.map(|file| stem(Path::new(&file)));
        experiment.protocol = match &experiment.extends {
            _ if own.iter().any(|key| key == "protocol") => experiment.protocol,
            // Whatever it is, it is not what the other file says of itself.
            Some(other) => format!("a variant of {other}"),
            None if experiment.paper.is_empty() => "settings of one's own".into(),
            None => "the paper as written".into(),
        };
        experiment.make_arms().map_err(|fault| lines.fault(fault, &[""]))?;
        if !own.iter().any(|key| key == "claims") {
            experiment.drop_claims();
        }
        experiment.finish().map_err(|fault| lines.fault(fault, &[""]))?;
        Ok((experiment, lines))
    }

    /// Makes the arms of a design, and counts them.
    fn make_arms(&mut self) -> Result<(), Fault> {
        if let Some((path, _)) = self.grid.iter().find(|(_, values)| values.is_empty()) {
            let path = format!("grid.{path}");
            return Err(Fault::new(&path, format!("{path}: give at least one value, or leave it out")));
        }
        if let Some(design) = &self.design {
            if !self.arms.is_empty() {
                return Err(Fault::new("design", "`design` makes the arms; leave out `arms`"));
            }
            self.arms = design.arms();
        }
        let points = self.grid.values().try_fold(self.arms.len().max(1), |all, values| all.checked_mul(values.len()));
        if points.is_none_or(|points| points > MOST_CURVES) {
            return Err(Fault::new("grid", format!("grid: with the arms, it has more than {MOST_CURVES} points")));
        }
        Ok(())
    }

    /// Drops claims about arms that this variant does not have, and says so.
    pub(super) fn drop_claims(&mut self) {
        let mut claims = std::mem::take(&mut self.claims);
        claims.retain(|claim| {
            let lacked = claim.lacks(self);
            if let Some(arm) = lacked {
                log::warn!("{}: without the arm `{arm}`, no claim \"{}\"", self.file.display(), claim.says);
            }
            lacked.is_none()
        });
        self.claims = claims;
    }

    /// Checks that the file does not contradict itself.
    fn finish(&self) -> Result<(), Fault> {
        for (place, panel) in self.panels.iter().enumerate() {
            panel.check(&format!("panels[{place}]"))?;
        }
        for (key, column) in self.columns() {
            if metrics::column(column).is_none() {
                let fault = unknown("column", column, metrics::column_keys());
                return Err(Fault::new(&key, format!("{key}: {fault}")));
            }
        }
        let arms: Vec<&str> = self.arms.keys().map(String::as_str).collect();
        let strange = self.look.keys().find(|arm| !arms.contains(&arm.as_str()));
        // A variant may have fewer arms than the experiment whose looks it takes over.
        if let (Some(arm), None) = (strange, &self.extends) {
            return Err(Fault::new(&format!("look.{arm}"), format!("look: {}", unknown("arm", arm, &arms))));
        }
        self.check_published()?;
        for (index, claim) in self.claims.iter().enumerate() {
            claim.check(index, self)?;
        }
        if let Some(outcomes) = &self.outcomes {
            outcomes.check(&self.grid)?;
        }
        let Some(map) = &self.map else { return Ok(()) };
        let arms = (!self.arms.is_empty()).then_some(MapSpec::ARM);
        let axes: Vec<&str> = self.grid.keys().map(String::as_str).chain(arms).collect();
        for (key, axis) in [("map.x", &map.x), ("map.y", &map.y)] {
            if !axes.contains(&axis.as_str()) {
                return Err(Fault::new(key, format!("{key}: {}", unknown("path of the grid", axis, &axes))));
            }
        }
        ensure(map.x != map.y, "map.y", || format!("map.y: {} is map.x already", map.y))
    }

    /// The columns of `metrics.csv` that are tabulated, or drawn but not as curves, each with the key that names it.
    pub(super) fn columns(&self) -> Vec<(String, &str)> {
        let table = self.table.as_ref().map_or(&[][..], |table| &table.columns);
        let lists = [("distribution", &self.distribution[..]), ("table.columns", table)];
        let listed = lists.into_iter().flat_map(|(key, columns)| {
            columns.iter().enumerate().map(move |(place, column)| (format!("{key}[{place}]"), column.as_str()))
        });
        listed.chain(self.map.iter().map(|map| ("map.measure".to_string(), map.measure.as_str()))).collect()
    }

    /// A published row must be that of a curve, with a cell for each column. (A variant may have fewer curves than the
    /// experiment whose table it takes over.)
    fn check_published(&self) -> Result<(), Fault> {
        let Some(table) = &self.table else { return Ok(()) };
        let curves: Vec<String> = self.curves(None).into_iter().map(|curve| curve.label).collect();
        let curves: Vec<&str> = curves.iter().map(String::as_str).collect();
        for (row, cells) in &table.published {
            let key = format!("table.published.{row}");
            if self.extends.is_none() && !curves.contains(&row.as_str()) {
                return Err(Fault::new(&key, format!("table.published: {}", unknown("row", row, &curves))));
            }
            if cells.len() != table.columns.len() {
                let (cells, columns) = (cells.len(), table.columns.len());
                return Err(Fault::new(&key, format!("{key}: {cells} cells for {columns} columns")));
            }
        }
        Ok(())
    }

    /// The file of another experiment of the same folder, by its name; there may be none.
    ///
    /// Where this experiment is a variant (`fig6-authors` extends `fig6`), the same variant of the other (`fig5-authors`
    /// for `fig5`) comes first.
    pub fn sibling(&self, name: &str) -> PathBuf {
        let suffix = self.extends.as_deref().and_then(|extended| self.name.strip_prefix(extended)).unwrap_or_default();
        let file = |name: String| self.file.with_file_name(format!("{name}.yaml"));
        let variant = file(format!("{name}{suffix}"));
        if variant.is_file() { variant } else { file(name.into()) }
    }
}

/// The name of an experiment's folder.
fn name(path: &Path) -> Result<String> {
    let name = stem(path);
    match name.as_str() {
        "" => Err(input_error!("{} is not the name of an experiment file", path.display())),
        hidden if hidden.starts_with('.') => Err(input_error!(
            "{}: results in a folder named `{hidden}` would be hidden; rename the file",
            path.display()
        )),
        long if long.len() > LONGEST_NAME => {
            Err(input_error!("{}: the name is too long for a folder of results", path.display()))
        }
        _ => Ok(name),
    }
}

pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
