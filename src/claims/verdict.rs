use std::fmt;

use serde::Serialize;

use crate::{spec::Published, statistics::Estimate};

/// What the measurements say about a statement, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval lies on the claimed side, and at the published value if there is one.
    Reproduced,
    /// On the claimed side, but not certainly at the published value.
    Direction,
    /// No run is recorded.
    NotRun,
    /// The interval allows both: more seeds are needed.
    Undecided,
    /// The whole interval lies on the other side, or away from the published value.
    NotReproduced,
    /// Every recorded seed diverged before there was anything to measure.
    Diverged,
}

impl Verdict {
    /// As tallies list them.
    pub const ALL: [Self; 6] =
        [Self::Reproduced, Self::Direction, Self::NotReproduced, Self::Diverged, Self::Undecided, Self::NotRun];

    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Direction => "reproduced in direction",
            Self::NotRun => "not run",
            Self::Undecided => "undecided",
            Self::NotReproduced => "not reproduced",
            Self::Diverged => "diverged",
        }
    }
}

/// The verdict on a claim that must hold at several points: the worst of theirs, or undecided while some have not been
/// run.
pub fn worst(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let verdicts: Vec<Verdict> = verdicts.collect();
    let run = verdicts.iter().copied().filter(|&verdict| verdict != Verdict::NotRun);
    match run.clone().max() {
        Some(worst) if run.count() < verdicts.len() => worst.max(Verdict::Undecided),
        Some(worst) => worst,
        None => Verdict::NotRun,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// What a measured value must satisfy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Test {
    /// How far the value lies on the claimed side of its bound; negative on the other.
    pub margin: Option<Estimate>,
    /// The published value, and how far from it counts as agreement.
    pub published: Option<(Published, f64)>,
}

/// Judges a value by its interval. Without an interval (fewer than two seeds) nothing is decided.
pub fn judge(value: &Estimate, test: &Test) -> Verdict {
    if value.n == 0 {
        return Verdict::NotRun;
    }
    let side = test.margin.map(|margin| within(&margin, 0.0, f64::INFINITY));
    let near = test.published.map(|(published, within_it)| {
        let tolerance = published.tolerance(within_it);
        within(value, published.mean - tolerance, published.mean + tolerance)
    });
    match (side, near) {
        (Some(Some(false)), _) | (None, Some(Some(false))) => Verdict::NotReproduced,
        (Some(None), _) | (None, Some(None) | None) => Verdict::Undecided,
        (Some(Some(true)), Some(None | Some(false))) => Verdict::Direction,
        (Some(Some(true)), None | Some(Some(true))) | (None, Some(Some(true))) => Verdict::Reproduced,
    }
}

/// Whether the whole interval lies in `low..high` or outside; none where it straddles an end.
fn within(estimate: &Estimate, low: f64, high: f64) -> Option<bool> {
    if estimate.low > low && estimate.high < high {
        Some(true)
    } else if estimate.high < low || estimate.low > high {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(low: f64, high: f64) -> Estimate {
        Estimate { mean: (low + high) / 2.0, low, high, std: high - low, n: 5 }
    }

    fn published(mean: f64, std: Option<f64>) -> Option<(Published, f64)> {
        Some((Published { mean, std }, 0.05))
    }

    #[test]
    fn a_direction_needs_the_whole_interval() {
        let judged =
            |low, high| judge(&estimate(0.5, 0.6), &Test { margin: Some(estimate(low, high)), published: None });
        assert_eq!(judged(0.01, 0.2), Verdict::Reproduced);
        assert_eq!(judged(-0.01, 0.2), Verdict::Undecided);
        assert_eq!(judged(-0.2, -0.01), Verdict::NotReproduced);
    }

    #[test]
    fn a_published_value_needs_the_interval_within_its_tolerance() {
        let judged = |value: Estimate, std| judge(&value, &Test { margin: None, published: published(0.85, std) });
        assert_eq!(judged(estimate(0.82, 0.88), None), Verdict::Reproduced);
        assert_eq!(judged(estimate(0.78, 0.88), None), Verdict::Undecided);
        assert_eq!(judged(estimate(0.70, 0.79), None), Verdict::NotReproduced);
        assert_eq!(judged(estimate(0.70, 0.79), Some(0.1)), Verdict::Undecided);
        assert_eq!(judged(estimate(0.70, 0.79), Some(0.13)), Verdict::Reproduced);
    }

    #[test]
    fn the_right_side_at_another_value_is_the_direction_only() {
        let margin = Some(estimate(0.1, 0.2));
        let judged = |value: Estimate| judge(&value, &Test { margin, published: published(0.85, None) });
        assert_eq!(judged(estimate(0.84, 0.86)), Verdict::Reproduced);
        assert_eq!(judged(estimate(0.64, 0.66)), Verdict::Direction);
        assert_eq!(judged(estimate(0.64, 0.86)), Verdict::Direction);
    }

    #[test]
    fn one_seed_decides_nothing() {
        let one = Estimate::of(&[0.85]);
        assert_eq!(judge(&one, &Test { margin: Some(one), published: published(0.85, None) }), Verdict::Undecided);
        let none = Estimate::of(&[]);
        assert_eq!(judge(&none, &Test { margin: None, published: published(0.85, None) }), Verdict::NotRun);
    }

    #[test]
    fn a_claim_is_as_good_as_its_worst_point() {
        use Verdict::*;
        let worst = |verdicts: &[Verdict]| worst(verdicts.iter().copied());
        assert_eq!(worst(&[Reproduced, Direction]), Direction);
        assert_eq!(worst(&[Reproduced, Undecided, NotReproduced]), NotReproduced);
        assert_eq!(worst(&[Reproduced, NotRun]), Undecided);
        assert_eq!(worst(&[NotReproduced, NotRun]), NotReproduced);
        assert_eq!(worst(&[NotRun, NotRun]), NotRun);
        assert_eq!(worst(&[]), NotRun);
    }
}
