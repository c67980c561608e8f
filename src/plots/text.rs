//! The embedded font: registration, widths and line breaking.

use std::sync::LazyLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

/// The families named in an SVG. A viewer without Arimo takes the next one, which has the same widths. The embedded
/// fonts are registered under the whole list, since plotters writes the name it was given.
pub const FAMILY: &str = "Arimo, Liberation Sans, Arial, Helvetica, sans-serif";

static REGISTERED: LazyLock<bool> = LazyLock::new(|| {
    let fonts = [(FontStyle::Normal, Font::file(false)), (FontStyle::Bold, Font::file(true))];
    fonts.into_iter().all(|(style, bytes)| register_font(FAMILY, style, bytes).is_ok())
});

/// Size in pixels per em and weight of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Font {
    pub size: f64,
    pub bold: bool,
}

impl Font {
    /// Height of capitals and depth of descenders, in em.
    pub const ASCENT: f64 = 0.73;
    pub const DESCENT: f64 = 0.22;

    /// What plotters calls the size of a bitmap text is ascender minus descender, 2288 of the font's 2048 units per em.
    pub const BITMAP_SIZE: f64 = 2288.0 / 2048.0;

    pub fn regular(size: f64) -> Self {
        Self { size, bold: false }
    }

    pub fn bold(size: f64) -> Self {
        Self { size, bold: true }
    }

    /// The embedded font's file.
    pub fn file(bold: bool) -> &'static [u8] {
        match bold {
            false => include_bytes!("../../assets/fonts/Arimo-Regular.ttf"),
            true => include_bytes!("../../assets/fonts/Arimo-Bold.ttf"),
        }
    }

    /// The font in plotters' terms, at plotters' size `size`.
    pub fn plotters(self, size: f64) -> FontDesc<'static> {
        LazyLock::force(&REGISTERED);
        let style = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        FontDesc::new(FontFamily::Name(FAMILY), size, style)
    }

    /// Width of `text` in pixels.
    pub fn width(self, text: &str) -> f64 {
        // plotters rounds widths to whole pixels: measure large.
        const EM: f64 = 1000.0;
        let layout = self.plotters(EM * Self::BITMAP_SIZE).layout_box(text);
        layout.map_or(0.0, |((left, _), (right, _))| f64::from(right - left) / EM * self.size)
    }

    /// Breaks `text` at spaces into lines at most `width` wide; a single word that is wider is broken where it must be.
    pub fn wrap(self, text: &str, width: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            if let Some(line) = lines.last_mut() {
                let longer = format!("{line} {word}");
                if self.width(&longer) <= width {
                    *line = longer;
                    continue;
                }
            }
            lines.push(String::new());
            for letter in word.chars() {
                let last = lines.last_mut().expect("a line was just pushed");
                last.push(letter);
                if last.chars().count() > 1 && self.width(last) > width {
                    last.pop();
                    lines.push(letter.to_string());
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_fonts_are_found_and_measured() {
        assert!(*REGISTERED);
        // Advance widths of Arimo: i = 455, m = 1706 of 2048 units.
        let font = Font::regular(20.0);
        assert!((font.width("iiii") - 4.0 * 455.0 / 2048.0 * 20.0).abs() < 0.05);
        assert!((font.width("m") - 1706.0 / 2048.0 * 20.0).abs() < 0.05);
        assert!(Font::bold(20.0).width("epoch") > font.width("epoch"));
    }

    #[test]
    fn lines_are_broken_at_spaces_and_never_too_wide() {
        let font = Font::regular(20.0);
        let text = "minimum max-cosine of the online encoder and a_word_much_longer_than_any_line_may_be here";
        let lines = font.wrap(text, 150.0);
        assert!(lines.iter().all(|line| font.width(line) <= 150.0), "{lines:?}");
        assert_eq!(lines[0], "minimum");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        assert!(font.wrap("", 100.0).is_empty());
        assert_eq!(font.wrap("ab", 1.0), ["a", "b"]);
    }
}
