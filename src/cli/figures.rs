use std::path::PathBuf;

use anyhow::Result;

use super::{
    options::{Computing, Settings},
    plot::Look,
    run::train_share,
};
use crate::{logs::tell, output::say, runner::ProgressMode, spec::PlannedExperiment};

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
        let (plans, faults) = self.settings.sound_plans()?;
        faults.after(self.train_and_draw(&plans))
    }

    fn train_and_draw(self, plans: &[PlannedExperiment]) -> Result<()> {
        train_share(plans, &self.settings, &self.computing)?;
        let drawn = self.look.drawing(&self.settings).draw_recorded(plans)?;
        print_paths(&drawn.files, self.computing.progress)?;
        // The other shards are not done: the last of them draws.
        drawn.missing.iter().for_each(|what| tell(format_args!("not drawn yet: {what}")));
        Ok(())
    }
}

fn print_paths(paths: &[PathBuf], progress: ProgressMode) -> Result<()> {
    paths.iter().try_for_each(|path| match progress {
        ProgressMode::Json => say!("{}", serde_json::json!({ "event": "drawn", "path": path })),
        _ => say!("{}", path.display()),
    })
}
