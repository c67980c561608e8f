use std::path::PathBuf;

use anyhow::Result;

use super::options::Settings;
use crate::spec::plan_all;

/// Print every run of an experiment with all its settings resolved, as YAML documents
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Experiment files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        for (_, runs) in plan_all(&self.files, &self.settings.overrides()?)? {
            for run in runs {
                writeln!(out, "--- # {}/{}\n{}", run.experiment, run.id, serde_yaml::to_string(&*run.spec)?)?;
            }
        }
        Ok(())
    }
}
