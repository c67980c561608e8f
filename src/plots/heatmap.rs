//! Matrices as colours.

use anyhow::{Result, ensure};

use super::axis::{Axis, Scale, Tick, linear_ticks};
use super::canvas::{Align, Canvas, Rect};
use super::frame::{below, beside, draw_x_label, draw_x_tick, draw_y_label, draw_y_tick, tick_font};
use super::page::Cell;
use super::style::{AXIS_LABEL, BLACK, ColorRange, ColorScale, GREY, TICK, ink};
use super::text::Font;

const MAX_HEIGHT: f64 = 460.0;
/// Cells are square, unless the map would then fill less than this share of its room in one direction: it is stretched
/// that way, at most this much.
const MIN_SHARE: f64 = 0.4;
const MAX_ASPECT: f64 = 3.0;

/// One matrix as coloured cells, first row on top; NaN is grey.
#[derive(Clone, Debug)]
pub struct Heatmap {
    /// Text above the map.
    pub title: String,
    /// Text below the columns.
    pub x_label: String,
    /// Text beside the rows.
    pub y_label: String,
    /// Rows of equal length.
    pub values: Vec<Vec<f64>>,
    /// How values become colours.
    pub scale: ColorScale,
    /// Labels of rows by index; round indices, counted from 0, if empty. Labels without room are left out.
    pub row_ticks: Vec<(usize, String)>,
    /// Labels of columns by index, likewise.
    pub column_ticks: Vec<(usize, String)>,
    /// Whether each cell shows its value, to two decimals, if there is room.
    pub numbers: bool,
}

impl Default for Heatmap {
    fn default() -> Self {
        Self {
            title: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            values: vec![],
            scale: ColorScale::Diverging { limit: None },
            row_ticks: vec![],
            column_ticks: vec![],
            numbers: false,
        }
    }
}

struct Layout {
    map: Rect,
    cell: (f64, f64),
    row_ticks: Vec<Tick>,
    column_ticks: Vec<Tick>,
    x_label: Vec<String>,
    y_label: Vec<String>,
    bar: ColorBar,
}

impl Heatmap {
    fn layout(&self, width: f64) -> Layout {
        let (rows, columns) = (self.values.len(), self.values.first().map_or(0, Vec::len));
        let bar = ColorBar::new(self.scale.resolve(self.values.iter().flatten().copied()), 0.6 * width);
        // Labels first, to know how much width is left; those without room are dropped once the cells are known.
        let row_ticks = ticks(&self.row_ticks, rows, 0.6 * width);
        let y_label = Font::regular(AXIS_LABEL).wrap(&self.y_label, 0.6 * width);
        let left = beside(&row_ticks, y_label.len());
        let room = (width - left - bar.width()).max(1.0);

        let (wide, tall) = (room / columns.max(1) as f64, room.min(MAX_HEIGHT) / rows.max(1) as f64);
        let square = wide.min(tall);
        let stretched = |room: f64| square.max((MIN_SHARE * room).min(MAX_ASPECT * square));
        // Whole pixels are sharpest, and quarters the finest that a bitmap has; other sizes would make uneven cells.
        let whole = |size: f64| match size {
            6.0.. => size.floor(),
            0.25.. => (size * 4.0).floor() / 4.0,
            _ => size,
        };
        // Wide enough for all labels of columns, where that is possible.
        let named = self.column_ticks.iter().map(|(_, label)| column_width(label).ceil()).fold(0.0, f64::max);
        let named = if named <= wide.min(MAX_ASPECT * square) { named } else { 0.0 };
        let cell = (whole(stretched(wide).max(named)), whole(stretched(tall)));
        let (map_width, map_height) = (cell.0 * columns as f64, cell.1 * rows as f64);
        // The label and the colour bar of a low map reach beyond it on both sides.
        let label = y_label.iter().map(|line| Font::regular(AXIS_LABEL).width(line)).fold(0.0, f64::max);
        let top = ((label.max(ColorBar::MIN_HEIGHT) - map_height) / 2.0).max(0.0).ceil() + 4.0;
        let map = Rect::new(left.ceil(), top, left.ceil() + map_width, top + map_height);

        let row_ticks = with_room(row_ticks, cell.1, |_| 1.1 * TICK);
        let column_ticks = ticks(&self.column_ticks, columns, map_width);
        let column_ticks = with_room(column_ticks, cell.0, column_width);
        let x_label = Font::regular(AXIS_LABEL).wrap(&self.x_label, 0.8 * width);
        Layout { map, cell, row_ticks, column_ticks, x_label, y_label, bar }
    }
}

impl Heatmap {
    /// Row, column, value and text of every number shown; none if the cells are too small for the longest.
    fn texts(&self, cell: (f64, f64)) -> Vec<(usize, usize, f64, String)> {
        if !self.numbers || cell.1 < 1.3 * TICK {
            return Vec::new();
        }
        let row = |(i, row): (usize, &Vec<f64>)| {
            let finite = row.iter().copied().enumerate().filter(|(_, value)| value.is_finite());
            finite.map(|(j, value)| (i, j, value, format!("{value:.2}"))).collect::<Vec<_>>()
        };
        let texts: Vec<_> = self.values.iter().enumerate().flat_map(row).collect();
        let fit = texts.iter().all(|(.., text)| tick_font().width(text) + 4.0 <= cell.0);
        if fit { texts } else { Vec::new() }
    }
}

/// Room that a column's label needs.
fn column_width(label: &str) -> f64 {
    tick_font().width(label) + 0.7 * TICK
}

/// The labels given, or round indices.
fn ticks(given: &[(usize, String)], count: usize, length: f64) -> Vec<Tick> {
    if !given.is_empty() {
        return given.iter().map(|(i, label)| Tick { value: *i as f64, label: label.clone() }).collect();
    }
    match count {
        0 => vec![],
        1 => vec![Tick { value: 0.0, label: "0".into() }],
        _ => {
            let wanted = ((length / 55.0) as usize).clamp(1, count - 1);
            linear_ticks(0.0, (count - 1) as f64, wanted).into_iter().filter(|t| t.value.fract() == 0.0).collect()
        }
    }
}

/// The ticks that fit, in order, if each needs `need` pixels centred on its cell of length `cell`.
fn with_room(ticks: Vec<Tick>, cell: f64, need: impl Fn(&str) -> f64) -> Vec<Tick> {
    let mut end = f64::NEG_INFINITY;
    let fits = |tick: &Tick| {
        let (center, half) = (tick.value * cell, need(&tick.label) / 2.0);
        let fits = center - half >= end;
        if fits {
            end = center + half;
        }
        fits
    };
    ticks.into_iter().filter(fits).collect()
}

impl Cell for Heatmap {
    fn title(&self) -> &str {
        &self.title
    }

    fn check(&self) -> Result<()> {
        let columns = self.values.first().map_or(0, Vec::len);
        ensure!(columns > 0, "the heat map `{}` has no values", self.title);
        let equal = self.values.iter().all(|row| row.len() == columns);
        ensure!(equal, "the heat map `{}` has rows of different lengths", self.title);
        let inside = self.row_ticks.iter().all(|(i, _)| *i < self.values.len())
            && self.column_ticks.iter().all(|(i, _)| *i < columns);
        ensure!(inside, "the heat map `{}` has a label beyond its last row or column", self.title);
        Ok(())
    }

    fn body_height(&self, width: f64) -> f64 {
        let layout = self.layout(width);
        layout.map.bottom + below(layout.x_label.len()).max(layout.map.top)
    }

    fn draw(&self, canvas: &mut Canvas, body: Rect) {
        let Layout { map, cell, row_ticks, column_ticks, x_label, y_label, bar } = self.layout(body.width());
        let left_of_map = beside(&row_ticks, y_label.len());
        let (dx, dy) = (body.left.round(), body.top.round());
        let map = Rect::new(map.left + dx, map.top + dy, map.right + dx, map.bottom + dy);
        for (i, row) in self.values.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                let (left, top) = (map.left + j as f64 * cell.0, map.top + i as f64 * cell.1);
                // Half a pixel under the next cells; otherwise a viewer of the SVG shows the paper between two smoothed
                // edges.
                let (right, bottom) = ((left + cell.0 + 0.5).min(map.right), (top + cell.1 + 0.5).min(map.bottom));
                canvas.fill(Rect::new(left, top, right, bottom), bar.range.color(*value));
            }
        }
        for (i, j, value, text) in self.texts(cell) {
            let (x, y) = (map.left + (j as f64 + 0.5) * cell.0, map.top + (i as f64 + 0.5) * cell.1);
            let at = (x, y + 0.5 * Font::ASCENT * TICK);
            canvas.text(text, at, Align::Center, tick_font(), ink(bar.range.color(value)));
        }
        outline(canvas, map);
        for tick in &row_ticks {
            draw_y_tick(canvas, &tick.label, map.left, map.top + (tick.value + 0.5) * cell.1);
        }
        for tick in &column_ticks {
            draw_x_tick(canvas, &tick.label, map.left + (tick.value + 0.5) * cell.0, map.bottom);
        }
        draw_x_label(canvas, &x_label, (map.left + map.right) / 2.0, map.bottom);
        draw_y_label(canvas, &y_label, map.left - left_of_map, (map.top + map.bottom) / 2.0);
        let beyond = ((ColorBar::MIN_HEIGHT - map.height()) / 2.0).max(0.0);
        bar.draw(canvas, Rect::new(map.left, map.top - beyond, map.right, map.bottom + beyond));
    }
}

fn outline(canvas: &mut Canvas, Rect { left, top, right, bottom }: Rect) {
    canvas.line(vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], 1.5, GREY);
}

/// A vertical colour bar right of a plot.
pub struct ColorBar {
    pub range: ColorRange,
    ticks: Vec<Tick>,
}

impl ColorBar {
    const GAP: f64 = 14.0;
    const WIDTH: f64 = 16.0;
    /// Room for the labels of three to five ticks.
    const MIN_HEIGHT: f64 = 120.0;

    /// A bar for a plot about `height` tall, with at least three ticks.
    pub fn new(range: ColorRange, height: f64) -> Self {
        let few = ((height / 70.0) as usize).clamp(2, 5);
        let ticks = |count| linear_ticks(range.low, range.high, count);
        Self { range, ticks: (few..9).map(ticks).find(|ticks| ticks.len() > 2).unwrap_or_else(|| ticks(few)) }
    }

    /// Width with its labels and the gap before it, the same for all usual labels so that maps get the same size.
    pub fn width(&self) -> f64 {
        Self::GAP + Self::WIDTH + beside(&self.ticks, 0).max(10.0 + tick_font().width("−0.5").ceil())
    }

    pub fn draw(&self, canvas: &mut Canvas, plot: Rect) {
        const STEPS: usize = 128;
        let (left, right) = (plot.right + Self::GAP, plot.right + Self::GAP + Self::WIDTH);
        let ColorRange { low, high, .. } = self.range;
        for i in 0..STEPS {
            let share = |i: usize| i as f64 / STEPS as f64;
            let height = |i: usize| (plot.bottom - share(i) * plot.height()).round();
            let color = self.range.color(low + (i as f64 + 0.5) / STEPS as f64 * (high - low));
            canvas.fill(Rect::new(left, height(i + 1), right, height(i)), color);
        }
        outline(canvas, Rect::new(left, plot.top, right, plot.bottom));
        let axis = Axis { scale: Scale::Linear, low, high, start: plot.bottom, end: plot.top };
        for tick in &self.ticks {
            let y = axis.pixel(tick.value);
            canvas.line(vec![(right, y), (right + 5.0, y)], 1.5, GREY);
            canvas.text(&tick.label, (right + 9.0, y + 0.5 * Font::ASCENT * TICK), Align::Left, tick_font(), BLACK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heatmap(rows: usize, columns: usize) -> Heatmap {
        Heatmap { title: "W".into(), values: vec![vec![0.5; columns]; rows], ..Heatmap::default() }
    }

    #[test]
    fn cells_are_even_and_not_too_long() {
        let square = heatmap(50, 50).layout(400.0);
        assert_eq!(square.cell.0, square.cell.1);
        assert_eq!((4.0 * square.cell.0).fract(), 0.0);
        let narrow = heatmap(50, 10).layout(400.0);
        assert!(narrow.cell.0 > narrow.cell.1 && narrow.cell.0 <= MAX_ASPECT * narrow.cell.1, "{:?}", narrow.cell);
        for (rows, columns) in [(1, 1), (1, 300), (300, 1), (2000, 2000)] {
            let Layout { map, .. } = heatmap(rows, columns).layout(400.0);
            assert!(map.right <= 400.0 && map.height() <= MAX_HEIGHT + 1.0 && map.width() > 0.0);
        }
    }

    #[test]
    fn labels_are_round_indices_and_never_overlap() {
        let labels = |ticks: Vec<Tick>| ticks.into_iter().map(|t| t.label).collect::<Vec<_>>();
        assert_eq!(labels(ticks(&[], 50, 250.0)), ["0", "20", "40"]);
        assert_eq!(labels(ticks(&[], 3, 1000.0)), ["0", "1", "2"]);
        let many: Vec<_> = (0..50).map(|i| (i, format!("neuron {i}"))).collect();
        let kept = with_room(ticks(&many, 50, 250.0), 5.0, |_| 24.0);
        assert_eq!(labels(kept)[..2], ["neuron 0", "neuron 5"]);
    }

    #[test]
    fn numbers_are_shown_where_all_have_room() {
        let map = Heatmap { numbers: true, values: vec![vec![0.125, f64::NAN, 1.0]], ..Heatmap::default() };
        let texts = map.texts((60.0, 60.0));
        assert_eq!(texts, [(0, 0, 0.125, "0.12".into()), (0, 2, 1.0, "1.00".into())]);
        assert!(map.texts((20.0, 60.0)).is_empty() && map.texts((60.0, 20.0)).is_empty());
        assert!(heatmap(2, 2).texts((60.0, 60.0)).is_empty());
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let error = |map: &Heatmap| map.check().unwrap_err().to_string();
        assert_eq!(error(&heatmap(0, 0)), "the heat map `W` has no values");
        assert_eq!(error(&heatmap(2, 0)), "the heat map `W` has no values");
        let mut uneven = heatmap(2, 2);
        uneven.values[1].pop();
        assert_eq!(error(&uneven), "the heat map `W` has rows of different lengths");
        let mut beyond = heatmap(2, 2);
        beyond.row_ticks = vec![(2, "c".into())];
        assert!(error(&beyond).contains("beyond"));
    }
}
