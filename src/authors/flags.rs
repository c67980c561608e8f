//! The flags of the authors' scripts (`common_args.py`), parsed as Python's argparse does.

use std::path::PathBuf;

use anyhow::Result;
use serde::Deserialize;

use super::script::Script;
use crate::{
    input_error,
    runner::{DeviceChoice, EngineChoice},
    spec::{Random, Seeds, nearest},
};

/// Every flag that changes a run, with the defaults of `common_args.py`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flags {
    /// Unit-norm representations in the loss; `main.py` alone.
    pub normalize_repr: bool,
    /// Decay of a target by exponential moving average; the published scripts assert it off.
    pub ema_decay: Option<f64>,
    /// Independent masks in `main_simclr.py`, whose views are dependent otherwise.
    pub use_masking: bool,
    /// Several pairs of views of each sample.
    pub use_multimasking: bool,
    /// How many pairs; `main_simsiam.py` makes five whatever this says.
    pub n_aug: usize,
    /// Batch norm, in the models that have it.
    pub use_bn: bool,
    /// Of NT-Xent, dividing the similarities; `main_simclr.py` alone.
    pub temperature: f64,
    /// Whether `simplified-noalt-pred` applies its predictor.
    pub use_pred: bool,
    /// Trained biases of `simplified`'s encoders.
    pub use_bias: bool,
    /// Bias of the predictor; `main.py` alone.
    pub use_pred_bias: bool,
    /// The identity as dictionary.
    pub m_identity: bool,
    /// Unit-norm columns of weights after every step; `main.py` alone.
    pub use_alt_norm: bool,
    /// Unit-norm rows of weights after every step; `main.py` alone.
    pub use_row_norm: bool,
    /// Biases of `simplified` are `bias_val` and do not learn.
    pub const_bias: bool,
    /// Biases of `simplified` are clamped to [-1, 1] after every step.
    pub clip_bias: bool,
    /// The constant of `const_bias`.
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

/// A command line of one of the training scripts.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// `--cfg`: the configuration file.
    pub cfg: PathBuf,
    /// `--logDir`: the folder of results.
    pub log_dir: PathBuf,
    /// `--model`: network and loss, by the authors' name.
    pub model: String,
    /// Replaces the configuration's, unless it is zero.
    pub lr: f64,
    /// Replaces the configuration's, unless it is zero.
    pub batch_size: usize,
    /// `--log_metrics`: measure support and spectra at every epoch, too.
    pub log_metrics: bool,
    /// Their other flags.
    pub flags: Flags,
    /// The flags that we add.
    pub ours: Ours,
}

/// Flags that the authors' scripts do not have.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// Seeds instead of i + 1 for experiment i.
    pub seeds: Option<Seeds>,
    /// Where to train; the CPU if not given.
    pub device: Option<DeviceChoice>,
    /// Runs trained at the same time; one for each core if not given.
    pub jobs: Option<std::num::NonZero<usize>>,
    /// What computes gradients; autograd if not given.
    pub engine: Option<EngineChoice>,
    /// Parameters to start from, by their names.
    pub from_state_dict: Option<PathBuf>,
    /// Runs trained side by side, at most.
    pub cohort: Option<std::num::NonZero<usize>>,
    /// List the runs, and train none.
    pub dry_run: bool,
    /// Train again what is recorded.
    pub force: bool,
    /// The draws of the scripts under a given PyTorch; under 1.9 and newer if not given.
    pub torch: Option<TorchDraws>,
    /// Where to draw the runs' curves, if anywhere.
    pub plots: Option<PathBuf>,
}

/// What the scripts draw under a version of PyTorch: its number, as in `torch.__version__`, decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TorchDraws(pub Random);

impl std::str::FromStr for TorchDraws {
    type Err = String;

    /// Takes `1.7`, `1.7.1`, `2.11.0+cpu` and the like.
    fn from_str(text: &str) -> Result<Self, String> {
        let release = text.split_once('+').map_or(text, |(release, _)| release);
        let numbers = release.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>();
        let Some([major, minor] | [major, minor, _]) = numbers.as_deref() else {
            return Err("a version of PyTorch is needed, such as 1.7.1 or 2.11".into());
        };
        match (major, minor) {
            (1, 7 | 8) => Ok(Self(Random::AuthorsTorch17)),
            (1, 9..) | (2.., _) => Ok(Self(Random::Authors)),
            _ => Err("loaders before PyTorch 1.7 are not known; 1.7 or newer is needed".into()),
        }
    }
}

/// One flag: its name, the placeholder of its value (none for a switch), and its line of help.
pub struct Flag {
    /// Without the leading dashes.
    pub name: &'static str,
    /// Placeholder of its value; none for a switch.
    pub value: Option<&'static str>,
    /// Its line of help, with the default in brackets.
    pub help: &'static str,
}

const fn flag(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, value: Some(value), help }
}

const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, value: None, help }
}

/// The authors' flags.
pub const THEIRS: &[Flag] = &[
    flag("cfg", "FILE", "configuration file (required)"),
    flag("logDir", "DIR", "folder of results (required: the scripts stop without it)"),
    flag("model", "NAME", "network and loss [simplified]"),
    flag("local_rank", "N", "read and ignored; --device takes its place"),
    flag("normalize_repr", "BOOL", "unit-norm representations in the loss; main.py only [False]"),
    flag("ema_decay", "DECAY", "target by exponential moving average; the authors assert it off [none]"),
    flag("use_masking", "BOOL", "independent masks in main_simclr.py [False]"),
    flag("use_multimasking", "BOOL", "several pairs of views of each sample [False]"),
    flag("n_aug", "N", "number of those pairs; five in main_simsiam.py [5]"),
    flag("use_bn", "BOOL", "batch norm, where the model has it [False]"),
    flag("lr", "RATE", "learning rate; 0 keeps the configuration's [0.025]"),
    flag("batch_size", "N", "batch size; 0 keeps the configuration's [384]"),
    flag("temperature", "T", "temperature of NT-Xent [0.05]"),
    flag("use_pred", "BOOL", "whether simplified-noalt-pred uses its predictor [False]"),
    flag("use_bias", "BOOL", "bias of simplified's encoders [True]"),
    flag("use_pred_bias", "BOOL", "bias of the predictor in main.py [True]"),
    flag("m_identity", "BOOL", "identity dictionary [False]"),
    flag("use_alt_norm", "BOOL", "unit-norm columns after every step; main.py [False]"),
    flag("use_row_norm", "BOOL", "unit-norm rows after every step; main.py [False]"),
    flag("bias_val", "VALUE", "of a constant bias [0.005]"),
    flag("wandb_project", "NAME", "read and ignored"),
    switch("log_metrics", "measure support and spectra at every epoch, too"),
    switch("const_bias", "constant bias in simplified; needs --use_bias False"),
    switch("clip_bias", "biases of simplified clamped to [-1, 1]"),
];

/// Our flags beside theirs.
pub const OURS: &[Flag] = &[
    flag("seeds", "SEEDS", "7, 1..5 or 1,4,9 instead of 1 to num_exp"),
    flag("device", "DEVICE", "cpu, cuda, cuda:N or auto [cpu]"),
    flag("jobs", "N", "runs trained at the same time [the number of cores]"),
    flag("engine", "ENGINE", "autograd, fused or auto [autograd]"),
    flag("from-state-dict", "FILE", "start from these parameters: .safetensors, or .pt of torch.save"),
    flag("cohort", "N", "runs trained side by side; more than one changes last digits [1 on a CPU]"),
    flag("torch", "VERSION", "draw as the scripts do under this PyTorch: 1.7, 1.8, or 1.9 and newer [newer]"),
    switch("dry-run", "list the runs and estimate their work, without training any"),
    switch("force", "train again what is recorded"),
    flag("plots", "DIR", "draw the curves of all these runs into this folder, too"),
];

/// A flag and its value, as given.
pub struct Given {
    /// The flag's name, without dashes and in full.
    pub name: &'static str,
    /// Its value as typed; empty for a switch.
    pub value: String,
}

/// Splits a command line as argparse does: `--flag value`, `--flag=value`, unambiguous prefixes, the last one wins.
///
/// # Errors
/// Input errors: an unknown or ambiguous flag, a missing or surplus value.
pub fn split(arguments: &[String], theirs: &'static [Flag], ours: &'static [Flag]) -> Result<Vec<Given>> {
    let mut given = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(body) = argument.strip_prefix("--") else {
            return Err(input_error!("unexpected argument `{argument}`: flags begin with --"));
        };
        let (name, inline) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
        let flag = find(name, theirs, ours)?;
        let value = match (flag.value, inline) {
            (None, None) => String::new(),
            (None, Some(_)) => return Err(input_error!("--{}: takes no value", flag.name)),
            (Some(_), Some(value)) => value.to_string(),
            (Some(what), None) => match rest.clone().next() {
                Some(value) if !looks_like_flag(value) => {
                    rest.next();
                    value.clone()
                }
                _ => return Err(input_error!("--{}: expected a value, {what}", flag.name)),
            },
        };
        given.push(Given { name: flag.name, value });
    }
    Ok(given)
}

/// argparse takes anything that starts with a dash for a flag, unless it is a negative number of the form `-\d+` or
/// `-\d*\.\d+`; `-1e-3` is not one (write `--bias_val=-1e-3`).
fn looks_like_flag(argument: &str) -> bool {
    let Some(number) = argument.strip_prefix('-').filter(|rest| !rest.is_empty()) else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or(("", number));
    let is_number = digits(whole) && digits(fraction) && !fraction.is_empty();
    !is_number && !argument.contains(' ')
}

/// The flag with this full name or prefix. A prefix that is unambiguous among their flags stays so beside ours.
fn find(name: &str, theirs: &'static [Flag], ours: &'static [Flag]) -> Result<&'static Flag> {
    let all = || theirs.iter().chain(ours);
    if let Some(flag) = all().find(|flag| flag.name == name) {
        return Ok(flag);
    }
    let begun = |flags: &'static [Flag]| -> Vec<&'static Flag> {
        flags.iter().filter(|flag| !name.is_empty() && flag.name.starts_with(name)).collect()
    };
    let candidates = [begun(theirs), begun(ours)].into_iter().find(|flags| !flags.is_empty()).unwrap_or_default();
    match candidates[..] {
        [flag] => Ok(flag),
        [] => {
            let hint = nearest(name, all().map(|flag| flag.name));
            let hint = hint.map(|near| format!(" (did you mean `--{near}`?)")).unwrap_or_default();
            Err(input_error!("unknown flag `--{name}`{hint}; --help lists all"))
        }
        _ => {
            let names: Vec<String> = candidates.iter().map(|flag| format!("--{}", flag.name)).collect();
            Err(input_error!("`--{name}` is short for several flags: {}", names.join(", ")))
        }
    }
}

impl Given {
    fn wrong(&self, what: &str) -> anyhow::Error {
        input_error!("--{} {}: {what}", self.name, self.value)
    }

    /// The scripts' `str2bool`.
    pub fn bool(&self) -> Result<bool> {
        match self.value.to_lowercase().as_str() {
            "yes" | "true" | "t" | "y" | "1" => Ok(true),
            "no" | "false" | "f" | "n" | "0" => Ok(false),
            _ => Err(self.wrong("a truth value is needed: yes, true, t, y, 1, no, false, f, n or 0")),
        }
    }

    /// Python's `float()`, finite values only.
    pub fn float(&self) -> Result<f64> {
        let text = self.value.trim().replace('_', "");
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
        value.ok_or_else(|| self.wrong("a number is needed"))
    }

    /// Python's `int()`, not negative.
    pub fn int(&self) -> Result<usize> {
        let text = self.value.trim().replace('_', "");
        text.parse().map_err(|_| self.wrong("a whole number of at least 0 is needed"))
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self) -> Result<T> {
        self.value.parse().map_err(|error| self.wrong(&format!("{error}")))
    }
}

impl CommandLine {
    /// Reads the arguments that follow a training script's name.
    ///
    /// # Errors
    /// Input errors that name the flag.
    pub fn parse(script: Script, arguments: &[String]) -> Result<Self> {
        let mut line = Self {
            cfg: PathBuf::new(),
            log_dir: PathBuf::new(),
            model: "simplified".into(),
            lr: 0.025,
            batch_size: 384,
            log_metrics: false,
            flags: Flags::default(),
            ours: Ours::default(),
        };
        for given in split(arguments, THEIRS, OURS)? {
            line.take(&given)?;
        }
        if line.cfg.as_os_str().is_empty() {
            return Err(input_error!("--cfg FILE is required"));
        }
        if line.log_dir.as_os_str().is_empty() {
            return Err(input_error!("--logDir DIR is required: without it the authors' scripts stop before training"));
        }
        script.check_model(&line.model)?;
        Ok(line)
    }

    fn take(&mut self, given: &Given) -> Result<()> {
        let flags = &mut self.flags;
        match given.name {
            "cfg" => self.cfg = given.value.clone().into(),
            "logDir" => self.log_dir = given.value.clone().into(),
            "model" => self.model.clone_from(&given.value),
            "local_rank" => _ = given.int()?,
            "normalize_repr" => flags.normalize_repr = given.bool()?,
            "ema_decay" => flags.ema_decay = Some(given.float()?),
            "use_masking" => flags.use_masking = given.bool()?,
            "use_multimasking" => flags.use_multimasking = given.bool()?,
            "n_aug" => flags.n_aug = given.int()?,
            "use_bn" => flags.use_bn = given.bool()?,
            "lr" => self.lr = given.float()?,
            "batch_size" => self.batch_size = given.int()?,
            "temperature" => flags.temperature = given.float()?,
            "use_pred" => flags.use_pred = given.bool()?,
            "use_bias" => flags.use_bias = given.bool()?,
            "use_pred_bias" => flags.use_pred_bias = given.bool()?,
            "m_identity" => flags.m_identity = given.bool()?,
            "use_alt_norm" => flags.use_alt_norm = given.bool()?,
            "use_row_norm" => flags.use_row_norm = given.bool()?,
            "bias_val" => flags.bias_val = given.float()?,
            "wandb_project" => {}
            "log_metrics" => self.log_metrics = true,
            "const_bias" => flags.const_bias = true,
            "clip_bias" => flags.clip_bias = true,
            "seeds" => self.ours.seeds = Some(given.parsed()?),
            "device" => self.ours.device = Some(given.parsed()?),
            "jobs" => self.ours.jobs = Some(given.parsed()?),
            "engine" => self.ours.engine = Some(given.parsed()?),
            "from-state-dict" => self.ours.from_state_dict = Some(given.value.clone().into()),
            "cohort" => self.ours.cohort = Some(given.parsed()?),
            "torch" => self.ours.torch = Some(given.parsed()?),
            "dry-run" => self.ours.dry_run = true,
            "force" => self.ours.force = true,
            "plots" => self.ours.plots = Some(given.value.clone().into()),
            other => unreachable!("the table lists --{other}, and nothing takes it"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<CommandLine, String> {
        let arguments: Vec<String> = line.split_whitespace().map(Into::into).collect();
        CommandLine::parse(Script::Main, &arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn every_flag_is_taken() {
        for flag in THEIRS.iter().chain(OURS) {
            let value = match flag.value {
                None => "",
                Some("BOOL") => " t",
                Some("ENGINE") => " auto",
                Some("DEVICE") => " cpu",
                Some("NAME") => " simplified-pred",
                Some("VERSION") => " 1.7.1",
                Some(_) => " 3",
            };
            parsed(&format!("--cfg a --logDir b --{}{value}", flag.name)).unwrap();
        }
    }

    #[test]
    fn as_argparse() {
        let line = parsed("--cfg=a.yaml --logD out --use_bn YES --norm t --lr 0.1 --lr=0.005 --ema -0.5 --log_ --clip")
            .unwrap();
        assert_eq!(line.cfg, PathBuf::from("a.yaml"));
        assert_eq!(line.log_dir, PathBuf::from("out"));
        assert!(line.flags.use_bn && line.flags.normalize_repr && line.log_metrics && line.flags.clip_bias);
        assert_eq!((line.lr, line.batch_size, line.flags.ema_decay), (0.005, 384, Some(-0.5)));
    }

    #[test]
    fn a_version_of_torch_decides_what_is_drawn() {
        let drawn = |version: &str| parsed(&format!("--cfg a --logDir b --torch {version}")).unwrap().ours.torch;
        for (versions, random) in [
            (&["1.7", "1.7.1", "1.8.0+cpu", "1.8.1+cu111"][..], Random::AuthorsTorch17),
            (&["1.9", "1.9.0", "1.13.1", "2.0", "2.11.0+cpu", "3.0.0"], Random::Authors),
        ] {
            for version in versions {
                assert_eq!(drawn(version), Some(TorchDraws(random)), "{version}");
            }
        }
    }

    #[test]
    fn what_argparse_refuses() {
        for (line, part) in [
            ("--logDir b", "--cfg FILE is required"),
            ("--cfg a", "--logDir DIR is required"),
            ("--cfg a --logDir b --use_m true", "short for several flags: --use_masking, --use_multimasking"),
            ("--cfg a --logDir b --use_batchnorm true", "unknown flag `--use_batchnorm`"),
            ("--cfg a --logDir b --use_bn maybe", "--use_bn maybe: a truth value is needed"),
            ("--cfg a --logDir b --lr", "--lr: expected a value"),
            ("--cfg a --logDir b --bias_val -1e-3", "--bias_val: expected a value"),
            ("--cfg a --logDir b --bias_val -1.", "--bias_val: expected a value"),
            ("--cfg a --logDir b --lr --use_bn t", "--lr: expected a value"),
            ("--cfg a --logDir b --log_metrics=1", "takes no value"),
            ("--cfg a --logDir b stray", "unexpected argument `stray`"),
            ("--cfg a --logDir b --model simplifed", "did you mean `simplified`?"),
            ("--cfg a --logDir b --model simclr", "unknown --model"),
            ("--cfg a --logDir b --n_aug -1", "--n_aug"),
            ("--cfg a --logDir b --torch 1.6.0", "--torch 1.6.0: loaders before PyTorch 1.7"),
            ("--cfg a --logDir b --torch new", "--torch new: a version of PyTorch is needed, such as 1.7.1"),
            ("--cfg a --logDir b --torch 1.7.1.", "--torch 1.7.1.: a version"),
            ("--cfg a --logDir b --temprature 1", "did you mean `--temperature`?"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
