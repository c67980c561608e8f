use std::io::Write;

use anyhow::Result;

use crate::losses::{LossSpec, Sides};

/// List every loss with its settings, who learns from it, and which engines train it
#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub fn execute(self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let rows: Vec<[String; 5]> = LossSpec::all().iter().map(row).collect();
        let head = ["loss", "who learns", "engines", "settings", "what it is"].map(String::from);
        let all: Vec<&[String; 5]> = std::iter::once(&head).chain(&rows).collect();
        let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d] = [0, 1, 2, 3].map(width);
        for [name, sides, engines, settings, summary] in &all {
            writeln!(out, "{name:a$}  {sides:b$}  {engines:c$}  {settings:d$}  {summary}")?;
        }
        Ok(())
    }
}

fn row(loss: &LossSpec) -> [String; 5] {
    let sides = match loss.sides() {
        Sides::Both => "both views",
        Sides::LearnerAndTeacher => "learner of teacher",
    };
    let engines = if loss.kernel().is_some() { "fused, autograd" } else { "autograd" };
    let settings = serde_json::to_value(loss).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default();
    let settings: Vec<String> =
        settings.iter().filter(|(key, _)| *key != "kind").map(|(key, value)| format!("{key}: {value}")).collect();
    [loss.kind().into(), sides.into(), engines.into(), settings.join(", "), loss.summary().into()]
}
