use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{Summary, regular, verify::fits, weights::parse_state};
use crate::{
    metrics::{FOUND, chance},
    spec::{Moment, RunSpec, layout::StateDict},
};

/// The columns of a `metrics.csv`; an empty cell is a NaN.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
}

impl Metrics {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let read = || Self::parse(&regular::read(path)?);
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

    /// With the columns that are computed from the run's settings and the others: records of every age have them.
    pub fn complete(mut self, spec: &RunSpec) -> Self {
        let (Some(epochs), Some(cosines)) = (self.column("epoch"), self.column("min_cosine")) else { return self };
        let rows = epochs.len();
        let level = chance(spec.model.m, spec.data.atoms()).min;
        let found = cosines.iter().position(|cosine| *cosine >= FOUND);
        let steps = found.map_or(f64::NAN, |row| epochs[row] * spec.batches().len() as f64);
        let since = |row: usize| if found.is_some_and(|found| row >= found) { steps } else { f64::NAN };
        let worked_out =
            [("chance_cosine", vec![level; rows]), ("steps_to_found", (0..rows).map(since).collect::<Vec<_>>())];
        for (name, values) in worked_out {
            self.names.push(name.into());
            self.columns.push(values);
        }
        self
    }

    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
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
    /// From `spec.yaml`.
    pub spec: RunSpec,
    /// From `summary.json`.
    pub summary: Summary,
    /// From `metrics.csv`.
    pub metrics: Metrics,
    /// From `final.safetensors`.
    pub state: StateDict,
}

/// Reads the outcome of a run.
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

/// Reads what a run was and what it came to, without its rows and weights.
///
/// # Errors
/// A file cannot be read, or is not as it was written.
pub fn read_settings(folder: &Path) -> Result<(Summary, RunSpec)> {
    let read = || -> Result<_> {
        let summary = Summary::read(folder)?;
        let spec =
            RunSpec::from_yaml(&summary.checked(folder, "spec.yaml")?).context("spec.yaml is not the spec of a run")?;
        Ok((summary, spec))
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
        fits(&state, &spec)?;
        Ok((spec, state))
    };
    let (spec, state) = read().with_context(|| broken(folder))?;
    Ok(RunRecord { metrics: metrics.complete(&spec), spec, summary, state })
}

fn broken(folder: &Path) -> String {
    format!(
        "the record {} is broken (`landscape results verify` finds all such, `landscape results prune --broken` removes \
         them, to be trained again)",
        folder.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_records_have_what_is_worked_out() {
        let spec: RunSpec = "{data: {samples: 100}, train: {batch_size: 30}}".parse().unwrap();
        let text = "epoch,loss,min_cosine\n0,,0.5\n2,1.5,0.91\n4,1.25,0.85\n";
        let metrics = Metrics::parse(text.as_bytes()).unwrap();
        assert_eq!(metrics.column("steps_to_found"), None);
        let metrics = metrics.complete(&spec);
        // Four batches in an epoch, and never forgotten.
        assert_eq!(metrics.at("steps_to_found", Moment::Start), None);
        assert_eq!(metrics.column("steps_to_found").unwrap()[1..], [8.0, 8.0]);
        assert_eq!(
            metrics.at("chance_cosine", Moment::End),
            Some(chance(50, crate::metrics::Atoms::Orthonormal(10)).min)
        );
        let never = Metrics::parse(b"epoch,min_cosine\n0,0.5\n1,nan\n").unwrap().complete(&spec);
        assert_eq!(never.at("steps_to_found", Moment::End), None);
    }
}
