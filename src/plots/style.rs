//! The look of every figure, in one place: colours, dashes, sizes and colour maps.
//!
//! Sizes are pixels of the final PNG. Figures are 1600 pixels wide and shown at half that width in a README, so text
//! is twice as large here as it should look there.

use plotters::style::RGBColor;
use serde::{Deserialize, Serialize};

/// Width of a figure whose panels stand side by side, and of one with a single column.
pub const WIDE: f64 = 1600.0;
pub const NARROW: f64 = 1040.0;

pub const PADDING: f64 = 30.0;
pub const GAP: f64 = 44.0;

pub const TITLE: f64 = 32.0;
pub const SUBTITLE: f64 = 23.0;
pub const PANEL_TITLE: f64 = 26.0;
pub const AXIS_LABEL: f64 = 24.0;
pub const TICK: f64 = 22.0;
pub const LEGEND: f64 = 23.0;
pub const NOTE: f64 = 20.0;

/// Distance between baselines, in units of the font size.
pub const LINE_HEIGHT: f64 = 1.25;

pub const CURVE_WIDTH: f64 = 3.6;
pub const BAND_ALPHA: f64 = 0.18;
pub const GRID_WIDTH: f64 = 1.5;

pub const BLACK: RGBColor = RGBColor(0x1a, 0x1a, 0x1a);
pub const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub const GREY: RGBColor = RGBColor(0x55, 0x55, 0x55);
pub const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
pub const MISSING: RGBColor = RGBColor(0xcc, 0xcc, 0xcc);
pub const WARNING: RGBColor = RGBColor(0x8a, 0x3b, 0x00);
pub const WARNING_BACK: RGBColor = RGBColor(0xff, 0xe8, 0xc7);

/// Colours in the palette.
pub const COLORS: usize = 14;

/// The palette of Okabe and Ito, which colour-blind readers can tell apart, without its yellow, too pale for a line on
/// white; then seven more for the pictures that need them.
const PALETTE: [RGBColor; COLORS] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x1a, 0x1a, 0x1a),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0x88, 0x88, 0x88),
    RGBColor(0x44, 0xaa, 0x99),
    RGBColor(0x7b, 0x32, 0x94),
];

/// Colour number `index` of the palette, which repeats after its last.
pub fn color(index: usize) -> RGBColor {
    PALETTE[index % PALETTE.len()]
}

/// Pattern of a line: the second cue beside its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dash {
    /// One unbroken line.
    #[default]
    Solid,
    /// Long dashes.
    Dashed,
    /// Dots.
    Dotted,
    /// A dash and a dot in turn.
    DashDot,
}

impl Dash {
    /// Lengths of ink and gap in turn; empty for a solid line.
    pub(super) fn pattern(self) -> &'static [f64] {
        match self {
            Dash::Solid => &[],
            Dash::Dashed => &[15.0, 8.0],
            Dash::Dotted => &[4.0, 6.0],
            Dash::DashDot => &[15.0, 6.0, 4.0, 6.0],
        }
    }
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineStyle {
    /// Index into the palette, of which the first seven colours are safe for colour-blind readers; larger indices start
    /// again.
    pub color: usize,
    /// Pattern of the line.
    pub dash: Dash,
    /// Per cent of black mixed into the colour, or of white where it is negative.
    #[serde(default)]
    pub shade: i8,
    /// How much thinner than usual the line is: 0, 1 or 2.
    #[serde(default)]
    pub thinness: u8,
}

impl LineStyle {
    /// A colour of the palette, by index, with a pattern.
    pub fn new(color: usize, dash: Dash) -> Self {
        Self { color, dash, ..Self::default() }
    }

    /// A colour, with the dash for this place among the curves of one colour; the dashes repeat after the last.
    pub fn dashed(color: usize, place: usize) -> Self {
        const DASHES: [Dash; 4] = [Dash::Solid, Dash::Dashed, Dash::Dotted, Dash::DashDot];
        Self::new(color, DASHES[place % DASHES.len()])
    }

    /// The same in the shade for this place among so many, from light to dark; unshaded where there is one alone.
    pub fn shaded(self, place: usize, of: usize) -> Self {
        const LIGHTEST: f64 = -28.0;
        const DARKEST: f64 = 36.0;
        let shade = match of {
            0 | 1 => 0.0,
            _ => LIGHTEST + (DARKEST - LIGHTEST) * (place.min(of - 1) as f64 / (of - 1) as f64),
        };
        Self { shade: shade.round() as i8, ..self }
    }

    /// The ink of the line.
    pub(super) fn ink(self) -> RGBColor {
        let RGBColor(red, green, blue) = color(self.color);
        let (toward, share) = if self.shade < 0 { (255.0, -self.shade) } else { (0.0, self.shade) };
        let share = f64::from(share) / 100.0;
        let mixed =
            [red, green, blue].map(|channel| (f64::from(channel) * (1.0 - share) + toward * share).round() as u8);
        RGBColor(mixed[0], mixed[1], mixed[2])
    }

    /// The width of the line, in pixels.
    pub(super) fn width(self) -> f64 {
        CURVE_WIDTH * [1.0, 0.66, 0.38][usize::from(self.thinness.min(2))]
    }
}

/// How values become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColorScale {
    /// Blue below zero, white at zero, red above; symmetric, reaching `limit` on both sides, or the largest magnitude of
    /// the values when there is none.
    Diverging {
        /// The value at full colour.
        limit: Option<f64>,
    },
    /// Dark (viridis) at the first number to bright at the second.
    Sequential {
        /// The value at the dark end.
        low: f64,
        /// The value at the bright end.
        high: f64,
    },
    /// Viridis over the range of the values.
    SequentialAuto,
}

/// Viridis (S. van der Walt and N. Smith, CC0) at 17 equidistant points.
/// The ink that reads best on a background: white on dark colours, black on light ones.
pub fn ink(RGBColor(red, green, blue): RGBColor) -> RGBColor {
    // Perceived lightness, as in ITU-R BT.601.
    let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if light < 140.0 { WHITE } else { BLACK }
}

const VIRIDIS: [u32; 17] = [
    0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d, 0x2c728e, 0x26828e, 0x21918c, 0x1fa088, 0x28ae80,
    0x3fbc73, 0x5ec962, 0x84d44b, 0xaddc30, 0xd8e219, 0xfde725,
];

/// ColorBrewer's RdBu (C. Brewer, Apache 2.0) from blue to red, with pure white in the middle.
const BLUE_WHITE_RED: [u32; 11] =
    [0x053061, 0x2166ac, 0x4393c3, 0x92c5de, 0xd1e5f0, 0xffffff, 0xfddbc7, 0xf4a582, 0xd6604d, 0xb2182b, 0x67001f];

impl ColorScale {
    /// The scale with its two ends settled from the finite ones of `values`.
    pub(super) fn resolve(self, values: impl Iterator<Item = f64>) -> ColorRange {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|v| v.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        let (table, low, high): (&[u32], f64, f64) = match self {
            ColorScale::Diverging { limit } => {
                let limit = limit.unwrap_or_else(|| low.abs().max(high.abs()));
                (&BLUE_WHITE_RED, -limit, limit)
            }
            ColorScale::Sequential { low, high } => (&VIRIDIS, low, high),
            ColorScale::SequentialAuto => (&VIRIDIS, low, high),
        };
        // Constant or missing values still need a range to divide by.
        let valid = low.is_finite() && high.is_finite() && low < high;
        match (valid, self) {
            (true, _) => ColorRange { table, low, high },
            (false, ColorScale::Diverging { .. }) => ColorRange { table, low: -1.0, high: 1.0 },
            (false, _) if low.is_finite() => ColorRange { table, low, high: low + 1.0 },
            (false, _) => ColorRange { table, low: 0.0, high: 1.0 },
        }
    }
}

/// A colour map over `low..=high`.
#[derive(Clone, Copy, Debug)]
pub struct ColorRange {
    table: &'static [u32],
    pub low: f64,
    pub high: f64,
}

impl ColorRange {
    /// Colour of `value`, the nearest end's outside the range; grey for NaN.
    pub fn color(&self, value: f64) -> RGBColor {
        if value.is_nan() {
            return MISSING;
        }
        let last = self.table.len() - 1;
        let position = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) * last as f64;
        let below = (position.floor() as usize).min(last - 1);
        let share = position - below as f64;
        let channel = |shift: u32| {
            let byte = |entry: u32| f64::from((entry >> shift) & 0xff);
            (byte(self.table[below]) * (1.0 - share) + byte(self.table[below + 1]) * share).round() as u8
        };
        RGBColor(channel(16), channel(8), channel(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_maps_hit_their_ends_and_middle() {
        let signed = ColorScale::Diverging { limit: None }.resolve([-0.5, 2.0, f64::NAN].into_iter());
        assert_eq!((signed.low, signed.high), (-2.0, 2.0));
        assert_eq!(signed.color(0.0), WHITE);
        assert_eq!(signed.color(-2.0), RGBColor(0x05, 0x30, 0x61));
        assert_eq!(signed.color(9.0), RGBColor(0x67, 0x00, 0x1f));
        assert_eq!(signed.color(f64::NAN), MISSING);
        let unit = ColorScale::Sequential { low: 0.0, high: 1.0 }.resolve(std::iter::empty());
        assert_eq!(unit.color(0.0), RGBColor(0x44, 0x01, 0x54));
        assert_eq!(unit.color(0.5), RGBColor(0x21, 0x91, 0x8c));
        assert_eq!(unit.color(1.0), RGBColor(0xfd, 0xe7, 0x25));
        assert_eq!((ink(unit.color(0.2)), ink(unit.color(0.9))), (WHITE, BLACK));
    }

    #[test]
    fn shades_go_from_light_to_dark() {
        let light = |style: LineStyle| {
            let RGBColor(red, green, blue) = style.ink();
            u32::from(red) + u32::from(green) + u32::from(blue)
        };
        let plain = LineStyle::new(1, Dash::Solid);
        assert_eq!(plain.shaded(0, 1), plain);
        let shades: Vec<u32> = (0..5).map(|place| light(plain.shaded(place, 5))).collect();
        assert!(shades.is_sorted_by(|a, b| a > b), "{shades:?}");
        assert!(shades[0] > light(plain) && light(plain) > shades[4]);
    }

    #[test]
    fn constant_or_missing_values_still_have_a_range() {
        let zero = ColorScale::Diverging { limit: None }.resolve([0.0, 0.0].into_iter());
        assert_eq!((zero.low, zero.high), (-1.0, 1.0));
        let constant = ColorScale::SequentialAuto.resolve([3.0].into_iter());
        assert_eq!((constant.low, constant.high), (3.0, 4.0));
        let missing = ColorScale::SequentialAuto.resolve([f64::NAN].into_iter());
        assert_eq!((missing.low, missing.high), (0.0, 1.0));
    }
}
