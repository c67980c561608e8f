use anyhow::Result;

use super::{
    options::{Computing, Settings},
    plot::Look,
    run::train,
};
/// Train what is missing and draw every figure and table of the given experiments
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    computing: Computing,

    #[command(flatten)]
    look: Look,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let plans = self.settings.plans()?;
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
