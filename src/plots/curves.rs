//! Curves over epochs (or any other number): the mean over runs with a band.

use anyhow::{Result, bail, ensure};

use super::axis::Scale;
use super::canvas::{Align, Canvas, Mark, Point, Rect};
use super::frame::{Frame, Range};
use super::legend::{Entry, Key, Rows, Stack, emptiest_corner};
use super::page::Cell;
use super::stats::{Band, Sample, Summary, summarize, thin};
use super::style::{BAND_ALPHA, GREY, LineStyle, NOTE};
use super::text::Font;

/// Width of the blocks that long curves are averaged over, in pixels.
const BLOCK: f64 = 2.0;
/// Curves with at most this many points show each of them.
const MARKED_POINTS: usize = 24;
/// More entries than this go below the plot.
const STACKED_ENTRIES: usize = 5;
/// Widest label of a reference line, beside the plot.
const REFERENCE_WIDTH: f64 = 150.0;

/// A quantity of several runs of one setting.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// Its text in the legend.
    pub label: String,
    /// Colour and dashes.
    pub style: LineStyle,
    /// Strictly increasing, such as epochs.
    pub x: Vec<f64>,
    /// One series per seed, each as long as `x`; a value that is not finite is missing.
    pub runs: Vec<Vec<f64>>,
}

impl Curve {
    /// Mean and band at every `x`; `None` where no run has a value.
    fn summaries(&self, band: Band) -> impl Iterator<Item = (f64, Option<Summary>)> {
        let at = move |i: usize| summarize(self.runs.iter().map(move |run| run[i]), band);
        self.x.iter().enumerate().map(move |(i, x)| (*x, at(i)))
    }

    /// Number of runs with at least one value.
    pub fn seeds(&self) -> usize {
        self.runs.iter().filter(|run| run.iter().any(|v| v.is_finite())).count()
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.x.is_empty(), "it has no points");
        ensure!(!self.runs.is_empty(), "it has no runs");
        for (i, run) in self.runs.iter().enumerate() {
            ensure!(run.len() == self.x.len(), "run {i} has {} values for {} positions", run.len(), self.x.len());
        }
        ensure!(self.x.iter().all(|x| x.is_finite()), "a position is not finite");
        ensure!(self.x.windows(2).all(|pair| pair[0] < pair[1]), "its positions do not increase");
        Ok(())
    }
}

/// One plot of curves.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// Text above the plot.
    pub title: String,
    /// Text below the x axis.
    pub x_label: String,
    /// Text beside the y axis.
    pub y_label: String,
    /// Positions the x axis shows; those of the curves if there is none.
    pub x_range: Option<(f64, f64)>,
    /// Values the y axis shows; those of the curves and their bands if there is none. Curves are cut at its ends.
    pub y_range: Option<(f64, f64)>,
    /// Spacing of the x axis.
    pub x_scale: Scale,
    /// Spacing of the y axis.
    pub y_scale: Scale,
    /// A line for each, with its band.
    pub curves: Vec<Curve>,
    /// Horizontal lines, such as published values, with their labels.
    pub references: Vec<(f64, String)>,
}

/// A panel as it stands in a figure.
pub struct PanelCell<'a> {
    pub panel: &'a Panel,
    pub band: Band,
    /// Whether the legend names each curve's number of seeds.
    pub name_seeds: bool,
    /// Whether the panel draws a legend of its own.
    pub own_legend: bool,
    /// Height of the plot with its axes; by its width if not given.
    pub height: Option<f64>,
}

impl PanelCell<'_> {
    fn ranges(&self) -> Result<(Range, Range)> {
        let panel = self.panel;
        let mut x = Extent::default();
        let mut y = Extent::default();
        for curve in &panel.curves {
            for (position, summary) in curve.summaries(self.band) {
                x.add(panel.x_scale, position);
                for value in summary.iter().flat_map(|s| [s.mean, s.low, s.high]) {
                    y.add(panel.y_scale, value);
                }
            }
        }
        for (value, _) in &panel.references {
            y.add(panel.y_scale, *value);
        }
        let Some((x_low, x_high)) = x.0 else { bail!("no curve has a position the x axis can show") };
        let Some((y_low, y_high)) = y.0 else { bail!("no curve has a value the y axis can show") };
        // Epochs fill the whole width; only a single one needs a margin.
        let (x_low, x_high) = panel.x_range.unwrap_or((x_low, x_high));
        let (x_low, x_high) = if x_low < x_high { (x_low, x_high) } else { panel.x_scale.padded(x_low, x_high) };
        let (y_low, y_high) = match panel.y_range {
            Some((low, high)) => {
                let valid = low < high && panel.y_scale.holds(low) && panel.y_scale.holds(high);
                ensure!(valid, "the y range {low}..{high} is not one of this scale");
                (low, high)
            }
            None => panel.y_scale.padded(y_low, y_high),
        };
        let range = |scale, low, high| Range { scale, low, high };
        Ok((range(panel.x_scale, x_low, x_high), range(panel.y_scale, y_low, y_high)))
    }

    /// `None` if there is nothing to draw, which `check` reports.
    fn frame(&self, body: Rect) -> Option<Frame> {
        let (x, y) = self.ranges().ok()?;
        let labels = self.reference_labels().into_iter().flat_map(|(_, lines)| lines);
        let widest = labels.map(|line| Font::regular(NOTE).width(&line)).fold(0.0, f64::max);
        let right = if widest > 0.0 { widest + 14.0 } else { 6.0 };
        Some(Frame::new(body, x, y, &self.panel.x_label, &self.panel.y_label, right))
    }

    fn reference_labels(&self) -> Vec<(f64, Vec<String>)> {
        let wrap = |label: &str| Font::regular(NOTE).wrap(label, REFERENCE_WIDTH);
        self.panel.references.iter().map(|(value, label)| (*value, wrap(label))).collect()
    }

    /// A curve in pixels, thinned. Where the axis has no place for an edge of a band (zero or less on a logarithmic
    /// axis) the band reaches the end of the plot.
    fn samples(&self, curve: &Curve, frame: &Frame) -> Vec<Sample> {
        let Rect { top, bottom, .. } = frame.plot;
        let samples: Vec<_> = curve
            .summaries(self.band)
            .map(|(x, summary)| {
                let x = frame.x.pixel(x);
                let Some(s) = summary else { return Sample { x, mean: f64::NAN, low: f64::NAN, high: f64::NAN } };
                let edge = |value: f64| match frame.y.pixel(value) {
                    pixel if pixel.is_nan() && value.is_finite() => bottom,
                    pixel => pixel.clamp(top, bottom),
                };
                let mean = Some(frame.y.pixel(s.mean)).filter(|pixel| pixel.is_finite()).unwrap_or(f64::NAN);
                Sample { x, mean, low: edge(s.low), high: edge(s.high) }
            })
            .filter(|sample| sample.x.is_finite())
            .collect();
        thin(&samples, BLOCK)
    }

    fn legend(&self, frame: &Frame) -> Legend {
        let entries = self.entries();
        if !self.own_legend || entries.is_empty() {
            return Legend::None;
        }
        let stack = Stack::new(&entries, 0.6 * frame.plot.width());
        let covered = self.panel.curves.iter().flat_map(|curve| covered(&self.samples(curve, frame), frame.plot));
        let references = self.panel.references.iter().flat_map(|(value, _)| {
            let y = frame.y.pixel(*value);
            dense(&[(frame.plot.left, y), (frame.plot.right, y)])
        });
        let points: Vec<Point> = covered.chain(references).collect();
        match emptiest_corner(&points, frame.plot, stack.width, stack.height) {
            (place, 0) if entries.len() <= STACKED_ENTRIES && stack.height < 0.6 * frame.plot.height() => {
                Legend::Inside(stack, place)
            }
            _ => Legend::Below(entries),
        }
    }
}

/// Smallest and largest of the values an axis can show.
#[derive(Default)]
struct Extent(Option<(f64, f64)>);

impl Extent {
    fn add(&mut self, scale: Scale, value: f64) {
        if scale.holds(value) {
            let (low, high) = self.0.unwrap_or((value, value));
            self.0 = Some((low.min(value), high.max(value)));
        }
    }
}

enum Legend {
    None,
    Inside(Stack, Rect),
    Below(Vec<Entry>),
}

impl Cell for PanelCell<'_> {
    fn title(&self) -> &str {
        &self.panel.title
    }

    fn check(&self) -> Result<()> {
        let title = &self.panel.title;
        ensure!(!self.panel.curves.is_empty(), "the panel `{title}` has no curves");
        for curve in &self.panel.curves {
            curve.check().map_err(|e| e.context(format!("the curve `{}` of the panel `{title}`", curve.label)))?;
        }
        self.ranges().map_err(|e| e.context(format!("the panel `{title}`")))?;
        Ok(())
    }

    fn body_height(&self, width: f64) -> f64 {
        self.height.unwrap_or((0.62 * width).clamp(330.0, 420.0))
    }

    fn footer_height(&self, width: f64) -> f64 {
        let body = Rect::new(0.0, 0.0, width, self.body_height(width));
        match self.frame(body).map(|frame| self.legend(&frame)) {
            Some(Legend::Below(entries)) => 12.0 + Rows::new(&entries, width).height(),
            _ => 0.0,
        }
    }

    fn draw(&self, canvas: &mut Canvas, body: Rect) {
        let Some(frame) = self.frame(body) else { return };
        frame.draw(canvas);
        self.draw_references(canvas, &frame);
        let curves: Vec<_> = self.panel.curves.iter().map(|c| (c, self.samples(c, &frame))).collect();
        for (curve, samples) in &curves {
            draw_band(canvas, samples, curve.style);
        }
        for (curve, samples) in &curves {
            draw_line(canvas, samples, curve.style, frame.plot);
        }
        match self.legend(&frame) {
            Legend::Inside(stack, place) => stack.draw(canvas, place),
            Legend::Below(entries) => {
                Rows::new(&entries, body.width()).draw(canvas, (body.left, body.bottom + 12.0));
            }
            Legend::None => {}
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let label = |curve: &Curve| match curve.seeds() {
            0 => format!("{} (no values)", curve.label),
            n if self.name_seeds => format!("{} (n = {n})", curve.label),
            _ => curve.label.clone(),
        };
        let named = self.panel.curves.iter().filter(|curve| !curve.label.is_empty());
        named.map(|curve| Entry { key: Key::Line(curve.style), label: label(curve) }).collect()
    }
}

impl PanelCell<'_> {
    /// Draws the reference lines, and their labels beside the plot, moved apart where they would overlap.
    fn draw_references(&self, canvas: &mut Canvas, frame: &Frame) {
        let Rect { left, top, right, bottom } = frame.plot;
        let mut labels = self.reference_labels();
        labels.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut free = top - NOTE;
        for (value, lines) in labels {
            let y = frame.y.pixel(value);
            if !(top..=bottom).contains(&y) {
                continue;
            }
            canvas.dashed(vec![(left, y), (right, y)], &[3.0, 7.0], 2.5, GREY);
            let height = lines.len() as f64 * 1.1 * NOTE;
            let first = (y - height / 2.0).max(free);
            for (i, line) in lines.iter().enumerate() {
                let baseline = first + (0.9 + i as f64 * 1.1) * NOTE;
                canvas.text(line, (right + 8.0, baseline), Align::Left, Font::regular(NOTE), GREY);
            }
            free = first + height + 2.0;
        }
    }
}

fn draw_band(canvas: &mut Canvas, samples: &[Sample], style: LineStyle) {
    for part in samples.split(|s| s.low.is_nan() || s.high.is_nan()) {
        if part.len() > 1 {
            // Pixels grow downwards: the high edge is the top.
            let edges = part.iter().map(|s| (s.x, s.high, s.low)).collect();
            canvas.marks.push(Mark::Band { edges, color: style.ink(), alpha: BAND_ALPHA });
        }
    }
}

fn draw_line(canvas: &mut Canvas, samples: &[Sample], style: LineStyle, plot: Rect) {
    let ink = style.ink();
    let marked = samples.len() <= MARKED_POINTS;
    for part in samples.split(|s| s.mean.is_nan()) {
        let points: Vec<Point> = part.iter().map(|s| (s.x, s.mean)).collect();
        for piece in inside(&points, plot.top, plot.bottom) {
            canvas.dashed(piece, style.dash.pattern(), style.width(), ink);
        }
        for point in points.iter().filter(|p| plot.contains(**p) && (marked || points.len() == 1)) {
            canvas.disc(*point, 6.0, ink);
        }
    }
}

/// The pieces of a line between two heights.
fn inside(points: &[Point], top: f64, bottom: f64) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = vec![];
    for segment in points.windows(2) {
        let (a, b) = (segment[0], segment[1]);
        let crossing = |y: f64| (y - a.1) / (b.1 - a.1);
        let (mut from, mut to) = (0.0f64, 1.0f64);
        if a.1 != b.1 {
            let (first, second) = (crossing(top), crossing(bottom));
            (from, to) = (from.max(first.min(second)), to.min(first.max(second)));
        } else if !(top..=bottom).contains(&a.1) {
            continue;
        }
        if from >= to {
            continue;
        }
        // Clamped, because a value far outside the plot leaves no digits for the height.
        let at = |share: f64| (a.0 + share * (b.0 - a.0), (a.1 + share * (b.1 - a.1)).clamp(top, bottom));
        let (start, end) = (if from > 0.0 { at(from) } else { a }, if to < 1.0 { at(to) } else { b });
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&start) => piece.push(end),
            _ => pieces.push(vec![start, end]),
        }
    }
    pieces
}

/// Points along a line at most a few pixels apart.
fn dense(points: &[Point]) -> Vec<Point> {
    const STEP: f64 = 5.0;
    let between = points.windows(2).flat_map(|segment| {
        let (a, b) = (segment[0], segment[1]);
        let steps = ((b.0 - a.0).hypot(b.1 - a.1) / STEP).ceil().max(1.0);
        (0..=steps as usize).map(move |i| {
            let share = i as f64 / steps;
            (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1))
        })
    });
    between.collect()
}

/// The points a legend must not cover: along the line and both edges of the band, as far as they are in the plot.
fn covered(samples: &[Sample], plot: Rect) -> Vec<Point> {
    let along = |value: fn(&Sample) -> f64| {
        let points: Vec<Point> = samples.iter().map(|s| (s.x, value(s))).collect();
        let lines = points.split(|p| p.1.is_nan()).flat_map(|part| inside(part, plot.top, plot.bottom));
        let along_lines: Vec<Point> = lines.flat_map(|line| dense(&line)).collect();
        points.into_iter().chain(along_lines)
    };
    along(|s| s.mean).chain(along(|s| s.low)).chain(along(|s| s.high)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(x: Vec<f64>, runs: Vec<Vec<f64>>) -> Curve {
        Curve { label: "NCL".into(), style: LineStyle::default(), x, runs }
    }

    fn cell(panel: &Panel) -> PanelCell<'_> {
        PanelCell { panel, band: Band::Std, name_seeds: true, own_legend: true, height: None }
    }

    fn error(curves: Vec<Curve>) -> String {
        let panel = Panel { title: "loss".into(), curves, ..Panel::default() };
        format!("{:#}", cell(&panel).check().unwrap_err())
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        assert_eq!(error(vec![]), "the panel `loss` has no curves");
        assert_eq!(error(vec![curve(vec![], vec![])]), "the curve `NCL` of the panel `loss`: it has no points");
        assert!(error(vec![curve(vec![1.0], vec![])]).ends_with("it has no runs"));
        let uneven = curve(vec![1.0, 2.0], vec![vec![0.0, 0.0], vec![0.0]]);
        assert!(error(vec![uneven]).ends_with("run 1 has 1 values for 2 positions"));
        assert!(error(vec![curve(vec![2.0, 1.0], vec![vec![0.0, 0.0]])]).ends_with("its positions do not increase"));
        assert!(
            error(vec![curve(vec![1.0], vec![vec![f64::NAN]])]).ends_with("no curve has a value the y axis can show")
        );
        let below_zero = curve(vec![1.0], vec![vec![-1.0]]);
        let panel = Panel { y_scale: Scale::Log, curves: vec![below_zero], ..Panel::default() };
        assert!(cell(&panel).check().is_err());
        let upside_down =
            Panel { y_range: Some((1.0, 0.0)), curves: vec![curve(vec![1.0], vec![vec![0.5]])], ..Panel::default() };
        assert!(format!("{:#}", cell(&upside_down).check().unwrap_err()).contains("y range 1..0"));
    }

    #[test]
    fn gaps_split_the_line_and_do_not_panic() {
        let nan = f64::NAN;
        let runs = vec![vec![0.1, nan, 0.3, 0.4, nan, 0.9], vec![0.2, nan, nan, 0.5, nan, 0.8]];
        let curves = vec![curve((0..6).map(f64::from).collect(), runs)];
        let panel = Panel { curves, ..Panel::default() };
        let cell = cell(&panel);
        cell.check().unwrap();
        let frame = cell.frame(Rect::new(0.0, 0.0, 700.0, 400.0)).unwrap();
        let samples = cell.samples(&panel.curves[0], &frame);
        let gaps: Vec<bool> = samples.iter().map(|s| s.mean.is_nan()).collect();
        assert_eq!(gaps, [false, true, false, false, true, false]);
        assert!(samples[2].low.is_nan(), "one run has no band");
        let mut canvas = Canvas::new(700.0, 400.0);
        cell.draw(&mut canvas, Rect::new(0.0, 0.0, 700.0, 400.0));
        assert!(canvas.marks.iter().all(|mark| {
            let b = mark.bounds();
            [b.left, b.top, b.right, b.bottom].iter().all(|v| v.is_finite())
        }));
    }

    #[test]
    fn long_curves_are_thinned_to_two_pixels_a_point() {
        let x: Vec<f64> = (0..8000).map(f64::from).collect();
        let runs = vec![x.iter().map(|x| (x / 500.0).sin()).collect(); 3];
        let panel = Panel { curves: vec![curve(x, runs)], ..Panel::default() };
        let cell = cell(&panel);
        let frame = cell.frame(Rect::new(0.0, 0.0, 700.0, 400.0)).unwrap();
        let points = cell.samples(&panel.curves[0], &frame).len() as f64;
        assert!((points - frame.plot.width() / 2.0).abs() < 4.0, "{points} points");
    }

    #[test]
    fn lines_are_cut_at_the_ends_of_the_axis() {
        let line = [(0.0, 50.0), (10.0, 150.0), (20.0, 50.0), (30.0, 40.0)];
        let pieces = inside(&line, 0.0, 100.0);
        assert_eq!(pieces, [vec![(0.0, 50.0), (5.0, 100.0)], vec![(15.0, 100.0), (20.0, 50.0), (30.0, 40.0)]]);
        assert!(inside(&[(0.0, 200.0), (9.0, 200.0)], 0.0, 100.0).is_empty());
        let diverged = &inside(&[(0.0, 1e14), (10.0, 50.0)], 0.0, 100.0)[0];
        assert_eq!((diverged[0].1, diverged[1]), (100.0, (10.0, 50.0)));
        assert_eq!(inside(&[(0.0, -50.0), (10.0, 150.0)], 0.0, 100.0), [vec![(2.5, 0.0), (7.5, 100.0)]]);
    }

    #[test]
    fn many_or_crowding_entries_go_below_the_plot() {
        let flat = |y: f64| Curve { label: format!("{y}"), ..curve(vec![0.0, 1.0], vec![vec![y, y]]) };
        let below = |panel: &Panel| cell(panel).footer_height(700.0) > 0.0;
        let range = Some((0.0, 1.0));
        let few = Panel { y_range: range, curves: vec![flat(0.8), flat(0.9)], ..Panel::default() };
        assert!(!below(&few));
        let crowded = Panel { y_range: range, curves: vec![flat(0.05), flat(0.95)], ..Panel::default() };
        assert!(below(&crowded));
        let many = Panel {
            y_range: range,
            curves: (0..6).map(|i| flat(0.9 + f64::from(i) / 60.0)).collect(),
            ..Panel::default()
        };
        assert!(below(&many));
    }
}
