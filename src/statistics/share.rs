use statrs::{
    distribution::{Beta, ContinuousCDF},
    function::factorial::ln_binomial,
};

/// A share of seeds, some of all, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Those that are counted.
    pub some: usize,
    /// All of them.
    pub all: usize,
    /// Lower end of the interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Share {
    /// With Clopper and Pearson's interval (1934), which holds the truth in at least 95 of 100 cases however few the seeds:
    /// for outcomes that are one thing or the other, of which means of a handful say nothing. `some` is at most `all`; of
    /// no seeds at all, the interval is everything.
    pub fn of(some: usize, all: usize) -> Self {
        let some = some.min(all);
        let beta = |a: usize, b: usize, probability: f64| {
            Beta::new(a as f64, b as f64).expect("shapes are positive").inverse_cdf(probability)
        };
        let low = if some == 0 { 0.0 } else { beta(some, all - some + 1, 0.025) };
        let high = if some == all { 1.0 } else { beta(some + 1, all - some, 0.975) };
        Self { some, all, low, high }
    }

    /// The p value of the exact binomial test against a share: twice the smaller tail.
    pub fn p_against(&self, share: f64) -> f64 {
        let chance = |k: usize| {
            let power = |base: f64, n: usize| if n == 0 { 1.0 } else { base.powi(n as i32) };
            ln_binomial(self.all as u64, k as u64).exp() * power(share, k) * power(1.0 - share, self.all - k)
        };
        let below: f64 = (0..=self.some).map(chance).sum();
        let above: f64 = (self.some..=self.all).map(chance).sum();
        (2.0 * below.min(above)).min(1.0)
    }

    /// The share itself; NaN of no seeds.
    pub fn value(&self) -> f64 {
        self.some as f64 / self.all as f64
    }
}

/// Fisher's exact test of two shares, two-sided: the probability of tables with the same margins that are no likelier than
/// this one.
pub fn fisher_exact(a: Share, b: Share) -> f64 {
    let (some, all) = ((a.some + b.some) as u64, (a.all + b.all) as u64);
    let log_chance =
        |k: u64| ln_binomial(a.all as u64, k) + ln_binomial(b.all as u64, some - k) - ln_binomial(all, some);
    let least = some.saturating_sub(b.all as u64);
    let most = some.min(a.all as u64);
    // As likely as this one, but for rounding.
    let bar = log_chance(a.some as u64) + 1e-9;
    let total: f64 = (least..=most).map(log_chance).filter(|chance| *chance <= bar).map(f64::exp).sum();
    total.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() < tolerance, "{found} is not {expected}");
    }

    #[test]
    fn clopper_and_pearsons_intervals() {
        // In closed form at the ends: (1 - high)^n = 0.025.
        for n in [1, 5, 20] {
            let none = Share::of(0, n);
            close(none.high, 1.0 - 0.025f64.powf(1.0 / n as f64), 1e-12);
            let all = Share::of(n, n);
            close(all.low, 1.0 - none.high, 1e-12);
            assert_eq!((none.low, all.high), (0.0, 1.0));
        }
        // R: binom.test(682, 925), Mendel's peas; binom.test(5, 10).
        let peas = Share::of(682, 925);
        close(peas.low, 0.7076683, 1e-7);
        close(peas.high, 0.7654066, 1e-7);
        let half = Share::of(5, 10);
        close(half.low, 0.1870860, 1e-7);
        close(half.high, 0.8129140, 1e-7);
        let nothing = Share::of(0, 0);
        assert_eq!((nothing.low, nothing.high), (0.0, 1.0));
    }

    #[test]
    fn a_share_against_another() {
        close(Share::of(9, 10).p_against(0.5), 22.0 / 1024.0, 1e-12);
        close(Share::of(5, 10).p_against(0.5), 1.0, 1e-12);
        close(Share::of(0, 5).p_against(0.3), 2.0 * 0.7f64.powi(5), 1e-12);
        assert_eq!((Share::of(0, 5).p_against(0.0), Share::of(5, 5).p_against(0.0)), (1.0, 0.0));
    }

    #[test]
    fn the_interval_holds_the_truth_often_enough() {
        // Exactly, over all outcomes of ten seeds.
        for truth in [0.05, 0.3, 0.5, 0.77] {
            let chance = |k: usize| {
                (ln_binomial(10, k as u64) + k as f64 * f64::ln(truth) + (10 - k) as f64 * f64::ln(1.0 - truth)).exp()
            };
            let holds = |k: &usize| (Share::of(*k, 10).low..=Share::of(*k, 10).high).contains(&truth);
            let coverage: f64 = (0..=10).filter(holds).map(chance).sum();
            assert!(coverage >= 0.95, "{truth}: {coverage}");
        }
    }

    #[test]
    fn fishers_test_is_that_of_scipy() {
        // The examples of scipy.stats.fisher_exact: [[6, 2], [1, 4]] and [[8, 2], [1, 5]].
        close(fisher_exact(Share::of(6, 8), Share::of(1, 5)), 0.10256410256410257, 1e-12);
        close(fisher_exact(Share::of(8, 10), Share::of(1, 6)), 0.034965034965034975, 1e-12);
        close(fisher_exact(Share::of(3, 6), Share::of(3, 6)), 1.0, 1e-12);
        // All five of five against none of five: one table in 252, and its mirror image.
        close(fisher_exact(Share::of(5, 5), Share::of(0, 5)), 2.0 / 252.0, 1e-12);
    }
}
