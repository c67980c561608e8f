use anyhow::Result;
use serde_json::json;

use super::options::Settings;
use crate::{output::say, spec::PlannedRun};

/// Print every run of an experiment with all its settings resolved, as YAML documents
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,

    /// Print one JSON array instead
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let plans = self.settings.plans()?;
        let runs = plans.iter().flat_map(|(_, runs)| runs);
        if self.json {
            let entry =
                |run: &PlannedRun| json!({ "experiment": run.experiment, "run": run.id, "settings": *run.spec });
            return say!("{}", serde_json::to_string_pretty(&runs.map(entry).collect::<Vec<_>>())?);
        }
        runs.into_iter().try_for_each(|run| {
            let settings = serde_yaml::to_string(&*run.spec)?;
            say!("--- # {}/{}\n{settings}", run.experiment, run.id)
        })
    }
}
