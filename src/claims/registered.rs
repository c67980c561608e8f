//! The verdicts on registered claims: every one by the test that was fixed for it, on the seeds that were.

use std::{collections::BTreeSet, fmt};

use anyhow::Result;

use crate::{
    metrics::column_name,
    record::{Archive, ExperimentRecord},
    spec::{Bound, Registered, Registration, Statistic},
    statistics::{
        Agreement, Sample, Share, agreement, benjamini_hochberg, detectable_difference, permutation_test,
        sign_flip_test, welch,
    },
};

/// Share of false findings, on average, that all checks together allow.
const FALSE_DISCOVERIES: f64 = 0.05;

/// Seeds up to which signs are flipped one by one.
const HANDFUL: usize = 20;

/// What a registered test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ruling {
    /// The whole interval lies on the claim's side.
    Holds,
    /// None of it does.
    Fails,
    /// The interval allows both, or the other checks do: the seeds do not suffice.
    Undecided,
    /// The published value is known less well than the margin.
    TooImprecise,
    /// Not all of the registered seeds are recorded.
    NotRun,
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Undecided => "undecided",
            Self::TooImprecise => "publication too imprecise",
            Self::NotRun => "not run",
        })
    }
}

/// A registered claim at one point of its experiment's grid.
#[derive(Clone, Debug)]
pub struct RegisteredCheck {
    /// The claim's name.
    pub id: String,
    /// Where the paper makes it.
    pub source: String,
    /// The claim in words.
    pub says: String,
    /// The curve's label.
    pub label: String,
    /// What is measured and asked, in words.
    pub asks: String,
    /// Registered seeds that are recorded.
    pub seeds: usize,
    /// The statistic; NaN while it cannot be computed.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of the same.
    pub high: f64,
    /// Of the statistic against the claim's number, two-sided; NaN where the interval alone decides.
    pub p: f64,
    /// The same, adjusted for all checks (Benjamini and Hochberg).
    pub adjusted: f64,
    /// The smallest distance from the claim's number that these seeds would have found in four of five cases.
    pub detectable: Option<f64>,
    /// What the test says, after the adjustment.
    pub ruling: Ruling,
}

/// All checks of a registration, with what the runs behind them were made by.
#[derive(Clone, Debug)]
pub struct Rulings {
    /// In the registration's order, and that of its experiments' curves.
    pub checks: Vec<RegisteredCheck>,
    /// Commits of the program; a confirmatory run has one.
    pub commits: BTreeSet<String>,
}

/// Judges every claim of a registration on the recorded runs of its seeds.
pub fn rule(registration: &Registration, archive: &mut Archive) -> Result<Rulings> {
    let mut rulings = Rulings { checks: vec![], commits: BTreeSet::new() };
    for claim in &registration.claims {
        let entry = archive.entry(&claim.experiment)?;
        for curve in entry.experiment.curves(claim.of.as_deref()) {
            let ours = values(registration, claim, &entry, &curve.label, &mut rulings.commits);
            let theirs = match &claim.statistic {
                Statistic::Difference { from: Bound::Runs { experiment, of }, .. } => {
                    let sibling =
                        experiment.as_deref().map(|name| archive.sibling(&entry.experiment, name)).transpose()?;
                    let other = sibling.as_deref().unwrap_or(&entry);
                    let label = other.experiment.counterpart(of.as_deref(), &curve)?.label;
                    Some(values(registration, claim, other, &label, &mut rulings.commits))
                }
                _ => None,
            };
            rulings.checks.push(check(registration, claim, curve.label, &ours, theirs.as_deref()));
        }
    }
    let adjusted = benjamini_hochberg(&rulings.checks.iter().map(|check| check.p).collect::<Vec<_>>());
    for (check, adjusted) in rulings.checks.iter_mut().zip(adjusted) {
        check.adjusted = adjusted;
        let decided = matches!(check.ruling, Ruling::Holds | Ruling::Fails);
        if decided && adjusted > FALSE_DISCOVERIES {
            check.ruling = Ruling::Undecided;
        }
    }
    Ok(rulings)
}

/// The value that the claim is about, of each registered seed that has it.
fn values(
    registration: &Registration,
    claim: &Registered,
    entry: &ExperimentRecord,
    label: &str,
    commits: &mut BTreeSet<String>,
) -> Vec<f64> {
    let runs = entry.runs(label).iter().filter(|run| registration.seeds(claim).contains(&run.plan.spec.seed));
    let mut values = vec![];
    for run in runs {
        let then = claim.since.map_or(Some(0.0), |since| run.metrics.at(&claim.measure, since));
        if let Some((now, then)) = run.metrics.at(&claim.measure, claim.at).zip(then) {
            commits.insert(run.summary.provenance.commit.clone().unwrap_or_else(|| "unknown".into()));
            values.push(now - then);
        }
    }
    values
}

/// A statistic with its interval, its p value against the claim's number, and what it could have found.
struct Tested {
    value: f64,
    low: f64,
    high: f64,
    p: f64,
    detectable: Option<f64>,
}

fn check(
    registration: &Registration,
    claim: &Registered,
    label: String,
    ours: &[f64],
    theirs: Option<&[f64]>,
) -> RegisteredCheck {
    let complete = |values: &[f64]| values.len() == registration.seeds(claim).len();
    let side = claim.statistic.side();
    let bound = side.map_or(0.0, |(_, bound)| bound);
    let tested = match (&claim.statistic, theirs) {
        (Statistic::Difference { .. }, Some(theirs)) => difference(ours, theirs, bound),
        (Statistic::Share { reaching, .. }, _) => share(ours, *reaching, bound),
        (Statistic::Published { .. }, _) => mean(ours, bound).map(|tested| Tested { p: f64::NAN, ..tested }),
        _ => mean(ours, bound),
    };
    let is_complete = complete(ours) && theirs.is_none_or(complete);
    let ruling = match (&tested, side, &claim.statistic) {
        _ if !is_complete => Ruling::NotRun,
        (None, _, _) => Ruling::Undecided,
        (Some(tested), Some((sign, bound)), _) => {
            let (near, far) = if sign > 0.0 { (tested.low, tested.high) } else { (tested.high, tested.low) };
            match () {
                () if sign * (near - bound) > 0.0 => Ruling::Holds,
                () if sign * (far - bound) < 0.0 => Ruling::Fails,
                () => Ruling::Undecided,
            }
        }
        (Some(tested), None, Statistic::Published { mean, std, n }) => {
            published(ours, tested, (*mean, std.zip(*n)), registration.margin)
        }
        (Some(_), None, _) => Ruling::Undecided,
    };
    let none = Tested { value: f64::NAN, low: f64::NAN, high: f64::NAN, p: f64::NAN, detectable: None };
    let Tested { value, low, high, p, detectable } = tested.filter(|_| is_complete).unwrap_or(none);
    RegisteredCheck {
        id: claim.id.clone(),
        source: claim.source.clone(),
        says: claim.says.clone(),
        label,
        asks: asks(claim, registration.margin),
        seeds: ours.len(),
        value,
        low,
        high,
        p,
        adjusted: f64::NAN,
        detectable,
        ruling,
    }
}

fn mean(values: &[f64], bound: f64) -> Option<Tested> {
    let sample = Sample::of(values)?;
    let margins: Vec<f64> = values.iter().map(|value| value - bound).collect();
    let exact = if values.len() <= HANDFUL { sign_flip_test(&margins) } else { None };
    let half = sample.half_width();
    let (low, high) = (sample.mean - half, sample.mean + half);
    let detectable = sample.detectable();
    Some(Tested { value: sample.mean, low, high, p: exact.unwrap_or_else(|| sample.p_against(bound)), detectable })
}

fn difference(ours: &[f64], theirs: &[f64], bound: f64) -> Option<Tested> {
    let (a, b) = (Sample::of(ours)?, Sample::of(theirs)?);
    let found = welch(a, b)?;
    let shifted: Vec<f64> = ours.iter().map(|value| value - bound).collect();
    let p = permutation_test(&shifted, theirs)
        .or_else(|| Some(welch(Sample { mean: a.mean - bound, ..a }, b)?.p))
        .unwrap_or(f64::NAN);
    let pooled = ((a.std.powi(2) + b.std.powi(2)) / 2.0).sqrt();
    let detectable = detectable_difference(pooled, a.n, b.n);
    Some(Tested { value: found.mean, low: found.low, high: found.high, p, detectable })
}

fn share(values: &[f64], reaching: f64, bound: f64) -> Option<Tested> {
    if values.is_empty() {
        return None;
    }
    let share = Share::of(values.iter().filter(|value| **value >= reaching).count(), values.len());
    Some(Tested { value: share.value(), low: share.low, high: share.high, p: share.p_against(bound), detectable: None })
}

/// Against a published mean, with its standard deviation and seeds where it has them.
fn published(ours: &[f64], tested: &Tested, (mean, spread): (f64, Option<(f64, usize)>), margin: f64) -> Ruling {
    let Some((std, n)) = spread else {
        return match () {
            () if mean - margin < tested.low && tested.high < mean + margin => Ruling::Holds,
            () if tested.high < mean - margin || mean + margin < tested.low => Ruling::Fails,
            () => Ruling::Undecided,
        };
    };
    let judged = Sample::of(ours).and_then(|ours| agreement(ours, Sample { mean, std, n }, margin));
    match judged {
        Some(Agreement::Agrees) => Ruling::Holds,
        Some(Agreement::Differs) => Ruling::Fails,
        Some(Agreement::PublicationTooImprecise) => Ruling::TooImprecise,
        Some(Agreement::Undecided) | None => Ruling::Undecided,
    }
}

/// What is measured and asked: "mean minimum max-cosine above 0.8".
fn asks(claim: &Registered, margin: f64) -> String {
    let name = column_name(&claim.measure);
    let change = if claim.since.is_some() { "change of the " } else { "" };
    let side = |sign: f64| if sign > 0.0 { "above" } else { "below" };
    match (&claim.statistic, claim.statistic.side()) {
        (Statistic::Share { reaching, .. }, Some((sign, bound))) => {
            format!("share with a {change}{name} of at least {reaching} {} {bound}", side(sign))
        }
        (Statistic::Difference { .. }, Some((sign, bound))) => {
            format!("difference of the {change}{name} {} {bound}", side(sign))
        }
        (Statistic::Published { mean, std, .. }, _) => {
            let std = std.map_or(String::new(), |std| format!(" ± {std}"));
            format!("mean {change}{name} within {margin} of the published {mean}{std}")
        }
        (_, Some((sign, bound))) => format!("mean {change}{name} {} {bound}", side(sign)),
        (_, None) => String::new(),
    }
}

impl fmt::Display for Rulings {
    /// Claim by claim, aligned for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: f64| if value.is_nan() { "-".into() } else { format!("{value:.3}") };
        let width = self.checks.iter().map(|check| check.label.chars().count()).max().unwrap_or(0);
        let mut id = "";
        for check in &self.checks {
            if id != check.id {
                id = &check.id;
                writeln!(f, "{id} ({}): {}\n  {}", check.source, check.says, check.asks)?;
            }
            write!(f, "    {:width$}  {:<25}", check.label, check.ruling.to_string())?;
            if check.ruling == Ruling::NotRun {
                writeln!(f, "  {} seeds recorded", check.seeds)?;
                continue;
            }
            write!(f, "  {} [{}, {}]", number(check.value), number(check.low), number(check.high))?;
            if !check.p.is_nan() {
                write!(f, ", p {:.1e}, adjusted {:.1e}", check.p, check.adjusted)?;
            }
            if let Some(detectable) = check.detectable {
                write!(f, ", would have found {detectable:.3}")?;
            }
            writeln!(f)?;
        }
        let count = |ruling: Ruling| self.checks.iter().filter(|check| check.ruling == ruling).count();
        let all = [Ruling::Holds, Ruling::Fails, Ruling::Undecided, Ruling::TooImprecise, Ruling::NotRun];
        let counted = all.iter().filter(|ruling| count(**ruling) > 0).map(|r| format!("{} {r}", count(*r)));
        writeln!(f, "{}", counted.collect::<Vec<_>>().join(", "))?;
        match self.commits.len() {
            0 => Ok(()),
            1 => writeln!(f, "all runs by commit {}", self.commits.iter().next().map_or("", String::as_str)),
            several => writeln!(f, "the runs are by {several} commits: a confirmation is by one"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handful_is_tested_exactly_and_more_by_t() {
        let five = mean(&[0.6, 0.7, 0.65, 0.72, 0.69], 0.5).unwrap();
        assert_eq!(five.p, 2.0 / 32.0);
        assert!(five.low > 0.5, "the interval alone would decide");
        let apart = difference(&[0.9, 0.91, 0.92, 0.93, 0.94], &[0.5, 0.52, 0.54, 0.56, 0.58], 0.0).unwrap();
        assert_eq!(apart.p, 2.0 / 252.0);
        assert!((apart.value - 0.38).abs() < 1e-12 && apart.low > 0.3);
        let many: Vec<f64> = (0..30).map(|i| 0.6 + 0.001 * f64::from(i)).collect();
        assert!(mean(&many, 0.5).unwrap().p < 1e-6);
    }

    #[test]
    fn shares_are_of_seeds() {
        let values = [0.95, 0.91, 0.5, 0.92, 0.97, 0.96, 0.94, 0.9, 0.93, 0.99];
        let tested = share(&values, 0.9, 0.5).unwrap();
        assert_eq!(tested.value, 0.9);
        // Of ten fair coins at least nine heads, two-sided: 22 / 1024.
        assert!((tested.p - 22.0 / 1024.0).abs() < 1e-12, "{}", tested.p);
        assert!(share(&[], 0.9, 0.5).is_none());
    }
}
