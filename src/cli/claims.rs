use std::path::PathBuf;

use anyhow::Result;

use crate::{
    claims::{Format, evaluate, render},
    record::Archive,
};

/// Judge the paper's claims on the recorded runs: reproduced, in direction only, not, or undecided
///
/// Every recorded seed counts: where the verdict is undecided, `landscape run FILE --seeds 1..20` decides it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Experiment files [default: those in experiments, experiments/authors and experiments/repaired]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// text, md, csv or json
    #[arg(long, default_value = "text", value_parser = format)]
    format: Format,

    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "md" => Ok(Format::Md),
        "csv" => Ok(Format::Csv),
        "json" => Ok(Format::Json),
        _ => Err("valid: text, md, csv, json".into()),
    }
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let files = if self.files.is_empty() {
            super::options::experiment_files(&["experiments", "experiments/authors", "experiments/repaired"])?
        } else {
            self.files
        };
        let mut archive = Archive::new(&self.results);
        let mut outcomes = Vec::new();
        for file in &files {
            let entry = archive.entry(file)?;
            outcomes.extend(evaluate(&mut archive, &entry)?);
        }
        print!("{}", render(&outcomes, self.format)?);
        Ok(())
    }
}
