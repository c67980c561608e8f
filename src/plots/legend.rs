//! Legends: in the emptiest corner of a plot, or in rows below.

use super::canvas::{Align, Canvas, Point, Rect};
use super::strips::SpotLook;
use super::style::{BLACK, LEGEND, LINE_HEIGHT, LineStyle, WHITE, color};
use super::text::Font;

const SAMPLE: f64 = 50.0;
const SAMPLE_GAP: f64 = 12.0;
const ENTRY_GAP: f64 = 36.0;
const INSET: f64 = 14.0;

/// The sample before a label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Key {
    Line(LineStyle),
    Dot(usize),
    Spot(SpotLook),
    Diamond,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: Key,
    pub label: String,
}

/// An entry with its label broken into lines.
type Broken = (Entry, Vec<String>);

fn font() -> Font {
    Font::regular(LEGEND)
}

fn line_height() -> f64 {
    LINE_HEIGHT * LEGEND
}

impl Entry {
    /// The label broken so that sample and label are at most `width` wide.
    fn lines(&self, width: f64) -> Vec<String> {
        font().wrap(&self.label, (width - SAMPLE - SAMPLE_GAP).max(2.0 * LEGEND))
    }

    fn draw(&self, canvas: &mut Canvas, (left, top): Point, lines: &[String]) {
        let middle = top + line_height() / 2.0;
        match self.key {
            Key::Line(style) => {
                let sample = vec![(left, middle), (left + SAMPLE, middle)];
                canvas.dashed(sample, style.dash.pattern(), style.width() + 0.4, style.ink());
            }
            Key::Dot(index) => {
                canvas.line(vec![(left + 4.0, middle), (left + SAMPLE - 4.0, middle)], 3.0, color(index));
                canvas.disc((left + SAMPLE / 2.0, middle), 7.0, color(index));
            }
            Key::Spot(look) => spot(canvas, (left + SAMPLE / 2.0, middle), look),
            Key::Diamond => diamond(canvas, (left + SAMPLE / 2.0, middle)),
        }
        for (i, line) in lines.iter().enumerate() {
            let baseline = middle + (0.5 * Font::ASCENT + i as f64 * LINE_HEIGHT) * LEGEND;
            canvas.text(line, (left + SAMPLE + SAMPLE_GAP, baseline), Align::Left, font(), BLACK);
        }
    }
}

/// The mark of a published value: an open diamond.
pub fn diamond(canvas: &mut Canvas, (x, y): Point) {
    const RADIUS: f64 = 11.0;
    let (left, top, right, bottom) = ((x - RADIUS, y), (x, y - RADIUS), (x + RADIUS, y), (x, y + RADIUS));
    canvas.line(vec![left, top, right, bottom, left], 2.6, BLACK);
}

/// The mark of one setting: a disc, or a ring.
pub fn spot(canvas: &mut Canvas, center: Point, look: SpotLook) {
    const RADIUS: f64 = 7.5;
    canvas.disc(center, RADIUS, color(look.color));
    if look.open {
        canvas.disc(center, RADIUS - 3.0, WHITE);
    }
}

/// Entries one below the other, in a white box for a corner of a plot.
pub struct Stack {
    entries: Vec<Broken>,
    pub width: f64,
    pub height: f64,
}

impl Stack {
    pub fn new(entries: &[Entry], max_width: f64) -> Self {
        let entries: Vec<_> = entries.iter().map(|e| (e.clone(), e.lines(max_width - 2.0 * INSET))).collect();
        let lines = entries.iter().map(|(_, lines)| lines.len().max(1)).sum::<usize>();
        let widest = entries.iter().flat_map(|(_, lines)| lines).map(|l| font().width(l)).fold(0.0, f64::max);
        let width = SAMPLE + SAMPLE_GAP + widest + 2.0 * INSET;
        Self { entries, width, height: lines as f64 * line_height() + INSET }
    }

    pub fn draw(&self, canvas: &mut Canvas, place: Rect) {
        canvas.fill(place, WHITE);
        let mut top = place.top + INSET / 2.0;
        for (entry, lines) in &self.entries {
            entry.draw(canvas, (place.left + INSET, top), lines);
            top += lines.len().max(1) as f64 * line_height();
        }
    }
}

/// The corner of `plot` in which a box of that size covers the fewest of `points`, and how many it covers. The first
/// of top right, bottom right, top left, bottom left wins a tie.
pub fn emptiest_corner(points: &[Point], plot: Rect, width: f64, height: f64) -> (Rect, usize) {
    const MARGIN: f64 = 3.0;
    let left = (plot.left + MARGIN, plot.left + MARGIN + width);
    let right = (plot.right - MARGIN - width, plot.right - MARGIN);
    let top = (plot.top + MARGIN, plot.top + MARGIN + height);
    let bottom = (plot.bottom - MARGIN - height, plot.bottom - MARGIN);
    [(right, top), (right, bottom), (left, top), (left, bottom)]
        .map(|(x, y)| {
            let place = Rect::new(x.0, y.0, x.1, y.1);
            (place, points.iter().filter(|point| place.contains(**point)).count())
        })
        .into_iter()
        .min_by_key(|(_, covered)| *covered)
        .expect("there are four corners")
}

/// Entries side by side in columns of equal width, as many as fit, for the space below the plots.
pub struct Rows {
    entries: Vec<Broken>,
    columns: usize,
    column_width: f64,
    width: f64,
}

impl Rows {
    pub fn new(entries: &[Entry], width: f64) -> Self {
        let entries: Vec<_> = entries.iter().map(|e| (e.clone(), e.lines(width))).collect();
        let widest = entries.iter().flat_map(|(_, lines)| lines).map(|l| font().width(l)).fold(0.0, f64::max);
        let column_width = SAMPLE + SAMPLE_GAP + widest + ENTRY_GAP;
        let fit = (((width + ENTRY_GAP) / column_width) as usize).clamp(1, entries.len().max(1));
        let (entries, columns) = arranged(entries, fit);
        Self { entries, columns, column_width, width }
    }

    fn rows(&self) -> impl Iterator<Item = (f64, &[Broken])> {
        self.entries.chunks(self.columns).map(|row| {
            let lines = row.iter().map(|(_, lines)| lines.len().max(1)).max().unwrap_or(1);
            (lines as f64 * line_height(), row)
        })
    }

    pub fn height(&self) -> f64 {
        self.rows().map(|(height, _)| height + 4.0).sum()
    }

    /// Draws the rows centred in the width they were made for.
    pub fn draw(&self, canvas: &mut Canvas, (left, mut top): Point) {
        let used = self.columns as f64 * self.column_width - ENTRY_GAP;
        let start = left + ((self.width - used) / 2.0).max(0.0);
        for (height, row) in self.rows() {
            for (i, (entry, lines)) in row.iter().enumerate() {
                entry.draw(canvas, (start + i as f64 * self.column_width, top), lines);
            }
            top += height + 4.0;
        }
    }
}

/// Entries in reading order, and the number of columns, of which `fit` have room. Families of one colour share a row,
/// or a column if they are too many for a row; others fill rows of about equal length.
fn arranged(entries: Vec<Broken>, fit: usize) -> (Vec<Broken>, usize) {
    let hue = |(entry, _): &Broken| match entry.key {
        Key::Line(style) => Some(style.color),
        Key::Dot(color) => Some(color),
        Key::Spot(look) => Some(look.color),
        Key::Diamond => None,
    };
    let families: Vec<_> = entries.chunk_by(|a, b| hue(a) == hue(b)).collect();
    let size = families.first().map_or(0, |family| family.len());
    let alike = size > 1 && families.len() > 1 && families.iter().all(|family| family.len() == size);
    if alike && size <= fit {
        (entries, size)
    } else if alike && families.len() <= fit {
        let by_row = (0..size).flat_map(|i| families.iter().map(move |family| family[i].clone())).collect();
        let columns = families.len();
        (by_row, columns)
    } else {
        let columns = entries.len().div_ceil(entries.len().div_ceil(fit).max(1)).max(1);
        (entries, columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLOT: Rect = Rect { left: 0.0, top: 0.0, right: 100.0, bottom: 100.0 };

    #[test]
    fn the_legend_goes_where_the_fewest_points_are() {
        let rising: Vec<Point> = (0..=100).map(|i| (f64::from(i), 100.0 - f64::from(i))).collect();
        let (place, covered) = emptiest_corner(&rising, PLOT, 30.0, 20.0);
        assert_eq!((place, covered), (Rect::new(67.0, 77.0, 97.0, 97.0), 0));
        let mut more = rising.clone();
        more.push((80.0, 80.0));
        assert_eq!(emptiest_corner(&more, PLOT, 30.0, 20.0), (Rect::new(3.0, 3.0, 33.0, 23.0), 0));
        more.push((10.0, 10.0));
        more.push((12.0, 10.0));
        assert_eq!(emptiest_corner(&more, PLOT, 30.0, 20.0), (Rect::new(67.0, 77.0, 97.0, 97.0), 1));
    }

    #[test]
    fn rows_are_of_equal_length_and_never_wider_than_the_page() {
        let entry = |label: &str| Entry { key: Key::Diamond, label: label.into() };
        let six: Vec<_> = (0..6).map(|i| entry(&format!("entry number {i}"))).collect();
        let width = 5.2 * Rows::new(&six, 10_000.0).column_width;
        assert_eq!(Rows::new(&six, width).columns, 3);
        let line =
            |color| Entry { key: Key::Line(LineStyle { color, ..LineStyle::default() }), label: color.to_string() };
        let pairs = |fit| arranged([0, 0, 0, 1, 1, 1].map(|c| (line(c), vec![])).to_vec(), fit);
        let hues = |entries: Vec<Broken>| entries.into_iter().map(|(e, _)| e.label).collect::<String>();
        let (rows, columns) = pairs(5);
        assert_eq!((hues(rows).as_str(), columns), ("000111", 3));
        let (by_row, columns) = pairs(2);
        assert_eq!((hues(by_row).as_str(), columns), ("010101", 2));
        let long = Rows::new(&[entry("a label far too long for the little space it is given here")], 200.0);
        assert!(long.entries[0].1.iter().all(|line| SAMPLE + SAMPLE_GAP + font().width(line) <= 200.0));
        assert!(long.height() > 2.0 * line_height());
        assert_eq!(Rows::new(&[], 100.0).height(), 0.0);
    }
}
