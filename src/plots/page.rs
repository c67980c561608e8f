//! The page around the plots: title, settings, warning, a grid of cells, a shared legend and a note.

use super::canvas::{Align, Canvas, Rect};
use super::legend::{Entry, Rows};
use super::style::{
    BLACK, GAP, GREY, LINE_HEIGHT, NARROW, NOTE, PADDING, PANEL_TITLE, SUBTITLE, TITLE, WARNING, WARNING_BACK, WIDE,
};
use super::text::Font;

/// A plot that can stand in the grid of a page.
pub trait Cell {
    fn title(&self) -> &str;

    /// An error that names what cannot be drawn.
    fn check(&self) -> anyhow::Result<()>;

    /// Height of the plot with its axes for a width, without title and footer.
    fn body_height(&self, width: f64) -> f64;

    /// Height of what the plot draws below its axes, such as its own legend.
    fn footer_height(&self, _width: f64) -> f64 {
        0.0
    }

    /// Draws the plot with its axes into `body` and its footer from the bottom of `body` downwards.
    fn draw(&self, canvas: &mut Canvas, body: Rect);

    /// Entries this plot adds to the legend of the page.
    fn entries(&self) -> Vec<Entry> {
        vec![]
    }
}

pub struct Page<'a> {
    pub title: &'a str,
    pub subtitle: &'a str,
    pub watermark: Option<&'a str>,
    pub columns: usize,
    /// Of the whole page; that of its kind if not given.
    pub width: Option<f64>,
    pub cells: Vec<&'a dyn Cell>,
    pub legend: Vec<Entry>,
    pub note: &'a str,
}

impl Page<'_> {
    pub fn canvas(&self) -> anyhow::Result<Canvas> {
        anyhow::ensure!(!self.cells.is_empty(), "the figure `{}` has no panels", self.title);
        for cell in &self.cells {
            cell.check()?;
        }
        let columns = self.columns.clamp(1, self.cells.len());
        let width = self.width.unwrap_or(if columns == 1 { NARROW } else { WIDE });
        let inner = width - 2.0 * PADDING;
        let cell_width = ((inner - GAP * (columns - 1) as f64) / columns as f64).floor();

        let mut canvas = Canvas::new(width, 0.0);
        let mut top = self.header(&mut canvas, PADDING, inner);
        for row in self.cells.chunks(columns) {
            top += 14.0;
            top = draw_row(&mut canvas, row, top, cell_width) + 14.0;
        }
        let legend = Rows::new(&self.legend, inner);
        if !self.legend.is_empty() {
            legend.draw(&mut canvas, (PADDING, top));
            top += legend.height() + 8.0;
        }
        let note = Font::regular(NOTE);
        top = paragraph(&mut canvas, &note.wrap(self.note, inner), note, (PADDING, top), GREY);
        canvas.height = (top + 0.6 * PADDING).ceil();
        Ok(canvas)
    }

    /// Draws title, settings and warning; returns where they end.
    fn header(&self, canvas: &mut Canvas, top: f64, width: f64) -> f64 {
        let (title, subtitle) = (Font::bold(TITLE), Font::regular(SUBTITLE));
        let mut top = paragraph(canvas, &title.wrap(self.title, width), title, (PADDING, top), BLACK);
        top = paragraph(canvas, &subtitle.wrap(self.subtitle, width), subtitle, (PADDING, top), GREY);
        if let Some(text) = self.watermark {
            let font = Font::bold(PANEL_TITLE);
            let lines = font.wrap(text, width - 40.0);
            let height = lines.len() as f64 * LINE_HEIGHT * font.size + 16.0;
            canvas.fill(Rect::new(PADDING, top + 6.0, PADDING + width, top + 6.0 + height), WARNING_BACK);
            paragraph(canvas, &lines, font, (PADDING + 20.0, top + 14.0), WARNING);
            top += height + 12.0;
        }
        top
    }
}

/// Draws a row of cells with their bodies at the same height; returns where it ends.
fn draw_row(canvas: &mut Canvas, row: &[&dyn Cell], top: f64, width: f64) -> f64 {
    let largest = |height: &dyn Fn(&dyn Cell) -> f64| row.iter().map(|cell| height(*cell)).fold(0.0, f64::max);
    let font = Font::bold(PANEL_TITLE);
    let titles: Vec<_> = row.iter().map(|cell| font.wrap(cell.title(), width)).collect();
    let lines = titles.iter().map(Vec::len).max().unwrap_or(0);
    let body_top = top + lines as f64 * LINE_HEIGHT * PANEL_TITLE + if lines > 0 { 10.0 } else { 0.0 };
    let body_height = largest(&|cell| cell.body_height(width));
    for (i, (cell, title)) in row.iter().zip(&titles).enumerate() {
        let left = PADDING + i as f64 * (width + GAP);
        paragraph(canvas, title, font, (left, top), BLACK);
        cell.draw(canvas, Rect::new(left, body_top, left + width, body_top + body_height));
    }
    body_top + body_height + largest(&|cell| cell.footer_height(width))
}

/// Draws lines from `top` downwards; returns where they end.
fn paragraph(
    canvas: &mut Canvas,
    lines: &[String],
    font: Font,
    (left, top): (f64, f64),
    color: plotters::style::RGBColor,
) -> f64 {
    let height = LINE_HEIGHT * font.size;
    for (i, line) in lines.iter().enumerate() {
        let baseline = top + i as f64 * height + (LINE_HEIGHT + Font::ASCENT - Font::DESCENT) / 2.0 * font.size;
        canvas.text(line, (left, baseline), Align::Left, font, color);
    }
    top + lines.len() as f64 * height
}
