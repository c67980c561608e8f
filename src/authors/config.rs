//! The authors' configuration files (`config/default.py`): YAML with Python literals in its strings, merged as yacs does.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::{
    literal::python_literal,
    yaml::{self, Node},
};
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
        let mut lr = None;
        for (key, line, node) in entries(text, file)? {
            let fail = |message: String| input_error!("{file}:{line}: {message}");
            let Some(default) = settings.get(&key) else {
                return Err(fail(unknown("key", &key, &known)));
            };
            let value = match decoded(node, 0) {
                Ok(value) => coerced(value, default).map_err(|reason| fail(format!("{key}: {reason}")))?,
                // Read by no script, or replaced by the command line's unless that keeps it.
                Err(Odd::NonFinite(_)) if default.is_null() => Value::Null,
                Err(Odd::NonFinite(value)) if key == "lr" => {
                    lr = Some(value);
                    continue;
                }
                Err(odd) => return Err(fail(format!("{key}: {}", odd.reason(default)))),
            };
            check(&key, &value).map_err(|reason| fail(format!("{key}: {reason}")))?;
            if key == "lr" {
                lr = None; // of a key that occurs twice, the later value counts
            }
            // Optional settings may be None; a truth value of None is false.
            let value = match (&value, default) {
                (Value::Null, Value::Bool(_)) => Value::Bool(false),
                (Value::Null, _) if key == "threshold" => Value::from(0),
                _ => value,
            };
            settings.insert(key, value);
        }
        let config: Self =
            serde_json::from_value(Value::Object(settings)).map_err(|error| input_error!("{file}: {error}"))?;
        Ok(Self { lr: lr.or(config.lr), ..config })
    }
}

/// Keys of the file with their lines and values. An empty file changes no default.
fn entries(text: &str, file: &str) -> Result<Vec<(String, usize, Node)>> {
    match yaml::load(text).map_err(|(line, message)| input_error!("{file}:{line}: {message}"))? {
        Some(Node::Map(entries)) => Ok(entries),
        None | Some(Node::Scalar(Value::Null)) => Ok(Vec::new()),
        Some(_) => Err(input_error!("{file}: a configuration is a mapping of keys to values")),
    }
}

/// What no setting of theirs can be, except one that nothing reads.
enum Odd {
    /// An infinite float, or one that is no number.
    NonFinite(f64),
    /// A list with such a float in it.
    Within(f64),
    /// A type that yacs does not take.
    Foreign(&'static str),
}

impl Odd {
    fn reason(&self, default: &Value) -> String {
        match self {
            Self::NonFinite(_) if !default.is_f64() => {
                format!("{} is needed, not a float, as in the authors' yacs configuration", type_name(default))
            }
            Self::NonFinite(value) | Self::Within(value) => format!("{value} is not a finite number"),
            Self::Foreign(what) => format!("{what} is not a type that the authors' yacs takes"),
        }
    }
}

/// A node as yacs takes it: a string that spells a Python literal becomes that literal, but not within a YAML list.
fn decoded(node: Node, depth: usize) -> Result<Value, Odd> {
    match node {
        Node::Scalar(Value::String(text)) if depth == 0 => Ok(python_literal(&text).unwrap_or(Value::String(text))),
        Node::Scalar(value) => Ok(value),
        Node::NonFinite(value) if depth == 0 => Err(Odd::NonFinite(value)),
        Node::NonFinite(value) => Err(Odd::Within(value)),
        Node::Foreign(what) => Err(Odd::Foreign(what)),
        Node::List(items) => items.into_iter().map(|item| decoded(item, depth + 1)).collect(),
        Node::Map(entries) => {
            let entry = |(key, _, value)| Ok((key, decoded(value, depth + 1)?));
            Ok(Value::Object(entries.into_iter().map(entry).collect::<Result<Map<_, _>, _>>()?))
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
        // Anchors, merge keys and tags, and what is no number where nothing reads it.
        let text = "p: &size 12\nd: *size\n<<: {m: 7, p: 9}\nnn: !!int '64'\nlr: !!float 1\nmasking_probs: &levels [0.5]\n\
                    sparsity_levels: *levels\nsigma0: .nan\nz_dim: -.inf\nnum_exp: 1:30\n";
        let config = parsed(text).unwrap();
        assert_eq!((config.p, config.d, config.m, config.nn, config.num_exp), (12, 12, 7, 64, 90));
        assert_eq!((config.lr, floats(&config.masking_probs)), (Some(1.0), floats(&config.sparsity_levels)));
        assert_eq!(parsed("lr: .inf").unwrap().lr, Some(f64::INFINITY));
        assert_eq!(parsed("lr: .inf\nlr: 0.5").unwrap().lr, Some(0.5));
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
            ("nn: .inf", "an int is needed, not a float"),
            ("sparsity_levels: [0.1, .inf]", "inf is not a finite number"),
            ("sigma0: 2001-01-01", "a date is not a type"),
            ("p: !!python/tuple [1]", "x.yaml:1: the authors' loader knows no tag"),
            ("p: *size", "x.yaml:1:"),
            ("has_online_ReLU: 'yes'", "a truth value is needed, not a string"),
            ("one_hot_latent: \"yes\"", "a truth value is needed, not a string"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
