//! From layers of settings to a checked [`RunSpec`].

use std::{str::FromStr, sync::LazyLock};

use serde_yaml::Value;

use super::{
    RunSpec,
    methods::methods,
    tree::{self, merge},
    validate::validate,
};
use crate::fault::{Fault, unknown};

/// The paper's settings, before any method or file has changed them.
pub fn defaults() -> &'static Value {
    static DEFAULTS: LazyLock<Value> =
        LazyLock::new(|| serde_yaml::from_str(include_str!("defaults.yaml")).expect("the embedded defaults are YAML"));
    &DEFAULTS
}

/// Lays `layers` over the defaults and the preset of the method that the last of them names.
pub fn resolve(layers: &[&Value]) -> Result<RunSpec, Fault> {
    let mut settings = defaults().clone();
    let named = layers.iter().rev().find_map(|layer| layer.get("method")).cloned();
    let name = named.unwrap_or_else(|| settings["method"].clone());
    let name = name.as_str().ok_or_else(|| Fault::new("method", "a method is named by a string"))?;
    let names: Vec<&str> = methods().iter().map(|method| method.name.as_str()).collect();
    let Some(method) = methods().iter().find(|method| method.name == name) else {
        return Err(Fault::new("method", unknown("method", name, &names)));
    };
    merge(&mut settings, &method.settings);
    for layer in layers {
        merge(&mut settings, layer);
    }
    merge(&mut settings, &tree::at_path("method", Value::from(name)));
    let spec = typed(settings)?;
    validate(&spec)?;
    Ok(spec)
}

/// Reads settings as in the `base` of an experiment file: whatever the text does not say is taken from the method or
/// the paper.
///
/// ```
/// use contrastive_landscape::RunSpec;
///
/// let spec: RunSpec = "{method: byol, train: {lr: 0.05}}".parse()?;
/// assert_eq!((spec.train.lr, spec.data.p), (0.05, 50));
/// let fault = "train: {lrr: 0.05}".parse::<RunSpec>().unwrap_err();
/// assert_eq!(fault.path, "train.lrr"); // and the message: did you mean `lr`?
/// # Ok::<(), contrastive_landscape::Fault>(())
/// ```
impl FromStr for RunSpec {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let layer: Value =
            serde_yaml::from_str(text).map_err(|error| Fault::new("", format!("settings as YAML: {error}")))?;
        if !layer.is_mapping() {
            return Err(Fault::new("", "settings are a mapping, such as `{method: ncl, train: {lr: 0.05}}`"));
        }
        resolve(&[&layer])
    }
}

impl RunSpec {
    /// Reads a recorded `spec.yaml`, with the checks that precede a run: the file may have been damaged.
    pub fn from_yaml(text: &[u8]) -> anyhow::Result<Self> {
        let spec: Self = serde_yaml::from_slice(text)?;
        validate(&spec).map_err(|fault| anyhow::anyhow!(fault.message))?;
        Ok(spec)
    }
}

/// Reads settings into their types, unknown keys refused.
fn typed(settings: Value) -> Result<RunSpec, Fault> {
    serde_path_to_error::deserialize(settings).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        readable(path.trim_start_matches('.'), &message)
    })
}

/// serde's messages in our words. `path` is where it stopped: the block of an unknown key, or the key of a bad value.
pub(super) fn readable(path: &str, message: &str) -> Fault {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let path = if path == "." { "" } else { path };
    match quoted.split_first() {
        Some((word, valid)) if message.starts_with("unknown field") => {
            let block = path.strip_suffix(word).map_or(path, |block| block.trim_end_matches('.'));
            let (full, block) = match block {
                "" => ((*word).to_string(), String::new()),
                _ => (format!("{block}.{word}"), format!("{block}: ")),
            };
            Fault::new(&full, format!("{block}{}", unknown("key", word, valid)))
        }
        Some((word, valid)) if message.starts_with("unknown variant") => {
            Fault::new(path, format!("{path}: {}", unknown("value", word, valid)))
        }
        _ => Fault::new(path, format!("{path}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<RunSpec, Fault> {
        resolve(&[&serde_yaml::from_str(text).unwrap()])
    }

    #[test]
    fn every_method_resolves() {
        for method in methods() {
            let spec = resolved(&format!("{{method: {}}}", method.name)).unwrap();
            assert_eq!(spec.method, method.name);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_neighbour() {
        let fault = resolved("{data: {latents: {kind: binary, sparsty: 0.1}}}").unwrap_err();
        assert!(fault.message.contains("sparsty") && fault.message.contains("`sparsity`"), "{fault:?}");
        let fault = resolved("{data: {sampels: 3}}").unwrap_err();
        assert_eq!(fault.path, "data.sampels");
        assert!(fault.message.contains("did you mean `samples`?"), "{fault:?}");
        let fault = resolved("{trian: {lr: 3}}").unwrap_err();
        assert!(fault.message.contains("did you mean `train`?"), "{fault:?}");
    }

    #[test]
    fn an_unknown_value_is_refused_with_its_neighbour() {
        let fault = resolved("{method: simclr-origin}").unwrap_err();
        assert!(fault.message.contains("did you mean `simclr-orig`?"), "{fault:?}");
        let fault = resolved("{model: {activation: sreluu}}").unwrap_err();
        assert_eq!(fault.path, "model.activation");
        assert!(fault.message.contains("did you mean `srelu`?"), "{fault:?}");
    }

    #[test]
    fn a_wrong_type_names_its_key() {
        let fault = resolved("{train: {epochs: many}}").unwrap_err();
        assert_eq!(fault.path, "train.epochs");
    }
}
