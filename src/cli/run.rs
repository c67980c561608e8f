use anyhow::{Result, bail};

use super::options::{Computing, Settings};
use crate::{
    record,
    runner::{self, Options},
    spec::PlannedRun,
};

/// Train every run of the given experiments that is not recorded yet
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    computing: Computing,

    /// List the runs without training any
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let plans = self.settings.plans()?;
        let runs: Vec<PlannedRun> = plans.into_iter().flat_map(|(_, runs)| runs).collect();
        let options = self.computing.options(self.settings.results.clone());
        if self.dry_run {
            return dry_run(&runs, &options);
        }
        train(&runs, &options)
    }
}

/// Failures that are told one by one.
const FAILURES_SHOWN: usize = 10;

/// Trains and reports, and stops at a signal; fails if a run failed.
pub fn train(runs: &[PlannedRun], options: &Options) -> Result<()> {
    let signals = runner::Signals::listen()?;
    let outcome = runner::run(runs, &Options { interrupt: signals.interrupt(), ..options.clone() })?;
    eprintln!(
        "{} runs trained, {} recorded before, {} failed; results in {}",
        outcome.trained,
        outcome.kept + outcome.elsewhere,
        outcome.failures.len(),
        options.results.display()
    );
    if outcome.elsewhere > 0 {
        eprintln!("{} of the recorded runs by another process meanwhile", outcome.elsewhere);
    }
    if outcome.diverged > 0 {
        eprintln!("{} runs diverged: see `diverged_at` in their summary.json", outcome.diverged);
    }
    for failure in outcome.failures.iter().take(FAILURES_SHOWN) {
        eprintln!("failed: {}: {:#}", failure.run, failure.error);
    }
    if let more @ 1.. = outcome.failures.len().saturating_sub(FAILURES_SHOWN) {
        eprintln!("and {more} more, which `landscape results list` shows");
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

fn dry_run(runs: &[PlannedRun], options: &Options) -> Result<()> {
    let (mut recorded, mut work) = (0, 0.0);
    for run in runs {
        let done = record::is_recorded(&options.results, run) && !options.force;
        recorded += usize::from(done);
        work += if done { 0.0 } else { runner::work(&run.spec) };
        let state = if done { "recorded" } else { "to train" };
        println!("{state}  {}/{}  {}", run.experiment, run.id, runner::steps_text(&run.spec));
    }
    println!("{} runs, {recorded} recorded, {:.1} TFLOP of work left", runs.len(), work / 1e12);
    Ok(())
}
