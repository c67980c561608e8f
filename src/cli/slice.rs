use std::path::PathBuf;

use anyhow::Result;

use super::options::{count, one_of};
use crate::{
    aligned,
    output::{self, say},
    slices::{self, Curvature, Shape},
};

/// Draw the loss surface of finished runs and measure its curvature where they ended
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape slice results/fig2/RUN                        from the start of training to its end
  landscape slice results/fig2/RUN1 results/fig2/RUN2     through the ends of two runs
  landscape slice results/fig2/RUN* --shape random        around the end of each, side by side")]
pub struct Args {
    /// Folders of runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,

    /// path (start to end), line (through two ends), plane (through three points) or random (filter-normalised
    /// directions around each end) [default: path for one run, line for two, plane for three]
    #[arg(long, value_name = "SHAPE", value_parser = one_of(Shape::ALL))]
    shape: Option<Shape>,

    /// Points of a line, or along either axis of a plane [default: 61, or 31]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..))]
    points: Option<u16>,

    /// Epochs of batches that the loss is the mean over
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    epochs: std::num::NonZero<usize>,

    /// Steps of Lanczos' method for the extreme eigenvalues of the Hessian; 0 leaves them out
    #[arg(long, value_name = "STEPS", default_value_t = 80)]
    lanczos: usize,

    /// Seed of random directions
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,

    /// Picture to write, .png, .svg or .pdf; its numbers as CSV lie beside it [default: slice-SHAPE.png in the first run]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let options = slices::Options {
            shape: self.shape,
            points: self.points.map(usize::from),
            epochs: self.epochs.get(),
            lanczos: self.lanczos,
            seed: self.seed,
        };
        let drawn = slices::draw(&self.runs, &options, self.out.as_deref())?;
        if !drawn.curvatures.is_empty() {
            print_curvatures(&drawn.curvatures)?;
        }
        drawn.files.iter().try_for_each(|path| say!("{}", path.display()))
    }
}

fn print_curvatures(curvatures: &[(String, Curvature)]) -> Result<()> {
    let header = ["run", "parameters", "loss", "|gradient|", "smallest ev", "largest ev", "ev error"];
    let row = |(run, Curvature { loss, gradient, extremes, parameters }): &(String, Curvature)| {
        let [smallest, largest] = [extremes.smallest, extremes.largest].map(|value| format!("{value:.3e}"));
        let (loss, gradient) = (format!("{loss:.6}"), format!("{gradient:.2e}"));
        vec![
            run.clone(),
            parameters.to_string(),
            loss,
            gradient,
            smallest,
            largest,
            format!("{:.0e}", extremes.residual),
        ]
    };
    output::write(format_args!("{}", aligned::table(&header, &curvatures.iter().map(row).collect::<Vec<_>>())))
}
