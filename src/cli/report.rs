use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{
    claims::rule,
    input_error,
    output::say,
    record::Archive,
    report::{Report, Variant},
    spec::Registration,
};

const FOLDERS: [&str; 4] = ["experiments", "experiments/authors", "experiments/repaired", "experiments/sweeps"];

/// Write the reproduction report: Markdown, one HTML page that needs nothing else, and a table of the runs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Experiment files [default: those in experiments and its folders authors, repaired, sweeps]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Registered claims to begin with [default: experiments/text/registered.yaml if it is there and no files are named]
    #[arg(long, value_name = "LIST")]
    registered: Option<PathBuf>,

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
        let mut files = if whole { super::options::experiment_files(&FOLDERS)? } else { self.files };
        let summary = match self.summary {
            Some(file) => Some(
                std::fs::read_to_string(&file)
                    .map_err(|error| input_error!("--summary {}: {error}", file.display()))?,
            ),
            None => whole.then(|| std::fs::read_to_string("experiments/summary.md").ok()).flatten(),
        };
        let list = self.registered.or_else(|| {
            let list = PathBuf::from(super::options::REGISTERED);
            (whole && list.is_file()).then_some(list)
        });
        let registration = list.as_deref().map(Registration::read).transpose()?;
        for claim in registration.iter().flat_map(|registration| &registration.claims) {
            if !files.iter().any(|file| same_file(file, &claim.experiment)) {
                files.push(claim.experiment.clone());
            }
        }
        let mut archive = Archive::new(&self.results);
        let mut report = Report::read(&files, summary, &mut archive)?;
        report.registered = registration.as_ref().map(|registration| rule(registration, &mut archive)).transpose()?;
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

/// Whether two paths lead to one file: a registration's are relative to itself (`experiments/text/../fig1.yaml`).
fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
