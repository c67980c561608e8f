//! Values with intervals by category.

use anyhow::{Result, ensure};

use super::axis::{Axis, Scale};
use super::canvas::{Align, Canvas, Rect};
use super::categories::Categories;
use super::frame::tick_font;
use super::legend::{Entry, Key, diamond};
use super::page::Cell;
use super::style::{GREY, LINE_HEIGHT, TICK, color};
use super::text::Font;

/// One category.
#[derive(Clone, Debug, Default)]
pub struct Dot {
    /// Its text beside the axis.
    pub label: String,
    /// Not finite if there is none.
    pub mean: f64,
    /// Ends of the line through the dot, such as a 95 % interval of the mean.
    pub interval: Option<(f64, f64)>,
    /// The values that the mean is of, such as one for each seed, drawn as small dots.
    pub values: Vec<f64>,
    /// A value to compare with, such as a published one.
    pub reference: Option<f64>,
    /// Index into the palette.
    pub color: usize,
}

/// Categories from top to bottom, each with a value, its interval and a value to compare with.
#[derive(Clone, Debug, Default)]
pub struct Dots {
    /// Text above the plot.
    pub title: String,
    /// Text below the axis.
    pub x_label: String,
    /// Values the axis shows at least.
    pub x_range: Option<(f64, f64)>,
    /// Spacing of the axis.
    pub x_scale: Scale,
    /// The categories, first one on top.
    pub dots: Vec<Dot>,
    /// What the dots are, for the legend.
    pub value_label: String,
    /// What the diamonds are, for the legend.
    pub reference_label: String,
}

impl Dots {
    fn categories(&self, width: f64) -> Categories {
        Categories::new(self.dots.iter().map(|dot| dot.label.as_str()), &self.x_label, width, 0.0)
    }

    /// The values that the axis shows; none if there is nothing to show.
    pub fn range(&self) -> Option<(f64, f64)> {
        let shown = self.dots.iter().flat_map(|dot| {
            let interval = dot.interval.into_iter().flat_map(|(low, high)| [low, high]);
            interval.chain(dot.reference).chain([dot.mean]).chain(dot.values.iter().copied())
        });
        let shown = shown.filter(|v| self.x_scale.holds(*v));
        let given = self.x_range.into_iter().flat_map(|(low, high)| [low, high]);
        let extent = |values: &mut dyn Iterator<Item = f64>| {
            values.fold(None, |e: Option<(f64, f64)>, v| Some(e.map_or((v, v), |(l, h)| (l.min(v), h.max(v)))))
        };
        let (low, high) = extent(&mut shown.clone())?;
        let padded = self.x_scale.padded(low, high);
        match self.x_range {
            Some((from, to)) if from <= low && high <= to => Some((from, to)),
            Some(_) => extent(&mut given.chain([padded.0, padded.1])),
            None => Some(padded),
        }
    }
}

/// Height of the strip over which the values of a category are spread.
const SPREAD: f64 = 24.0;

impl Cell for Dots {
    fn title(&self) -> &str {
        &self.title
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.dots.is_empty(), "the panel `{}` has no categories", self.title);
        let valid = self.x_range.is_none_or(|(low, high)| low.is_finite() && high.is_finite() && low < high);
        ensure!(valid, "the panel `{}` has an empty range", self.title);
        ensure!(self.range().is_some(), "the panel `{}` has no value to show", self.title);
        Ok(())
    }

    fn body_height(&self, width: f64) -> f64 {
        self.categories(width).height()
    }

    fn draw(&self, canvas: &mut Canvas, body: Rect) {
        let Some(range) = self.range() else { return };
        let (axis, middles) = self.categories(body.width()).draw(canvas, body, self.x_scale, range);
        for (dot, middle) in self.dots.iter().zip(middles) {
            dot.draw(canvas, &axis, middle);
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let first = self.dots.first().map_or(0, |dot| dot.color);
        let one_color = self.dots.iter().all(|dot| dot.color == first);
        let value = Entry { key: Key::Dot(if one_color { first } else { 6 }), label: self.value_label.clone() };
        let reference = Entry { key: Key::Diamond, label: self.reference_label.clone() };
        let compared = self.dots.iter().any(|dot| dot.reference.is_some());
        let shown = |entry: &Entry| !entry.label.is_empty() && (entry.key != Key::Diamond || compared);
        [value, reference].into_iter().filter(shown).collect()
    }
}

impl Dot {
    fn draw(&self, canvas: &mut Canvas, axis: &Axis, y: f64) {
        let ink = color(self.color);
        for (i, value) in self.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            // Spread by the golden ratio, so that equal values stay apart and the same data give the same picture.
            let offset = ((i as f64 * 0.618_034).fract() - 0.5) * SPREAD;
            canvas.disc((axis.pixel(*value), y + offset), 3.0, GREY);
        }
        if let Some((low, high)) = self.interval.filter(|(low, high)| low.is_finite() && high.is_finite()) {
            let (from, to) = (axis.pixel(low), axis.pixel(high));
            canvas.line(vec![(from, y), (to, y)], 3.0, ink);
            for x in [from, to] {
                canvas.line(vec![(x, y - 7.0), (x, y + 7.0)], 3.0, ink);
            }
        }
        if self.mean.is_finite() {
            canvas.disc((axis.pixel(self.mean), y), 7.5, ink);
        } else {
            let baseline = y - (LINE_HEIGHT - 1.0) * TICK;
            canvas.text(
                "no value",
                (axis.start + 10.0, baseline + Font::ASCENT * TICK),
                Align::Left,
                tick_font(),
                GREY,
            );
        }
        if let Some(reference) = self.reference.filter(|v| v.is_finite()) {
            diamond(canvas, (axis.pixel(reference), y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(mean: f64, reference: Option<f64>) -> Dot {
        Dot { label: "claim".into(), mean, interval: Some((mean - 0.1, mean + 0.1)), reference, ..Dot::default() }
    }

    #[test]
    fn the_axis_shows_every_value() {
        let dots = |x_range, values: &[Dot]| Dots { x_range, dots: values.to_vec(), ..Dots::default() };
        assert_eq!(dots(Some((0.0, 1.0)), &[dot(0.5, None)]).range(), Some((0.0, 1.0)));
        let (low, high) = dots(Some((0.0, 1.0)), &[dot(0.5, Some(1.4))]).range().unwrap();
        assert!(low == 0.0 && high > 1.4);
        let (low, high) = dots(None, &[dot(0.5, None), dot(f64::NAN, None)]).range().unwrap();
        assert!((0.3..0.4).contains(&low) && (0.6..0.7).contains(&high));
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let error = |dots: Dots| dots.check().unwrap_err().to_string();
        let panel = |dots| Dots { title: "claims".into(), dots, ..Dots::default() };
        assert_eq!(error(panel(vec![])), "the panel `claims` has no categories");
        assert_eq!(error(panel(vec![dot(f64::NAN, None)])), "the panel `claims` has no value to show");
        let empty = Dots { x_range: Some((1.0, 1.0)), ..panel(vec![dot(1.0, None)]) };
        assert_eq!(error(empty), "the panel `claims` has an empty range");
    }
}
