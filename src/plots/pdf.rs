//! Pictures as PDF: marks as paths, texts in the embedded fonts, of which only the glyphs that are used go along.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::{
    Content, Filter, Finish, Name, Pdf, Rect as Box, Ref, Str,
    types::{CidFontType, FontFlags, LineJoinStyle, SystemInfo, UnicodeCmap},
};
use plotters::style::RGBColor;
use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId};

use super::canvas::{Align, Canvas, Mark, Point};
use super::text::Font;

/// Points of the page for each pixel of the PNG: a picture of full width is as wide as the text of a paper.
const POINTS: f32 = 0.3;

/// The canvas as one page.
///
/// # Errors
/// The embedded fonts cannot be read.
pub fn pdf(canvas: &Canvas) -> Result<Vec<u8>> {
    let mut page = Page { content: Content::new(), fonts: [Glyphs::new(false)?, Glyphs::new(true)?], alphas: vec![] };
    let (width, height) = (canvas.width as f32 * POINTS, canvas.height as f32 * POINTS);
    page.content.transform([POINTS, 0.0, 0.0, -POINTS, 0.0, height]);
    page.content.set_line_join(LineJoinStyle::RoundJoin);
    canvas.marks.iter().for_each(|mark| page.mark(mark));
    page.finish(width, height)
}

struct Page {
    content: Content,
    /// Regular and bold.
    fonts: [Glyphs; 2],
    /// Opacities of bands, each a graphics state of its own.
    alphas: Vec<f64>,
}

impl Page {
    fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Line { points, width, color } => {
                self.stroke_color(*color);
                self.content.set_line_width(*width as f32);
                self.path(points.iter().copied());
                self.content.stroke();
            }
            Mark::Band { edges, color, alpha } => {
                let state = self.alphas.iter().position(|other| other == alpha).unwrap_or_else(|| {
                    self.alphas.push(*alpha);
                    self.alphas.len() - 1
                });
                self.content.save_state();
                self.content.set_parameters(Name(opacity(state).as_bytes()));
                self.fill_color(*color);
                let top = edges.iter().map(|&(x, top, _)| (x, top));
                let bottom = edges.iter().rev().map(|&(x, _, bottom)| (x, bottom));
                self.path(top.chain(bottom));
                self.content.fill_nonzero();
                self.content.restore_state();
            }
            Mark::Fill { rect, color } => {
                self.fill_color(*color);
                let [left, top, width, height] = [rect.left, rect.top, rect.width(), rect.height()].map(|v| v as f32);
                self.content.rect(left, top, width, height);
                self.content.fill_nonzero();
            }
            Mark::Disc { center, radius, color } => {
                self.fill_color(*color);
                self.circle(*center, *radius);
                self.content.fill_nonzero();
            }
            Mark::Text { text, at, align, font, color, vertical } => {
                self.fill_color(*color);
                self.text(text, *at, *align, *font, *vertical);
            }
        }
    }

    fn path(&mut self, points: impl Iterator<Item = Point>) {
        for (place, (x, y)) in points.enumerate() {
            let (x, y) = (x as f32, y as f32);
            match place {
                0 => self.content.move_to(x, y),
                _ => self.content.line_to(x, y),
            };
        }
    }

    /// Four cubic arcs, which lie within 0.03 % of the radius of a circle.
    fn circle(&mut self, (x, y): Point, radius: f64) {
        const HANDLE: f64 = 0.552_284_75;
        let (r, h) = (radius, HANDLE * radius);
        self.content.move_to((x + r) as f32, y as f32);
        for [(x1, y1), (x2, y2), (x3, y3)] in [
            [(r, h), (h, r), (0.0, r)],
            [(-h, r), (-r, h), (-r, 0.0)],
            [(-r, -h), (-h, -r), (0.0, -r)],
            [(h, -r), (r, -h), (r, 0.0)],
        ] {
            let at = |dx: f64, dy: f64| ((x + dx) as f32, (y + dy) as f32);
            let ((x1, y1), (x2, y2), (x3, y3)) = (at(x1, y1), at(x2, y2), at(x3, y3));
            self.content.cubic_to(x1, y1, x2, y2, x3, y3);
        }
    }

    fn text(&mut self, text: &str, (x, y): Point, align: Align, font: Font, vertical: bool) {
        let before = font.width(text)
            * match align {
                Align::Left => 0.0,
                Align::Center => 0.5,
                Align::Right => 1.0,
            };
        // The page's y axis points down, and letters up.
        let matrix = match vertical {
            false => [1.0, 0.0, 0.0, -1.0, (x - before) as f32, y as f32],
            true => [0.0, -1.0, -1.0, 0.0, x as f32, (y + before) as f32],
        };
        let glyphs = self.fonts[usize::from(font.bold)].encode(text);
        self.content.begin_text();
        self.content.set_font(Name(Glyphs::resource(font.bold).as_bytes()), font.size as f32);
        self.content.set_text_matrix(matrix);
        self.content.show(Str(&glyphs));
        self.content.end_text();
    }

    fn fill_color(&mut self, color: RGBColor) {
        let [r, g, b] = shares(color);
        self.content.set_fill_rgb(r, g, b);
    }

    fn stroke_color(&mut self, color: RGBColor) {
        let [r, g, b] = shares(color);
        self.content.set_stroke_rgb(r, g, b);
    }

    fn finish(self, width: f32, height: f32) -> Result<Vec<u8>> {
        let mut number = 0;
        let mut next = || {
            number += 1;
            Ref::new(number)
        };
        let (catalog, pages, leaf, content) = (next(), next(), next(), next());
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(pages);
        pdf.pages(pages).kids([leaf]).count(1);
        let used: Vec<(&Glyphs, Ref)> =
            self.fonts.iter().filter(|font| !font.characters.is_empty()).map(|font| (font, next())).collect();
        let mut page = pdf.page(leaf);
        page.parent(pages).media_box(Box::new(0.0, 0.0, width, height)).contents(content);
        let mut resources = page.resources();
        let mut fonts = resources.fonts();
        for (font, id) in &used {
            fonts.pair(Name(Glyphs::resource(font.bold).as_bytes()), *id);
        }
        fonts.finish();
        let mut states = resources.ext_g_states();
        for (place, alpha) in self.alphas.iter().enumerate() {
            states
                .insert(Name(opacity(place).as_bytes()))
                .start::<pdf_writer::writers::ExtGraphicsState>()
                .non_stroking_alpha(*alpha as f32);
        }
        states.finish();
        resources.finish();
        page.finish();
        pdf.stream(content, &compressed(&self.content.finish())?).filter(Filter::FlateDecode);
        for (font, id) in used {
            font.write(&mut pdf, id, &mut next)?;
        }
        Ok(pdf.finish())
    }
}

/// The name of a graphics state.
fn opacity(place: usize) -> String {
    format!("A{place}")
}

fn shares(RGBColor(red, green, blue): RGBColor) -> [f32; 3] {
    [red, green, blue].map(|channel| f32::from(channel) / 255.0)
}

fn compressed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// The glyphs of an embedded font that a picture uses.
struct Glyphs {
    bold: bool,
    face: Face<'static>,
    remapper: GlyphRemapper,
    /// Each used glyph of the font, by its number in the subset, with the character that it stands for.
    characters: Vec<(u16, GlyphId, char)>,
}

impl Glyphs {
    fn new(bold: bool) -> Result<Self> {
        let face = Face::parse(Font::file(bold), 0).context("the embedded font cannot be read")?;
        Ok(Self { bold, face, remapper: GlyphRemapper::new(), characters: vec![] })
    }

    fn resource(bold: bool) -> &'static str {
        if bold { "FB" } else { "FR" }
    }

    /// The text as numbers of glyphs in the subset, two bytes each; what the font lacks is its empty box.
    fn encode(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for character in text.chars() {
            let glyph = self.face.glyph_index(character).unwrap_or_default();
            let number = self.remapper.remap(glyph.0);
            if self.characters.iter().all(|(other, ..)| *other != number) {
                self.characters.push((number, glyph, character));
            }
            bytes.extend(number.to_be_bytes());
        }
        bytes
    }

    fn write(&self, pdf: &mut Pdf, id: Ref, mut next: impl FnMut() -> Ref) -> Result<()> {
        let (cid, descriptor, unicode, file) = (next(), next(), next(), next());
        let name = if self.bold { "LNDSCB+Arimo-Bold" } else { "LNDSCR+Arimo" };
        let name = Name(name.as_bytes());
        let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
        let em = 1000.0 / f32::from(self.face.units_per_em());
        pdf.type0_font(id)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid)
            .to_unicode(unicode);
        let mut font = pdf.cid_font(cid);
        font.subtype(CidFontType::Type2).base_font(name).system_info(system).font_descriptor(descriptor);
        font.cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = font.widths();
        for (number, glyph, _) in &self.characters {
            let width = f32::from(self.face.glyph_hor_advance(*glyph).unwrap_or(0)) * em;
            widths.same(*number, *number, width);
        }
        widths.finish();
        font.finish();
        let bounds = self.face.global_bounding_box();
        let bounds = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(|edge| f32::from(edge) * em);
        pdf.font_descriptor(descriptor)
            .name(name)
            .flags(FontFlags::NON_SYMBOLIC)
            .bbox(Box::new(bounds[0], bounds[1], bounds[2], bounds[3]))
            .italic_angle(0.0)
            .ascent(f32::from(self.face.ascender()) * em)
            .descent(f32::from(self.face.descender()) * em)
            .cap_height(1000.0 * Font::ASCENT as f32)
            .stem_v(if self.bold { 140.0 } else { 80.0 })
            .font_file2(file);
        let mut map = UnicodeCmap::new(Name(b"Custom"), system);
        self.characters.iter().for_each(|(number, _, character)| map.pair(*number, *character));
        pdf.stream(unicode, &map.finish());
        let subset = subsetter::subset(Font::file(self.bold), 0, &self.remapper).context("the embedded font")?;
        let length = i32::try_from(subset.len()).context("the embedded font")?;
        pdf.stream(file, &compressed(&subset)?).filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
        Ok(())
    }
}
