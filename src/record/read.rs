use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use super::{Summary, read_state};
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
        let read = || -> Result<Self> {
            let mut csv = csv::Reader::from_path(path)?;
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
        };
        read().with_context(|| format!("cannot read {}", path.display()))
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

/// Reads a run's folder.
pub fn read_run(folder: &Path) -> Result<RunRecord> {
    ensure!(folder.is_dir(), "there is no run at {}", folder.display());
    let text = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let spec = RunSpec::from_yaml(text("spec.yaml")?.as_bytes())
        .with_context(|| format!("{} is not the spec of a run", folder.join("spec.yaml").display()))?;
    let summary = serde_json::from_str(&text("summary.json")?)
        .with_context(|| format!("{} is not the summary of a run", folder.join("summary.json").display()))?;
    Ok(RunRecord {
        spec,
        summary,
        metrics: Metrics::read(&folder.join("metrics.csv"))?,
        state: read_state(&folder.join("final.safetensors"))?,
    })
}
