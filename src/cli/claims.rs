use std::path::PathBuf;

use anyhow::Result;

use super::options::one_of;
use crate::{
    claims::{Beside, Format, evaluate, render, render_strips, rule, strips},
    input_error,
    output::{self, say},
    record::Archive,
    spec::{OpenSettings, Registration},
};

/// Judge the paper's claims on the recorded runs: reproduced, in direction only, not, or undecided
///
/// Every recorded seed counts: where the verdict is undecided, `landscape run FILE --seeds 1..20` decides it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Experiment files [default: those in experiments, experiments/authors and experiments/repaired]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Say for which values of what the text leaves open each claim holds, of a list [default: experiments/text/open.yaml]
    #[arg(long, value_name = "LIST", num_args = 0..=1, require_equals = true, default_missing_value = super::options::OPEN)]
    open: Option<PathBuf>,

    /// Judge registered claims, each by the test fixed for it, of a list [default: experiments/text/registered.yaml]
    #[arg(
        long,
        value_name = "LIST",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = super::options::REGISTERED,
        conflicts_with_all = ["files", "open", "format"]
    )]
    registered: Option<PathBuf>,

    /// How the verdicts are written
    #[arg(long, default_value = "text", value_parser = one_of(FORMATS))]
    format: Format,

    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// Judge also on this folder's records, and print both verdicts of each claim, on the runs that the two have in common
    #[arg(long, value_name = "DIR", conflicts_with_all = ["open", "registered", "format"])]
    beside: Option<PathBuf>,
}

const FORMATS: [(Format, &str); 4] =
    [(Format::Text, "text"), (Format::Md, "md"), (Format::Csv, "csv"), (Format::Json, "json")];

impl Args {
    pub fn execute(self) -> Result<()> {
        if let Some(list) = &self.registered {
            let ruled = rule(&Registration::read(list)?, &mut Archive::new(&self.results))?;
            return output::write(format_args!("{ruled}"));
        }
        let files = if self.files.is_empty() {
            super::options::experiment_files(&["experiments", "experiments/authors", "experiments/repaired"])?
        } else {
            self.files
        };
        if let Some(other) = &self.beside {
            let judged = Beside::judge(&files, [&self.results, other])?;
            let (ours, theirs) = (self.results.display(), other.display());
            anyhow::ensure!(!judged.is_empty(), "no run that a claim is about is recorded in both {ours} and {theirs}");
            return output::write(format_args!("{judged}"));
        }
        let mut archive = Archive::new(&self.results);
        if let Some(list) = &self.open {
            if self.format != Format::Text {
                return Err(input_error!("--open: readings are printed as text; leave out --format"));
            }
            let open = OpenSettings::read(list)?;
            let mut found = Vec::new();
            for file in &files {
                found.extend(strips(file, &open, &mut archive, &self.results)?);
            }
            if found.is_empty() {
                say!("nothing of {} concerns these experiments", list.display())?;
            }
            return output::write(format_args!("{}", render_strips(&found)));
        }
        let mut outcomes = Vec::new();
        for file in &files {
            let entry = archive.entry(file)?;
            outcomes.extend(evaluate(&mut archive, &entry)?);
        }
        output::write(format_args!("{}", render(&outcomes, self.format)?))
    }
}
