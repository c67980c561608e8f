//! Experiment files that vary another: `extends: ../fig2.yaml`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_yaml::Value;

use super::{Fault, Lines, tree, yaml};

/// The key that names the other file, relative to this one.
pub const KEY: &str = "extends";

/// Files that extend one another, at most; more are taken for a circle.
const LONGEST: usize = 16;

/// A file laid over the one that it extends, and that over the one that it extends in turn.
pub struct Extended {
    pub tree: Value,
    pub lines: Lines,
    /// The keys that the file itself has.
    pub own: Vec<String>,
}

/// Reads a file laid over the one that it extends: `base` is merged key by key, and every other key replaces the other
/// file's.
pub fn read(path: &Path) -> Result<Extended> {
    read_within(path, LONGEST)
}

fn read_within(path: &Path, longest: usize) -> Result<Extended> {
    let (tree, lines) = yaml::read(path, "the experiment file")?;
    let own = keys(&tree);
    let Some(parent) = tree.get(KEY) else { return Ok(Extended { tree, lines, own }) };
    let fault = |message: String| lines.fault(Fault::new(KEY, format!("{KEY}: {message}")), &[""]);
    let Some(parent) = parent.as_str() else { return Err(fault("the path of a file, relative to this one".into())) };
    let parent: PathBuf = path.with_file_name(parent);
    if !parent.is_file() {
        return Err(fault(format!("there is no file {}", parent.display())));
    }
    if longest == 0 {
        return Err(fault(format!("more than {LONGEST} files extend one another, or they do so in a circle")));
    }
    let mut extended = read_within(&parent, longest - 1)?;
    if let (Value::Mapping(under), Value::Mapping(over)) = (&mut extended.tree, tree) {
        for (key, value) in over {
            match under.get_mut(&key) {
                Some(slot) if key.as_str() == Some("base") => tree::merge(slot, &value),
                _ => _ = under.insert(key, value),
            }
        }
    }
    Ok(Extended { tree: extended.tree, lines: lines.over(extended.lines), own })
}

fn keys(tree: &Value) -> Vec<String> {
    tree.as_mapping().into_iter().flat_map(|map| map.keys()).filter_map(|key| Some(key.as_str()?.into())).collect()
}
