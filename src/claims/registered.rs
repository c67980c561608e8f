//! The verdicts on registered claims: every one by the test that was fixed for it, on the seeds that were.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Result;

use super::evidence::Evidence;
use super::ruling::{RegisteredCheck, RuledClaim, Ruling, Rulings};
use crate::{
    metrics::column_name,
    spec::{Bound, Experiment, Registered, Registration, Statistic},
    statistics::{
        Agreement, Sample, Share, agreement, benjamini_hochberg, detectable_difference, permutation_test,
        sign_flip_test, welch,
    },
};

/// Share of false findings, on average, that all checks together allow.
const FALSE_DISCOVERIES: f64 = 0.05;

/// Seeds up to which signs are flipped one by one.
const HANDFUL: usize = 20;

/// Judges every claim of a registration on the runs of its seeds.
///
/// # Errors
/// An experiment or a run cannot be read, or lacks a curve that a claim is about.
pub fn rule(registration: &Registration, evidence: &mut dyn Evidence) -> Result<Rulings> {
    let mut rulings = Rulings { claims: vec![], commits: BTreeSet::new() };
    for claim in &registration.claims {
        let seeds = registration.seeds(claim);
        let experiment = evidence.experiment(&claim.experiment)?;
        let mut checks = vec![];
        for curve in experiment.curves(claim.of.as_deref()) {
            let ours = values(evidence, &experiment, &curve.label, seeds, claim, &mut rulings.commits)?;
            let theirs = match &claim.statistic {
                Statistic::Difference { from: Bound::Runs { experiment: other, of }, .. } => {
                    let other = match other {
                        Some(name) => evidence.experiment(&experiment.sibling(name))?,
                        None => Arc::clone(&experiment),
                    };
                    let label = other.counterpart(of.as_deref(), &curve)?.label;
                    Some(values(evidence, &other, &label, seeds, claim, &mut rulings.commits)?)
                }
                _ => None,
            };
            checks.push(check(registration, claim, curve.label, &ours, theirs.as_deref()));
        }
        let asks = asks(claim, registration.margin);
        rulings.claims.push(RuledClaim { claim: claim.clone(), asks, checks });
    }
    let checks = || rulings.claims.iter().flat_map(|claim| &claim.checks);
    let adjusted = benjamini_hochberg(&checks().map(|check| check.p).collect::<Vec<_>>());
    let checks = rulings.claims.iter_mut().flat_map(|claim| &mut claim.checks);
    for (check, adjusted) in checks.zip(adjusted) {
        check.adjusted = adjusted;
        let decided = matches!(check.ruling, Ruling::Holds | Ruling::Fails);
        if decided && adjusted > FALSE_DISCOVERIES {
            check.ruling = Ruling::Undecided;
        }
    }
    Ok(rulings)
}

/// The value that the claim is about, of each of the seeds that has it.
fn values(
    evidence: &mut dyn Evidence,
    experiment: &Experiment,
    label: &str,
    seeds: &[u64],
    claim: &Registered,
    commits: &mut BTreeSet<String>,
) -> Result<Vec<f64>> {
    let mut values = vec![];
    for &seed in seeds {
        if let Some((value, commit)) = evidence.measured(experiment, label, seed, claim)? {
            commits.insert(commit);
            values.push(value);
        }
    }
    Ok(values)
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
    RegisteredCheck { label, seeds: ours.len(), value, low, high, p, adjusted: f64::NAN, detectable, ruling }
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
