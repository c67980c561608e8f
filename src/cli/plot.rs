use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Subcommand, builder::PossibleValuesParser};

use super::options::{Settings, one_of, pair};
use crate::{
    figures::{self, Axes, Drawing, Drawn, Interval},
    metrics,
    output::say,
    plots::Band,
};

/// Draw recorded runs: an experiment's figures and tables, or the weights of one run
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,

    #[command(flatten)]
    experiments: Experiments,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Heat maps of a finished run's weights and of their cosines with the dictionary
    Weights {
        /// Folder of the run
        run: PathBuf,

        /// Picture to write, .png or .svg [default: weights.png in the run's folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct Experiments {
    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    look: Look,

    /// Draw the curves of all the experiments into one picture of this name
    #[arg(long, value_name = "NAME")]
    overlay: Option<String>,
}

/// How pictures look and where they go.
#[derive(Debug, clap::Args)]
pub struct Look {
    /// Band around the mean
    #[arg(long, default_value = "std", value_parser = one_of(Band::NAMES))]
    band: Band,

    /// Write SVG instead of PNG
    #[arg(long)]
    svg: bool,

    /// Columns of metrics.csv to draw, one panel each, in place of the experiments' panels
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', value_parser = PossibleValuesParser::new(metrics::column_keys()), hide_possible_values = true)]
    panels: Vec<String>,

    /// Epochs on a logarithmic axis
    #[arg(long)]
    log_x: bool,

    /// Values on a logarithmic axis
    #[arg(long)]
    log_y: bool,

    /// Epochs to show, such as 0..500
    #[arg(long, value_name = "FROM..TO", allow_hyphen_values = true)]
    x_range: Option<Interval>,

    /// Values to show, such as 0.5..1; the same in every panel
    #[arg(long, value_name = "FROM..TO", allow_hyphen_values = true)]
    y_range: Option<Interval>,

    /// Folder of pictures
    #[arg(long, value_name = "DIR", default_value = "plots")]
    plots: PathBuf,
}

impl Look {
    /// These flags, for another command line.
    pub fn flags(&self) -> Vec<String> {
        let Self { band, svg, plots, .. } = self;
        let mut flags = [pair("--band", band), pair("--plots", plots.display())].concat();
        flags.extend(svg.then(|| "--svg".into()));
        flags.extend(self.axes().flags());
        flags
    }

    fn axes(&self) -> Axes {
        let Self { panels, log_x, log_y, x_range, y_range, .. } = self;
        Axes { panels: panels.clone(), log_x: *log_x, log_y: *log_y, x_range: *x_range, y_range: *y_range }
    }

    pub fn drawing(self, settings: &Settings) -> Drawing {
        Drawing {
            results: settings.results.clone(),
            axes: self.axes(),
            plots: self.plots,
            band: self.band,
            svg: self.svg,
            quick: settings.quick,
            changes: settings.changed(),
        }
    }
}

impl Args {
    pub fn execute(self) -> Result<()> {
        match self.what {
            Some(What::Weights { run, out }) => {
                let path = out.unwrap_or_else(|| run.join("weights.png"));
                figures::weights(&run)?.draw(&path)?;
                say!("{}", path.display())?;
            }
            None => {
                let Experiments { settings, look, overlay } = self.experiments;
                let drawing = look.drawing(&settings);
                if let Some(name) = overlay {
                    let files = drawing.overlay(&name, &settings.plans()?)?;
                    return print(Drawn { files, missing: vec![] });
                }
                let (plans, faults) = settings.sound_plans()?;
                return faults.after(drawing.draw_recorded(&plans).and_then(print));
            }
        }
        Ok(())
    }
}

fn print(drawn: Drawn) -> Result<()> {
    drawn.files.iter().try_for_each(|path| say!("{}", path.display()))?;
    match drawn.missing.is_empty() {
        true => Ok(()),
        false => bail!("not drawn; train them first: {}", drawn.missing.join("; ")),
    }
}
