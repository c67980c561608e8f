use std::{path::PathBuf, sync::Arc};

use anyhow::{Result, bail};

use crate::{
    authors::Script,
    crosscheck::{self, Comparison, Live, RecordedCase},
    input_error,
    spec::unknown,
};

/// Compare with the authors' code: its recorded runs replayed, or its own Python run beside us
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape crosscheck
  landscape crosscheck --authors-repo ../contrastive_landscape --sample 40
  landscape crosscheck --authors-repo ../contrastive_landscape -- main.py --cfg config/samerank_alter.yaml")]
pub struct Args {
    /// Folder of recorded runs
    #[arg(long, value_name = "DIR", default_value = "tests/data/reference")]
    reference: PathBuf,

    /// Checkout of ashwinipokle/contrastive_landscape: run its Python instead of replaying recorded runs
    #[arg(long, value_name = "DIR")]
    authors_repo: Option<PathBuf>,

    /// Python with torch, numpy and yacs
    #[arg(long, value_name = "FILE", default_value = ".venv/bin/python")]
    python: PathBuf,

    /// As many random combinations of flags and settings beside every model
    #[arg(long, value_name = "N", requires = "authors_repo", default_value_t = 0)]
    sample: usize,

    /// Seed of the combinations
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    sample_seed: u64,

    /// A script of theirs and its flags, instead of every model
    #[arg(value_name = "SCRIPT", last = true, requires = "authors_repo")]
    command: Vec<String>,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let (comparisons, failures) = match &self.authors_repo {
            Some(repository) => self.live(&Live::new(repository, &self.python)?)?,
            None => (recorded(&self.reference)?, Vec::new()),
        };
        print!("{}", crosscheck::table(&comparisons));
        println!("Largest absolute differences; condition numbers in units of their bound.");
        for failure in &failures {
            println!("not compared: {failure}");
        }
        let outside = comparisons.iter().filter(|comparison| !comparison.is_within()).count();
        if outside + failures.len() > 0 {
            bail!("{outside} of {} runs outside their bounds, {} not compared", comparisons.len(), failures.len());
        }
        Ok(())
    }

    fn live(&self, live: &Live) -> Result<(Vec<Comparison>, Vec<String>)> {
        if let Some((name, arguments)) = self.command.split_first() {
            let names = Script::ALL.map(Script::name);
            let script = Script::of(name).ok_or_else(|| input_error!("{}", unknown("script", name, &names)))?;
            return Ok((live.check(name, script, arguments)?, Vec::new()));
        }
        let folder = tempfile::tempdir()?;
        let mut combinations = crosscheck::every_model(folder.path())?;
        combinations.extend(crosscheck::sample(folder.path(), self.sample, self.sample_seed)?);
        let (mut comparisons, mut failures) = (Vec::new(), Vec::new());
        for (i, combination) in combinations.iter().enumerate() {
            eprintln!("{}/{} {}", i + 1, combinations.len(), combination.name);
            match live.check(&combination.name, combination.script, &combination.arguments) {
                Ok(checked) => comparisons.extend(checked),
                Err(error) => failures.push(format!("{}: {error:#}", combination.name)),
            }
        }
        Ok((comparisons, failures))
    }
}

fn recorded(folder: &std::path::Path) -> Result<Vec<Comparison>> {
    let cases = crosscheck::recorded_cases(folder)?;
    cases
        .into_iter()
        .map(|RecordedCase { name, spec, theirs }| {
            let (rows, state) = crosscheck::replay(&Arc::new(spec))?;
            Ok(crosscheck::compare(&name, &theirs, &rows, &state))
        })
        .collect()
}
