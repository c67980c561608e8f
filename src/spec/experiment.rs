//! Experiment files: a title, a claim, a grid of runs, and what to draw of them.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::Value;

use super::layout::StateDict;
use super::{
    Fault, RunSpec, claim::Claim, design::Design, extends, extends::Extended, fit::FitSpec, id::run_id,
    input::Overrides, lines::Lines, panel::PanelSpec, resolve, resolve::readable, seeds::Seeds, sources, tree,
};
use crate::fault::{ensure, unknown};
use crate::input_error;
use crate::metrics;

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
    /// How arms are called and coloured in pictures of curves.
    #[serde(default)]
    pub look: IndexMap<String, ArmLook>,
    /// Final values over two of the grid's paths.
    #[serde(default)]
    pub map: Option<MapSpec>,
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

/// An arm in pictures of curves.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmLook {
    /// Its text in legends, in place of its name.
    pub label: Option<String>,
    /// Its colour, in place of its method's.
    pub color: Option<Ink>,
}

/// The colours of curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ink {
    /// `#0072b2`
    Blue,
    /// `#d55e00`
    Vermilion,
    /// `#009e73`
    Green,
    /// `#cc79a7`
    Pink,
    /// `#e69f00`
    Orange,
    /// `#56b4e9`
    Sky,
    /// `#1a1a1a`
    Black,
    /// `#882255`
    Wine,
    /// `#332288`
    Indigo,
    /// `#999933`
    Olive,
    /// `#8c564b`
    Brown,
    /// `#888888`
    Grey,
    /// `#44aa99`
    Teal,
    /// `#7b3294`
    Purple,
}

impl Ink {
    /// Every colour, in the order of the palette: an ink is its index there.
    pub const ALL: [Self; 14] = [
        Self::Blue,
        Self::Vermilion,
        Self::Green,
        Self::Pink,
        Self::Orange,
        Self::Sky,
        Self::Black,
        Self::Wine,
        Self::Indigo,
        Self::Olive,
        Self::Brown,
        Self::Grey,
        Self::Teal,
        Self::Purple,
    ];
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

/// What tells the curves of an experiment apart: an arm and a point of its grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurveName {
    /// Arm and grid values as legends and run names spell them.
    pub label: String,
    /// The part of the label that names the point of the grid; empty without a grid.
    pub point: String,
}

/// One run of an experiment.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// Name of its experiment, and of the folder that it is recorded in.
    pub experiment: String,
    /// Name of its folder: readable labels and the hash of its settings.
    pub id: String,
    /// What tells its curve from the others: arm and grid values. Runs that differ in the seed only share it.
    pub label: String,
    /// Place of its arm among the experiment's arms.
    pub arm: usize,
    /// Place of its grid values among the grid's points.
    pub point: usize,
    /// Its settings, all of them.
    pub spec: Arc<RunSpec>,
    /// Parameters to start from instead of the drawn ones.
    pub start: Option<Arc<StateDict>>,
}

/// `fig2/ncl-sp-0.1_seed1_635f98ba51`, as in the folder of results.
impl fmt::Display for PlannedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.experiment, self.id)
    }
}

impl PlannedRun {
    /// A run that stands alone, on no grid: the first point of the first arm, from the drawn parameters.
    pub fn alone(experiment: impl Into<String>, id: String, label: impl Into<String>, spec: Arc<RunSpec>) -> Self {
        Self { experiment: experiment.into(), id, label: label.into(), arm: 0, point: 0, spec, start: None }
    }

    /// The same run with another seed.
    pub fn with_seed(&self, seed: u64) -> Self {
        let spec = RunSpec { seed, ..(*self.spec).clone() };
        Self { id: run_id(&self.label, &spec), spec: Arc::new(spec), ..self.clone() }
    }
}

fn empty() -> Value {
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

/// Runs of one experiment, at most.
const MOST_RUNS: usize = 100_000;

/// Bytes of a run's name, at most: file systems take 255, and a run's files add to them.
const LONGEST_NAME: usize = 200;

/// Short names of grid keys in labels.
pub fn short(path: &str) -> &str {
    match path {
        "data.latents.sparsity" => "sp",
        "views.masking_prob" => "mask",
        "model.init.closeness" => "c",
        _ => path.rsplit('.').next().unwrap_or(path),
    }
}

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

    /// The same without the table of its `fit`, which lies in another file: files may name each other, or themselves.
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

    /// Drops claims about arms that this experiment does not have, having been varied, and says so.
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

    /// Checks what the file says against itself.
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

    /// The columns of `metrics.csv` that are tabulated, or drawn otherwise than as curves, each with the key that names it.
    fn columns(&self) -> Vec<(String, &str)> {
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

    /// Refuses what would turn out to be empty once everything is trained.
    fn check_measured(&self, runs: &[PlannedRun], lines: &Lines) -> Result<()> {
        for (key, column) in self.columns() {
            if !runs.iter().any(|run| run.spec.measures(column)) {
                let message = format!("{key}: no run of this experiment has values in the column `{column}`");
                return Err(lines.fault(Fault::new(&key, message), &[""]));
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

    /// The arms by name; one without a name if the file has none.
    pub(super) fn arm_names(&self) -> Vec<&str> {
        if self.arms.is_empty() { vec![""] } else { self.arms.keys().map(String::as_str).collect() }
    }

    /// The curves of the given arm or label, or all of them, in the order of the plan.
    pub fn curves(&self, of: Option<&str>) -> Vec<CurveName> {
        let mut curves = Vec::new();
        for arm in self.arm_names() {
            for point in self.points() {
                let curve = CurveName { label: label(arm, &point), point: label("", &point) };
                if of.is_none_or(|of| of == arm || of == curve.label) {
                    curves.push(curve);
                }
            }
        }
        curves
    }

    /// The curve that a claim about another experiment's `curve` compares it with: the one named, at the same point of the
    /// grid if the name is an arm's.
    ///
    /// # Errors
    /// [`InputError`](super::InputError) where this experiment has none there.
    pub fn counterpart(&self, of: Option<&str>, curve: &CurveName) -> Result<CurveName> {
        let mut candidates = self.curves(of);
        let at = match candidates.len() {
            1 => Some(0),
            _ => candidates.iter().position(|candidate| candidate.point == curve.point),
        };
        at.map(|at| candidates.swap_remove(at)).ok_or_else(|| {
            input_error!(
                "{}: a claim about `{}` compares it with `{}`, which has no curve at the same point of the grid",
                self.file.display(),
                curve.label,
                of.unwrap_or(&self.name)
            )
        })
    }

    /// What a claim can be about: the arms, and the labels of the curves.
    pub(super) fn names(&self) -> Vec<String> {
        let labels = self.curves(None).into_iter().map(|curve| curve.label);
        let names: indexmap::IndexSet<String> = self.arms.keys().cloned().chain(labels).collect();
        names.into_iter().collect()
    }

    /// Every run of the experiment, arms outermost, then the grid in its order, then seeds.
    pub fn plan(&self, lines: &Lines, overrides: &Overrides) -> Result<Vec<PlannedRun>> {
        let nothing = IndexMap::from_iter([(String::new(), empty())]);
        let arms = if self.arms.is_empty() { &nothing } else { &self.arms };
        let seeds = overrides.seeds.as_ref().unwrap_or(&self.seeds);
        if arms.len() * self.points().len() * seeds.0.len() > MOST_RUNS {
            let message = format!("{MOST_RUNS} runs of one experiment at most: fewer seeds, or several files");
            return Err(lines.fault(Fault::new("seeds", message), &[""]));
        }
        let mut runs = Vec::new();
        for (arm_index, (arm, settings)) in arms.iter().enumerate() {
            for (point_index, point) in self.points().into_iter().enumerate() {
                let label = label(arm, &point);
                let layers: Vec<Value> =
                    point.iter().map(|(path, value)| tree::at_path(path, (*value).clone())).collect();
                for &seed in &seeds.0 {
                    let seed = tree::at_path("seed", Value::from(seed));
                    let mut stack: Vec<&Value> = vec![&self.base, settings];
                    stack.extend(&layers);
                    stack.push(&seed);
                    stack.extend(&overrides.layers);
                    let spec = resolve(&stack).map_err(|fault| self.explain(fault, arm, lines, overrides))?;
                    let id = run_id(&label, &spec);
                    if id.len() > LONGEST_NAME {
                        let message = format!("the run's folder would be named {id}, which is too long for files");
                        return Err(self.explain(Fault::new("", message), arm, lines, overrides));
                    }
                    runs.push(PlannedRun {
                        experiment: self.name.clone(),
                        id,
                        label: label.clone(),
                        arm: arm_index,
                        point: point_index,
                        spec: Arc::new(spec),
                        start: None,
                    });
                }
            }
        }
        self.check_measured(&runs, lines)?;
        Ok(runs)
    }

    /// Every combination of the grid's values.
    pub fn points(&self) -> Vec<Vec<(&str, &Value)>> {
        self.grid.iter().fold(vec![vec![]], |points, (path, values)| {
            let extend = |point: &Vec<_>| -> Vec<Vec<(&str, &Value)>> {
                values.iter().map(|value| [point.clone(), vec![(path.as_str(), value)]].concat()).collect()
            };
            points.iter().flat_map(extend).collect()
        })
    }

    /// Names the place in the file, or the flag, that a fault comes from.
    fn explain(&self, fault: Fault, arm: &str, lines: &Lines, overrides: &Overrides) -> anyhow::Error {
        if let Some(flag) = overrides.origin(&fault.path) {
            return input_error!("{flag}: {}", fault.message);
        }
        lines.fault(fault, &[&format!("arms.{arm}."), "grid.", "base."])
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

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// `NCL, sp 0.1`
pub(super) fn label(arm: &str, point: &[(&str, &Value)]) -> String {
    let values = point.iter().map(|(path, value)| format!("{} {}", short(path), tree::plain(value)));
    let arm = (!arm.is_empty()).then(|| arm.to_string());
    arm.into_iter().chain(values).collect::<Vec<_>>().join(", ")
}

/// Reads several experiment files and plans their runs.
///
/// # Errors
/// As [`check_names`] and [`plan_file`].
pub fn plan_all(files: &[PathBuf], overrides: &Overrides) -> Result<Vec<(Experiment, Vec<PlannedRun>)>> {
    check_names(files)?;
    files.iter().map(|file| plan_file(file, overrides)).collect()
}

/// Refuses two files of one name: results and pictures are named after it, and one experiment's would replace the
/// other's.
///
/// # Errors
/// Two such files, or a folder that is not there.
pub fn check_names(files: &[PathBuf]) -> Result<()> {
    let mut names: IndexMap<String, &Path> = IndexMap::new();
    for file in files {
        let other = *names.entry(stem(file)).or_insert(file);
        if other != file && sources::place(other)? != sources::place(file)? {
            return Err(input_error!(
                "{} and {} are both named `{}`, the name of their results and pictures; rename one",
                other.display(),
                file.display(),
                stem(file)
            ));
        }
    }
    Ok(())
}

/// Reads an experiment file and plans its runs under what the command line changes.
///
/// # Errors
/// Input errors that name the file, the line and the key, or the flag.
pub fn plan_file(file: &Path, overrides: &Overrides) -> Result<(Experiment, Vec<PlannedRun>)> {
    let (mut experiment, lines) = Experiment::read(file)?;
    let mut runs = experiment.plan(&lines, overrides)?;
    let without = |experiment: &Experiment| experiment.plan(&lines, &overrides.without_layers());
    let changes = experiment.give_way(&runs, without, overrides)?;
    if !changes.is_empty() {
        changes.iter().for_each(|change| log::warn!("{}: {change}", experiment.name));
        runs = experiment.plan(&lines, overrides)?;
    }
    log::debug!("{} has {} runs", file.display(), runs.len());
    Ok((experiment, runs))
}
