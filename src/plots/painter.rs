//! The painting of marks with plotters.

use anyhow::Result;
use plotters::backend::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, RGBAColor, RGBColor, TextStyle};

use super::canvas::{Align, Mark, Point};
use super::style::WHITE;
use super::text::Font;

/// Paints marks onto a plotters backend, enlarged by `scale`.
pub struct Painter<B> {
    pub backend: B,
    pub scale: f64,
    pub bitmap: bool,
}

impl<B: DrawingBackend<ErrorType: 'static>> Painter<B> {
    pub fn paint(mut self, marks: &[Mark]) -> Result<()> {
        let size = self.backend.get_size();
        self.backend.draw_rect((0, 0), (size.0 as i32, size.1 as i32), &WHITE, true)?;
        for mark in marks {
            self.mark(mark)?;
        }
        Ok(self.backend.present()?)
    }

    fn at(&self, (x, y): Point) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        match mark {
            Mark::Line { points, width, color } if self.bitmap => self.stroke(points, *width, color),
            Mark::Line { points, width, color } => {
                let path: Vec<_> = points.iter().map(|p| self.at(*p)).collect();
                Ok(self.backend.draw_path(path, &color.stroke_width((width * self.scale).round() as u32))?)
            }
            Mark::Band { edges, color, alpha } if self.bitmap => self.columns(edges, &color.mix(*alpha)),
            Mark::Band { edges, color, alpha } => {
                let top = edges.iter().map(|&(x, top, _)| self.at((x, top)));
                let bottom = edges.iter().rev().map(|&(x, _, bottom)| self.at((x, bottom)));
                let outline: Vec<_> = top.chain(bottom).collect();
                Ok(self.backend.fill_polygon(outline, &color.mix(*alpha))?)
            }
            Mark::Fill { rect, color } => {
                let (from, to) = (self.at((rect.left, rect.top)), self.at((rect.right, rect.bottom)));
                Ok(self.backend.draw_rect(from, to, color, true)?)
            }
            Mark::Disc { center, radius, color } => {
                let (center, radius) = (self.at(*center), (radius * self.scale).round() as u32);
                Ok(self.backend.draw_circle(center, radius, color, true)?)
            }
            Mark::Text { text, at, align, font, color, vertical } => {
                self.text(text, *at, *align, *font, color, *vertical)
            }
        }
    }

    /// A bitmap line, segment by segment with discs at the joints: plotters' own outline of a thick line crosses itself
    /// where a noisy curve turns sharply, and areas covered twice stay white.
    fn stroke(&mut self, points: &[Point], width: f64, color: &RGBColor) -> Result<()> {
        let half = width / 2.0;
        for segment in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (segment[0], segment[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            if x0 == x1 || y0 == y1 {
                let (dx, dy) = if x0 == x1 { (half, 0.0) } else { (0.0, half) };
                let (from, to) =
                    (self.at((x0.min(x1) - dx, y0.min(y1) - dy)), self.at((x0.max(x1) + dx, y0.max(y1) + dy)));
                self.backend.draw_rect(from, to, color, true)?;
            } else {
                let (dx, dy) = (-(y1 - y0) / length * half, (x1 - x0) / length * half);
                let corners = [(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)];
                let corners = corners.map(|corner| self.at(corner));
                self.backend.fill_polygon(corners, color)?;
            }
        }
        if width > 2.0 {
            for joint in points.iter().skip(1).take(points.len().saturating_sub(2)) {
                let (center, radius) = (self.at(*joint), (half * self.scale).round() as u32);
                self.backend.draw_circle(center, radius, color, true)?;
            }
        }
        Ok(())
    }

    /// A bitmap band, column by column, so that no pixel is blended twice.
    fn columns(&mut self, edges: &[(f64, f64, f64)], color: &RGBAColor) -> Result<()> {
        for pair in edges.windows(2) {
            let ((x0, top0, bottom0), (x1, top1, bottom1)) = (pair[0], pair[1]);
            let (from, to) = (self.at((x0, 0.0)).0, self.at((x1, 0.0)).0);
            for column in from..to {
                let share = (f64::from(column - from) + 0.5) / f64::from(to - from);
                let (_, top) = self.at((0.0, top0 + share * (top1 - top0)));
                let (_, bottom) = self.at((0.0, bottom0 + share * (bottom1 - bottom0)));
                if top < bottom {
                    self.backend.draw_rect((column, top), (column + 1, bottom), color, true)?;
                }
            }
        }
        Ok(())
    }

    fn text(
        &mut self,
        text: &str,
        (x, y): Point,
        align: Align,
        font: Font,
        color: &RGBColor,
        vertical: bool,
    ) -> Result<()> {
        // In em: the size that plotters wants, and how far below the given position it puts the baseline. Bitmaps have
        // it half a size below; SVGs are written with a font size of 1 / 1.24 of what was asked, 0.76 em below.
        let (size, baseline) = if self.bitmap { (Font::BITMAP_SIZE, Font::BITMAP_SIZE / 2.0) } else { (1.24, 0.76) };
        let above = baseline * font.size;
        let (at, transform) = if vertical {
            (self.at((x - above, y)), FontTransform::Rotate270)
        } else {
            (self.at((x, y - above)), FontTransform::None)
        };
        let h_pos = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let style = TextStyle::from(font.plotters(size * font.size * self.scale).transform(transform))
            .color(color)
            .pos(Pos::new(h_pos, VPos::Top));
        Ok(self.backend.draw_text(text, &style, at)?)
    }
}

#[cfg(test)]
mod tests {
    use plotters::backend::BitMapBackend;

    use super::super::canvas::Canvas;
    use super::*;

    #[test]
    fn bitmap_text_stands_on_its_baseline_where_it_was_put() {
        // The ink of "H" spans from its bearing to its width and from the baseline to the height of capitals.
        let mut canvas = Canvas::new(100.0, 100.0);
        let font = Font::regular(40.0);
        canvas.text("H", (20.0, 60.0), Align::Left, font, RGBColor(0, 0, 0));
        let mut large = vec![0; 400 * 400 * 3];
        let backend = BitMapBackend::with_buffer(&mut large, (400, 400));
        Painter { backend, scale: 4.0, bitmap: true }.paint(&canvas.marks).unwrap();
        let ink: Vec<_> = (0..400 * 400).filter(|i| large[i * 3] < 128).map(|i| (i % 400, i / 400)).collect();
        let (left, right) = (ink.iter().map(|p| p.0).min().unwrap(), ink.iter().map(|p| p.0).max().unwrap());
        let (top, bottom) = (ink.iter().map(|p| p.1).min().unwrap(), ink.iter().map(|p| p.1).max().unwrap());
        // H: bearing 168, right edge 1311, height 1409 of 2048 units; 160 enlarged pixels per em.
        let expected = [80.0 + 168.0 / 12.8, 80.0 + 1311.0 / 12.8, 240.0 - 1409.0 / 12.8, 240.0];
        for (found, expected) in [left, right, top, bottom].into_iter().zip(expected) {
            assert!((found as f64 - expected).abs() <= 2.5, "{found} is not {expected}");
        }
    }
}
