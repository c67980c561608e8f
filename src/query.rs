//! Questions to recorded runs: which fulfil a condition on their settings and results, and what do they say?
//!
//! A run is a row. Its columns are its settings by dotted path (`train.lr`), what it came to (`min_cosine`, and every other
//! column of `metrics.csv` at the last epoch and what is worked out of them, under `end.` where a setting has the name: `end.loss`), and where it lies
//! (`experiment`, `run`, `label`). Conditions are expressions of Jinja, which read as Python's: `min_cosine > 0.9 and
//! loss.kind == "nt_xent"`.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result};
use indexmap::{IndexMap, IndexSet};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::{
    input_error,
    metrics::COLUMNS,
    record,
    spec::{Moment, tree::leaves, unknown},
};

/// A recorded run as columns.
pub struct Facts {
    /// Settings and results as a tree, as conditions see them.
    tree: Map<String, Value>,
    /// The same by dotted path.
    pub columns: IndexMap<String, Value>,
    /// How many of the columns, the first, are not results.
    settings: usize,
}

impl Facts {
    /// Of the run in a folder.
    ///
    /// # Errors
    /// A file cannot be read, or is not as it was written.
    pub fn read(folder: &Path) -> Result<Self> {
        let (summary, spec) = record::read_settings(folder)?;
        let metrics = record::read_metrics(folder)?.1.complete(&spec);
        let mut tree = Map::new();
        let texts = [("experiment", &summary.experiment), ("run", &summary.run), ("label", &summary.label)];
        tree.extend(texts.map(|(key, text)| (key.to_string(), Value::from(text.as_str()))));
        tree.insert("epochs_trained".into(), summary.epochs.into());
        tree.insert("diverged_at".into(), summary.diverged_at.into());
        tree.insert("wall_seconds".into(), summary.wall_seconds.into());
        let Value::Object(settings) = spec.tree() else { unreachable!("settings are a mapping") };
        tree.extend(settings);
        let mut columns = leaves(&Value::Object(tree.clone()));
        let settings = columns.len();
        let mut end: Map<String, Value> =
            summary.r#final.iter().map(|(key, &value)| (key.clone(), value.into())).collect();
        for column in COLUMNS.iter().filter(|column| !column.is_measured()) {
            end.insert(column.key.into(), metrics.at(column.key, Moment::End).into());
        }
        for (key, value) in &end {
            tree.entry(key.clone()).or_insert_with(|| value.clone());
        }
        for (key, value) in &end {
            let taken = tree.get(key) != Some(value);
            columns.insert(if taken { format!("end.{key}") } else { key.clone() }, value.clone());
        }
        tree.insert("end".into(), end.into());
        Ok(Self { tree, columns, settings })
    }
}

/// The runs that fulfil a condition; all of them where there is none.
///
/// # Errors
/// A condition that is no expression, names what no run has, or is not true or false.
pub fn select(runs: Vec<Facts>, condition: Option<&str>) -> Result<Vec<Facts>> {
    let Some(text) = condition else { return Ok(runs) };
    let mut jinja = Environment::new();
    // Runs differ in what settings they have: one without a temperature does not have it above 0.1.
    jinja.set_undefined_behavior(UndefinedBehavior::Chainable);
    let hint = if text.contains('=') && !text.contains("==") { " (equality is `==`)" } else { "" };
    let condition = jinja
        .compile_expression(text)
        .map_err(|error| input_error!("the condition `{text}` cannot be read: {}{hint}", first_line(&error)))?;
    let named = condition.undeclared_variables(true);
    if !runs.is_empty() {
        named.iter().try_for_each(|path| is_known(path, &runs))?;
    }
    let mut selected = Vec::new();
    for run in runs {
        let answer = condition
            .eval(minijinja::value::Serde(&run.tree))
            .map_err(|error| input_error!("the condition `{text}` cannot be judged: {}", first_line(&error)))?;
        if answer.is_true() {
            selected.push(run);
        }
    }
    Ok(selected)
}

/// Fails if no run has such a setting or result.
fn is_known(path: &str, runs: &[Facts]) -> Result<()> {
    let all: BTreeSet<&str> = runs.iter().flat_map(|run| run.columns.keys().map(String::as_str)).collect();
    let below = format!("{path}.");
    let end = |column: &&str| path.strip_prefix("end.") == Some(column);
    if all.contains(path) || all.iter().any(|column| column.starts_with(&below) || end(column)) {
        return Ok(());
    }
    Err(input_error!("{}", unknown("column", path, &all.into_iter().collect::<Vec<_>>())))
}

/// The names of all columns of the runs, in order of appearance.
pub fn columns(runs: &[Facts]) -> Vec<String> {
    let all: IndexSet<&String> = runs.iter().flat_map(|run| run.columns.keys()).collect();
    all.into_iter().cloned().collect()
}

/// Chosen columns; one that no run has is an error.
pub fn chosen(runs: &[Facts], names: &[String]) -> Result<Vec<String>> {
    if !runs.is_empty() {
        names.iter().try_for_each(|name| is_known(name, runs))?;
    }
    Ok(names.to_vec())
}

impl Facts {
    /// A column's value, where the run has it; `end.min_cosine` is `min_cosine`.
    fn value(&self, column: &str) -> Option<&Value> {
        let short = || column.strip_prefix("end.").and_then(|name| self.columns.get(name));
        self.columns.get(column).or_else(short)
    }

    /// The columns that say what the run is, and not what it came to.
    pub fn settings(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().take(self.settings).map(String::as_str)
    }

    /// A column, as text; empty where the run has none.
    pub fn cell(&self, column: &str) -> String {
        match self.value(column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }
}

/// A table with a header, as CSV.
pub fn csv(columns: &[String], runs: &[Facts]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(vec![]);
    writer.write_record(columns)?;
    for run in runs {
        writer.write_record(columns.iter().map(|column| run.cell(column)))?;
    }
    writer.into_inner().context("cannot finish a table")
}

/// The curves of runs as one table: a row for each row of their `metrics.csv`, with the run's settings before it.
///
/// # Errors
/// A run's files cannot be read, or are not as they were written; or whatever `write` answers.
pub fn write_curves(runs: &[(&Path, Facts)], mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut measured = IndexSet::new();
    for (folder, _) in runs {
        measured.extend(record::read_metrics(folder)?.1.names().to_vec());
    }
    let settings = runs.iter().flat_map(|(_, run)| run.settings());
    // A setting gives way to what was measured.
    let settings: IndexSet<&str> = settings.filter(|name| !measured.contains(*name)).collect();
    write(&line(settings.iter().map(|name| name.to_string()).chain(measured.iter().cloned()))?)?;
    for (folder, run) in runs {
        let (_, metrics) = record::read_metrics(folder)?;
        let columns: Vec<Option<&[f64]>> = measured.iter().map(|name| metrics.column(name)).collect();
        let rows = columns.iter().flatten().next().map_or(0, |column| column.len());
        for row in 0..rows {
            let value = |column: &Option<&[f64]>| column.map(|column| column[row]).filter(|value| !value.is_nan());
            let cells = columns.iter().map(|column| value(column).map_or(String::new(), |value| value.to_string()));
            write(&line(settings.iter().map(|name| run.cell(name)).chain(cells))?)?;
        }
    }
    Ok(())
}

/// One row of CSV.
fn line(cells: impl Iterator<Item = String>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(vec![]);
    writer.write_record(cells.map(String::into_bytes))?;
    writer.into_inner().context("cannot finish a row")
}

/// A list of objects, one for each run, as JSON.
pub fn json(columns: &[String], runs: &[Facts]) -> Result<String> {
    let object = |run: &Facts| -> Map<String, Value> {
        let value = |column: &String| run.value(column).cloned().map(|value| (column.clone(), value));
        columns.iter().filter_map(value).collect()
    };
    Ok(serde_json::to_string_pretty(&runs.iter().map(object).collect::<Vec<_>>())?)
}

fn first_line(error: &minijinja::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}
