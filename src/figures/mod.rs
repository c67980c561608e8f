//! From records to pictures and tables: which runs make a curve, what a figure is called, and where it is saved.
//!
//! Reads files of results only, never tensors; [`crate::plots`] does the drawing.

mod curves;
mod fit;
mod hue;
mod look;
mod outcomes;
mod strips;
mod sweeps;
mod table;
mod weights;

pub use fit::{Fit, fit_figure, fits};
pub use hue::{arm_hues, hue, style};
pub use look::{Axes, Interval};
pub use outcomes::{Outcome, outcome};
pub use strips::outcomes_figure;
pub use sweeps::{Effect, distribution_figure, effects, effects_figure, map_figure};
pub use table::{Cell, Table};
pub use weights::weights;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indexmap::IndexMap;

use crate::{
    metrics::{Chance, chance},
    plots::{Band, DotsGrid, FileFormat, HeatmapGrid, LineStyle, StripsGrid},
    record::{ExperimentRecord, Metrics, digest, is_recorded, read_metrics, run_folder, write_whole},
    spec::{Experiment, Ink, PanelSpec, PlannedExperiment, PlannedRun, RunSpec},
};

/// How and where an experiment is drawn.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// Folder of results, from which runs are read.
    pub results: PathBuf,
    /// Folder that pictures and tables are written to.
    pub plots: PathBuf,
    /// What the band around a mean over seeds shows.
    pub band: Band,
    /// The kind of file.
    pub format: FileFormat,
    /// The runs are cut short: say so in every picture.
    pub quick: bool,
    /// What the command line changes in the experiments, `train.lr=0.05`. Such pictures state the change, and have
    /// names of their own so as not to replace the experiment's.
    pub changes: Vec<String>,
    /// Which panels of curves, and what their axes show. Pictures with axes of their own have names of their own.
    pub axes: Axes,
}

/// The outcome of drawing several experiments.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// The files written.
    pub files: Vec<PathBuf>,
    /// What was not drawn: experiments with runs that are not recorded.
    pub missing: Vec<String>,
}

/// An experiment in an overlay.
#[derive(Clone, Debug)]
pub struct Side {
    /// What is drawn.
    pub experiment: Experiment,
    /// Its runs, all of them recorded.
    pub runs: Vec<PlannedRun>,
    /// What this side alone changes, in words.
    pub changed: Option<String>,
}

/// Runs of one setting: they differ in the seed only.
struct Series {
    label: String,
    /// What it is called in pictures.
    legend: String,
    style: LineStyle,
    runs: Vec<Metrics>,
}

impl Drawing {
    /// Draws each experiment whose runs are all recorded, and says what the others lack.
    pub fn draw_recorded(&self, plans: &[PlannedExperiment]) -> Result<Drawn> {
        let mut drawn = Drawn::default();
        for (experiment, runs) in plans {
            let mut absent = runs.iter().filter(|run| !is_recorded(&self.results, run));
            match absent.next() {
                None => drawn.files.extend(self.draw(experiment, runs)?),
                Some(first) => drawn.missing.push(format!(
                    "{}: {} of {} runs are not recorded, the first being {}",
                    experiment.name,
                    1 + absent.count(),
                    runs.len(),
                    first.id
                )),
            }
        }
        Ok(drawn)
    }

    /// Draws the experiment's figures and tables from its recorded runs, and names the files written.
    pub fn draw(&self, experiment: &Experiment, runs: &[PlannedRun]) -> Result<Vec<PathBuf>> {
        let mut files = self.draw_sweep(experiment, runs)?;
        let panels = if self.axes.panels.is_empty() { &experiment.panels } else { &self.axes.panels };
        if panels.is_empty() && experiment.table.is_none() {
            return Ok(files);
        }
        let series = self.read(experiment, runs)?;
        let watermark = self.watermark(Some(experiment), runs);
        if !panels.is_empty() {
            let name = self.name_of_curves(&experiment.name);
            files.extend(self.draw_curves(&name, &experiment.title, panels, runs, &series, watermark.as_deref())?);
        }
        if let Some(spec) = &experiment.table {
            let notes: Vec<String> = watermark.into_iter().chain(self.changes_text()).collect();
            let note = (!notes.is_empty()).then(|| notes.join("; "));
            let table = Table::new(&experiment.title, spec, &series, note);
            for (ending, text) in [("md", table.markdown()), ("csv", table.csv()?), ("txt", table.text())] {
                let path = self.folder().join(format!("{}.{ending}", self.changed_name(&experiment.name)));
                write_whole(&path, text.as_bytes())?;
                files.push(path);
            }
        }
        Ok(files)
    }

    /// Draws main effects, maps, fits and distributions, where the experiment has them, from the runs recorded so far.
    fn draw_sweep(&self, experiment: &Experiment, runs: &[PlannedRun]) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let Experiment { design, map, outcomes, distribution, fit, .. } = experiment;
        if design.is_none() && map.is_none() && outcomes.is_none() && distribution.is_empty() && fit.is_none() {
            return Ok(files);
        }
        self.create_folder()?;
        let entry = ExperimentRecord::gather(experiment.clone(), runs, &self.results)?;
        let dots = |figure: DotsGrid, path: &Path| {
            let subtitle = self.with_changes(&figure.subtitle);
            DotsGrid { watermark: self.watermark(Some(experiment), runs), subtitle, ..figure }.draw(path)
        };
        let mut draw = |suffix: &str, figure: &dyn Fn(&Path) -> Result<()>| -> Result<()> {
            let path = self.picture(&format!("{}-{suffix}", self.changed_name(&experiment.name)));
            figure(&path).with_context(|| format!("cannot draw {}", path.display()))?;
            files.push(path);
            Ok(())
        };
        if let Some(design) = design {
            draw("effects", &|path| dots(sweeps::effects_figure(&entry, design, "min_cosine"), path))?;
        }
        if let Some(map) = map {
            draw("map", &|path| {
                let grid = sweeps::map_figure(&entry, map);
                let subtitle = self.with_changes(&grid.subtitle);
                HeatmapGrid { watermark: self.watermark(Some(experiment), runs), subtitle, ..grid }.draw(path)
            })?;
        }
        if let Some(outcomes) = outcomes {
            draw("outcomes", &|path| {
                let grid = strips::outcomes_figure(&entry, outcomes, chance_of(runs));
                let subtitle = self.with_changes(&settings(runs));
                StripsGrid { watermark: self.watermark(Some(experiment), runs), subtitle, ..grid }.draw(path)
            })?;
        }
        if let Some(fit) = fit {
            draw("fit", &|path| dots(fit_figure(&entry, fit), path))?;
        }
        if !distribution.is_empty() {
            draw("distribution", &|path| dots(sweeps::distribution_figure(&entry, distribution), path))?;
        }
        Ok(files)
    }

    fn create_folder(&self) -> Result<()> {
        std::fs::create_dir_all(self.folder())
            .with_context(|| format!("cannot create the folder of pictures {}", self.folder().display()))
    }

    /// Draws the curves of several experiments into one set of panels, the first experiment's, as `name`. The colour says the
    /// method, the dash the point of the grid, the shade the side; legends say what differs.
    pub fn overlay(&self, name: &str, sides: &[Side]) -> Result<Vec<PathBuf>> {
        let (mut series, mut all) = (Vec::new(), Vec::new());
        let mut names: Vec<&str> = sides.iter().map(|side| side.experiment.name.as_str()).collect();
        names.dedup();
        for (place, Side { experiment, runs, changed }) in sides.iter().enumerate() {
            let legend = |own: String| {
                let experiment = Some(experiment.name.clone()).filter(|_| names.len() > 1);
                let arm = Some(own).filter(|own| !own.is_empty());
                let said = [arm, changed.clone()].into_iter().flatten().collect::<Vec<_>>().join(", ");
                let said = if said.is_empty() { "as it is".into() } else { said };
                experiment.into_iter().chain([said]).collect::<Vec<_>>().join(": ")
            };
            let of = |series: Series| {
                let style = if sides.len() > 1 { series.style.shaded(place, sides.len()) } else { series.style };
                Series { legend: legend(series.legend), style, ..series }
            };
            series.extend(self.read(experiment, runs)?.into_iter().map(of));
            all.extend_from_slice(runs);
        }
        let panels = match (&self.axes.panels[..], sides.first()) {
            ([], Some(first)) => first.experiment.panels.clone(),
            (panels, _) => panels.to_vec(),
        };
        let watermark = self.watermark(sides.first().map(|first| &first.experiment), &all);
        let title = match (&names[..], sides.first()) {
            ([_], Some(first)) => first.experiment.title.clone(),
            (names, _) => names.join(" and "),
        };
        self.draw_curves(name, &title, &panels, &all, &series, watermark.as_deref())
    }

    /// Draws the curves of recorded runs that no experiment's file plans, as `name`: `curve` says which one a run belongs
    /// to. Colours and dashes are as in an experiment with one arm for each method.
    pub fn draw_runs(
        &self,
        name: &str,
        title: &str,
        runs: &[PlannedRun],
        curve: impl Fn(&PlannedRun) -> String,
    ) -> Result<Vec<PathBuf>> {
        let mut series: IndexMap<String, (Ink, Vec<Metrics>)> = IndexMap::new();
        for run in runs {
            let (_, metrics) = read_metrics(&run_folder(&self.results, run))?;
            let of = series.entry(curve(run)).or_insert_with(|| (hue(&run.spec), vec![]));
            of.1.push(metrics.complete(&run.spec));
        }
        let count = series.len();
        let styled = |(place, (label, (ink, runs))): (usize, (String, (Ink, Vec<Metrics>)))| {
            let style = LineStyle::dashed(ink as usize, place).shaded(place, count);
            Series { legend: label.clone(), label, style, runs }
        };
        let series: Vec<Series> = series.into_iter().enumerate().map(styled).collect();
        let usual = ["min_cosine", "loss"].map(PanelSpec::one);
        let panels = if self.axes.panels.is_empty() { &usual[..] } else { &self.axes.panels };
        self.draw_curves(name, title, panels, runs, &series, None)
    }

    /// The main panels as `name`, and all max-cosines with the loss as `name-all` unless panels or a size are asked for.
    fn draw_curves(
        &self,
        name: &str,
        title: &str,
        panels: &[PanelSpec],
        runs: &[PlannedRun],
        series: &[Series],
        watermark: Option<&str>,
    ) -> Result<Vec<PathBuf>> {
        self.create_folder()?;
        let all = ["max_cosine", "median_cosine", "min_cosine", "loss_mean"].map(PanelSpec::one);
        let mut files = Vec::new();
        let pictures = [("", panels), ("-all", &all[..])];
        let asked = !self.axes.panels.is_empty() || self.axes.size.is_some();
        for (suffix, panels) in pictures.into_iter().take(if asked { 1 } else { 2 }) {
            let path = self.picture(&format!("{name}{suffix}"));
            let subtitle = self.with_changes(&settings(runs));
            let (chance, watermark) = (chance_of(runs), watermark.map(String::from));
            let figure = curves::figure(title, &subtitle, panels, series, (self.band, &self.axes), chance, watermark)?;
            figure.draw(&path).with_context(|| format!("cannot draw {}", path.display()))?;
            files.push(path);
        }
        Ok(files)
    }

    /// The recorded metrics of the runs, by label, in the order of the plan.
    fn read(&self, experiment: &Experiment, runs: &[PlannedRun]) -> Result<Vec<Series>> {
        let mut series: Vec<Series> = Vec::new();
        let (hues, points) = (arm_hues(experiment, runs), experiment.points().len());
        for run in runs {
            let folder = run_folder(&self.results, run);
            if !is_recorded(&self.results, run) {
                bail!("run {run} is not recorded; train it first");
            }
            let (_, metrics) = read_metrics(&folder)?;
            let metrics = metrics.complete(&run.spec);
            match series.iter_mut().find(|series| series.label == run.label) {
                Some(series) => series.runs.push(metrics),
                None => {
                    let style = style(&hues, run, points);
                    let legend = look::legend(experiment, run);
                    series.push(Series { label: run.label.clone(), legend, style, runs: vec![metrics] });
                }
            }
        }
        Ok(series)
    }

    fn folder(&self) -> PathBuf {
        if self.quick { self.plots.join("quick") } else { self.plots.clone() }
    }

    /// Path of a picture by its name.
    pub fn picture(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.{}", self.format))
    }

    /// `fig2-train.lr-0.05`: the name of an experiment's picture, with what the command line changes.
    fn changed_name(&self, name: &str) -> String {
        with_slug(name, &self.changes)
    }

    /// `fig2-log-y`: the same for curves, whose axes the command line may change too.
    fn name_of_curves(&self, name: &str) -> String {
        with_slug(name, &[self.changes.clone(), self.axes.flags()].concat())
    }

    fn changes_text(&self) -> Option<String> {
        (!self.changes.is_empty()).then(|| format!("changed: {}", self.changes.join(", ")))
    }

    fn with_changes(&self, subtitle: &str) -> String {
        let parts: Vec<String> = [subtitle.to_string()].into_iter().chain(self.changes_text()).collect();
        parts.join("; ").trim_start_matches("; ").into()
    }

    /// Experiments of one's own have no epochs in the paper.
    fn watermark(&self, experiment: Option<&Experiment>, runs: &[PlannedRun]) -> Option<String> {
        let epochs = runs.iter().map(|run| run.spec.train.epochs).max()?;
        let papers = experiment.is_some_and(|experiment| !experiment.paper.is_empty());
        let full = if papers { ", not the paper's 8000" } else { "" };
        self.quick.then(|| format!("quick run: {epochs} epochs{full}"))
    }
}

/// A picture's name with what is changed, in letters, digits, dots and dashes.
fn with_slug(name: &str, changes: &[String]) -> String {
    // Room for an ending and a suffix within the 255 bytes that file systems give a name.
    const LONGEST: usize = 160;
    if changes.is_empty() {
        return name.into();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let changes = changes.join("-");
    let parts: String = changes.chars().map(plain).collect();
    let slug = parts.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if slug.len() <= LONGEST {
        return format!("{name}-{slug}");
    }
    let hash = digest(&[changes.as_bytes()]);
    format!("{name}-{}-{}", &slug[..LONGEST - 11], &hash[..10])
}

/// The chance level of max-cosines, if all runs have the same.
fn chance_of(runs: &[PlannedRun]) -> Option<Chance> {
    let shape = |run: &PlannedRun| (run.spec.model.m, run.spec.data.atoms());
    let (neurons, atoms) = shape(runs.first()?);
    runs.iter().all(|run| shape(run) == (neurons, atoms)).then(|| chance(neurons, atoms))
}

/// The settings that all runs share, in one line.
pub fn settings(runs: &[PlannedRun]) -> String {
    let facts: [fn(&RunSpec) -> String; 9] = [
        |s| format!("p = {}", s.data.p),
        |s| format!("d = {}", s.data.d),
        |s| format!("m = {}", s.model.m),
        |s| format!("n = {}", s.data.samples),
        |s| format!("batch {}", s.train.batch_size),
        |s| format!("lr {}", s.train.lr),
        |s| format!("masking {}", s.views.masking_prob),
        |s| match s.model.init {
            crate::spec::Init::Random { scale: 1.0 } => "random start".into(),
            crate::spec::Init::Random { scale } => format!("random start times {scale}"),
            crate::spec::Init::Warm { closeness } => format!("warm start c = {closeness}"),
        },
        |s| format!("{} epochs", s.train.epochs),
    ];
    let shared = facts.iter().filter_map(|fact| {
        let first = fact(&runs.first()?.spec);
        runs.iter().all(|run| fact(&run.spec) == first).then_some(first)
    });
    shared.collect::<Vec<_>>().join(", ")
}
