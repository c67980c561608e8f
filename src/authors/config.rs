//! The authors' configuration files (`config/default.py`): YAML with Python literals in its strings, merged as yacs does.

use std::path::Path;

use anyhow::Result;
use marked_yaml::{LoadError, LoaderOptions, Node, loader};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::literal::{plain_scalar, python_literal};
use crate::{input_error, spec::unknown};

/// A number whose spelling matters: it appears in the names of result files.
pub type Level = Option<Number>;

/// The keys of their configuration files, with the defaults of `config/default.py`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(non_snake_case, reason = "the names are the authors'")]
pub struct Config {
    /// Number of samples.
    pub nn: usize,
    /// Experiments at each point of the loops; experiment i has the seed i + 1.
    pub num_exp: usize,
    /// Epochs, one pass over the samples each.
    pub NUM_EPOCHES: usize,
    /// Samples of a batch, unless `--batch_size` says otherwise.
    pub batch_size: usize,
    /// Input dimension.
    pub p: usize,
    /// Number of atoms.
    pub d: usize,
    /// Number of neurons.
    pub m: usize,
    /// Learning rate; needed unless `--lr` replaces it.
    pub lr: Option<f64>,
    /// If this or the next is false, encoders are linear in the models that read them: those with a predictor, `simclr` and
    /// `simclr-alter-aug`.
    pub has_online_ReLU: bool,
    /// See `has_online_ReLU`.
    pub has_target_ReLU: bool,
    /// Read by no script.
    pub has_target_predictor: bool,
    /// Read by no script.
    pub alternative_optimization: bool,
    /// Read by no script.
    pub rm_predictor: bool,
    /// Read by no script: the loops read `gaussian_noise_levels`.
    pub sigma0: Value,
    /// Read by no script.
    pub threshold: i64,
    /// Read by no script.
    pub z_dim: Value,
    /// Latents with one non-zero entry, instead of `sparsity_levels`.
    pub one_hot_latent: bool,
    /// Placement of batch norm in SimSiam, which understands only strings of its own.
    pub batch_norm: Value,
    /// Loop over warm starts: closeness to the dictionary, `None` for a random start. `main_simclr.py` has no such loop.
    pub ws_noise_levels: Vec<Level>,
    /// Loop over exponents of the noise level; `None` is 1, and 0 no noise.
    pub gaussian_noise_levels: Vec<Level>,
    /// Loop over the latents' sparsity; `None` is ln(ln d) / d.
    pub sparsity_levels: Vec<Level>,
    /// Loop over probabilities that an entry is masked.
    pub masking_probs: Vec<Level>,
}

impl Default for Config {
    fn default() -> Self {
        let levels = |values: &[f64]| values.iter().map(|&value| Number::from_f64(value)).collect();
        Self {
            nn: 10000,
            num_exp: 5,
            NUM_EPOCHES: 100,
            batch_size: 1000,
            p: 50,
            d: 10,
            m: 50,
            lr: Some(1e-4),
            has_online_ReLU: true,
            has_target_ReLU: true,
            has_target_predictor: false,
            alternative_optimization: true,
            rm_predictor: true,
            sigma0: Value::Null,
            threshold: 0,
            z_dim: Value::Null,
            one_hot_latent: false,
            batch_norm: Value::Null,
            ws_noise_levels: vec![None],
            gaussian_noise_levels: vec![None],
            sparsity_levels: levels(&[0.1, 0.2, 0.3]),
            masking_probs: levels(&[0.25, 0.5, 0.75, 0.9]),
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Input errors that name the file and, where there is one, the line: whatever yacs refuses is refused.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| input_error!("--cfg: cannot read {}: {error}", path.display()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads a file's text; `file` is its name in messages.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let Value::Object(mut settings) = serde_json::to_value(Self::default())? else {
            unreachable!("a struct is a map");
        };
        let known: Vec<String> = settings.keys().cloned().collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        for (key, line, value) in entries(text, file)? {
            let fail = |message: String| input_error!("{file}:{line}: {message}");
            let Some(default) = settings.get(&key) else {
                return Err(fail(unknown("key", &key, &known)));
            };
            let value = coerced(value, default).map_err(|reason| fail(format!("{key}: {reason}")))?;
            check(&key, &value).map_err(|reason| fail(format!("{key}: {reason}")))?;
            // Optional settings may be None; a truth value of None is false.
            let value = match (&value, default) {
                (Value::Null, Value::Bool(_)) => Value::Bool(false),
                (Value::Null, _) if key == "threshold" => Value::from(0),
                _ => value,
            };
            settings.insert(key, value);
        }
        serde_json::from_value(Value::Object(settings)).map_err(|error| input_error!("{file}: {error}"))
    }
}

/// Keys of the file with their lines and decoded values.
fn entries(text: &str, file: &str) -> Result<Vec<(String, usize, Value)>> {
    if serde_yaml::Deserializer::from_str(text).take(2).count() > 1 {
        return Err(input_error!("{file}: expected one YAML document, as the authors' yacs does, and found several"));
    }
    // Anything quoted is a string, whatever it spells.
    let root = match loader::parse_yaml_with_options(0, text, LoaderOptions::default().prevent_coercion(true)) {
        Ok(Node::Mapping(root)) => root,
        Ok(_) => return Err(input_error!("{file}: a configuration is a mapping of keys to values")),
        // An empty file changes no default.
        Err(_) if is_empty(text) => return Ok(Vec::new()),
        Err(error) => return Err(input_error!("{file}: {}", message(&error))),
    };
    root.iter()
        .map(|(key, value)| {
            let line = key.span().start().map_or(1, |marker| marker.line());
            Ok((key.as_str().to_string(), line, decoded(value, 0)))
        })
        .collect()
}

fn is_empty(text: &str) -> bool {
    text.lines().all(|line| matches!(line.trim_start().chars().next(), None | Some('#')) || line.trim_end() == "---")
}

fn message(error: &LoadError) -> String {
    match error {
        LoadError::TopLevelMustBeMapping(_) => "a configuration is a mapping of keys to values".into(),
        other => other.to_string(),
    }
}

/// A node as PyYAML and then yacs read it: a string that spells a Python literal becomes that literal.
fn decoded(node: &Node, depth: usize) -> Value {
    match node {
        Node::Scalar(scalar) => {
            let text = scalar.as_str();
            let value = if scalar.may_coerce() { plain_scalar(text) } else { Value::from(text) };
            match (&value, depth) {
                // yacs decodes values, but not the items of a YAML list.
                (Value::String(text), 0) => python_literal(text).unwrap_or(value),
                _ => value,
            }
        }
        Node::Sequence(items) => Value::Array(items.iter().map(|item| decoded(item, depth + 1)).collect()),
        Node::Mapping(map) => {
            let entry = |(key, value): (&marked_yaml::types::MarkedScalarNode, &Node)| {
                (key.as_str().to_string(), decoded(value, depth + 1))
            };
            Value::Object(map.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "None",
        Value::Bool(_) => "a truth value",
        Value::Number(number) if number.is_f64() => "a float",
        Value::Number(_) => "an int",
        Value::String(_) => "a string",
        Value::Array(_) => "a tuple",
        Value::Object(_) => "a mapping",
    }
}

/// yacs's rule: a value has the default's type, or is None, or the default is None and it may be anything.
fn coerced(value: Value, default: &Value) -> Result<Value, String> {
    let same = type_name(&value) == type_name(default);
    let valid = same || value.is_null() || default.is_null();
    if valid && !value.is_object() {
        return Ok(value);
    }
    let (is, must) = (type_name(&value), type_name(default));
    let hint = match (&value, default) {
        (Value::Number(number), Value::Array(_)) => format!(" (a tuple of one is written `({number},)`)"),
        (Value::Number(number), Value::Number(_)) if must == "a float" => format!(" (write {number}.0)"),
        _ => String::new(),
    };
    Err(format!("{must} is needed, not {is}{hint}, as in the authors' yacs configuration"))
}

const TRUTH_VALUES: [&str; 6] = [
    "has_online_ReLU",
    "has_target_ReLU",
    "has_target_predictor",
    "alternative_optimization",
    "rm_predictor",
    "one_hot_latent",
];

/// Values that yacs lets through but the scripts cannot use.
fn check(key: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Null if matches!(key, "sigma0" | "z_dim" | "batch_norm" | "threshold" | "lr") => Ok(()),
        Value::Null if TRUTH_VALUES.contains(&key) => Ok(()),
        Value::Null => Err("None means nothing here".into()),
        Value::Number(number)
            if number.as_i64().is_some_and(|int| int < 0)
                && key != "threshold"
                && key != "sigma0"
                && key != "z_dim" =>
        {
            Err(format!("{number} is negative"))
        }
        Value::Array(_) if matches!(key, "sigma0" | "z_dim" | "batch_norm") => Ok(()),
        Value::Array(levels) => {
            let wrong = levels.iter().find(|level| !(level.is_number() || level.is_null()));
            wrong.map_or(Ok(()), |level| Err(format!("levels are numbers or None, not {}", type_name(level))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Config, String> {
        Config::parse(text, "x.yaml").map_err(|error| error.to_string())
    }

    fn floats(levels: &[Level]) -> Vec<Option<f64>> {
        levels.iter().map(|level| level.as_ref().and_then(Number::as_f64)).collect()
    }

    #[test]
    fn their_dialect() {
        let text = "nn: 3000 # TODO: number of training data\nlr: 1e-4\nsigma0: 1e-3\nhas_online_ReLU: False\n\
                    ws_noise_levels: (1, 1.25, 1.5, 2,) \nmasking_probs: (0.5,)\nsparsity_levels: [0.1]\nz_dim: 5\n\
                    gaussian_noise_levels: (None,)\nbatch_norm: encoder_pre_activation\n";
        let config = parsed(text).unwrap();
        assert_eq!((config.nn, config.lr, config.has_online_ReLU), (3000, Some(1e-4), false));
        let nothing = parsed("lr: None\none_hot_latent: None\nrm_predictor: None\nthreshold: None").unwrap();
        assert_eq!((nothing.lr, nothing.one_hot_latent), (None, false));
        assert_eq!(floats(&config.ws_noise_levels), [Some(1.0), Some(1.25), Some(1.5), Some(2.0)]);
        assert_eq!(config.ws_noise_levels[0].as_ref().unwrap().to_string(), "1");
        assert_eq!(floats(&config.gaussian_noise_levels), [None]);
        assert_eq!(config.batch_norm, "encoder_pre_activation");
        assert_eq!(config.num_exp, 5);
        assert_eq!(parsed("nn: '10'").unwrap().nn, 10);
        assert_eq!(parsed("").unwrap(), Config::default());
        assert_eq!(parsed("# nothing\n---\n").unwrap(), Config::default());
    }

    #[test]
    fn what_yacs_refuses() {
        for (text, part) in [
            ("nn: 10\nnum_epochs: 3", "x.yaml:2: unknown key `num_epochs`"),
            ("NUM_EPOCHS: 3", "did you mean `NUM_EPOCHES`?"),
            ("lr: 1", "write 1.0"),
            ("masking_probs: (0.5)", "`(0.5,)`"),
            ("nn: many", "an int is needed, not a string"),
            ("nn: 3.0", "an int is needed, not a float"),
            ("has_online_ReLU: 1", "a truth value is needed"),
            ("p: -3", "negative"),
            ("p: None", "None means nothing here"),
            ("sparsity_levels: ('a',)", "levels are numbers"),
            ("- 1\n- 2", "mapping"),
            ("nn: [", "x.yaml"),
            ("p: {a: 1}", "an int is needed"),
            ("LOG_DIR: results", "unknown key"),
            ("nn: 10\n---\nnn: 20", "expected one YAML document"),
            ("has_online_ReLU: 'yes'", "a truth value is needed, not a string"),
            ("one_hot_latent: \"yes\"", "a truth value is needed, not a string"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
