use std::{path::PathBuf, sync::Arc};

use anyhow::{Result, bail};

use crate::{
    authors::Script,
    crosscheck::{self, Combination, Comparison, Live, RecordedCase},
    input_error,
    logs::tell,
    output::{self, say},
    spec::unknown,
};

/// Compare with the authors' code: its recorded runs replayed, or its own Python run beside us
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape crosscheck
  landscape crosscheck --authors-repo ../contrastive_landscape --sample 40 --paper-sized
  landscape crosscheck --authors-repo ../contrastive_landscape --time
  landscape crosscheck --authors-repo ../contrastive_landscape -- main.py --cfg config/samerank_alter.yaml --seeds 1")]
pub struct Args {
    /// Folder of recorded runs
    #[arg(long, value_name = "DIR", default_value = "tests/data/reference")]
    reference: PathBuf,

    /// Checkout of ashwinipokle/contrastive_landscape: run its Python instead of replaying recorded runs
    #[arg(long, value_name = "DIR")]
    authors_repo: Option<PathBuf>,

    /// Python with torch, numpy and yacs
    #[arg(long, value_name = "FILE", env = "LANDSCAPE_PYTHON", default_value = ".venv/bin/python")]
    python: PathBuf,

    /// As many random combinations of flags and settings beside every model
    #[arg(long, value_name = "N", requires = "authors_repo", default_value_t = 0)]
    sample: usize,

    /// Seed of the combinations
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    sample_seed: u64,

    /// Also 300 epochs at the paper's size of simplified, simplified-pred and simsiam: some minutes of their code
    #[arg(long, requires = "authors_repo")]
    paper_sized: bool,

    /// Time epochs at the paper's size instead of comparing numbers, theirs and ours in turn
    #[arg(long, requires = "authors_repo")]
    time: bool,

    /// A script of theirs and its flags, instead of every model
    #[arg(value_name = "SCRIPT", last = true, requires = "authors_repo")]
    command: Vec<String>,
}

/// Turns that both sides take when they are timed.
const ROUNDS: usize = 3;

impl Args {
    pub fn execute(self) -> Result<()> {
        let (comparisons, failures) = match &self.authors_repo {
            Some(repository) => {
                let live = Live::new(repository, &self.python)?;
                // Configurations of the combinations.
                let folder = tempfile::tempdir()?;
                if self.time {
                    return self.time(&live, folder.path());
                }
                check(&live, &self.combinations(folder.path())?)?
            }
            None => (recorded(&self.reference)?, Vec::new()),
        };
        output::write(format_args!("{}", crosscheck::table(&comparisons)))?;
        say!(
            "Largest absolute differences; condition numbers in units of their bound. A weights column of 0: the final \
             parameters are equal to the last bit."
        )?;
        for failure in &failures {
            say!("not compared: {failure}")?;
        }
        let outside = comparisons.iter().filter(|comparison| !comparison.is_within()).count();
        if outside + failures.len() > 0 {
            bail!("{outside} of {} runs outside their bounds, {} not compared", comparisons.len(), failures.len());
        }
        Ok(())
    }

    /// The command line given, or every model and what is asked for beside it.
    fn combinations(&self, folder: &std::path::Path) -> Result<Vec<Combination>> {
        if let Some(given) = self.given()? {
            return Ok(vec![given]);
        }
        let mut combinations = crosscheck::every_model(folder)?;
        combinations.extend(crosscheck::sample(folder, self.sample, self.sample_seed)?);
        if self.paper_sized {
            combinations.extend(crosscheck::paper_sized(folder)?);
        }
        Ok(combinations)
    }

    fn given(&self) -> Result<Option<Combination>> {
        let Some((name, arguments)) = self.command.split_first() else { return Ok(None) };
        let names = Script::ALL.map(Script::name);
        let script = Script::of(name).ok_or_else(|| input_error!("{}", unknown("script", name, &names)))?;
        Ok(Some(Combination { name: name.clone(), script, arguments: arguments.to_vec() }))
    }

    fn time(&self, live: &Live, folder: &std::path::Path) -> Result<()> {
        let combinations = match self.given()? {
            Some(given) => vec![given],
            None => crosscheck::timed(folder)?,
        };
        let mut timings = Vec::new();
        for combination in &combinations {
            tell(format_args!("timing {}", combination.name));
            timings.push(live.time(&combination.name, combination.script, &combination.arguments, ROUNDS)?);
        }
        output::write(format_args!("{}", crosscheck::timing_table(&timings)))?;
        say!("Medians and quartiles of the epochs, in {ROUNDS} turns; one thread each, without --log_metrics.")
    }
}

/// One comparison for each experiment, and what could not be compared.
fn check(live: &Live, combinations: &[Combination]) -> Result<(Vec<Comparison>, Vec<String>)> {
    let (mut comparisons, mut failures) = (Vec::new(), Vec::new());
    for (i, combination) in combinations.iter().enumerate() {
        let Combination { name, script, arguments } = combination;
        tell(format_args!("{}/{} {name}: {} {}", i + 1, combinations.len(), script.name(), arguments.join(" ")));
        match live.check(name, *script, arguments) {
            Ok(checked) => comparisons.extend(checked),
            // Of one command line, the error is the answer.
            Err(error) if combinations.len() == 1 => return Err(error),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    Ok((comparisons, failures))
}

fn recorded(folder: &std::path::Path) -> Result<Vec<Comparison>> {
    let cases = crosscheck::recorded_cases(folder)?;
    cases
        .into_iter()
        .map(|RecordedCase { name, spec, theirs }| {
            let ours = crosscheck::replay(&Arc::new(spec))?;
            Ok(crosscheck::compare(&name, &theirs, &ours.rows, &ours.state))
        })
        .collect()
}
