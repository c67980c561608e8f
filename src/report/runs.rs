//! Every run behind the report in one small table, and where the runs came from.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Report;
use crate::{record::RecordedRun, runner::human_seconds, spec::Moment};

/// Final values with the start and the extremes of the minimum: what claims are made of.
const VALUES: [(&str, &str, Moment); 7] = [
    ("max_cosine", "max_cosine", Moment::End),
    ("median_cosine", "median_cosine", Moment::End),
    ("min_cosine", "min_cosine", Moment::End),
    ("start_min_cosine", "min_cosine", Moment::Start),
    ("lowest_min_cosine", "min_cosine", Moment::Lowest),
    ("highest_min_cosine", "min_cosine", Moment::Highest),
    ("loss_mean", "loss_mean", Moment::End),
];

/// One line for each run.
pub fn csv(report: &Report) -> Result<String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut header = vec!["experiment", "run", "curve", "seed", "epochs", "steps"];
    header.extend(VALUES.map(|(name, ..)| name));
    header.extend(["diverged_at", "wall_seconds", "engine", "device", "version", "commit"]);
    csv.write_record(&header)?;
    for run in report.variants().flat_map(|variant| variant.runs()) {
        let (plan, summary) = (&run.plan, &run.summary);
        let mut cells = vec![
            plan.experiment.clone(),
            plan.id.clone(),
            plan.label.clone(),
            plan.spec.seed.to_string(),
            summary.epochs.to_string(),
            plan.spec.steps().to_string(),
        ];
        let value = |name, at| run.metrics.at(name, at).map_or(String::new(), |value| format!("{value:.5}"));
        cells.extend(VALUES.map(|(_, name, at)| value(name, at)));
        let provenance = &summary.provenance;
        cells.extend([
            summary.diverged_at.map_or(String::new(), |epoch| epoch.to_string()),
            format!("{:.1}", summary.wall_seconds),
            provenance.engine.clone(),
            provenance.device.clone(),
            provenance.version.clone(),
            provenance.commit.clone().unwrap_or_default(),
        ]);
        csv.write_record(&cells)?;
    }
    Ok(String::from_utf8(csv.into_inner().map_err(|error| error.into_error())?)?)
}

/// How runs were made: `fused engine on cpu, version 0.1.0, libtorch 2.11.0, commit 53d4a0c: 130 runs, 41 min`.
pub fn provenance<'a>(runs: impl Iterator<Item = &'a RecordedRun>) -> Vec<String> {
    let mut groups: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for run in runs {
        let p = &run.summary.provenance;
        let commit = p.commit.as_deref().map_or(String::new(), |commit| format!(", commit {commit}"));
        let how =
            format!("{} engine on {}, version {}, libtorch {}{commit}", p.engine, p.device, p.version, p.libtorch);
        let group = groups.entry(how).or_default();
        group.0 += 1;
        group.1 += run.summary.wall_seconds / run.summary.runs_in_cohort as f64;
    }
    let line = |(how, (count, seconds)): (String, (usize, f64))| {
        format!("{how}: {count} runs, {} of one worker", human_seconds(seconds))
    };
    groups.into_iter().map(line).collect()
}
