use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;

use super::options::{Settings, one_of, pair};
use crate::{
    figures::{self, Axes, Drawing, Drawn, Interval, Side},
    output::say,
    plots::{Band, FileFormat, Size},
    spec::PanelSpec,
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

        /// Picture to write, .png, .svg or .pdf [default: weights.png in the run's folder]
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

    /// Beside them, draw the experiments with this setting changed; may be given several times, for several changes at once
    #[arg(long, value_name = "PATH=VALUE", requires = "overlay")]
    beside: Vec<String>,
}

impl Experiments {
    /// The experiments as they are, and then as they are beside that.
    fn sides(&self) -> Result<Vec<Side>> {
        let side =
            |changed: Option<String>| move |(experiment, runs)| Side { experiment, runs, changed: changed.clone() };
        let mut sides: Vec<Side> = self.settings.plans()?.into_iter().map(side(None)).collect();
        if !self.beside.is_empty() {
            let plans = self.settings.plans_with(&self.beside)?;
            sides.extend(plans.into_iter().map(side(Some(self.beside.join(", ")))));
        }
        Ok(sides)
    }
}

/// How pictures look and where they go.
#[derive(Clone, Debug, clap::Args)]
pub struct Look {
    /// Band around the mean
    #[arg(long, default_value = "std", value_parser = one_of(Band::NAMES))]
    band: Band,

    /// The kind of files; PDF is for papers
    #[arg(long, default_value = "png", value_parser = one_of(FileFormat::NAMES))]
    format: FileFormat,

    /// The same as --format svg
    #[arg(long, conflicts_with = "format")]
    svg: bool,

    /// Panels in place of the experiments': columns of metrics.csv, several in one panel as wo_norm+wt_norm, or `cosines` for
    /// the minimum, median and maximum in one
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    panels: Vec<PanelSpec>,

    /// Width and height of pictures of curves in pixels, such as 1600x900; text stays of its size
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,

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
        let Self { band, plots, .. } = self;
        let mut flags = [pair("--band", band), pair("--plots", plots.display())].concat();
        flags.extend(
            Some(self.format())
                .filter(|format| *format != FileFormat::default())
                .into_iter()
                .flat_map(|format| pair("--format", format)),
        );
        flags.extend(self.axes().flags());
        flags
    }

    fn axes(&self) -> Axes {
        let Self { panels, log_x, log_y, x_range, y_range, size, .. } = self;
        Axes { panels: panels.clone(), log_x: *log_x, log_y: *log_y, x_range: *x_range, y_range: *y_range, size: *size }
    }

    fn format(&self) -> FileFormat {
        if self.svg { FileFormat::Svg } else { self.format }
    }

    pub fn drawing(self, settings: &Settings) -> Drawing {
        Drawing {
            results: settings.results.clone(),
            axes: self.axes(),
            format: self.format(),
            plots: self.plots,
            band: self.band,
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
                if let Some(name) = &self.experiments.overlay {
                    let sides = self.experiments.sides()?;
                    let drawing = self.experiments.look.clone().drawing(&self.experiments.settings);
                    return print(Drawn { files: drawing.overlay(name, &sides)?, missing: vec![] });
                }
                let Experiments { settings, look, .. } = self.experiments;
                let drawing = look.drawing(&settings);
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
