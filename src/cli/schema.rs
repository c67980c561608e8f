use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::{
    losses::{LossSpec, Sides},
    metrics::COLUMNS,
    output::say,
    spec::{Family, layout::layer_names, resolve},
};

/// Print, as JSON, what a reader of results needs to know: losses, names of parameters, columns, settings left out
#[derive(Debug, clap::Args)]
#[command(after_help = "\
losses     every loss with its sides and settings, as under `loss` in spec.yaml
layers     for each family and depth of its encoders, what the names in final.safetensors stand for
columns    what stands in metrics.csv
left_out   settings that a spec.yaml does not say where they have these values

The Python package in python/ reads this from a file of its own; a test holds the file against the program.")]
pub struct Args {}

impl Args {
    pub fn execute(self) -> Result<()> {
        say!("{}", serde_json::to_string_pretty(&schema()?)?)
    }
}

fn schema() -> Result<Value> {
    let loss = |loss: LossSpec| -> Result<Value> {
        let sides = match loss.sides() {
            Sides::Both => "both",
            Sides::LearnerAndTeacher => "learner_and_teacher",
        };
        Ok(json!({ "kind": loss.kind(), "sides": sides, "summary": loss.summary(), "settings": loss }))
    };
    let families = [Family::NonContrastive, Family::Contrastive, Family::SimSiam];
    let layers = families.into_iter().flat_map(|family| [1, 2].map(|layers| (family, layers)));
    let layers = layers
        .map(|(family, layers)| json!({ "family": family, "layers": layers, "names": layer_names(family, layers) }));
    let column = COLUMNS.iter().map(|column| {
        json!({ "name": column.key, "title": column.title, "bounds": column.bounds, "measured": column.when(),
                "meaning": column.meaning })
    });
    let defaults = resolve(&[])?;
    Ok(json!({
        "losses": LossSpec::all().into_iter().map(loss).collect::<Result<Vec<_>>>()?,
        "layers": layers.collect::<Vec<_>>(),
        "columns": column.collect::<Vec<_>>(),
        "left_out": missing(&defaults.tree(), &serde_json::to_value(&defaults)?),
    }))
}

/// What of a tree another lacks; of a block with a kind, which the missing keys belong to, the kind as well.
fn missing(whole: &Value, part: &Value) -> Value {
    let (Value::Object(whole), Value::Object(part)) = (whole, part) else { return Value::Null };
    let of_key = |(key, value): (&String, &Value)| match part.get(key) {
        None => Some((key.clone(), value.clone())),
        Some(other) => Some((key.clone(), missing(value, other))).filter(|(_, rest)| !rest.is_null()),
    };
    let mut rest: Map<String, Value> = whole.iter().filter_map(of_key).collect();
    if rest.is_empty() {
        return Value::Null;
    }
    rest.extend(whole.get("kind").map(|kind| ("kind".into(), kind.clone())));
    rest.into()
}
