//! For which readings of the text a claim holds.

use std::{fmt::Write, path::Path};

use anyhow::Result;

use super::{Verdict, evaluate};
use crate::{
    aligned::{self, Side},
    record::{Archive, ExperimentRecord},
    spec::{Experiment, OpenSettings, Overrides},
};

/// A claim under every value of a setting that the text leaves open.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// Name of the experiment.
    pub experiment: String,
    /// Where the claim is made.
    pub source: String,
    /// The claim in words.
    pub says: String,
    /// The open setting.
    pub setting: String,
    /// Its values, in the list's order.
    pub values: Vec<Value>,
}

/// A claim's verdict under one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// As on the command line.
    pub value: String,
    /// What the recorded runs say of the claim.
    pub verdict: Verdict,
    /// Whether the experiment takes this value as its file stands.
    pub taken: bool,
}

/// The strips of all claims of an experiment, those of a claim together. Every other setting stays as the file has it.
pub fn strips(file: &Path, open: &OpenSettings, archive: &mut Archive, results: &Path) -> Result<Vec<Strip>> {
    let (experiment, lines) = Experiment::read(file)?;
    let overrides = Overrides::default();
    let as_it_stands = experiment.plan(&lines, &overrides)?;
    let measures = |experiment: &Experiment| -> Vec<String> {
        experiment.claims.iter().map(|claim| claim.measure.clone()).collect()
    };
    let mut strips: Vec<Strip> = vec![];
    for reading in open.readings(&experiment)? {
        let planned = reading.experiment.plan(&lines, &overrides)?;
        let same_runs = planned.iter().map(|run| &run.id).eq(as_it_stands.iter().map(|run| &run.id));
        let taken = same_runs && measures(&reading.experiment) == measures(&experiment);
        let entry = ExperimentRecord::gather(reading.experiment, &planned, results)?;
        for (claim, outcome) in experiment.claims.iter().zip(evaluate(archive, &entry)?) {
            let value = Value { value: reading.value.clone(), verdict: outcome.verdict, taken };
            match strips.iter_mut().find(|strip| strip.says == claim.says && strip.setting == reading.setting) {
                Some(strip) => strip.values.push(value),
                None => strips.push(Strip {
                    experiment: entry.experiment.name.clone(),
                    source: outcome.source,
                    says: claim.says.clone(),
                    setting: reading.setting.clone(),
                    values: vec![value],
                }),
            }
        }
    }
    strips.sort_by_key(|strip| experiment.claims.iter().position(|claim| claim.says == strip.says));
    Ok(strips)
}

impl Strip {
    /// For how many of the values that are run the claim holds, at least in its direction.
    pub fn holds(&self) -> (usize, usize) {
        let run = self.values.iter().filter(|value| value.verdict != Verdict::NotRun);
        let holds = |value: &&Value| matches!(value.verdict, Verdict::Reproduced | Verdict::Direction);
        (run.clone().filter(holds).count(), run.count())
    }
}

/// The strips, aligned for a terminal.
pub fn render_strips(strips: &[Strip]) -> String {
    let mut out = String::new();
    let mut claim = ("", "");
    for strip in strips {
        if claim != (&strip.experiment, &strip.says) {
            claim = (&strip.experiment, &strip.says);
            let _ = writeln!(out, "{}, {}: {}", strip.experiment, strip.source, strip.says);
        }
        let (holds, run) = strip.holds();
        let _ = writeln!(out, "  {}: holds for {holds} of {run} values run", strip.setting);
        let note = |taken: bool| if taken { " (as the file has it)" } else { "" };
        let row = |value: &Value| [value.value.clone(), format!("{}{}", value.verdict, note(value.taken))];
        let rows: Vec<_> = strip.values.iter().map(row).collect();
        out += &aligned::indented(&aligned::columns(&rows, |_| Side::Left), 4);
    }
    out
}
