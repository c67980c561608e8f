use super::student_t_975;
use crate::random::{Draws, native::Key};

/// Resamples of an interval: its ends are good to about a hundredth of its width.
const RESAMPLES: usize = 10_000;

/// A mean over seeds with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The sample mean; NaN where there are no seeds.
    pub mean: f64,
    /// Lower end of the interval; both ends are NaN where there are fewer than two seeds.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Sample standard deviation over the seeds; NaN where there are fewer than two.
    pub std: f64,
    /// Seeds that the mean was taken over.
    pub n: usize,
}

impl Estimate {
    /// The mean of one value per seed; values that are not finite count as missing.
    ///
    /// The interval is the percentile bootstrap's, widened about the mean by `sqrt(n / (n - 1)) t / z`, with `t` and `z`
    /// the 97.5 % quantiles of Student's t and of the normal distribution: a plain percentile interval of a mean is too
    /// narrow by that much when seeds are few (T. Hesterberg, "What teachers should know about the bootstrap",
    /// The American Statistician 69(4), 2015, Section 4). The resamples are a function of `n` alone, so the same values
    /// give the same interval.
    pub fn of(values: &[f64]) -> Self {
        let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let n = values.len();
        if n == 0 {
            return Self { mean: f64::NAN, low: f64::NAN, high: f64::NAN, std: f64::NAN, n };
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        if n == 1 {
            return Self { mean, low: f64::NAN, high: f64::NAN, std: f64::NAN, n };
        }
        let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt();
        let mut draws = Key::from_seed(n as u64).stream();
        let mut means: Vec<f64> =
            (0..RESAMPLES).map(|_| (0..n).map(|_| values[draws.below(n)]).sum::<f64>() / n as f64).collect();
        means.sort_by(f64::total_cmp);
        let quantile = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
        let widening = (n as f64 / (n - 1) as f64).sqrt() * student_t_975(n - 1) / student_t_975(usize::MAX);
        let end = |share: f64| mean + widening * (quantile(share) - mean);
        Self { mean, low: end(0.025), high: end(0.975), std, n }
    }

    /// The interval cut off at the bounds that values of this kind cannot exceed.
    pub fn clipped(self, bounds: Option<(f64, f64)>) -> Self {
        let (least, most) = bounds.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        // NaN, of too few seeds, stays NaN.
        let clip = |end: f64| if end.is_nan() { end } else { end.clamp(least, most) };
        Self { low: clip(self.low), high: clip(self.high), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_many_normal_values_is_the_t_interval() {
        let mut draws = Key::from_seed(3).stream();
        let values: Vec<f64> = (0..200).map(|_| 5.0 + 2.0 * draws.normal()).collect();
        let Estimate { mean, low, high, std, n } = Estimate::of(&values);
        let half = student_t_975(n - 1) * std / (n as f64).sqrt();
        assert!((mean - low - half).abs() < 0.05 * half && (high - mean - half).abs() < 0.05 * half);
    }

    /// A 95 % interval of five values holds the truth about 95 times in 100; the plain percentile interval about 83.
    #[test]
    fn the_interval_of_five_values_covers_the_truth_as_often_as_it_says() {
        let mut draws = Key::from_seed(4).stream();
        let covers = |_| {
            let values: Vec<f64> = (0..5).map(|_| draws.normal()).collect();
            let estimate = Estimate::of(&values);
            estimate.low <= 0.0 && 0.0 <= estimate.high
        };
        let covered = (0..400).map(covers).filter(|covers| *covers).count();
        assert!((370..=396).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn missing_values_do_not_count_and_one_has_no_interval() {
        assert_eq!(Estimate::of(&[1.0, f64::NAN, 3.0]).n, 2);
        let one = Estimate::of(&[0.5]);
        assert_eq!((one.mean, one.n), (0.5, 1));
        assert!(one.low.is_nan() && Estimate::of(&[]).mean.is_nan());
        assert!(one.clipped(Some((0.0, 1.0))).low.is_nan());
        let wide = Estimate::of(&[0.1, 0.9]).clipped(Some((0.0, 1.0)));
        assert_eq!((wide.low, wide.high), (0.0, 1.0));
        let equal = Estimate::of(&[0.25; 4]);
        assert_eq!((equal.low, equal.high), (0.25, 0.25));
    }
}
