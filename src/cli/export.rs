use std::path::PathBuf;

use anyhow::Result;

use crate::{
    export::{Epochs, export},
    input_error,
    output::say,
};

/// Write what a recorded run learnt from, for Python: dictionary, latents, samples, weights, and the views of chosen epochs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The data are drawn again, exactly as the run saw them; a run whose recorded cosines say otherwise is refused. Files are
safetensors: `safetensors.numpy.load_file(FILE)` reads them.

Examples:
  landscape export results/fig2/RUN                             the last epoch's views, into exports/RUN
  landscape export results/fig2/RUN --epochs 1..3,last --to data")]
pub struct Args {
    /// Folder of the run
    run: PathBuf,

    /// Folder to write into [default: exports/ and the run's name]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,

    /// Epochs whose views are written: 1, 1..5, last, none, or several with commas between them
    #[arg(long, default_value = "last")]
    epochs: Epochs,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        if !self.run.is_dir() {
            return Err(input_error!("RUN: there is no folder {}", self.run.display()));
        }
        let named = || self.run.canonicalize().ok()?.file_name().map(|name| PathBuf::from("exports").join(name));
        let Some(to) = self.to.clone().or_else(named) else {
            return Err(input_error!("RUN: {} has no name; say where to write by --to", self.run.display()));
        };
        for file in export(&self.run, &to, &self.epochs)? {
            let shape = |(name, shape): &(String, Vec<usize>)| {
                let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
                format!("{name} ({})", sizes.join(", "))
            };
            let holds: Vec<String> = file.holds.iter().map(shape).collect();
            say!("{}  {}", file.path.display(), holds.join(", "))?;
        }
        Ok(())
    }
}
