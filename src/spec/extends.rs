//! Experiment files that vary another: `extends: ../fig2.yaml`.

use std::path::Path;

use anyhow::Result;
use serde_yaml::{Mapping, Value};

use super::{Fault, Lines, tree};
use crate::input_error;

/// The key that names the other file, relative to this one.
pub const KEY: &str = "extends";

/// Reads a file laid over the one that it extends: `base` is merged key by key, and every other key replaces the other
/// file's. The `extends` key itself is kept as this file has it.
pub fn read(path: &Path) -> Result<(Value, Lines)> {
    let (tree, lines) = parse(path)?;
    let Some(parent) = tree.get(KEY) else { return Ok((tree, lines)) };
    let fault = |message: &str| lines.fault(Fault::new(KEY, format!("{KEY}: {message}")), &[""]);
    let Some(parent) = parent.as_str() else { return Err(fault("the path of a file, relative to this one")) };
    let parent = path.with_file_name(parent);
    if !parent.is_file() {
        return Err(fault(&format!("there is no file {}", parent.display())));
    }
    let (mut extended, extended_lines) = parse(&parent)?;
    if extended.get(KEY).is_some() {
        return Err(fault(&format!("{} itself extends another file; name that one", parent.display())));
    }
    if let (Value::Mapping(under), Value::Mapping(over)) = (&mut extended, tree) {
        for (key, value) in over {
            match under.get_mut(&key) {
                Some(slot) if key.as_str() == Some("base") => tree::merge(slot, &value),
                _ => _ = under.insert(key, value),
            }
        }
    }
    Ok((extended, lines.over(extended_lines)))
}

/// What remains for the schema.
pub fn without_key(mut tree: Value) -> Value {
    if let Value::Mapping(map) = &mut tree {
        map.remove(KEY);
    }
    tree
}

fn parse(path: &Path) -> Result<(Value, Lines)> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| input_error!("cannot read the experiment file {}: {error}", path.display()))?;
    let lines = Lines::of(&text, path);
    let tree: Value = serde_yaml::from_str(&text).map_err(|error| input_error!("{}: {error}", path.display()))?;
    let empty = || Value::Mapping(Mapping::new());
    Ok((if tree.is_null() { empty() } else { tree }, lines))
}
