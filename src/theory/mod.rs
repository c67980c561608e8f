//! The paper's three theorems, made visible and checked by machine.
//!
//! A module for each theorem, in three layers: the mathematics (losses with exact expectations, their gradients, the
//! dynamics) as plain functions on plain arrays; the options, read from a YAML file; and `run`, which computes, writes
//! tables and figures, and returns a [`Report`] of what was expected and what was measured.
//!
//! Everything is double precision and deterministic: every start draws from a key of its own, so results depend on the
//! seed in the options and never on the number of threads.

pub mod columns;
mod report;
pub mod theorem1;
pub mod theorem2;
pub mod theorem3;
mod verdict;

pub use report::{Check, Observation, Report};
pub use verdict::{Verdict, markdown};

use std::{fmt::Display, ops::RangeInclusive, path::Path};

use anyhow::Result;
use serde::de::DeserializeOwned;

use crate::{
    fault::{Fault, ensure},
    input_error,
    plots::LineStyle,
    random::native::Key,
    spec::{Overrides, read_yaml},
};

/// A theorem with the study that checks it.
#[derive(Clone, Copy, Debug)]
pub struct Theorem {
    /// Its name on the command line, and in the names of its options file in `experiments/theory`, its tables and its
    /// figures.
    pub name: &'static str,
    run: fn(&Path, &Overrides, &Path, &Path) -> Result<Report>,
}

/// All theorems, in the paper's order.
pub const THEOREMS: [Theorem; 3] = [
    Theorem { name: "theorem1", run: |file, set, out, plots| theorem1::run(&read(file, set)?, out, plots) },
    Theorem { name: "theorem2", run: |file, set, out, plots| theorem2::run(&read(file, set)?, out, plots) },
    Theorem { name: "theorem3", run: |file, set, out, plots| theorem3::run(&read(file, set)?, out, plots) },
];

impl Theorem {
    /// Runs the study described by the YAML file `options` with `overrides` laid over it; tables go to the folder `out`,
    /// figures to the folder `plots`.
    ///
    /// # Errors
    /// [`InputError`](crate::spec::InputError) for options that cannot be read or make no sense, naming the file and the
    /// key; an error of the file system otherwise.
    pub fn run(&self, options: &Path, overrides: &Overrides, out: &Path, plots: &Path) -> Result<Report> {
        (self.run)(options, overrides, out, plots)
    }
}

/// Options of a study, as its YAML file gives them: every key, and no other.
trait Options: DeserializeOwned {
    /// Fails for values that make no sense, naming the key.
    fn check(&self) -> Result<(), Fault>;
}

fn read<T: Options>(file: &Path, overrides: &Overrides) -> Result<T> {
    let (options, lines) = read_yaml::<T>(file, overrides)?;
    options.check().map_err(|fault| {
        // A flag sets a list as a whole.
        let list = fault.path.split('[').next().unwrap_or_default();
        match overrides.origin(list) {
            Some(flag) => input_error!("{flag}: {}", fault.message),
            None => lines.fault(fault, &[""]),
        }
    })?;
    Ok(options)
}

/// A fault unless there are `values` at the key `path` and all of them are valid.
fn every<T: Display>(path: &str, values: &[T], valid: impl Fn(&T) -> bool, what: &str) -> Result<(), Fault> {
    ensure(!values.is_empty(), path, || "give at least one value".into())?;
    match values.iter().position(|value| !valid(value)) {
        Some(i) => Err(Fault::new(&format!("{path}[{i}]"), format!("{path}: {what}, not {}", values[i]))),
        None => Ok(()),
    }
}

/// A fault unless all of `values` lie in `range`.
fn within<T: Display + PartialOrd>(path: &str, values: &[T], range: RangeInclusive<T>) -> Result<(), Fault> {
    let what = format!("must lie between {} and {}", range.start(), range.end());
    every(path, values, |value| range.contains(value), &what)
}

/// A fault unless all of `values` are probabilities above zero.
fn probabilities(path: &str, values: &[f64]) -> Result<(), Fault> {
    every(path, values, |p| *p > 0.0 && *p <= 1.0, "must lie above 0 and not above 1")
}

/// A fault unless all of `values` are numbers of at least zero.
fn not_negative(path: &str, values: &[f64]) -> Result<(), Fault> {
    every(path, values, |value| *value >= 0.0 && value.is_finite(), "must be a number of at least 0")
}

/// A fault unless `value` is one of `others`, the values of another key.
fn one_of(path: &str, value: usize, others: &[usize]) -> Result<(), Fault> {
    ensure(others.contains(&value), path, || format!("must be one of {others:?}, not {value}"))
}

/// The key of part `part` of the study `name` (eight letters) under a seed.
fn key(seed: u64, name: &[u8; 8], part: u64) -> Key {
    Key::from_seed(seed).derive(u64::from_be_bytes(*name)).derive(part)
}

/// How the figures draw curve number `index` of a panel.
fn style(index: usize) -> LineStyle {
    LineStyle::dashed(index, index)
}
