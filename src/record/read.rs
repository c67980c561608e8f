use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use super::{Summary, weights::parse_state};
use crate::spec::{Moment, RunSpec, layout::StateDict};

/// The columns of a `metrics.csv`; an empty cell is a NaN.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
}

impl Metrics {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let read = || Self::parse(&fs::read(path)?);
        read().with_context(|| format!("cannot read {}", path.display()))
    }

    fn parse(text: &[u8]) -> Result<Self> {
        let mut csv = csv::Reader::from_reader(text);
        let names: Vec<String> = csv.headers()?.iter().map(Into::into).collect();
        let mut columns = vec![Vec::new(); names.len()];
        let mut record = csv::StringRecord::new();
        while csv.read_record(&mut record)? {
            for (column, cell) in columns.iter_mut().zip(&record) {
                let value = if cell.is_empty() { f64::NAN } else { cell.parse()? };
                column.push(value);
            }
        }
        Ok(Self { names, columns })
    }

    /// One column.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let at = self.names.iter().position(|column| column == name)?;
        Some(&self.columns[at])
    }

    /// A column at a moment; none where it was not measured.
    pub fn at(&self, name: &str, moment: Moment) -> Option<f64> {
        let column = self.column(name)?;
        let finite = column.iter().copied().filter(|value| value.is_finite());
        let value = match moment {
            Moment::Start => *column.first()?,
            Moment::End => *column.last()?,
            Moment::Lowest => finite.reduce(f64::min)?,
            Moment::Highest => finite.reduce(f64::max)?,
            Moment::Epoch(epoch) => {
                let row = self.column("epoch")?.iter().position(|&measured| measured == epoch as f64)?;
                column[row]
            }
        };
        value.is_finite().then_some(value)
    }
}

/// Everything in a run's folder.
#[derive(Clone, Debug)]
pub struct RunRecord {
    pub spec: RunSpec,
    pub summary: Summary,
    pub metrics: Metrics,
    pub state: StateDict,
}

/// Reads what a run came to.
///
/// # Errors
/// A file cannot be read, or is not as it was written.
pub fn read_metrics(folder: &Path) -> Result<(Summary, Metrics)> {
    let read = || -> Result<_> {
        let summary = Summary::read(folder)?;
        let metrics = Metrics::parse(&summary.checked(folder, "metrics.csv")?).context("metrics.csv cannot be read")?;
        Ok((summary, metrics))
    };
    read().with_context(|| broken(folder))
}

/// Reads a run's folder.
///
/// # Errors
/// A file cannot be read, or is not as it was written.
pub fn read_run(folder: &Path) -> Result<RunRecord> {
    ensure!(folder.is_dir(), "there is no run at {}", folder.display());
    let (summary, metrics) = read_metrics(folder)?;
    let read = || -> Result<_> {
        let spec =
            RunSpec::from_yaml(&summary.checked(folder, "spec.yaml")?).context("spec.yaml is not the spec of a run")?;
        let state =
            parse_state(&summary.checked(folder, "final.safetensors")?).context("final.safetensors cannot be read")?;
        Ok((spec, state))
    };
    let (spec, state) = read().with_context(|| broken(folder))?;
    Ok(RunRecord { spec, summary, metrics, state })
}

fn broken(folder: &Path) -> String {
    format!(
        "the record {} is broken (`landscape results verify` finds all such, `landscape results prune --broken` removes \
         them, to be trained again)",
        folder.display()
    )
}
