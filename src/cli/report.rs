use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{
    input_error,
    output::say,
    record::Archive,
    report::{Report, Variant},
};

const FOLDERS: [&str; 4] = ["experiments", "experiments/authors", "experiments/repaired", "experiments/sweeps"];

/// Write the reproduction report: Markdown, one HTML page that needs nothing else, and a table of the runs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Experiment files [default: those in experiments and its folders authors, repaired, sweeps]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// Folder of pictures to show in the Markdown
    #[arg(long, value_name = "DIR", default_value = "plots")]
    plots: PathBuf,

    /// Markdown to stand on top [default: experiments/summary.md if it is there and no files are named]
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,

    /// Folder to write into
    #[arg(long, value_name = "DIR", default_value = "docs")]
    out: PathBuf,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let whole = self.files.is_empty();
        let files = if whole { super::options::experiment_files(&FOLDERS)? } else { self.files };
        let summary = match self.summary {
            Some(file) => Some(
                std::fs::read_to_string(&file)
                    .map_err(|error| input_error!("--summary {}: {error}", file.display()))?,
            ),
            None => whole.then(|| std::fs::read_to_string("experiments/summary.md").ok()).flatten(),
        };
        let report = Report::read(&files, summary, &mut Archive::new(&self.results))?;
        if !report.variants().any(Variant::is_run) {
            let results = self.results.display();
            bail!(
                "no run of these experiments is recorded in {results}; `landscape run FILE` or `make claims` trains them"
            );
        }
        for path in report.write(&self.out, &self.plots)? {
            say!("{}", path.display())?;
        }
        Ok(())
    }
}
