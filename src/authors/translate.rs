use serde::Deserialize;
use serde_yaml::Value;

use crate::spec::{Fault, RunSpec, resolve, tree};

/// One of the three training scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    Main,
    MainSimclr,
    MainSimsiam,
}

/// The keys of their configuration files that a run reads, with the defaults of `config/default.py`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(non_snake_case, reason = "the names are the authors'")]
pub struct Config {
    pub nn: usize,
    pub num_exp: usize,
    pub NUM_EPOCHES: usize,
    pub batch_size: usize,
    pub p: usize,
    pub d: usize,
    pub m: usize,
    pub lr: f64,
    pub has_online_ReLU: bool,
    pub has_target_ReLU: bool,
    pub has_target_predictor: bool,
    pub alternative_optimization: bool,
    pub rm_predictor: bool,
    /// Dead: the loop reads `gaussian_noise_levels`.
    pub sigma0: Option<f64>,
    pub threshold: f64,
    /// Dead.
    pub z_dim: Option<usize>,
    pub one_hot_latent: bool,
    pub batch_norm: Option<String>,
    pub ws_noise_levels: Vec<Option<f64>>,
    pub gaussian_noise_levels: Vec<Option<f64>>,
    pub sparsity_levels: Vec<f64>,
    pub masking_probs: Vec<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nn: 10000,
            num_exp: 5,
            NUM_EPOCHES: 100,
            batch_size: 1000,
            p: 50,
            d: 10,
            m: 50,
            lr: 1e-4,
            has_online_ReLU: true,
            has_target_ReLU: true,
            has_target_predictor: false,
            alternative_optimization: true,
            rm_predictor: true,
            sigma0: None,
            threshold: 0.0,
            z_dim: None,
            one_hot_latent: false,
            batch_norm: None,
            ws_noise_levels: vec![None],
            gaussian_noise_levels: vec![None],
            sparsity_levels: vec![0.1, 0.2, 0.3],
            masking_probs: vec![0.25, 0.5, 0.75, 0.9],
        }
    }
}

/// The flags that change a run, with the defaults of `common_args.py`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flags {
    pub normalize_repr: bool,
    pub ema_decay: Option<f64>,
    pub use_masking: bool,
    pub use_multimasking: bool,
    pub n_aug: usize,
    pub use_bn: bool,
    pub temperature: f64,
    pub use_pred: bool,
    pub use_bias: bool,
    pub use_pred_bias: bool,
    pub m_identity: bool,
    pub use_alt_norm: bool,
    pub use_row_norm: bool,
    pub const_bias: bool,
    pub clip_bias: bool,
    pub bias_val: f64,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            normalize_repr: false,
            ema_decay: None,
            use_masking: false,
            use_multimasking: false,
            n_aug: 5,
            use_bn: false,
            temperature: 0.05,
            use_pred: false,
            use_bias: true,
            use_pred_bias: true,
            m_identity: false,
            use_alt_norm: false,
            use_row_norm: false,
            const_bias: false,
            clip_bias: false,
            bias_val: 0.005,
        }
    }
}

/// One point of the scripts' loops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Closeness of the warm start; `None` starts at random.
    pub ws_noise: Option<f64>,
    /// Exponent of the noise; `None` is 1, 0 is no noise.
    pub noise: Option<f64>,
    pub sparsity: f64,
    pub masking_prob: f64,
}

/// The run that a script would do: `model` is its `--model`, `lr` and `batch_size` stand in `config`.
pub fn translate(
    script: Script,
    model: &str,
    flags: &Flags,
    config: &Config,
    levels: Levels,
    seed: u64,
) -> Result<RunSpec, Fault> {
    let mut run = Translation { settings: Value::Null, script, model, flags, config };
    run.set("method", model);
    run.set("seed", seed);
    run.set("random", "authors");
    run.set("metrics.target_spectrum", "online");
    run.data(levels);
    run.views(levels);
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

    fn data(&mut self, levels: Levels) {
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
            self.set("data.latents.sparsity", levels.sparsity);
        }
        match levels.noise {
            Some(0.0) => self.set("data.noise.kind", "none"),
            exponent => {
                self.set("data.noise.kind", "authors");
                self.set("data.noise.exponent", exponent.unwrap_or(1.0));
            }
        }
    }

    fn views(&mut self, levels: Levels) {
        let multi = self.flags.use_multimasking;
        let masks = match self.script {
            _ if self.model == "simclr-alter-aug" => "shared",
            Script::MainSimclr if !multi && !self.flags.use_masking => "dependent",
            _ => "independent",
        };
        self.set("views.masks", masks);
        // Dependent views keep every entry with probability one half, whatever the level.
        self.set("views.masking_prob", if masks == "dependent" { 0.5 } else { levels.masking_prob });
        if multi && masks == "independent" {
            // main_simsiam.py makes five pairs whatever the flag says.
            self.set("views.pairs", if self.script == Script::MainSimsiam { 5 } else { self.flags.n_aug });
        }
    }

    fn model(&mut self, levels: Levels) {
        let (flags, config) = (self.flags, self.config);
        self.set("model.m", config.m);
        match levels.ws_noise {
            Some(closeness) if self.script != Script::MainSimclr => {
                self.set("model.init.kind", "warm");
                self.set("model.init.closeness", closeness);
            }
            _ => self.set("model.init.kind", "random"),
        }
        let optional_activation = self.script == Script::MainSimclr || self.model.starts_with("simplified-pred");
        let optional_activation = optional_activation || self.model == "simplified-noalt-pred";
        if optional_activation && !(config.has_online_ReLU && config.has_target_ReLU) {
            self.set("model.activation", "identity");
        }
        if !matches!(self.model, "simplified" | "simclr-orig" | "simclr-alter-aug") {
            self.set("model.batch_norm", if flags.use_bn { "pre_activation" } else { "none" });
        }
        if let (Script::MainSimsiam, Some(placement)) = (self.script, &config.batch_norm) {
            match (placement.as_str(), self.model) {
                ("encoder_pre_activation", "simsiam" | "simsiam-freeze") => {
                    self.set("model.batch_norm", "pre_activation");
                }
                ("encoder_post_activation", "simsiam" | "simsiam-freeze") => {
                    self.set("model.batch_norm", "post_activation");
                }
                _ => {}
            }
        }
        if self.model == "simplified" && !flags.use_bias {
            self.set("model.bias.kind", if flags.const_bias { "constant" } else { "none" });
            if flags.const_bias {
                self.set("model.bias.value", flags.bias_val);
            }
        }
        if self.model.starts_with("simplified-") && self.model != "simplified-ml" {
            self.set("model.predictor.kind", "linear");
            self.set("model.predictor.bias", flags.use_pred_bias);
        }
    }

    fn training(&mut self) {
        let (flags, config, model) = (self.flags, self.config, self.model);
        self.set("train.epochs", config.NUM_EPOCHES);
        self.set("train.batch_size", config.batch_size);
        self.set("train.lr", config.lr);
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
        if let (Some(decay), "simplified" | "simplified-pred" | "simplified-pred-norm" | "simplified-ml") =
            (flags.ema_decay, model)
        {
            self.set("train.turns.kind", "ema");
            self.set("train.turns.decay", decay);
        }
    }
}
