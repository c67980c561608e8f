//! A picture as a list of marks in pixels of the final PNG, and its files.
//!
//! Marks rather than direct calls, so that tests can look at what would be drawn and where. With the painter, this is the
//! only module that knows plotters. Its backends take whole pixels; both formats are painted enlarged to make those fine
//! enough: PNGs four times, then averaged (which also smooths every edge), SVGs ten times, with a view box that shrinks
//! them.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail, ensure};
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::style::RGBColor;

use super::format::FileFormat;
use super::painter::Painter;
use super::pdf::pdf;
use super::text::Font;

pub type Point = (f64, f64);

/// Painting a picture of this height, enlarged four times, takes some 600 MB.
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

    /// Writes the picture as PNG, SVG or PDF, by the extension of `path`: first under another name in the same folder, then
    /// renamed, so `path` never holds half a picture. Nothing is left behind on failure.
    pub fn save(&self, path: &Path) -> Result<()> {
        ensure!(self.height <= MAX_HEIGHT, "the figure would be {} pixels high: draw fewer panels", self.height);
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let Some(format) = FileFormat::of_ending(ending) else {
            bail!("cannot draw `{}`: the file name must end in .png, .svg or .pdf", path.display());
        };
        let temporary = Temporary::beside(path, format);
        match format {
            FileFormat::Png => self.write_png(&temporary.0),
            FileFormat::Svg => self.svg().and_then(|text| Ok(fs::write(&temporary.0, text)?)),
            FileFormat::Pdf => pdf(self).and_then(|bytes| Ok(fs::write(&temporary.0, bytes)?)),
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

        let mut file = png::Encoder::new(BufWriter::new(File::create(path)?), width as u32, height as u32);
        file.set_color(png::ColorType::Rgb);
        file.set_adaptive_filter(png::AdaptiveFilterType::Adaptive);
        let mut writer = file.write_header()?;
        writer.write_image_data(&small)?;
        Ok(writer.finish()?)
    }

    fn svg(&self) -> Result<String> {
        const ENLARGED: u32 = 10;
        let (width, height) = (self.width as u32, self.height as u32);
        let (large_width, large_height) = (width * ENLARGED, height * ENLARGED);
        let mut text = String::new();
        let backend = SVGBackend::with_string(&mut text, (large_width, large_height));
        Painter { backend, scale: f64::from(ENLARGED), bitmap: false }.paint(&self.marks)?;

        // Shown at the size of the PNG; attributes that repeat what every viewer assumes are left out.
        let enlarged = format!(r#"<svg width="{large_width}" height="{large_height}""#);
        ensure!(text.starts_with(&enlarged), "plotters wrote an unexpected SVG header");
        let shown = format!(r#"<svg width="{width}" height="{height}" stroke-linejoin="round""#);
        Ok(text.replacen(&enlarged, &shown, 1).replace(r#" opacity="1""#, "").replace(r#" stroke="none""#, ""))
    }
}

/// A file name in the folder of the final one; the file is removed on drop unless it was renamed before.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path, format: FileFormat) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self(path.with_file_name(format!(".{stem}.{}-{count}.{format}", std::process::id())))
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

    /// A PDF is a page of the picture's shape, with the text as text, and the same every time.
    #[test]
    fn a_pdf_is_one_page_with_its_fonts() {
        let folder = folder("pdf");
        let path = folder.join("figure.pdf");
        example().save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("%PDF-1.") && text.trim_end().ends_with("%%EOF"));
        assert!(text.contains("/MediaBox [0 0 36 24]") && text.contains("/Count 1"), "{text}");
        // The one font that is used, a small part of it, and what its glyphs mean.
        assert!(text.contains("+Arimo") && !text.contains("Arimo-Bold") && text.contains("<03B1>"), "{text}");
        assert!(bytes.len() < 20_000, "{} bytes", bytes.len());
        example().save(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_left_behind_on_failure() {
        let folder = folder("failure");
        let error = example().save(&folder.join("figure.gif")).unwrap_err().to_string();
        assert!(error.contains(".png, .svg or .pdf"), "{error}");
        // A folder of that name cannot be replaced by the finished file.
        for name in ["taken.png", "taken.svg", "taken.pdf"] {
            fs::create_dir_all(folder.join(name).join("inside")).unwrap();
            let error = example().save(&folder.join(name)).unwrap_err();
            assert!(error.to_string().contains(name), "{error:?}");
        }
        assert!(example().save(&folder.join("missing/figure.png")).is_err());
        assert!(example().save(&folder.join("missing/figure.svg")).is_err());
        assert_eq!(files(&folder), 3);
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
}
