use std::path::PathBuf;

use anyhow::Result;

use super::{
    options::{Computing, Settings},
    plot::Look,
    run::train,
};
use crate::spec::plan_all;

/// Train what is missing and draw every figure and table of the given experiments
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Experiment files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    computing: Computing,

    #[command(flatten)]
    look: Look,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let plans = plan_all(&self.files, &self.settings.overrides()?)?;
        let runs: Vec<_> = plans.iter().flat_map(|(_, runs)| runs.clone()).collect();
        train(&runs, &self.computing.options(self.settings.results.clone()))?;
        let drawing = self.look.drawing(&self.settings);
        for (experiment, runs) in &plans {
            for path in drawing.draw(experiment, runs)? {
                println!("{}", path.display());
            }
        }
        Ok(())
    }
}
