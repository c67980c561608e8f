//! What a study found: statements that must hold, further numbers, verdicts on the theorem as printed, and the files
//! written.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Serialize;

use super::Verdict;
use crate::{
    aligned::{self, Side},
    logs::tell,
    record::{Table, write_whole},
};

/// A statement that either holds or does not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What is stated, and of what: dimension, setting, start.
    pub name: String,
    /// What should be measured, for people.
    pub expected: String,
    /// The number found.
    pub measured: f64,
    /// What the measurement is compared with: see `expected` for how.
    pub bound: f64,
    /// Whether the measurement is as expected.
    pub holds: bool,
}

impl Check {
    /// `measured` should not exceed `bound`.
    pub fn at_most(name: impl Into<String>, measured: f64, bound: f64) -> Self {
        Self {
            name: name.into(),
            expected: format!("at most {}", short(bound)),
            measured,
            bound,
            holds: measured <= bound,
        }
    }

    /// `measured` should reach `bound`.
    pub fn at_least(name: impl Into<String>, measured: f64, bound: f64) -> Self {
        Self {
            name: name.into(),
            expected: format!("at least {}", short(bound)),
            measured,
            bound,
            holds: measured >= bound,
        }
    }

    /// `measured` should lie within `tolerance`, the bound, of `expected`.
    pub fn near(name: impl Into<String>, measured: f64, expected: f64, tolerance: f64) -> Self {
        let holds = (measured - expected).abs() <= tolerance;
        Self {
            name: name.into(),
            expected: format!("{expected:.4} ± {}", short(tolerance)),
            measured,
            bound: tolerance,
            holds,
        }
    }

    /// A count that should be exactly `expected`.
    pub fn count(name: impl Into<String>, measured: usize, expected: usize) -> Self {
        Self {
            name: name.into(),
            expected: format!("{expected}"),
            measured: measured as f64,
            bound: expected as f64,
            holds: measured == expected,
        }
    }
}

/// A number worth knowing that no statement predicts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Observation {
    /// What was looked at.
    pub name: String,
    /// The number or the words for it.
    pub value: String,
}

/// The outcome of a study.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The study's title, from its options.
    pub title: String,
    /// Statements that must hold, in the order of the studies.
    pub checks: Vec<Check>,
    /// Numbers that no statement predicts.
    pub observations: Vec<Observation>,
    /// What the theorem as printed is worth.
    pub verdicts: Vec<Verdict>,
    /// CSV files written.
    pub tables: Vec<PathBuf>,
    /// Pictures written.
    pub figures: Vec<PathBuf>,
    /// The theorem's name, which starts the name of every file.
    #[serde(skip)]
    name: String,
    /// Folder of tables.
    #[serde(skip)]
    out: PathBuf,
    /// Folder of figures.
    #[serde(skip)]
    plots: PathBuf,
}

impl Report {
    /// An empty report on the theorem `name`; creates the folders of its tables and figures.
    pub(super) fn new(name: &str, title: &str, out: &Path, plots: &Path) -> Result<Self> {
        for folder in [out, plots] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        }
        let (name, title) = (name.to_owned(), title.to_owned());
        Ok(Self { title, name, out: out.to_owned(), plots: plots.to_owned(), ..Self::default() })
    }

    /// Says on standard error what comes next.
    pub(super) fn begin(&self, study: &str) {
        tell(format_args!("{}: {study}", self.name));
    }

    pub(super) fn observe(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.observations.push(Observation { name: name.into(), value: value.into() });
    }

    /// Whether every statement holds.
    pub fn holds(&self) -> bool {
        self.all_hold("")
    }

    /// Whether every statement whose name starts so holds.
    pub(super) fn all_hold(&self, start: &str) -> bool {
        self.checks.iter().filter(|check| check.name.starts_with(start)).all(|check| check.holds)
    }

    /// Writes `table` as `<theorem>-<name>.csv`.
    pub(super) fn table(&mut self, name: &str, table: &Table) -> Result<()> {
        let path = self.out.join(format!("{}-{name}.csv", self.name));
        table.save(&path)?;
        self.tables.push(path);
        Ok(())
    }

    /// Lets `draw` write the figure `<theorem>-<name>.png`.
    pub(super) fn figure(&mut self, name: &str, draw: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let path = self.plots.join(format!("{}-{name}.png", self.name));
        draw(&path).with_context(|| format!("cannot draw {}", path.display()))?;
        self.figures.push(path);
        Ok(())
    }

    /// Writes the report itself as `<theorem>.json`.
    pub(super) fn save(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        write_whole(&self.out.join(format!("{}.json", self.name)), text.as_bytes())
    }
}

impl fmt::Display for Report {
    /// An aligned table: the statements, then the observations, the verdicts and the files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let head = ["statement", "expected", "measured", "holds"].map(String::from);
        let row = |check: &Check| {
            let holds = if check.holds { "yes" } else { "NO" };
            [check.name.clone(), check.expected.clone(), number(check.measured), holds.into()]
        };
        let rows: Vec<[String; 4]> = std::iter::once(head).chain(self.checks.iter().map(row)).collect();
        let side = |column: usize| if matches!(column, 1 | 2) { Side::Right } else { Side::Left };
        write!(f, "\n{}", aligned::indented(&aligned::columns(&rows, side), 2))?;
        if !self.observations.is_empty() {
            let rows: Vec<[&str; 2]> = self.observations.iter().map(|seen| [&*seen.name, &*seen.value]).collect();
            write!(f, "\n  observed\n{}", aligned::indented(&aligned::columns(&rows, |_| Side::Left), 2))?;
        }
        if !self.verdicts.is_empty() {
            writeln!(f, "\n  as printed")?;
        }
        self.verdicts.iter().try_for_each(|verdict| write!(f, "{verdict}"))?;
        if !self.tables.is_empty() || !self.figures.is_empty() {
            writeln!(f)?;
        }
        for path in self.tables.iter().chain(&self.figures) {
            writeln!(f, "  wrote {}", path.display())?;
        }
        Ok(())
    }
}

/// A bound as it was written.
fn short(bound: f64) -> String {
    if bound == 0.0 || (1e-3..1e4).contains(&bound.abs()) { format!("{bound}") } else { format!("{bound:e}") }
}

/// A short text for a number of any size.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if (1e-3..1e6).contains(&size) && value.fract() == 0.0 => format!("{value}"),
        size if (1e-3..1e4).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}
