use std::{fmt, path::Path};

use anyhow::{Context, Result};

use super::write_whole;

/// Rows under named columns, for a CSV file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: vec![] }
    }

    /// Adds a row; one value a column.
    pub fn push(&mut self, row: &[&dyn fmt::Display]) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row.iter().map(ToString::to_string).collect());
    }

    /// Writes the file, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut writer = csv::Writer::from_writer(vec![]);
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            writer.write_record(row)?;
        }
        write_whole(path, &writer.into_inner().context("cannot finish a table")?)
    }
}
