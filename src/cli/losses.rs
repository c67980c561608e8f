use anyhow::Result;

use crate::{
    aligned,
    losses::{LossSpec, Sides},
    output,
};

/// List every loss with its settings, who learns from it, and which engines train it
#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub fn execute(self) -> Result<()> {
        let rows: Vec<Vec<String>> = LossSpec::all().iter().map(row).collect();
        let header = ["loss", "who learns", "engines", "settings", "what it is"];
        output::write(format_args!("{}", aligned::table(&header, &rows)))
    }
}

fn row(loss: &LossSpec) -> Vec<String> {
    let sides = match loss.sides() {
        Sides::Both => "both views",
        Sides::LearnerAndTeacher => "learner of teacher",
    };
    let engines = if loss.kernel().is_some() { "fused, autograd" } else { "autograd" };
    let settings = serde_json::to_value(loss).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default();
    let settings: Vec<String> =
        settings.iter().filter(|(key, _)| *key != "kind").map(|(key, value)| format!("{key}: {value}")).collect();
    vec![loss.kind().into(), sides.into(), engines.into(), settings.join(", "), loss.summary().into()]
}
