//! From layers of settings to a checked [`RunSpec`].

use std::{str::FromStr, sync::LazyLock};

use serde_yaml::Value;

use super::{
    RunSpec,
    methods::methods,
    tree::{self, merge},
    validate::validate,
    yaml,
};
use crate::fault::{Fault, ensure, unknown};

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
        let layer = yaml::parse(text).map_err(|message| Fault::new("", format!("settings as YAML: {message}")))?;
        if !layer.is_mapping() {
            return Err(Fault::new("", "settings are a mapping, such as `{method: ncl, train: {lr: 0.05}}`"));
        }
        resolve(&[&layer])
    }
}

impl RunSpec {
    /// Reads a recorded `spec.yaml`, with the checks that precede a run: the file may have been damaged.
    pub fn from_yaml(text: &[u8]) -> anyhow::Result<Self> {
        let tree = yaml::parse(std::str::from_utf8(text)?).map_err(anyhow::Error::msg)?;
        let spec = typed(tree).and_then(|spec| validate(&spec).map(|()| spec));
        spec.map_err(|fault| anyhow::anyhow!(fault.message))
    }
}

/// Reads settings into their types, unknown keys and numbers that are not finite refused.
fn typed(mut settings: Value) -> Result<RunSpec, Fault> {
    settle(&mut settings, "")?;
    serde_path_to_error::deserialize(settings).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        readable(path.trim_start_matches('.'), &message)
    })
}

/// Whole numbers are whole however they are written: `1e3` is 1000 where a number of epochs is asked for, and where any
/// number would do, it is the same one. (All but -0, which no whole number is.)
fn settle(value: &mut Value, path: &str) -> Result<(), Fault> {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            ensure(float.is_none_or(f64::is_finite), path, || format!("must be a finite number, not {number}"))?;
            if let Some(whole) = float.and_then(whole) {
                *value = whole;
            }
            Ok(())
        }
        Value::Mapping(map) => map.iter_mut().try_for_each(|(key, value)| {
            let key = tree::plain(key);
            settle(value, &if path.is_empty() { key } else { format!("{path}.{key}") })
        }),
        Value::Sequence(items) => {
            items.iter_mut().enumerate().try_for_each(|(place, item)| settle(item, &format!("{path}[{place}]")))
        }
        _ => Ok(()),
    }
}

fn whole(float: f64) -> Option<Value> {
    const EXACT: f64 = (1u64 << f64::MANTISSA_DIGITS) as f64;
    let is_whole = float.fract() == 0.0 && float.abs() <= EXACT && !(float == 0.0 && float.is_sign_negative());
    is_whole.then(|| Value::from(float as i64))
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
        _ => Fault::new(path, format!("{path}: {}", wanted(message).unwrap_or_else(|| message.into()))),
    }
}

/// `invalid type: string "four", expected usize`: a whole number is needed, not "four".
fn wanted(message: &str) -> Option<String> {
    let types = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = types.rsplit_once(", expected ")?;
    let expected = match expected {
        "usize" | "u64" | "u32" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "text",
        other => other,
    };
    let kinds = ["string ", "integer ", "floating point ", "boolean "];
    let found = kinds.iter().find_map(|kind| found.strip_prefix(kind)).unwrap_or(found);
    let found = match found {
        "map" => "a mapping",
        "sequence" => "a list",
        "unit value" => "null",
        found => found.trim_matches('`'),
    };
    Some(format!("{expected} is needed, not {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Bias;

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
    fn whole_numbers_are_whole_however_they_are_written() {
        assert_eq!(resolved("{train: {epochs: 1e3, lr: 1.0}}"), resolved("{train: {epochs: 1000, lr: 1}}"));
        for (epochs, shown) in [("1.5", "1.5"), ("-3", "-3"), ("many", "\"many\""), ("[1]", "a list")] {
            let fault = resolved(&format!("{{train: {{epochs: {epochs}}}}}")).unwrap_err();
            assert_eq!(fault.message, format!("train.epochs: a whole number is needed, not {shown}"));
        }
        let bias = |value| {
            let Bias::Constant { value } =
                resolved(&format!("{{model: {{bias: {{kind: constant, value: {value}}}}}}}"))?.model.bias
            else {
                panic!("a constant")
            };
            Ok::<_, Fault>(value)
        };
        assert!(bias("-0.0").unwrap().is_sign_negative());
    }

    #[test]
    fn no_setting_is_infinite_or_nan() {
        let layers = |value: f64| {
            let mut settings = serde_yaml::from_str("{model: {bias: {kind: constant, value: 0}}}").unwrap();
            merge(&mut settings, &tree::at_path("model.bias.value", Value::from(value)));
            resolve(&[&settings])
        };
        for value in [f64::NAN, f64::INFINITY] {
            let fault = layers(value).unwrap_err();
            assert_eq!(fault.path, "model.bias.value");
            assert!(fault.message.contains("must be a finite number"), "{fault:?}");
        }
        assert!(layers(1e30).is_ok());
        assert!(layers(1e300).unwrap_err().message.contains("infinite in float32"));
    }

    #[test]
    fn a_wrong_type_names_its_key() {
        let fault = resolved("{train: {epochs: many}}").unwrap_err();
        assert_eq!(fault.path, "train.epochs");
    }
}
