use statrs::distribution::{ContinuousCDF, StudentsT};

/// What is known of a group of seeds: published results give no more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Their mean.
    pub mean: f64,
    /// Sample standard deviation.
    pub std: f64,
    /// How many they are.
    pub n: usize,
}

/// A difference of two means with its 95 % interval, by Welch's t: the groups may differ in their variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The first mean less the second.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Two-sided.
    pub p: f64,
    /// Welch and Satterthwaite's degrees of freedom.
    pub degrees: f64,
}

impl Sample {
    /// Of one value per seed; none where there are fewer than two, or one is not finite.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n < 2 || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self { mean, std: (squares / (n - 1) as f64).sqrt(), n })
    }

    /// Squared standard error of the mean.
    fn error(&self) -> f64 {
        self.std.powi(2) / self.n as f64
    }

    /// The p value of Student's test of the mean against a number, two-sided.
    pub fn p_against(&self, number: f64) -> f64 {
        match (self.error().sqrt(), (self.mean - number).abs()) {
            (0.0, distance) => f64::from(u8::from(distance == 0.0)),
            (error, distance) => 2.0 * cdf(-distance / error, (self.n - 1) as f64),
        }
    }

    /// The smallest distance of the mean from a number that Student's test at 5 % finds with a probability of 80 %.
    pub fn detectable(&self) -> Option<f64> {
        let degrees = self.n.checked_sub(1).filter(|degrees| *degrees > 0)? as f64;
        Some((quantile(0.975, degrees) + quantile(0.8, degrees)) * self.error().sqrt())
    }

    /// Half the 95 % interval of the mean.
    pub fn half_width(&self) -> f64 {
        quantile(0.975, (self.n - 1) as f64) * self.error().sqrt()
    }
}

/// `a - b` by Welch's t. Without any variance the interval is the difference itself. None where a group has fewer than two
/// members or a number is not finite.
pub fn welch(a: Sample, b: Sample) -> Option<Difference> {
    let valid = |s: Sample| s.n >= 2 && s.mean.is_finite() && s.std.is_finite() && s.std >= 0.0;
    if !valid(a) || !valid(b) {
        return None;
    }
    let mean = a.mean - b.mean;
    let (of_a, of_b) = (a.error(), b.error());
    let error = (of_a + of_b).sqrt();
    if error == 0.0 {
        let p = if mean == 0.0 { 1.0 } else { 0.0 };
        return Some(Difference { mean, low: mean, high: mean, p, degrees: f64::INFINITY });
    }
    let degrees = (of_a + of_b).powi(2) / (of_a.powi(2) / (a.n - 1) as f64 + of_b.powi(2) / (b.n - 1) as f64);
    let half = quantile(0.975, degrees) * error;
    let p = 2.0 * cdf(-(mean / error).abs(), degrees);
    Some(Difference { mean, low: mean - half, high: mean + half, p, degrees })
}

/// What a difference says about agreement within a margin that was fixed before it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Agreement {
    /// The whole interval of the difference lies within the margin.
    Agrees,
    /// None of it does.
    Differs,
    /// More of our seeds may decide it.
    Undecided,
    /// No number of our seeds can show agreement: the publication's own interval is wider than the margin.
    PublicationTooImprecise,
}

/// Compares our mean with a published one.
pub fn agreement(ours: Sample, published: Sample, margin: f64) -> Option<Agreement> {
    let Difference { low, high, .. } = welch(ours, published)?;
    Some(if -margin < low && high < margin {
        Agreement::Agrees
    } else if high < -margin || margin < low {
        Agreement::Differs
    } else if published.half_width() >= margin {
        Agreement::PublicationTooImprecise
    } else {
        Agreement::Undecided
    })
}

/// The smallest difference of two means that Welch's test at 5 % finds with a probability of 80 %, for groups of a common
/// standard deviation: `(t_0.975 + t_0.8) std sqrt(1/a + 1/b)`, by the usual approximation to the noncentral t.
pub fn detectable_difference(std: f64, a: usize, b: usize) -> Option<f64> {
    if a < 2 || b < 2 || !(std >= 0.0 && std.is_finite()) {
        return None;
    }
    let degrees = (a + b - 2) as f64;
    let errors = (1.0 / a as f64 + 1.0 / b as f64).sqrt();
    Some((quantile(0.975, degrees) + quantile(0.8, degrees)) * std * errors)
}

fn student(degrees: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, degrees).expect("degrees of freedom are positive")
}

fn quantile(probability: f64, degrees: f64) -> f64 {
    student(degrees).inverse_cdf(probability)
}

fn cdf(t: f64, degrees: f64) -> f64 {
    student(degrees).cdf(t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::student_t_975;

    /// Student's sleep data (1908), the example of R's `t.test`.
    const DRUG_1: [f64; 10] = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const DRUG_2: [f64; 10] = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

    #[test]
    fn welchs_test_is_that_of_r() {
        let [first, second] = [DRUG_1, DRUG_2].map(|drug| Sample::of(&drug).unwrap());
        let Difference { mean, low, high, p, degrees } = welch(first, second).unwrap();
        assert!((mean + 1.58).abs() < 1e-12 && (degrees - 17.776).abs() < 1e-3, "{mean}, {degrees}");
        assert!((p - 0.07939).abs() < 1e-5, "{p}");
        assert!((low + 3.3654832).abs() < 1e-7 && (high - 0.2054832).abs() < 1e-7, "{low}, {high}");
        let reversed = welch(second, first).unwrap();
        assert!((reversed.low + high).abs() < 1e-15 && reversed.p == p);
    }

    #[test]
    fn equal_groups_have_the_pooled_test() {
        // 1, 2, 3 against 4, 5, 6: t = -3 / sqrt(2 / 3), 4 degrees of freedom, p = 0.0213 in any table.
        let [a, b] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].map(|values| Sample::of(&values).unwrap());
        let found = welch(a, b).unwrap();
        assert!((found.degrees - 4.0).abs() < 1e-12 && (found.p - 0.02131).abs() < 1e-5, "{found:?}");
        for degrees in [1, 2, 5, 10, 30] {
            assert!((quantile(0.975, degrees as f64) - student_t_975(degrees)).abs() < 6e-6, "{degrees}");
        }
    }

    #[test]
    fn one_mean_against_a_number() {
        // The sleep data's differences: t = -4.0621, 9 degrees of freedom, p = 0.002833 (R: paired t.test).
        let differences: Vec<f64> = DRUG_1.iter().zip(&DRUG_2).map(|(a, b)| a - b).collect();
        let sample = Sample::of(&differences).unwrap();
        assert!((sample.p_against(0.0) - 0.002833).abs() < 1e-6, "{}", sample.p_against(0.0));
        assert!((sample.mean + sample.half_width() + 0.7001142).abs() < 1e-7);
        let constant = Sample { mean: 0.5, std: 0.0, n: 3 };
        assert_eq!((constant.p_against(0.5), constant.p_against(0.4)), (1.0, 0.0));
    }

    #[test]
    fn what_cannot_be_compared() {
        assert_eq!(Sample::of(&[1.0]), None);
        assert_eq!(Sample::of(&[1.0, f64::NAN]), None);
        let constant = Sample { mean: 0.5, std: 0.0, n: 3 };
        assert_eq!(welch(constant, Sample { n: 1, ..constant }), None);
        assert_eq!(welch(constant, constant).unwrap().p, 1.0);
        assert_eq!(welch(constant, Sample { mean: 0.4, ..constant }).unwrap().p, 0.0);
    }

    #[test]
    fn agreement_within_a_fixed_margin() {
        let published = Sample { mean: 0.94, std: 0.005, n: 5 };
        let ours = |mean: f64, std: f64| Sample { mean, std, n: 20 };
        let judged = |mean, std| agreement(ours(mean, std), published, 0.02).unwrap();
        assert_eq!(judged(0.945, 0.005), Agreement::Agrees);
        assert_eq!(judged(0.98, 0.005), Agreement::Differs);
        assert_eq!(judged(0.96, 0.005), Agreement::Undecided);
        // 0.83 with a standard deviation of 0.16 over five seeds is known to 0.2.
        let imprecise = Sample { mean: 0.83, std: 0.16, n: 5 };
        assert!((imprecise.half_width() - 2.776445 * 0.16 / 5f64.sqrt()).abs() < 1e-6);
        assert_eq!(agreement(ours(0.93, 0.01), imprecise, 0.05), Some(Agreement::PublicationTooImprecise));
        assert_eq!(agreement(ours(0.3, 0.01), imprecise, 0.05), Some(Agreement::Differs));
    }

    #[test]
    fn a_detectable_difference_needs_seeds() {
        // 2.100922 and 0.862049 at 18 degrees of freedom.
        let expected = (2.100922 + 0.862049) * 0.1 * 0.2f64.sqrt();
        assert!((detectable_difference(0.1, 10, 10).unwrap() - expected).abs() < 1e-6);
        assert!(detectable_difference(0.1, 20, 20) < detectable_difference(0.1, 5, 5));
        assert_eq!(detectable_difference(0.1, 1, 5), None);
    }
}
