use std::fmt::Write;

use anyhow::Result;
use serde_json::json;

use super::{Check, Outcome, Verdict};
use crate::{
    aligned::{self, Side},
    metrics::column_name,
    spec::Moment,
    statistics::Estimate,
};

/// How outcomes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned, for a terminal.
    Text,
    /// A Markdown table, one row for each check.
    Md,
    /// One line for each check, numbers in full, with the runs behind it.
    Csv,
    /// A list of outcomes with their checks, numbers in full.
    Json,
}

/// Prints outcomes.
pub fn render(outcomes: &[Outcome], format: Format) -> Result<String> {
    match format {
        Format::Text => Ok(text(outcomes)),
        Format::Md => Ok(markdown(outcomes)),
        Format::Csv => csv(outcomes),
        Format::Json => Ok(serde_json::to_string_pretty(&json(outcomes))? + "\n"),
    }
}

impl Outcome {
    /// What is measured: `minimum max-cosine, end - start`.
    pub fn measured(&self) -> String {
        let moment = |moment: Moment| match moment {
            Moment::Start => "start".to_string(),
            Moment::End => "end".into(),
            Moment::Lowest => "lowest".into(),
            Moment::Highest => "highest".into(),
            Moment::Epoch(epoch) => format!("epoch {epoch}"),
        };
        let when = match self.claim.since {
            Some(since) => format!("{} - {}", moment(self.claim.at), moment(since)),
            None => moment(self.claim.at),
        };
        format!("{}, {when}", column_name(&self.claim.measure))
    }

    /// The checks' means, and by how much they lie on the claimed side: `0.40, 0.45 (by -0.14, -0.11)`.
    pub fn numbers(&self) -> String {
        if self.checks.iter().all(|check| check.value.n == 0) {
            return String::new();
        }
        let number = |estimate: &Estimate, sign: bool| match estimate.n {
            0 => "-".to_string(),
            _ if sign => format!("{:+.3}", estimate.mean),
            _ => format!("{:.3}", estimate.mean),
        };
        let values = self.checks.iter().map(|check| number(&check.value, false)).collect::<Vec<_>>().join(", ");
        let comparisons = self.checks.iter().filter_map(|check| check.comparison.as_ref());
        let margins: Vec<String> = comparisons.filter(|c| c.runs).map(|c| number(&c.margin, true)).collect();
        match margins.as_slice() {
            [] => values,
            margins => format!("{values} (by {})", margins.join(", ")),
        }
    }
}

/// Counts of verdicts, best first, without those that do not occur.
pub fn tally(verdicts: impl Iterator<Item = Verdict> + Clone) -> String {
    let count = |verdict: &Verdict| verdicts.clone().filter(|other| other == verdict).count();
    let counted = Verdict::ALL.iter().map(|verdict| (count(verdict), verdict)).filter(|(count, _)| *count > 0);
    counted.map(|(count, verdict)| format!("{count} {verdict}")).collect::<Vec<_>>().join(", ")
}

impl Check {
    /// Mean and interval: `0.541 [0.520, 0.561]`.
    pub fn measured(&self) -> String {
        interval(&self.value, false)
    }

    /// What it is compared with: `above NCL, sp 0.1 (0.541): -0.141 [-0.180, -0.102]`, `published 0.85`.
    pub fn compared(&self) -> String {
        let side = self.comparison.as_ref().map(|c| match c.margin.n {
            0 => format!("{} {}", c.side, c.with),
            _ => format!("{} {}: by {}", c.side, c.with, interval(&c.margin, true)),
        });
        let published = self.published.map(|published| match published.std {
            Some(std) => format!("published {} ± {std}", published.mean),
            None => format!("published {}", published.mean),
        });
        side.into_iter().chain(published).collect::<Vec<_>>().join("; ")
    }
}

/// Mean and 95 % interval; the mean alone where there is none.
pub fn interval(estimate: &Estimate, signed: bool) -> String {
    let number = |value: f64| if signed { format!("{value:+.3}") } else { format!("{value:.3}") };
    match estimate.n {
        0 => "-".into(),
        1 => number(estimate.mean),
        _ => format!("{} [{}, {}]", number(estimate.mean), number(estimate.low), number(estimate.high)),
    }
}

fn text(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    let mut experiment = "";
    for outcome in outcomes {
        if outcome.experiment != experiment {
            experiment = &outcome.experiment;
            let _ = writeln!(out, "{}{experiment} ({})", if out.is_empty() { "" } else { "\n" }, outcome.protocol);
        }
        let source = if outcome.source.is_empty() { String::new() } else { format!("{}: ", outcome.source) };
        let _ = writeln!(out, "  {source}{} [{}]", outcome.claim.says, outcome.verdict);
        let rows: Vec<[String; 5]> = outcome
            .checks
            .iter()
            .map(|check| {
                let seeds = if check.value.n == 1 { "1 seed".into() } else { format!("{} seeds", check.value.n) };
                [check.label.clone(), check.measured(), check.compared(), seeds, check.verdict.to_string()]
            })
            .collect();
        out += &aligned::indented(&aligned::columns(&rows, |_| Side::Left), 4);
    }
    let _ = writeln!(out, "\n{} claims: {}", outcomes.len(), tally(outcomes.iter().map(|outcome| outcome.verdict)));
    out
}

fn markdown(outcomes: &[Outcome]) -> String {
    let mut out = String::from(
        "| experiment | source | claim | curve | measured | compared with | seeds | verdict |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for outcome in outcomes {
        for check in &outcome.checks {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                outcome.experiment,
                outcome.source,
                outcome.claim.says,
                check.label,
                check.measured(),
                check.compared(),
                check.value.n,
                check.verdict
            );
        }
    }
    out
}

fn csv(outcomes: &[Outcome]) -> Result<String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "experiment",
        "protocol",
        "source",
        "claim",
        "curve",
        "measure",
        "seeds",
        "mean",
        "low",
        "high",
        "side",
        "with",
        "margin",
        "margin_low",
        "margin_high",
        "published",
        "published_std",
        "verdict",
        "runs",
    ])?;
    let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    for outcome in outcomes {
        for check in &outcome.checks {
            let comparison = check.comparison.as_ref();
            let margin = |f: fn(&Estimate) -> f64| comparison.map_or(String::new(), |c| number(f(&c.margin)));
            csv.write_record([
                outcome.experiment.clone(),
                outcome.protocol.clone(),
                outcome.source.clone(),
                outcome.claim.says.clone(),
                check.label.clone(),
                outcome.measured(),
                check.value.n.to_string(),
                number(check.value.mean),
                number(check.value.low),
                number(check.value.high),
                comparison.map_or(String::new(), |c| c.side.into()),
                comparison.map_or(String::new(), |c| c.with.clone()),
                margin(|m| m.mean),
                margin(|m| m.low),
                margin(|m| m.high),
                check.published.map_or(String::new(), |p| p.mean.to_string()),
                check.published.and_then(|p| p.std).map_or(String::new(), |std| std.to_string()),
                check.verdict.to_string(),
                check.runs.join(" "),
            ])?;
        }
    }
    Ok(String::from_utf8(csv.into_inner().map_err(|error| error.into_error())?)?)
}

fn json(outcomes: &[Outcome]) -> serde_json::Value {
    let estimate = |e: &Estimate| json!({"mean": e.mean, "low": e.low, "high": e.high, "std": e.std, "seeds": e.n});
    let check = |check: &Check| {
        json!({
            "curve": check.label,
            "value": estimate(&check.value),
            "comparison": check.comparison.as_ref().map(|c| json!({
                "side": c.side, "with": c.with, "margin": estimate(&c.margin),
            })),
            "published": check.published.map(|p| json!({"mean": p.mean, "std": p.std})),
            "verdict": check.verdict,
            "runs": check.runs,
        })
    };
    let outcome = |outcome: &Outcome| {
        json!({
            "experiment": outcome.experiment,
            "protocol": outcome.protocol,
            "source": outcome.source,
            "claim": outcome.claim.says,
            "measure": outcome.measured(),
            "verdict": outcome.verdict,
            "checks": outcome.checks.iter().map(check).collect::<Vec<_>>(),
        })
    };
    outcomes.iter().map(outcome).collect()
}
