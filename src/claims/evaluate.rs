use anyhow::Result;

use super::verdict::{Test, Verdict, judge, worst};
use crate::{
    metrics::{column_bounds, column_name},
    record::{Archive, ExperimentRecord, RecordedRun},
    spec::{Bound, Claim, CurveName, Experiment, Published},
    statistics::Estimate,
};

/// A claim with what the records say about it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Name of the experiment that makes it.
    pub experiment: String,
    /// Whose settings the experiment has: the paper's text, the authors' scripts, ours.
    pub protocol: String,
    /// The claim as it stands in the file, or as a cell of the published table makes it.
    pub claim: Claim,
    /// Where the claim is made.
    pub source: String,
    /// One for each curve that the claim is about.
    pub checks: Vec<Check>,
    /// The worst of the checks'.
    pub verdict: Verdict,
}

/// A claim at one point of the grid.
#[derive(Clone, Debug)]
pub struct Check {
    /// The curve's label.
    pub label: String,
    /// Of the value that the claim is about, over its recorded seeds.
    pub value: Estimate,
    /// On which side of what the value should lie; none for a claim about a published value alone.
    pub comparison: Option<Comparison>,
    /// The value in print, where there is one.
    pub published: Option<Published>,
    /// The verdict of the two together at this point.
    pub verdict: Verdict,
    /// The runs behind the numbers, as `experiment/run`.
    pub runs: Vec<String>,
}

/// The direction of a claim.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// `above` or `below`.
    pub side: &'static str,
    /// What the value is compared with, in words.
    pub with: String,
    /// Whether that is other runs rather than a number.
    pub runs: bool,
    /// How far the value lies on the claimed side; over the seeds that both sides have where runs are compared.
    pub margin: Estimate,
}

/// Checks every claim of an experiment, the published cells of its table among them.
pub fn evaluate(archive: &mut Archive, entry: &ExperimentRecord) -> Result<Vec<Outcome>> {
    let experiment = &entry.experiment;
    let claims = experiment.claims.iter().cloned().chain(cells(experiment));
    claims.map(|claim| outcome(archive, entry, claim)).collect()
}

fn outcome(archive: &mut Archive, entry: &ExperimentRecord, claim: Claim) -> Result<Outcome> {
    let experiment = &entry.experiment;
    let curves = experiment.curves(claim.of.as_deref());
    let checks = curves.iter().map(|curve| check(archive, entry, &claim, curve)).collect::<Result<Vec<_>>>()?;
    Ok(Outcome {
        experiment: experiment.name.clone(),
        protocol: experiment.protocol.clone(),
        source: claim.source.clone().unwrap_or_else(|| experiment.paper.clone()),
        verdict: worst(checks.iter().map(|check| check.verdict)),
        claim,
        checks,
    })
}

/// The published cells of the experiment's table as claims.
fn cells(experiment: &Experiment) -> Vec<Claim> {
    let Some(table) = &experiment.table else { return Vec::new() };
    let cell = |label: &String, column: &String, [mean, std]: [f64; 2]| Claim {
        says: format!("{label}: {} {mean} ± {std}", column_name(column)),
        source: None,
        of: Some(label.clone()),
        measure: column.clone(),
        at: Default::default(),
        since: None,
        above: None,
        below: None,
        published: Some(Published { mean, std: Some(std) }),
        within: 0.05,
    };
    let row = |(label, cells): (&String, &Vec<[f64; 2]>)| -> Vec<Claim> {
        table.columns.iter().zip(cells).map(|(column, published)| cell(label, column, *published)).collect()
    };
    // A variant of the experiment may lack curves that the table publishes.
    let has_curve = |(label, _): &(&String, &Vec<[f64; 2]>)| !experiment.curves(Some(label)).is_empty();
    table.published.iter().filter(has_curve).flat_map(row).collect()
}

fn check(archive: &mut Archive, entry: &ExperimentRecord, claim: &Claim, curve: &CurveName) -> Result<Check> {
    let measured = measure(entry, claim, &curve.label);
    let bounds = if claim.since.is_none() { column_bounds(&claim.measure) } else { None };
    let estimate = Estimate::of(&measured.iter().map(|(_, value)| *value).collect::<Vec<_>>()).clipped(bounds);
    let mut runs: Vec<String> = entry.runs(&curve.label).iter().map(name).collect();
    let side = match (&claim.above, &claim.below) {
        (Some(bound), _) => Some(("above", 1.0, bound)),
        (_, Some(bound)) => Some(("below", -1.0, bound)),
        (None, None) => None,
    };
    let comparison = match side {
        None => None,
        Some((side, sign, Bound::Number(bound))) => {
            let margins: Vec<f64> = measured.iter().map(|(_, value)| sign * (value - bound)).collect();
            Some(Comparison { side, with: bound.to_string(), runs: false, margin: Estimate::of(&margins) })
        }
        Some((side, sign, Bound::Runs { experiment: other, of })) => {
            let sibling = other.as_deref().map(|name| archive.sibling(&entry.experiment, name)).transpose()?;
            let other = sibling.as_deref().unwrap_or(entry);
            let label = other.experiment.counterpart(of.as_deref(), curve)?.label;
            let theirs = measure(other, claim, &label);
            let margin = |(seed, value): &(u64, f64)| {
                let other = theirs.iter().find(|(other, _)| other == seed)?.1;
                Some(sign * (value - other))
            };
            runs.extend(other.runs(&label).iter().map(name));
            let margin = Estimate::of(&measured.iter().filter_map(margin).collect::<Vec<_>>());
            let mean = Estimate::of(&theirs.iter().map(|(_, value)| *value).collect::<Vec<_>>()).mean;
            let name = if other.experiment.name == entry.experiment.name {
                label
            } else {
                format!("{} {label}", other.experiment.name)
            };
            let with = if mean.is_finite() { format!("{name} ({mean:.3})") } else { name };
            Some(Comparison { side, with, runs: true, margin })
        }
    };
    let test = Test {
        margin: comparison.as_ref().map(|comparison| comparison.margin),
        published: claim.published.map(|published| (published, claim.within)),
    };
    let recorded = entry.runs(&curve.label);
    let diverged = !recorded.is_empty() && recorded.iter().all(|run| run.summary.diverged_at.is_some());
    Ok(Check {
        label: curve.label.clone(),
        verdict: if estimate.n == 0 && diverged { Verdict::Diverged } else { judge(&estimate, &test) },
        value: estimate,
        comparison,
        published: claim.published,
        runs,
    })
}

/// The value that the claim is about, for each seed that has it.
fn measure(entry: &ExperimentRecord, claim: &Claim, label: &str) -> Vec<(u64, f64)> {
    let of = |run: &RecordedRun| {
        let now = run.metrics.at(&claim.measure, claim.at)?;
        let then = match claim.since {
            Some(since) => run.metrics.at(&claim.measure, since)?,
            None => 0.0,
        };
        Some((run.plan.spec.seed, now - then))
    };
    entry.runs(label).iter().filter_map(of).collect()
}

fn name(run: &RecordedRun) -> String {
    format!("{}/{}", run.plan.experiment, run.plan.id)
}
