//! The reproduction report: every claim with its verdict, every figure with its settings and numbers, every number with
//! its run; as Markdown, as one HTML page that needs nothing else, and as a table of runs.
//!
//! Written from experiment files and recorded runs alone.

mod chart;
mod html;
mod markdown;
mod marks;
mod model;
mod runs;

pub use model::{Report, Variant};

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::record::write_whole;

impl Report {
    /// Writes `reproduction.md`, `reproduction.html` and `reproduction-runs.csv` into a folder, and names them.
    /// Pictures are looked for in `plots`.
    pub fn write(&self, folder: &Path, plots: &Path) -> Result<Vec<PathBuf>> {
        let files = [
            ("reproduction.md", markdown::render(self, folder, plots)),
            ("reproduction.html", html::render(self)),
            ("reproduction-runs.csv", runs::csv(self)?),
        ];
        files
            .into_iter()
            .map(|(name, text)| {
                let path = folder.join(name);
                write_whole(&path, text.as_bytes())?;
                Ok(path)
            })
            .collect()
    }
}
