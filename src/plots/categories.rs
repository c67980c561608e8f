//! Categories from top to bottom over one horizontal axis: what dots and strips share.

use super::axis::{Axis, Scale};
use super::canvas::{Align, Canvas, Rect};
use super::frame::{below, draw_x_label, draw_x_tick, fitting_ticks, tick_font};
use super::style::{AXIS_LABEL, BLACK, GREY, GRID, GRID_WIDTH, TICK};
use super::text::Font;

/// Gap between a category's text and the axis.
const GAP: f64 = 14.0;

/// Categories with their texts broken into lines, laid out for a width.
pub struct Categories {
    /// Each with its height.
    rows: Vec<(Vec<String>, f64)>,
    left: f64,
    x_label: Vec<String>,
}

impl Categories {
    /// Lays out the labels in a width; each row is at least so high.
    pub fn new<'a>(labels: impl Iterator<Item = &'a str>, x_label: &str, width: f64, least: f64) -> Self {
        let row = |label: &str| {
            let lines = tick_font().wrap(label, 0.45 * width);
            let height = (lines.len().max(1) as f64 * 1.15 * TICK + 16.0).max(least);
            (lines, height)
        };
        let rows: Vec<(Vec<String>, f64)> = labels.map(row).collect();
        let lines = rows.iter().flat_map(|(lines, _)| lines);
        let widest = lines.map(|line| tick_font().width(line)).fold(0.0, f64::max);
        let x_label = Font::regular(AXIS_LABEL).wrap(x_label, 0.5 * width);
        Self { rows, left: widest.ceil() + GAP, x_label }
    }

    /// Height of all rows.
    pub fn rows_height(&self) -> f64 {
        self.rows.iter().map(|(_, height)| height).sum()
    }

    /// Height of all rows and of the axis below them.
    pub fn height(&self) -> f64 {
        self.rows_height() + below(self.x_label.len())
    }

    /// Draws the axis, its grid and the labels; gives the axis, and the middle of each row.
    pub fn draw(&self, canvas: &mut Canvas, body: Rect, scale: Scale, (low, high): (f64, f64)) -> (Axis, Vec<f64>) {
        let (left, bottom) = (body.left + self.left, body.top + self.rows_height());
        let mut axis = Axis { scale, low, high, start: left, end: body.right - 8.0 };
        if let Some(last) = fitting_ticks(&axis).last() {
            let overhang = axis.pixel(last.value) + tick_font().width(&last.label) / 2.0 - body.right;
            axis.end -= overhang.max(0.0).ceil();
        }
        for tick in fitting_ticks(&axis) {
            let x = axis.pixel(tick.value);
            canvas.line(vec![(x, body.top), (x, bottom)], GRID_WIDTH, GRID);
            draw_x_tick(canvas, &tick.label, x, bottom);
        }
        canvas.line(vec![(left, bottom), (axis.end, bottom)], 2.0, GREY);
        draw_x_label(canvas, &self.x_label, (left + axis.end) / 2.0, bottom);

        let (mut top, mut middles) = (body.top, Vec::new());
        for (lines, height) in &self.rows {
            let middle = top + height / 2.0;
            canvas.line(vec![(left, middle), (axis.end, middle)], 1.0, GRID);
            let text_height = (lines.len().saturating_sub(1)) as f64 * 1.15 * TICK;
            for (i, line) in lines.iter().enumerate() {
                let baseline = middle - text_height / 2.0 + (i as f64 * 1.15 + 0.5 * Font::ASCENT) * TICK;
                canvas.text(line, (left - GAP, baseline), Align::Right, tick_font(), BLACK);
            }
            middles.push(middle);
            top += height;
        }
        (axis, middles)
    }
}
