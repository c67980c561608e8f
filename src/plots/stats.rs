//! What a curve shows of its runs: their mean and a band, thinned to the width of the picture.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::statistics::student_t_975;

/// The band around a mean over `n` runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// Mean plus and minus one sample standard deviation (divisor `n - 1`).
    #[default]
    Std,
    /// Mean plus and minus the standard error, the standard deviation over `sqrt(n)`.
    Sem,
    /// 95 % confidence interval of the mean by Student's t with `n - 1` degrees of freedom.
    Ci95,
    /// Smallest to largest run.
    MinMax,
    /// No band.
    None,
}

impl Band {
    /// The bands with their names.
    pub const NAMES: [(Band, &'static str); 5] =
        [(Band::Std, "std"), (Band::Sem, "sem"), (Band::Ci95, "ci95"), (Band::MinMax, "minmax"), (Band::None, "none")];

    /// The words that explain the band under a figure.
    pub(super) fn describe(self) -> Option<&'static str> {
        match self {
            Band::Std => Some("± 1 standard deviation"),
            Band::Sem => Some("± 1 standard error of the mean"),
            Band::Ci95 => Some("95% confidence interval of the mean (Student's t)"),
            Band::MinMax => Some("smallest to largest seed"),
            Band::None => None,
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Band::NAMES.iter().find(|(band, _)| band == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for Band {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let found = Band::NAMES.iter().find(|(_, name)| *name == text);
        let names = Band::NAMES.map(|(_, name)| name).join(", ");
        found.map(|(band, _)| *band).ok_or_else(|| anyhow::anyhow!("unknown band `{text}`: expected one of {names}"))
    }
}

/// Mean of `n` runs with the two edges of a band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The mean of the finite values.
    pub mean: f64,
    /// Lower edge of the band; both edges are NaN where it is undefined (one run, or [`Band::None`]).
    pub low: f64,
    /// Upper edge.
    pub high: f64,
    /// Finite values the mean was taken over.
    pub n: usize,
}

/// Summarises one value per run. Values that are not finite count as missing; `None` if all are.
pub fn summarize(values: impl Iterator<Item = f64> + Clone, band: Band) -> Option<Summary> {
    let finite = values.filter(|v| v.is_finite());
    let n = finite.clone().count();
    if n == 0 {
        return None;
    }
    let mean = finite.clone().sum::<f64>() / n as f64;
    let std = if n == 1 {
        f64::NAN
    } else {
        (finite.clone().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt()
    };
    let sem = std / (n as f64).sqrt();
    let (low, high) = match band {
        Band::Std => (mean - std, mean + std),
        Band::Sem => (mean - sem, mean + sem),
        Band::Ci95 => (mean - student_t_975(n - 1) * sem, mean + student_t_975(n - 1) * sem),
        Band::MinMax if n > 1 => {
            (finite.clone().fold(f64::INFINITY, f64::min), finite.fold(f64::NEG_INFINITY, f64::max))
        }
        Band::MinMax | Band::None => (f64::NAN, f64::NAN),
    };
    Some(Summary { mean, low, high, n })
}

/// A point of a drawn curve, in pixels: `mean` is NaN in a gap, `low` and `high` where there is no band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub x: f64,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// Thins a curve, sorted by `x`, to one point per block of `width` pixels: the mean of the block's points, taken after
/// the axes' scales, so what is drawn is the local average the eye would see anyway.
///
/// The first and the last point stay as they are, because where a run starts and ends is what a reader looks up. A
/// missing value is left out of its block; a block without any becomes a gap.
pub fn thin(samples: &[Sample], width: f64) -> Vec<Sample> {
    let ([first, .., last], Some(inner)) = (samples, samples.get(1..samples.len().saturating_sub(1))) else {
        return samples.to_vec();
    };
    let block = |sample: &Sample| ((sample.x - first.x) / width).floor();
    let mut thinned = vec![*first];
    thinned.extend(inner.chunk_by(|a, b| block(a) == block(b)).map(|points| {
        let mean = |value: fn(&Sample) -> f64| {
            let finite = points.iter().map(value).filter(|v| v.is_finite());
            finite.clone().sum::<f64>() / finite.count() as f64
        };
        Sample { x: mean(|s| s.x), mean: mean(|s| s.mean), low: mean(|s| s.low), high: mean(|s| s.high) }
    }));
    thinned.push(*last);
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6 || (a.is_nan() && b.is_nan()), "{a} is not {b}");
    }

    #[test]
    fn bands_agree_with_hand_computed_numbers() {
        // mean 3, squared deviations 4 + 1 + 0 + 1 + 4 = 10, so s = sqrt(10 / 4) and s / sqrt(5) = sqrt(1 / 2).
        let values = [1.0, 2.0, f64::NAN, 3.0, 4.0, 5.0];
        let half = |band| {
            let s = summarize(values.into_iter(), band).unwrap();
            assert_eq!((s.mean, s.n), (3.0, 5));
            close(s.high - 3.0, 3.0 - s.low);
            s.high - 3.0
        };
        close(half(Band::Std), 2.5f64.sqrt());
        close(half(Band::Sem), 0.5f64.sqrt());
        close(half(Band::Ci95), 2.776445 * 0.5f64.sqrt());
        close(half(Band::MinMax), 2.0);
        assert!(half(Band::None).is_nan());
    }

    #[test]
    fn one_run_has_no_band_and_none_no_summary() {
        for (band, _) in Band::NAMES {
            let s = summarize([0.5].into_iter(), band).unwrap();
            assert_eq!((s.mean, s.n), (0.5, 1));
            assert!(s.low.is_nan() && s.high.is_nan(), "{band}");
        }
        assert_eq!(summarize([f64::NAN, f64::INFINITY].into_iter(), Band::Std), None);
    }

    #[test]
    fn bands_have_names() {
        for (band, name) in Band::NAMES {
            assert_eq!(name.parse::<Band>().unwrap(), band);
            assert_eq!(band.to_string(), name);
        }
        let error = "iqr".parse::<Band>().unwrap_err().to_string();
        assert!(error.contains("iqr") && error.contains("ci95"), "{error}");
    }

    fn sample(x: f64, mean: f64) -> Sample {
        Sample { x, mean, low: mean - 1.0, high: f64::NAN }
    }

    #[test]
    fn thinning_takes_block_means_and_keeps_the_ends() {
        // Four points per pixel over ten pixels: blocks of two pixels are eight points.
        let curve: Vec<_> = (0..=40).map(|i| sample(f64::from(i) / 4.0, f64::from(i))).collect();
        let thinned = thin(&curve, 2.0);
        assert_eq!(thinned.len(), 7);
        assert_eq!((thinned[0].mean, thinned[6].mean), (0.0, 40.0));
        assert_eq!(thinned[1].mean, 4.0); // 1..=7
        assert_eq!(thinned[2].mean, 11.5); // 8..=15
        assert_eq!(thinned[2].x, 11.5 / 4.0);
        assert_eq!(thinned[2].low, 10.5);
        assert!(thinned[2].high.is_nan());
    }

    #[test]
    fn thinning_leaves_sparse_curves_alone_and_keeps_gaps() {
        let sparse: Vec<_> = (0..5).map(|i| sample(f64::from(i) * 3.0, 1.0)).collect();
        assert_eq!(thin(&sparse, 2.0).len(), 5);
        assert_eq!(thin(&sparse[..1], 2.0).len(), 1);
        assert_eq!(thin(&[], 2.0).len(), 0);
        let gap = [sample(0.0, 1.0), sample(2.0, f64::NAN), sample(2.5, f64::NAN), sample(4.0, 3.0), sample(9.0, 1.0)];
        let means: Vec<_> = thin(&gap, 2.0).iter().map(|s| s.mean).collect();
        assert_eq!(means.len(), 4);
        assert!(means[1].is_nan());
        assert_eq!(means[2], 3.0);
    }
}
