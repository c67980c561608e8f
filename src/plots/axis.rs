//! Axes: scales, round ticks and the text of their labels.

use serde::{Deserialize, Serialize};

/// How an axis spaces its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal differences are equally far apart.
    #[default]
    Linear,
    /// Logarithmic; values at or below zero are missing.
    Log,
    /// `ln(1 + v)`: logarithmic for counts such as epochs, with a place for 0. Values below zero are missing.
    LogFromZero,
}

impl Scale {
    /// Position of `value` before stretching to pixels; NaN where the scale has none.
    fn position(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log if value > 0.0 => value.ln(),
            Scale::LogFromZero if value >= 0.0 => value.ln_1p(),
            Scale::Log | Scale::LogFromZero => f64::NAN,
        }
    }

    fn value(self, position: f64) -> f64 {
        match self {
            Scale::Linear => position,
            Scale::Log => position.exp(),
            Scale::LogFromZero => position.exp_m1(),
        }
    }

    /// Whether `value` has a place on an axis of this scale. Numbers so large that differences between them overflow
    /// have none.
    pub(super) fn holds(self, value: f64) -> bool {
        value.abs() < 1e100 && self.position(value).is_finite()
    }

    /// `low..high` with a margin of 5 % on both sides; some range around a single value.
    pub(super) fn padded(self, low: f64, high: f64) -> (f64, f64) {
        let (from, to) = (self.position(low), self.position(high));
        let margin = match to - from {
            0.0 if self == Scale::Linear => 0.05 * from.abs().max(1.0),
            0.0 => 0.5,
            span => 0.05 * span,
        };
        let low = if self == Scale::LogFromZero { low } else { self.value(from - margin) };
        (low, self.value(to + margin))
    }
}

/// A labelled position on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where it stands, in the axis's own values.
    pub value: f64,
    /// The value in print, such as `0.25` or `10³`.
    pub label: String,
}

/// The values `low..=high` on the pixels `start..=end` (`end < start` for an axis that points up).
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
    pub start: f64,
    pub end: f64,
}

impl Axis {
    /// Pixel of `value`; outside `start..end` if the value is outside the range, NaN if the scale has no place for it.
    pub fn pixel(&self, value: f64) -> f64 {
        let (low, high) = (self.scale.position(self.low), self.scale.position(self.high));
        self.start + (self.scale.position(value) - low) / (high - low) * (self.end - self.start)
    }

    /// About `count` ticks at round numbers.
    pub fn ticks(&self, count: usize) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => linear_ticks(self.low, self.high, count),
            Scale::Log => log_ticks(self.low, self.high, count),
            Scale::LogFromZero => {
                let mut ticks = log_ticks(self.low.max(1.0), self.high, count.saturating_sub(1));
                if self.low <= 0.0 {
                    ticks.insert(0, Tick { value: 0.0, label: "0".into() });
                }
                ticks
            }
        }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten between `low` and `high`, at most about `count` of them.
pub fn linear_ticks(low: f64, high: f64, count: usize) -> Vec<Tick> {
    let raw = (high - low) / count.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    // The tolerance keeps 0.1 a step of 0.1 when the division left it at 0.10000000000000001.
    let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= raw * (1.0 - 1e-9)).unwrap_or(10.0);
    if !step.is_finite() || step <= 0.0 {
        return vec![];
    }
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    let largest = low.abs().max(high.abs());
    (first..=last)
        .map(|k| {
            let value = k as f64 * step;
            Tick { value, label: number(value, step, largest) }
        })
        .collect()
}

/// Powers of ten between `low` and `high`; with 2 and 5 times them if the range is short, every second, third, ... power
/// if it is long.
fn log_ticks(low: f64, high: f64, count: usize) -> Vec<Tick> {
    let decades = (high / low).log10();
    let multiples: &[f64] = match decades {
        d if d < 0.5 => return linear_ticks(low, high, count),
        d if d < 2.0 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let stride = (decades / count.max(1) as f64).ceil().max(1.0) as i32;
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    (first..=last)
        .filter(|power| power % stride == 0)
        .flat_map(|power| multiples.iter().map(move |m| (*m, power)))
        .map(|(multiple, power)| (multiple * 10f64.powi(power), multiple, power))
        .filter(|(value, ..)| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value))
        .map(|(value, multiple, power)| {
            let label = match power {
                -3..=4 => plain(value, (-power).max(0) as usize),
                _ if multiple == 1.0 => format!("10{}", superscript(power)),
                _ => format!("{multiple}×10{}", superscript(power)),
            };
            Tick { value, label }
        })
        .collect()
}

/// `value` with the decimals that ticks `step` apart need, or with a power of ten if `largest`, the largest magnitude on
/// the axis, is far from one.
fn number(value: f64, step: f64, largest: f64) -> String {
    let digits = -(step.log10() + 1e-9).floor() as i32;
    let power = (largest.log10() + 1e-9).floor() as i32;
    if value == 0.0 {
        "0".into()
    } else if (-3..6).contains(&power) {
        plain(value, digits.max(0) as usize)
    } else {
        format!("{}×10{}", plain(value / 10f64.powi(power), (digits + power).max(0) as usize), superscript(power))
    }
}

/// Fixed-point text with a true minus sign.
fn plain(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}").replace('-', "−")
}

fn superscript(power: i32) -> String {
    let glyph = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁰',
    };
    power.to_string().chars().map(glyph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(linear_ticks(0.0, 8000.0, 5)), ["0", "2000", "4000", "6000", "8000"]);
        assert_eq!(labels(linear_ticks(0.0, 1.0, 5)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(linear_ticks(0.0, 1.0, 10)).len(), 11);
        assert_eq!(labels(linear_ticks(-0.013, 0.027, 4)), ["−0.01", "0", "0.01", "0.02"]);
        assert_eq!(labels(linear_ticks(0.0, 3e6, 3)), ["0", "1×10⁶", "2×10⁶", "3×10⁶"]);
        assert_eq!(labels(linear_ticks(0.0, 4.1e-5, 5)), ["0", "1×10⁻⁵", "2×10⁻⁵", "3×10⁻⁵", "4×10⁻⁵"]);
        assert!(linear_ticks(1.0, 1.0, 4).is_empty());
    }

    #[test]
    fn log_ticks_are_powers_of_ten_or_their_multiples() {
        let axis = |scale, low, high| Axis { scale, low, high, start: 0.0, end: 100.0 };
        assert_eq!(labels(axis(Scale::Log, 0.004, 12.0).ticks(6)), ["0.01", "0.1", "1", "10"]);
        assert_eq!(labels(axis(Scale::Log, 0.9, 12.0).ticks(6)), ["1", "2", "5", "10"]);
        assert_eq!(labels(axis(Scale::Log, 1e-9, 1.0).ticks(3)), ["10⁻⁹", "10⁻⁶", "0.001", "1"]);
        assert_eq!(labels(axis(Scale::LogFromZero, 0.0, 8000.0).ticks(6)), ["0", "1", "10", "100", "1000"]);
    }

    #[test]
    fn pixels_follow_the_scale() {
        let up = Axis { scale: Scale::Linear, low: 0.0, high: 2.0, start: 300.0, end: 100.0 };
        assert_eq!([0.0, 1.0, 2.0, 3.0].map(|v| up.pixel(v)), [300.0, 200.0, 100.0, 0.0]);
        let log = Axis { scale: Scale::Log, low: 1.0, high: 100.0, start: 0.0, end: 100.0 };
        assert!((log.pixel(10.0) - 50.0).abs() < 1e-9);
        assert!(log.pixel(0.0).is_nan());
        let epochs = Axis { scale: Scale::LogFromZero, low: 0.0, high: 99.0, start: 0.0, end: 100.0 };
        assert_eq!(epochs.pixel(0.0), 0.0);
        assert!((epochs.pixel(9.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn padding_keeps_the_scale() {
        assert_eq!(Scale::Linear.padded(0.0, 1.0), (-0.05, 1.05));
        assert_eq!(Scale::Linear.padded(3.0, 3.0), (2.85, 3.15));
        let (low, high) = Scale::Log.padded(0.01, 1.0);
        assert!(low > 0.0 && low < 0.01 && high > 1.0);
        assert_eq!(Scale::LogFromZero.padded(0.0, 9.0).0, 0.0);
    }
}
