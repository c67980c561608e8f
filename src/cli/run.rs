use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::options::{Computing, Settings};
use crate::{
    logs::tell,
    output::say,
    record,
    runner::{self, Options},
    spec::{PlannedExperiment, PlannedRun, Registration},
};

/// Train every run of the given experiments that is not recorded yet
#[derive(Debug, clap::Args)]
#[command(mut_arg("files", |files| files.required(false).required_unless_present("registered")))]
pub struct Args {
    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    computing: Computing,

    /// Also under each value of what the text leaves open, of a list [default: experiments/text/open.yaml]
    #[arg(long, value_name = "LIST", num_args = 0..=1, require_equals = true, default_missing_value = super::options::OPEN)]
    open: Option<PathBuf>,

    /// The runs that registered claims need and no others, of a list [default: experiments/text/registered.yaml]
    #[arg(
        long,
        value_name = "LIST",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = super::options::REGISTERED,
        conflicts_with_all = ["files", "open", "sets", "seeds", "dtype", "quick"]
    )]
    registered: Option<PathBuf>,

    /// List the runs without training any
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        if let Some(list) = &self.registered {
            return self.train(Registration::read(list)?.plan()?);
        }
        let (plans, faults) = self.settings.sound_plans()?;
        faults.after(self.train(plans))
    }

    fn train(&self, mut plans: Vec<PlannedExperiment>) -> Result<()> {
        if let Some(list) = &self.open {
            self.settings.with_readings(&mut plans, list)?;
        }
        if self.dry_run {
            return dry_run(&plans, &self.settings, &self.computing);
        }
        train_share(&plans, &self.settings, &self.computing)
    }
}

/// Trains this process's part of the plans, and leaves the plans beside the results.
pub fn train_share(plans: &[PlannedExperiment], settings: &Settings, computing: &Computing) -> Result<()> {
    let runs = runner::whole_plan(plans);
    let places = computing.places(&runs)?;
    if places.len() < runs.len() {
        tell(format_args!("{} of the {} runs are this part's", places.len(), runs.len()));
    }
    let mine: Vec<PlannedRun> = places.into_iter().map(|place| runs[place].clone()).collect();
    let options = computing.options(settings.results.clone());
    runner::check(&mine, &options)?; // what is refused leaves no plan
    for (experiment, runs) in plans {
        // What it is for, `landscape status`, can do without.
        if let Err(error) = runner::plan(&experiment.name, runs, &settings.changes()).write(&settings.results) {
            log::warn!("{error:#}");
        }
    }
    train(&mine, &options, 0)
}

/// Failures reported one by one.
const FAILURES_SHOWN: usize = 10;

/// Trains and reports, and stops at a signal; fails if a run failed. So many more runs are `recorded` already.
pub fn train(runs: &[PlannedRun], options: &Options, recorded: usize) -> Result<()> {
    let signals = runner::Signals::listen()?;
    let outcome = runner::run(runs, &Options { interrupt: signals.interrupt(), ..options.clone() })?;
    tell(format_args!(
        "{} runs trained, {} recorded before, {} failed; results in {}",
        outcome.trained,
        recorded + outcome.kept + outcome.elsewhere,
        outcome.failures.len(),
        if options.results.as_os_str().is_empty() { Path::new(".") } else { &options.results }.display()
    ));
    if outcome.elsewhere > 0 {
        tell(format_args!(
            "{} of the recorded runs were trained by another process in the meantime",
            outcome.elsewhere
        ));
    }
    if outcome.adopted > 0 {
        tell(format_args!(
            "{} of the recorded runs were taken over from other experiments with the same settings (`taken_from` in their \
             summary.json)",
            outcome.adopted
        ));
    }
    if outcome.by_other_code > 0 {
        tell(format_args!("{}", kept_from_other_code(outcome.by_other_code)));
    }
    if outcome.mixed > 0 {
        tell(format_args!(
            "{} runs were begun by another engine, device, processor, libtorch or program: see `earlier` in their summary.json",
            outcome.mixed
        ));
    }
    if outcome.diverged > 0 {
        tell(format_args!("{} runs diverged: see `diverged_at` in their summary.json", outcome.diverged));
    }
    for failure in outcome.failures.iter().take(FAILURES_SHOWN) {
        tell(format_args!("failed: {}: {:#}", failure.run, failure.error));
    }
    if let more @ 1.. = outcome.failures.len().saturating_sub(FAILURES_SHOWN) {
        tell(format_args!("and {more} more, which `landscape results list` shows"));
    }
    if let Some(lost) = outcome.lost {
        return Err(lost.into());
    }
    if let Some(interrupted) = outcome.interrupted {
        return Err(interrupted.into());
    }
    if outcome.stopped > 0 {
        bail!("{} runs were not begun, since nothing more can be written", outcome.stopped);
    }
    if !outcome.failures.is_empty() {
        bail!("{} of {} runs failed; the others are recorded", outcome.failures.len(), runs.len());
    }
    Ok(())
}

/// Says that this many recorded runs were made by other sources of the program, and what to do.
pub fn kept_from_other_code(runs: usize) -> String {
    format!(
        "{runs} of the recorded runs were made by other code than this program's (`sources` in their summary.json): they are \
         kept; --force trains them again"
    )
}

fn dry_run(plans: &[PlannedExperiment], settings: &Settings, computing: &Computing) -> Result<()> {
    let runs = runner::whole_plan(plans);
    let options = computing.options(settings.results.clone());
    let places = computing.places(&runs)?;
    let (mut recorded, mut work) = (0, 0.0);
    for &place in &places {
        let run = &runs[place];
        let done = record::is_recorded(&options.results, run) && !options.force;
        recorded += usize::from(done);
        work += if done { 0.0 } else { runner::work(&run.spec) };
        let state = if done { "recorded" } else { "to train" };
        say!("{:>5}  {state}  {}/{}  {}", place + 1, run.experiment, run.id, runner::steps_text(&run.spec))?;
    }
    let left = runner::human_seconds(work);
    say!("{} runs, {recorded} recorded, an estimated {left} of work left for one CPU core", places.len())
}
