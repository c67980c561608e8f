//! Reading a YAML file into its type.

use std::path::Path;

use anyhow::Result;
use serde::de::DeserializeOwned;

use super::{input::Overrides, lines::Lines, resolve::readable, tree::merge, yaml};
use crate::input_error;

/// Reads a file with `overrides` laid over it, and the lines of its keys. Every fault names the file and, where there is
/// one, the line or the flag.
pub fn read_yaml<T: DeserializeOwned>(path: &Path, overrides: &Overrides) -> Result<(T, Lines)> {
    let (mut tree, lines) = yaml::read(path, "the options")?;
    overrides.layers.iter().for_each(|layer| merge(&mut tree, layer));
    let value = serde_path_to_error::deserialize(tree).map_err(|error| {
        let at = error.path().to_string();
        let fault = readable(&at, &error.into_inner().to_string());
        match overrides.origin(&fault.path) {
            Some(flag) => input_error!("{flag}: {}", fault.message),
            None => lines.fault(fault, &[""]),
        }
    })?;
    Ok((value, lines))
}
