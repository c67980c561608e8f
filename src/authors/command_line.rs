//! Command lines of the authors' training scripts, with the flags that we add.

use std::path::PathBuf;

use anyhow::Result;

use super::{
    argparse::{Flag, Given, flag, split, switch},
    flags::Flags,
    script::Script,
};
use crate::{
    input_error,
    runner::{DeviceChoice, EngineChoice},
    spec::{Random, Seeds},
};

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
