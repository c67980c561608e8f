use serde_json::Number;
use serde_yaml::Value;

use super::{Config, Flags, Script, config::Level};
use crate::spec::{Fault, RunSpec, resolve, tree};

/// One point of the scripts' loops.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    /// Closeness of the warm start; `None` starts at random.
    pub ws_noise: Level,
    /// Exponent of the noise; `None` is 1, 0 is no noise.
    pub noise: Level,
    /// `None` is ln(ln d) / d.
    pub sparsity: Level,
    /// Probability that an entry is masked; `None` is an error.
    pub masking_prob: Level,
}

fn float(level: &Level) -> Option<f64> {
    level.as_ref().and_then(Number::as_f64)
}

/// The run that a script would train: `model` is its `--model`; `lr` and `batch_size` are taken from `config`.
pub fn translate(
    script: Script,
    model: &str,
    flags: &Flags,
    config: &Config,
    levels: &Levels,
    seed: u64,
) -> Result<RunSpec, Fault> {
    let masking_prob = float(&levels.masking_prob);
    let masking_prob = masking_prob.ok_or_else(|| Fault::new("views.masking_prob", "None is no probability"))?;
    let mut run = Translation { settings: Value::Null, script, model, flags, config };
    run.set("method", model);
    run.set("seed", seed);
    run.set("random", "authors");
    run.set("metrics.target_spectrum", "online");
    run.data(levels);
    run.views(masking_prob);
    run.model(levels);
    run.training();
    resolve(&[&run.settings])
}

/// Settings under construction.
struct Translation<'a> {
    settings: Value,
    script: Script,
    model: &'a str,
    flags: &'a Flags,
    config: &'a Config,
}

impl Translation<'_> {
    fn set(&mut self, path: &str, value: impl Into<Value>) {
        let layer = tree::at_path(path, value.into());
        match &mut self.settings {
            Value::Null => self.settings = layer,
            settings => tree::merge(settings, &layer),
        }
    }

    fn data(&mut self, levels: &Levels) {
        let (config, script) = (self.config, self.script);
        self.set("data.samples", config.nn);
        self.set("data.p", config.p);
        self.set("data.d", config.d);
        self.set("data.dictionary", if self.flags.m_identity { "identity" } else { "orthonormal" });
        if config.one_hot_latent {
            self.set("data.latents.kind", "one_hot");
            self.set("data.latents.sign", if script == Script::MainSimclr { "positive" } else { "common" });
        } else {
            self.set("data.latents.kind", "fixed_support");
            let d = config.d as f64;
            self.set("data.latents.sparsity", float(&levels.sparsity).unwrap_or(d.ln().ln() / d));
        }
        match float(&levels.noise) {
            Some(0.0) => self.set("data.noise.kind", "none"),
            exponent => {
                self.set("data.noise.kind", "authors");
                self.set("data.noise.exponent", exponent.unwrap_or(1.0));
            }
        }
    }

    fn views(&mut self, masking_prob: f64) {
        let multi = self.flags.use_multimasking;
        let masks = match self.script {
            _ if self.model == "simclr-alter-aug" => "shared",
            Script::MainSimclr if !multi && !self.flags.use_masking => "dependent",
            _ => "independent",
        };
        self.set("views.masks", masks);
        // Dependent views keep every entry with probability one half, whatever the level.
        self.set("views.masking_prob", if masks == "dependent" { 0.5 } else { masking_prob });
        if multi && masks == "independent" {
            // main_simsiam.py makes five pairs whatever the flag says.
            self.set("views.pairs", if self.script == Script::MainSimsiam { 5 } else { self.flags.n_aug });
        }
    }

    fn model(&mut self, levels: &Levels) {
        let (flags, config) = (self.flags, self.config);
        self.set("model.m", config.m);
        match float(&levels.ws_noise) {
            Some(closeness) if self.script != Script::MainSimclr => {
                self.set("model.init.kind", "warm");
                self.set("model.init.closeness", closeness);
            }
            _ => self.set("model.init.kind", "random"),
        }
        // The others apply their activation whatever the configuration says.
        let optional_activation = matches!(
            self.model,
            "simplified-pred" | "simplified-pred-norm" | "simplified-noalt-pred" | "simclr" | "simclr-alter-aug"
        );
        if optional_activation && !(config.has_online_ReLU && config.has_target_ReLU) {
            self.set("model.activation", "identity");
        }
        self.set("model.batch_norm", self.batch_norm());
        if self.model == "simplified" && !flags.use_bias {
            self.set("model.bias.kind", if flags.const_bias { "constant" } else { "none" });
            if flags.const_bias {
                self.set("model.bias.value", flags.bias_val);
            }
        }
        if self.model.starts_with("simplified-") && self.model != "simplified-ml" {
            let idle = self.model == "simplified-noalt-pred" && !flags.use_pred;
            self.set("model.predictor.kind", if idle { "idle" } else { "linear" });
            self.set("model.predictor.bias", flags.use_pred_bias);
        }
    }

    /// Where batch norm stands. Several models construct the module, and so have it in their state dict, but never
    /// apply it.
    fn batch_norm(&self) -> &'static str {
        let applied = if self.flags.use_bn { "pre_activation" } else { "none" };
        let constructed = if self.flags.use_bn { "pre_activation" } else { "idle" };
        let placement = self.config.batch_norm.as_str();
        match (self.model, placement) {
            ("simplified", _) => "none",
            ("simclr-orig", _) => "pre_activation",
            ("simclr-alter-aug", _) => "idle",
            ("simclr" | "simsiam-ml", _) => constructed,
            ("simsiam" | "simsiam-freeze", Some("encoder_pre_activation")) => "pre_activation",
            ("simsiam" | "simsiam-freeze", Some("encoder_post_activation")) if self.flags.use_bn => {
                "pre_and_post_activation"
            }
            ("simsiam" | "simsiam-freeze", Some("encoder_post_activation")) => "post_activation",
            _ if self.script == Script::MainSimsiam && !self.config.batch_norm.is_null() => constructed,
            _ => applied,
        }
    }

    fn training(&mut self) {
        let (flags, config, model) = (self.flags, self.config, self.model);
        self.set("train.epochs", config.NUM_EPOCHES);
        // A loader that keeps incomplete batches turns too few samples into one such batch.
        let batch_size =
            if self.script == Script::MainSimclr { config.batch_size } else { config.batch_size.min(config.nn) };
        self.set("train.batch_size", batch_size);
        self.set("train.lr", config.lr.unwrap_or_default());
        match self.script {
            Script::Main => {}
            Script::MainSimclr => return self.set("loss.temperature", flags.temperature),
            Script::MainSimsiam => return,
        }
        self.set("loss.normalize", flags.normalize_repr);
        if model != "simplified-ml" {
            let axis = match (flags.use_alt_norm, flags.use_row_norm) {
                (true, _) => "columns",
                (_, true) => "rows",
                _ => "none",
            };
            self.set("train.normalize_encoder", axis);
            if matches!(model, "simplified-pred-norm" | "simplified-noalt-pred") {
                self.set("train.normalize_predictor", if axis == "columns" { "crossed_columns" } else { axis });
            }
        }
        if model == "simplified" && flags.clip_bias {
            self.set("train.clamp_bias", 1.0);
        }
        if let (Some(decay), "simplified" | "simplified-pred" | "simplified-pred-norm") = (flags.ema_decay, model) {
            self.set("train.turns.kind", "ema");
            self.set("train.turns.decay", decay);
        }
    }
}
