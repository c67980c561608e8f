//! The reproduction report: every claim with its verdict, every figure with its settings and numbers, every number with
//! its run; as Markdown, as one HTML page that needs nothing else, and as a table of runs.
//!
//! Written from experiment files and recorded runs alone. Where claims are registered, a first page of two minutes says what
//! became of them, and every figure has a page of its own.

mod chart;
mod front;
mod html;
mod markdown;
mod marks;
mod model;
mod runs;

pub use model::{Report, Variant};

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::record::write_whole;

impl Report {
    /// Writes `reproduction.md`, `reproduction.html` and `reproduction-runs.csv` into a folder, and names them. With
    /// registered claims these are first pages: the former's picture goes into `plots`, and each figure has a page in
    /// `reproduction/`. Without, they hold everything. Pictures of figures are looked for in `plots`.
    pub fn write(&self, folder: &Path, plots: &Path) -> Result<Vec<PathBuf>> {
        let mut files: Vec<(PathBuf, String)> = vec![];
        let mut written: Vec<PathBuf> = vec![];
        match &self.registered {
            Some(rulings) => {
                let picture = plots.join(format!("{}.png", front::PICTURE));
                let grid = front::picture(rulings);
                if !grid.panels.is_empty() {
                    std::fs::create_dir_all(plots).with_context(|| format!("cannot make {}", plots.display()))?;
                    grid.draw(&picture)?;
                    written.push(picture);
                }
                files.push((folder.join("reproduction.md"), front::render(self, rulings, folder, plots)?));
                files.push((folder.join("reproduction.html"), html::front(self, rulings)?));
                for (name, page) in html::pages(self) {
                    files.push((folder.join("reproduction").join(format!("{name}.html")), page));
                }
            }
            None => {
                files.push((folder.join("reproduction.md"), markdown::render(self, folder, plots)));
                files.push((folder.join("reproduction.html"), html::render(self)));
            }
        }
        files.push((folder.join("reproduction-runs.csv"), runs::csv(self)?));
        for (path, text) in files {
            write_whole(&path, text.as_bytes())?;
            written.push(path);
        }
        Ok(written)
    }
}
