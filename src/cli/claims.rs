use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{
    faults::Faults,
    options::{Settings, one_of},
};
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
///
/// Runs with changed settings are other runs: judge them by the flags that they were trained with (`--quick`, `--set`).
#[derive(Debug, clap::Args)]
#[command(mut_arg("files", |files| files
    .required(false)
    .help("Experiment files [default: those in experiments, experiments/authors and experiments/repaired]")))]
#[command(mut_arg("seeds", |seeds| seeds.help("Judge on these seeds alone: 7, 1..5 (both ends included) or 1,4,9")))]
pub struct Args {
    #[command(flatten)]
    settings: Settings,

    /// Say for which values of what the text leaves open each claim holds, of a list [default: experiments/text/open.yaml]
    #[arg(
        long,
        value_name = "LIST",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = super::options::OPEN,
        conflicts_with_all = ["sets", "seeds", "dtype", "quick"]
    )]
    open: Option<PathBuf>,

    /// Judge registered claims, each by the test fixed for it, of a list [default: experiments/text/registered.yaml]
    #[arg(
        long,
        value_name = "LIST",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = super::options::REGISTERED,
        conflicts_with_all = ["files", "open", "format", "sets", "seeds", "dtype", "quick"]
    )]
    registered: Option<PathBuf>,

    /// How the verdicts are written
    #[arg(long, default_value = "text", value_parser = one_of(FORMATS))]
    format: Format,

    /// Judge also on this folder's records, and print both verdicts of each claim, on the runs that the two have in common
    #[arg(long, value_name = "DIR", conflicts_with_all = ["open", "registered", "format"])]
    beside: Option<PathBuf>,
}

const FORMATS: [(Format, &str); 4] =
    [(Format::Text, "text"), (Format::Md, "md"), (Format::Csv, "csv"), (Format::Json, "json")];

impl Args {
    pub fn execute(mut self) -> Result<()> {
        let results = self.settings.results.clone();
        if let Some(list) = &self.registered {
            let ruled = rule(&Registration::read(list)?, &mut Archive::new(&results))?;
            return output::write(format_args!("{ruled}"));
        }
        if self.settings.files.is_empty() {
            self.settings.files =
                super::options::experiment_files(&["experiments", "experiments/authors", "experiments/repaired"])?;
        }
        if let Some(other) = &self.beside {
            return self.judge_beside(other);
        }
        match &self.open {
            Some(list) => self.readings(list, &mut Archive::new(&results)),
            None => self.judge(&mut Archive::changed(&results, self.settings.overrides()?)),
        }
    }

    fn judge(&self, archive: &mut Archive) -> Result<()> {
        let (outcomes, faults) = Faults::apart(&self.settings.files, |file| {
            let entry = archive.entry(file)?;
            evaluate(archive, &entry)
        })?;
        faults.after(output::write(format_args!("{}", render(&outcomes.concat(), self.format)?)))
    }

    fn judge_beside(&self, other: &Path) -> Result<()> {
        let results = &self.settings.results;
        let judged = Beside::judge(&self.settings.files, [results, other], &self.settings.overrides()?)?;
        let (ours, theirs) = (results.display(), other.display());
        anyhow::ensure!(!judged.is_empty(), "no run that a claim is about is recorded in both {ours} and {theirs}");
        output::write(format_args!("{judged}"))
    }

    fn readings(&self, list: &Path, archive: &mut Archive) -> Result<()> {
        if self.format != Format::Text {
            return Err(input_error!("--open: readings are printed as text; leave out --format"));
        }
        let open = OpenSettings::read(list)?;
        let (found, faults) =
            Faults::apart(&self.settings.files, |file| strips(file, &open, archive, &self.settings.results))?;
        let found = found.concat();
        if found.is_empty() {
            say!("nothing of {} concerns these experiments", list.display())?;
        }
        faults.after(output::write(format_args!("{}", render_strips(&found))))
    }
}
