use std::fmt::Write;

use anyhow::Result;

use super::Series;
use crate::{
    aligned::{self, Side},
    metrics::column_name,
    plots::summarize,
    spec::TableSpec,
};

/// Final values over seeds, beside published ones.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    note: Option<String>,
    columns: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
}

/// One value of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Mean of the final values over the seeds; NaN without any.
    pub mean: f64,
    /// Sample standard deviation over the seeds.
    pub std: f64,
    /// Seeds whose final value is finite.
    pub seeds: usize,
    /// Published mean and standard deviation.
    pub published: Option<[f64; 2]>,
}

impl Cell {
    fn measured(self) -> String {
        format!("{:.3} ± {:.3}", self.mean, self.std)
    }

    fn published(self) -> String {
        self.published.map_or_else(|| "-".into(), |[mean, std]| format!("{mean} ± {std}"))
    }

    fn difference(self) -> String {
        self.published.map_or_else(|| "-".into(), |[mean, _]| format!("{:+.3}", self.mean - mean))
    }
}

impl Table {
    pub(super) fn new(title: &str, spec: &TableSpec, series: &[Series], note: Option<String>) -> Self {
        let row = |series: &Series| {
            let published = spec.published.get(&series.label);
            let cells = spec.columns.iter().enumerate().map(|(at, column)| {
                let finals = series.runs.iter().filter_map(|run| run.column(column)?.last().copied());
                let values: Vec<f64> = finals.filter(|value| value.is_finite()).collect();
                let summary = summarize(values.iter().copied(), crate::plots::Band::Std);
                let (mean, std) = summary.map_or((f64::NAN, f64::NAN), |s| (s.mean, s.high - s.mean));
                Cell { mean, std, seeds: values.len(), published: published.and_then(|row| row.get(at)).copied() }
            });
            (series.label.clone(), cells.collect())
        };
        let names = spec.columns.iter().map(|column| column_name(column).to_string()).collect();
        Self { title: title.into(), note, columns: names, rows: series.iter().map(row).collect() }
    }

    /// Whether there is anything to compare with.
    fn is_published(&self) -> bool {
        self.rows.iter().flat_map(|(_, cells)| cells).any(|cell| cell.published.is_some())
    }

    /// Header and rows as text cells: measured and, where anything is published, published and difference for every column.
    fn cells(&self) -> Vec<Vec<String>> {
        let published = self.is_published();
        let mut header = vec!["run".to_string(), "n".to_string()];
        for column in &self.columns {
            header.push(column.clone());
            header.extend(published.then(|| ["published".into(), "difference".into()]).into_iter().flatten());
        }
        let mut cells = vec![header];
        for (label, row) in &self.rows {
            let seeds = row.iter().map(|cell| cell.seeds).max().unwrap_or(0);
            let mut line = vec![label.clone(), seeds.to_string()];
            for cell in row {
                line.push(cell.measured());
                line.extend(published.then(|| [cell.published(), cell.difference()]).into_iter().flatten());
            }
            cells.push(line);
        }
        cells
    }

    /// Markdown.
    pub fn markdown(&self) -> String {
        let cells = self.cells();
        let mut out = format!("# {}\n\n{}", self.title, self.notes());
        for (at, line) in cells.iter().enumerate() {
            let _ = writeln!(out, "| {} |", line.join(" | "));
            if at == 0 {
                let _ = writeln!(out, "|{}", " --- |".repeat(line.len()));
            }
        }
        out
    }

    /// Aligned text.
    pub fn text(&self) -> String {
        let cells = self.cells();
        format!("{}\n\n{}{}", self.title, self.notes(), aligned::columns(&cells, |_| Side::Left))
    }

    /// One line for each row and column, numbers in full.
    pub fn csv(&self) -> Result<String> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["run", "metric", "n", "mean", "std", "published_mean", "published_std", "difference"])?;
        let text = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        for (label, row) in &self.rows {
            for (column, cell) in self.columns.iter().zip(row) {
                let published = cell.published;
                csv.write_record([
                    label.clone(),
                    column.clone(),
                    cell.seeds.to_string(),
                    cell.mean.to_string(),
                    cell.std.to_string(),
                    text(published.map(|p| p[0])),
                    text(published.map(|p| p[1])),
                    text(published.map(|p| cell.mean - p[0])),
                ])?;
            }
        }
        Ok(String::from_utf8(csv.into_inner().map_err(|error| error.into_error())?)?)
    }

    fn notes(&self) -> String {
        let difference = if self.is_published() { "; difference = measured - published" } else { "" };
        let what = format!("Mean ± standard deviation over n seeds at the last epoch{difference}.");
        let note = self.note.as_ref().map(|note| format!(" **{note}**")).unwrap_or_default();
        format!("{what}{note}\n\n")
    }
}
