//! A plot's rectangle with its two axes: grid, ticks and labels.

use super::axis::{Axis, Scale, Tick};
use super::canvas::{Align, Canvas, Point, Rect};
use super::style::{AXIS_LABEL, BLACK, GREY, GRID, GRID_WIDTH, LINE_HEIGHT, TICK};
use super::text::Font;

/// Space between the plot and its tick labels; more below, where the two axes' labels meet in the corner.
const Y_TICK_GAP: f64 = 10.0;
const X_TICK_GAP: f64 = 14.0;
/// Space before an axis label.
const LABEL_GAP: f64 = 10.0;
const Y_TICK_SPACE: f64 = 62.0;
/// More ticks than this add nothing to a horizontal axis.
const MAX_X_TICKS: usize = 7;

/// The values an axis shows.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
}

pub struct Frame {
    pub plot: Rect,
    pub x: Axis,
    pub y: Axis,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    x_label: Vec<String>,
    y_label: Vec<String>,
}

impl Frame {
    /// Fits plot, tick labels and axis labels into `area`, with `right` pixels kept free beside the plot.
    pub fn new(area: Rect, x: Range, y: Range, x_label: &str, y_label: &str, right: f64) -> Self {
        let x_label = Font::regular(AXIS_LABEL).wrap(x_label, 0.8 * area.width());
        let top = area.top + TICK * Font::ASCENT / 2.0;
        let bottom = area.bottom - below(x_label.len());
        let y_label = Font::regular(AXIS_LABEL).wrap(y_label, bottom - top);

        let y = Axis { scale: y.scale, low: y.low, high: y.high, start: bottom, end: top };
        let y_ticks = y.ticks(((bottom - top) / Y_TICK_SPACE) as usize);
        let left = area.left + beside(&y_ticks, y_label.len());

        // The last tick label reaches half its width beyond the plot; which label that is depends on the width.
        let mut x = Axis { scale: x.scale, low: x.low, high: x.high, start: left, end: area.right - right };
        let mut x_ticks = fitting_ticks(&x);
        if let Some(last) = x_ticks.last() {
            let overhang = x.pixel(last.value) + tick_font().width(&last.label) / 2.0 - area.right;
            x.end -= overhang.max(0.0).ceil();
            x_ticks = fitting_ticks(&x);
        }
        let plot = Rect::new(left, top, x.end, bottom);
        Self { plot, x, y, x_ticks, y_ticks, x_label, y_label }
    }

    pub fn at(&self, x: f64, y: f64) -> Point {
        (self.x.pixel(x), self.y.pixel(y))
    }

    /// Draws the grid and everything around the plot.
    pub fn draw(&self, canvas: &mut Canvas) {
        self.grid(canvas);
        self.labels(canvas);
    }

    fn grid(&self, canvas: &mut Canvas) {
        let Rect { left, top, right, bottom } = self.plot;
        for tick in &self.x_ticks {
            let x = self.x.pixel(tick.value);
            canvas.line(vec![(x, top), (x, bottom)], GRID_WIDTH, GRID);
        }
        for tick in &self.y_ticks {
            let y = self.y.pixel(tick.value);
            canvas.line(vec![(left, y), (right, y)], GRID_WIDTH, GRID);
        }
    }

    /// Draws the axes' lines, tick labels and labels.
    pub fn labels(&self, canvas: &mut Canvas) {
        let Rect { left, top, right, bottom } = self.plot;
        canvas.line(vec![(left, top), (left, bottom), (right, bottom)], 2.0, GREY);
        for tick in &self.x_ticks {
            draw_x_tick(canvas, &tick.label, self.x.pixel(tick.value), bottom);
        }
        for tick in &self.y_ticks {
            draw_y_tick(canvas, &tick.label, left, self.y.pixel(tick.value));
        }
        draw_x_label(canvas, &self.x_label, (left + right) / 2.0, bottom);
        draw_y_label(canvas, &self.y_label, left - beside(&self.y_ticks, self.y_label.len()), (top + bottom) / 2.0);
    }
}

pub fn tick_font() -> Font {
    Font::regular(TICK)
}

/// Height of tick labels and `lines` lines of an axis label below a plot.
pub fn below(lines: usize) -> f64 {
    let label = if lines > 0 { LABEL_GAP + lines as f64 * LINE_HEIGHT * AXIS_LABEL } else { 0.0 };
    X_TICK_GAP + (Font::ASCENT + Font::DESCENT) * TICK + label
}

/// Width of `ticks` and `lines` lines of an axis label left of a plot.
pub fn beside(ticks: &[Tick], lines: usize) -> f64 {
    let widest = ticks.iter().map(|t| tick_font().width(&t.label)).fold(0.0, f64::max);
    let label = if lines > 0 { LABEL_GAP + lines as f64 * LINE_HEIGHT * AXIS_LABEL } else { 0.0 };
    Y_TICK_GAP + widest.ceil() + label
}

pub fn draw_x_tick(canvas: &mut Canvas, label: &str, x: f64, plot_bottom: f64) {
    let baseline = plot_bottom + X_TICK_GAP + Font::ASCENT * TICK;
    canvas.text(label, (x, baseline), Align::Center, tick_font(), BLACK);
}

pub fn draw_y_tick(canvas: &mut Canvas, label: &str, plot_left: f64, y: f64) {
    let baseline = y + 0.5 * Font::ASCENT * TICK;
    canvas.text(label, (plot_left - Y_TICK_GAP, baseline), Align::Right, tick_font(), BLACK);
}

pub fn draw_x_label(canvas: &mut Canvas, lines: &[String], center: f64, plot_bottom: f64) {
    let top = plot_bottom + below(0) + LABEL_GAP;
    for (i, line) in lines.iter().enumerate() {
        let baseline = top + (Font::ASCENT + i as f64 * LINE_HEIGHT) * AXIS_LABEL;
        canvas.text(line, (center, baseline), Align::Center, Font::regular(AXIS_LABEL), BLACK);
    }
}

pub fn draw_y_label(canvas: &mut Canvas, lines: &[String], left: f64, center: f64) {
    for (i, line) in lines.iter().enumerate() {
        let baseline = left + (Font::ASCENT + i as f64 * LINE_HEIGHT) * AXIS_LABEL;
        canvas.vertical_text(line, (baseline, center), Align::Center, Font::regular(AXIS_LABEL), BLACK);
    }
}

/// As many ticks as their labels have room for, up to a limit.
pub fn fitting_ticks(axis: &Axis) -> Vec<Tick> {
    let ends = |tick: &Tick| {
        let (center, half) = (axis.pixel(tick.value), tick_font().width(&tick.label) / 2.0);
        (center - half, center + half)
    };
    let fits = |ticks: &Vec<Tick>| {
        let apart = ticks.windows(2).all(|pair| ends(&pair[0]).1 + TICK <= ends(&pair[1]).0);
        apart && ticks.len() <= MAX_X_TICKS
    };
    let candidates = (1..=MAX_X_TICKS).map(|count| axis.ticks(count));
    candidates.filter(fits).max_by_key(Vec::len).unwrap_or_default()
}
