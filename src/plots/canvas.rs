//! A picture as a list of marks in pixels of the final PNG, and its painting into PNG or SVG.
//!
//! Marks rather than direct calls, so that tests can look at what would be drawn and where. This is the only module that
//! knows plotters. Its backends take whole pixels; both formats are painted enlarged to make those fine enough: PNGs
//! four times, then averaged (which also smooths every edge), SVGs ten times, with a view box that shrinks them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail, ensure};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, RGBAColor, RGBColor, TextStyle};

use super::style::WHITE;
use super::text::Font;

pub type Point = (f64, f64);

/// Enlarged four times, a picture of this height takes some 600 MB while it is painted.
const MAX_HEIGHT: f64 = 8000.0;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self { left, top, right, bottom }
    }

    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub fn contains(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }
}

/// Where a text lies relative to its position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Align {
    Left,
    Center,
    Right,
}

/// Something to paint. Lines and shapes are opaque; only bands are not.
#[derive(Clone, Debug)]
pub enum Mark {
    Line {
        points: Vec<Point>,
        width: f64,
        color: RGBColor,
    },
    /// The area between two edges, as `(x, top, bottom)` sorted by x.
    Band {
        edges: Vec<(f64, f64, f64)>,
        color: RGBColor,
        alpha: f64,
    },
    Fill {
        rect: Rect,
        color: RGBColor,
    },
    Disc {
        center: Point,
        radius: f64,
        color: RGBColor,
    },
    /// One line of text; `at` lies on its baseline. Vertical text reads upwards.
    Text {
        text: String,
        at: Point,
        align: Align,
        font: Font,
        color: RGBColor,
        vertical: bool,
    },
}

impl Mark {
    /// The smallest upright rectangle around the mark, without the width of lines.
    #[cfg(test)]
    pub fn bounds(&self) -> Rect {
        let around = |points: &[Point]| {
            let fold = |f: fn(f64, f64) -> f64, value: fn(&Point) -> f64| points.iter().map(value).reduce(f).unwrap();
            Rect::new(
                fold(f64::min, |p| p.0),
                fold(f64::min, |p| p.1),
                fold(f64::max, |p| p.0),
                fold(f64::max, |p| p.1),
            )
        };
        match self {
            Mark::Line { points, .. } => around(points),
            Mark::Band { edges, .. } => {
                around(&edges.iter().flat_map(|&(x, top, bottom)| [(x, top), (x, bottom)]).collect::<Vec<_>>())
            }
            Mark::Fill { rect, .. } => *rect,
            Mark::Disc { center: (x, y), radius: r, .. } => Rect::new(x - r, y - r, x + r, y + r),
            Mark::Text { text, at: (x, y), align, font, vertical, .. } => {
                let width = font.width(text);
                let before = match align {
                    Align::Left => 0.0,
                    Align::Center => width / 2.0,
                    Align::Right => width,
                };
                let (up, down) = (Font::ASCENT * font.size, Font::DESCENT * font.size);
                if *vertical {
                    Rect::new(x - up, y + before - width, x + down, y + before)
                } else {
                    Rect::new(x - before, y - up, x - before + width, y + down)
                }
            }
        }
    }
}

/// A white picture of `width` times `height` pixels with marks painted in order.
#[derive(Debug, Default)]
pub struct Canvas {
    pub width: f64,
    pub height: f64,
    pub marks: Vec<Mark>,
}

impl Canvas {
    pub fn new(width: f64, height: f64) -> Self {
        Self { width: width.ceil(), height: height.ceil(), marks: vec![] }
    }

    pub fn line(&mut self, points: Vec<Point>, width: f64, color: RGBColor) {
        if points.len() > 1 {
            self.marks.push(Mark::Line { points, width, color });
        }
    }

    /// A line of ink and gaps in turn, as `pattern` says; solid if that is empty.
    pub fn dashed(&mut self, points: Vec<Point>, pattern: &[f64], width: f64, color: RGBColor) {
        if pattern.is_empty() {
            return self.line(points, width, color);
        }
        for dash in dashes(&points, pattern) {
            self.line(dash, width, color);
        }
    }

    pub fn fill(&mut self, rect: Rect, color: RGBColor) {
        self.marks.push(Mark::Fill { rect, color });
    }

    pub fn disc(&mut self, center: Point, radius: f64, color: RGBColor) {
        self.marks.push(Mark::Disc { center, radius, color });
    }

    pub fn text(&mut self, text: impl Into<String>, at: Point, align: Align, font: Font, color: RGBColor) {
        self.marks.push(Mark::Text { text: text.into(), at, align, font, color, vertical: false });
    }

    pub fn vertical_text(&mut self, text: impl Into<String>, at: Point, align: Align, font: Font, color: RGBColor) {
        self.marks.push(Mark::Text { text: text.into(), at, align, font, color, vertical: true });
    }

    /// Writes the picture as PNG or SVG, by the extension of `path`: first under another name in the same folder, then
    /// renamed, so `path` never holds half a picture. Nothing is left behind on failure.
    pub fn save(&self, path: &Path) -> Result<()> {
        ensure!(self.height <= MAX_HEIGHT, "the figure would be {} pixels high: draw fewer panels", self.height);
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let temporary = Temporary::beside(path, extension.as_deref().unwrap_or_default());
        match extension.as_deref() {
            Some("png") => self.write_png(&temporary.0),
            Some("svg") => self.svg().and_then(|text| Ok(fs::write(&temporary.0, text)?)),
            _ => bail!("cannot draw `{}`: the file name must end in .png or .svg", path.display()),
        }
        .and_then(|()| Ok(fs::rename(&temporary.0, path)?))
        .with_context(|| format!("cannot write the figure `{}`", path.display()))
    }

    fn write_png(&self, path: &Path) -> Result<()> {
        const ENLARGED: usize = 4;
        let (width, height) = (self.width as usize, self.height as usize);
        let (large_width, large_height) = (width * ENLARGED, height * ENLARGED);
        let mut large = vec![0; large_width * large_height * 3];
        let backend = BitMapBackend::with_buffer(&mut large, (large_width as u32, large_height as u32));
        Painter { backend, scale: ENLARGED as f64, bitmap: true }.paint(&self.marks)?;

        let mut sums = vec![0u32; width * height * 3];
        for (y, row) in large.chunks_exact(large_width * 3).enumerate() {
            let sums = &mut sums[y / ENLARGED * width * 3..][..width * 3];
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                for (sum, channel) in sums[x / ENLARGED * 3..].iter_mut().zip(pixel) {
                    *sum += u32::from(*channel);
                }
            }
        }
        let pixels = (ENLARGED * ENLARGED) as u32;
        let small: Vec<u8> = sums.iter().map(|sum| ((sum + pixels / 2) / pixels) as u8).collect();

        let size = (width as u32, height as u32);
        let mut file = BitMapBackend::new(path, size);
        file.blit_bitmap((0, 0), size, &small)?;
        Ok(file.present()?)
    }

    fn svg(&self) -> Result<String> {
        const ENLARGED: u32 = 10;
        let (width, height) = (self.width as u32, self.height as u32);
        let (large_width, large_height) = (width * ENLARGED, height * ENLARGED);
        let mut text = String::new();
        let backend = SVGBackend::with_string(&mut text, (large_width, large_height));
        Painter { backend, scale: f64::from(ENLARGED), bitmap: false }.paint(&self.marks)?;

        // Shown at the size of the PNG; and what every element says but every viewer assumes is left out.
        let enlarged = format!(r#"<svg width="{large_width}" height="{large_height}""#);
        ensure!(text.starts_with(&enlarged), "plotters wrote an unexpected SVG header");
        let shown = format!(r#"<svg width="{width}" height="{height}" stroke-linejoin="round""#);
        Ok(text.replacen(&enlarged, &shown, 1).replace(r#" opacity="1""#, "").replace(r#" stroke="none""#, ""))
    }
}

/// A file name in the folder of the final one; the file is removed on drop unless it was renamed before.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path, extension: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self(path.with_file_name(format!(".{stem}.{}-{count}.{extension}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Cuts a line into its dashes.
fn dashes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    let mut dashes = vec![];
    let mut dash: Vec<Point> = points.first().copied().into_iter().collect();
    let (mut phase, mut left) = (0, pattern[0]);
    for segment in points.windows(2) {
        let (mut from, to) = (segment[0], segment[1]);
        let mut length = (to.0 - from.0).hypot(to.1 - from.1);
        while length > left {
            let share = left / length;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            length -= left;
            if phase % 2 == 0 {
                dash.push(from);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![from];
            }
            phase += 1;
            left = pattern[phase % pattern.len()];
        }
        left -= length;
        if phase % 2 == 0 {
            dash.push(to);
        }
    }
    dashes.push(dash);
    dashes.retain(|dash| dash.len() > 1);
    dashes
}

/// Paints marks onto a plotters backend, enlarged by `scale`.
struct Painter<B> {
    backend: B,
    scale: f64,
    bitmap: bool,
}

impl<B: DrawingBackend<ErrorType: 'static>> Painter<B> {
    fn paint(mut self, marks: &[Mark]) -> Result<()> {
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
    /// where a noisy curve turns sharply, and what is covered twice stays white.
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
        // In em: what plotters wants as the size, and how far below the position given it puts the baseline. Bitmaps have
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
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("plots-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    fn example() -> Canvas {
        let mut canvas = Canvas::new(120.0, 80.0);
        canvas.fill(Rect::new(10.0, 10.0, 20.0, 20.0), RGBColor(200, 0, 0));
        canvas.line(vec![(30.0, 50.0), (110.0, 50.0)], 4.0, RGBColor(0, 0, 200));
        canvas.text("<α & β>", (60.0, 30.0), Align::Center, Font::regular(20.0), RGBColor(0, 0, 0));
        canvas
    }

    #[test]
    fn a_png_has_its_size_and_pixels_and_is_the_same_every_time() {
        let folder = folder("png");
        let path = folder.join("figure.PNG");
        example().save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&bytes[16..24], [0, 0, 0, 120, 0, 0, 0, 80]);
        example().save(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(files(&folder), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_svg_is_shown_at_its_size_and_escapes_its_text() {
        let folder = folder("svg");
        let path = folder.join("figure.svg");
        example().save(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(r#"<svg width="120" height="80" "#), "{text}");
        assert!(text.contains(r#"viewBox="0 0 1200 800""#));
        assert!(text.contains("&lt;α &amp; β&gt;"));
        assert!(text.trim_end().ends_with("</svg>"));
        assert_eq!(files(&folder), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_left_behind_on_failure() {
        let folder = folder("failure");
        let error = example().save(&folder.join("figure.pdf")).unwrap_err().to_string();
        assert!(error.contains(".png or .svg"), "{error}");
        // A folder of that name cannot be replaced by the finished file.
        for name in ["taken.png", "taken.svg"] {
            fs::create_dir_all(folder.join(name).join("inside")).unwrap();
            let error = example().save(&folder.join(name)).unwrap_err();
            assert!(error.to_string().contains(name), "{error:?}");
        }
        assert!(example().save(&folder.join("missing/figure.png")).is_err());
        assert!(example().save(&folder.join("missing/figure.svg")).is_err());
        assert_eq!(files(&folder), 2);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn dashes_follow_the_line_round_corners() {
        let cut = dashes(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)], &[8.0, 4.0]);
        assert_eq!(cut.len(), 2);
        assert_eq!(cut[0], [(0.0, 0.0), (8.0, 0.0)]);
        assert_eq!(cut[1], [(10.0, 2.0), (10.0, 10.0)]);
        let corner = dashes(&[(0.0, 0.0), (3.0, 0.0), (3.0, 9.0)], &[8.0, 4.0]);
        assert_eq!(corner, [vec![(0.0, 0.0), (3.0, 0.0), (3.0, 5.0)]]);
    }

    #[test]
    fn bitmap_text_stands_on_its_baseline_where_it_was_put() {
        // The ink of "H" spans from its bearing to its width and from the baseline to the height of capitals.
        let mut canvas = Canvas::new(100.0, 100.0);
        let font = Font::regular(40.0);
        canvas.text("H", (20.0, 60.0), Align::Left, font, RGBColor(0, 0, 0));
        let folder = folder("text");
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
        fs::remove_dir_all(folder).unwrap();
    }
}
