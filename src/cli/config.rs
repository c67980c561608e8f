use anyhow::Result;

use super::options::Settings;
/// Print every run of an experiment with all its settings resolved, as YAML documents
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        for (_, runs) in self.settings.plans()? {
            for run in runs {
                writeln!(out, "--- # {}/{}\n{}", run.experiment, run.id, serde_yaml::to_string(&*run.spec)?)?;
            }
        }
        Ok(())
    }
}
