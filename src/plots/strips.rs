//! Marks of several settings by category.

use anyhow::{Result, ensure};

use super::axis::Scale;
use super::canvas::{Canvas, Rect};
use super::categories::Categories;
use super::legend::{Entry, Key, spot};
use super::page::Cell;
use super::style::LineStyle;

/// One setting of a category.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// Not drawn if it is not finite.
    pub value: f64,
    /// How it looks.
    pub look: SpotLook,
}

/// What a mark says of its setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotLook {
    /// Index into the palette.
    pub color: usize,
    /// A ring instead of a disc.
    pub open: bool,
}

/// Categories from top to bottom, each with a mark for each of its settings, and vertical lines to compare with.
#[derive(Clone, Debug, Default)]
pub struct Strips {
    /// Text above the plot.
    pub title: String,
    /// Text below the axis.
    pub x_label: String,
    /// Values that the axis shows; those of the marks if it is not given.
    pub x_range: Option<(f64, f64)>,
    /// Spacing of the axis.
    pub x_scale: Scale,
    /// Labels and marks, first one on top. Marks are spread over a row's height, in their order.
    pub rows: Vec<(String, Vec<Spot>)>,
    /// Vertical lines with their texts for the legend.
    pub references: Vec<(f64, LineStyle, String)>,
    /// What the looks of marks mean, for the legend.
    pub looks: Vec<(SpotLook, String)>,
}

/// Height that each mark of a row has for itself; they overlap, as they are larger.
const STEP: f64 = 8.0;

impl Strips {
    /// None if there is nothing to show.
    fn range(&self) -> Option<(f64, f64)> {
        let values = self.rows.iter().flat_map(|(_, spots)| spots).map(|spot| spot.value);
        let shown = values.filter(|value| self.x_scale.holds(*value));
        let extent =
            shown.map(|value| (value, value)).reduce(|(low, high), (value, _)| (low.min(value), high.max(value)));
        self.x_range.or(extent.map(|(low, high)| self.x_scale.padded(low, high)))
    }

    fn categories(&self, width: f64) -> Categories {
        let most = self.rows.iter().map(|(_, spots)| spots.len()).max().unwrap_or(0);
        let labels = self.rows.iter().map(|(label, _)| label.as_str());
        Categories::new(labels, &self.x_label, width, STEP * most as f64 + 16.0)
    }
}

impl Cell for Strips {
    fn title(&self) -> &str {
        &self.title
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.rows.is_empty(), "the panel `{}` has no categories", self.title);
        let valid = self.range().is_some_and(|(low, high)| low.is_finite() && high.is_finite() && low < high);
        ensure!(valid, "the panel `{}` has nothing to show", self.title);
        Ok(())
    }

    fn body_height(&self, width: f64) -> f64 {
        self.categories(width).height()
    }

    fn draw(&self, canvas: &mut Canvas, body: Rect) {
        let Some(range) = self.range() else { return };
        let categories = self.categories(body.width());
        let (axis, middles) = categories.draw(canvas, body, self.x_scale, range);
        let bottom = body.top + categories.rows_height();
        for (value, style, _) in &self.references {
            let x = axis.pixel(*value);
            canvas.dashed(vec![(x, body.top), (x, bottom)], style.dash.pattern(), style.width(), style.ink());
        }
        for ((_, spots), middle) in self.rows.iter().zip(middles) {
            let top = middle - STEP * (spots.len().saturating_sub(1)) as f64 / 2.0;
            for (place, mark) in spots.iter().enumerate().filter(|(_, mark)| self.x_scale.holds(mark.value)) {
                spot(canvas, (axis.pixel(mark.value), top + STEP * place as f64), mark.look);
            }
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let looks = self.looks.iter().map(|(look, label)| Entry { key: Key::Spot(*look), label: label.clone() });
        let lines =
            self.references.iter().map(|(_, style, label)| Entry { key: Key::Line(*style), label: label.clone() });
        looks.chain(lines).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let error = |strips: Strips| strips.check().unwrap_err().to_string();
        let panel = |rows| Strips { title: "outcomes".into(), rows, ..Strips::default() };
        assert_eq!(error(panel(vec![])), "the panel `outcomes` has no categories");
        assert_eq!(error(panel(vec![("CL".into(), vec![])])), "the panel `outcomes` has nothing to show");
    }

    #[test]
    fn rows_are_as_high_as_their_marks_need() {
        let mark = Spot { value: 0.5, look: SpotLook { color: 0, open: false } };
        let height = |count| {
            let rows = vec![("CL".into(), vec![mark; count])];
            Strips { x_range: Some((0.0, 1.0)), rows, ..Strips::default() }.body_height(400.0)
        };
        assert_eq!(height(20) - height(10), 10.0 * STEP);
        assert_eq!(height(1), height(0));
    }
}
