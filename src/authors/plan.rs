//! The runs of one call of a training script, in the order of its loops.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use indexmap::IndexMap;
use serde_json::Value;

use super::{
    CommandLine, Config, Level, Levels, Script,
    literal::{python_float, python_text},
    translate,
};
use crate::{
    input_error, record,
    spec::{
        Fault, PlannedRun, RunSpec, Seeds,
        layout::{Kind, Layout, StateDict},
    },
};

/// The runs of a script, and where they are recorded.
#[derive(Debug)]
pub struct Plan {
    /// The folder above `--logDir`.
    pub results: PathBuf,
    /// In the order of the script's loops, seeds innermost.
    pub runs: Vec<PlannedRun>,
}

/// Plans what a training script would do.
///
/// Each run is recorded in `<logDir>/<stem>`, where the stem is that of the authors' result file.
///
/// # Errors
/// Input errors that name the flag or the key: settings at which the script would stop, and settings that mean nothing.
pub fn plan(script: Script, line: &CommandLine) -> Result<Plan> {
    plan_of(script, line, Config::read(&line.cfg)?)
}

/// As [`plan`], with the configuration file already read.
///
/// # Errors
/// As [`plan`].
pub fn plan_of(script: Script, line: &CommandLine, mut config: Config) -> Result<Plan> {
    if line.lr != 0.0 {
        config.lr = Some(line.lr);
    }
    if config.lr.is_none() {
        return Err(input_error!("{}: lr: None is not a learning rate, and --lr 0 keeps it", line.cfg.display()));
    }
    if line.batch_size != 0 {
        config.batch_size = line.batch_size;
    }
    refuse_what_stops(script, line, &config)?;
    let (results, experiment) = split(&line.log_dir)?;
    let start = line.ours.from_state_dict.as_deref().map(read_start).transpose()?;
    let seeds = seeds(line, &config)?;
    let mut runs: IndexMap<String, PlannedRun> = IndexMap::new();
    for levels in loops(script, &config) {
        for &seed in &seeds {
            let mut spec = translate(script, &line.model, &line.flags, &config, &levels, seed)
                .map_err(|fault| explain(&fault, line))?;
            spec.metrics.detail_every = usize::from(line.log_metrics);
            spec.random = line.ours.torch.map_or(spec.random, |draws| draws.0);
            let id = stem(line, &levels, seed);
            let start = start.as_ref().map(|given| fitted(given, &spec, line)).transpose()?;
            let label = group(script, line, &config, &levels);
            let drawn = PlannedRun::alone(&experiment, id.clone(), label, Arc::new(spec));
            let run = PlannedRun { start: start.map(Arc::new), ..drawn };
            // Levels spelt alike share a file, and the later one wins.
            runs.insert(id, run);
        }
    }
    Ok(Plan { results, runs: runs.into_values().collect() })
}

/// Settings at which the published scripts stop with an exception, and which have no evident meaning.
fn refuse_what_stops(script: Script, line: &CommandLine, config: &Config) -> Result<()> {
    let (flags, model) = (&line.flags, line.model.as_str());
    let simplified = model == "simplified";
    let fault = if simplified && flags.use_alt_norm && flags.use_row_norm {
        "--use_alt_norm, --use_row_norm: rows or columns can be normalised, not both"
    } else if simplified && !flags.use_bias && !flags.const_bias {
        "--use_bias False: the activation takes the bias as its threshold; add --const_bias for a constant one"
    } else if simplified && flags.const_bias && flags.use_bias {
        "--const_bias: a constant bias takes the place of the trained one; add --use_bias False"
    } else if simplified && flags.clip_bias && !flags.use_bias {
        "--clip_bias: there is no trained bias to clamp with --use_bias False"
    } else if model == "simplified-ml" && !(config.has_online_ReLU && config.has_target_ReLU) {
        "has_online_ReLU, has_target_ReLU: simplified-ml has no network without its activation; both must be True"
    } else if script == Script::MainSimclr && config.batch_size > config.nn {
        "--batch_size: main_simclr.py leaves out incomplete batches, and there are fewer samples (nn) than one batch takes"
    } else {
        return Ok(());
    };
    Err(input_error!("{fault}"))
}

/// Every point of the loops, outermost first: warm start (not in main_simclr.py), noise, sparsity, masking.
fn loops(script: Script, config: &Config) -> Vec<Levels> {
    let random = [None];
    let starts: &[Level] = if script == Script::MainSimclr { &random } else { &config.ws_noise_levels };
    let mut points = Vec::new();
    for ws_noise in starts {
        for noise in &config.gaussian_noise_levels {
            for sparsity in &config.sparsity_levels {
                for masking_prob in &config.masking_probs {
                    let (ws_noise, noise) = (ws_noise.clone(), noise.clone());
                    let (sparsity, masking_prob) = (sparsity.clone(), masking_prob.clone());
                    points.push(Levels { ws_noise, noise, sparsity, masking_prob });
                }
            }
        }
    }
    points
}

/// Experiment i has the seed i + 1.
fn seeds(line: &CommandLine, config: &Config) -> Result<Vec<u64>> {
    let seeds = match &line.ours.seeds {
        Some(Seeds(seeds)) => seeds.clone(),
        None if config.num_exp <= 1_000_000 => (1..=config.num_exp as u64).collect(),
        None => return Err(input_error!("num_exp {}: a million experiments at most", config.num_exp)),
    };
    match seeds.iter().find(|&&seed| seed == 0 || seed > u64::from(u32::MAX)) {
        Some(0) => Err(input_error!("--seeds 0: the seed of experiment i is i + 1, so seeds begin at 1")),
        Some(seed) => Err(input_error!("--seeds {seed}: NumPy takes seeds below 2^32")),
        None => Ok(seeds),
    }
}

/// The folder above `--logDir`, and its own name.
fn split(log_dir: &Path) -> Result<(PathBuf, String)> {
    let name = log_dir.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| input_error!("--logDir {}: give a folder by its name", log_dir.display()))?;
    Ok((log_dir.parent().map(Into::into).unwrap_or_default(), name.to_string()))
}

fn text(level: &Level) -> String {
    python_text(&level.clone().map_or(Value::Null, Value::Number))
}

/// Name of the authors' result file, without its ending.
fn stem(line: &CommandLine, levels: &Levels, seed: u64) -> String {
    let ema = line.flags.ema_decay.map_or_else(|| "None".into(), python_float);
    format!(
        "training_val_dict_c{}_noise{}_sparse{}_mask{}_ema{ema}_experiment{}",
        text(&levels.ws_noise),
        text(&levels.noise),
        text(&levels.sparsity),
        text(&levels.masking_prob),
        seed as i64 - 1,
    )
}

/// Name of the run's group in the authors' wandb project, shared by runs that differ only in the seed.
fn group(script: Script, line: &CommandLine, config: &Config, levels: &Levels) -> String {
    let flags = &line.flags;
    let bool = |value: bool| python_text(&Value::Bool(value));
    let norms = format!("-cn-{}-rn-{}", bool(flags.use_alt_norm), bool(flags.use_row_norm));
    let common = format!(
        "-I{}-bn-{}-norm-{}-p{}-m{}-d{}",
        bool(flags.m_identity),
        bool(flags.use_bn),
        bool(flags.normalize_repr),
        config.p,
        config.m,
        config.d
    );
    let bias = if flags.const_bias { python_float(flags.bias_val) } else { "trained".into() };
    let start = format!("-c{}-bias-{bias}", text(&levels.ws_noise));
    let tail = format!(
        "-sp-{}-mask{}-lr-{}-1h-{}",
        text(&levels.sparsity),
        text(&levels.masking_prob),
        python_float(config.lr.unwrap_or(f64::NAN)),
        bool(config.one_hot_latent)
    );
    match script {
        Script::MainSimclr => {
            format!("{}{common}{tail}-temperature-{}", line.model, python_float(flags.temperature))
        }
        Script::Main | Script::MainSimsiam => format!("{}{norms}{common}{start}{tail}", line.model),
    }
}

/// The flag or key that a setting of ours comes from.
fn origin(path: &str) -> &str {
    const ORIGINS: [(&str, &str); 16] = [
        ("data.dictionary", "--m_identity"),
        ("data.samples", "nn"),
        ("data.p", "p"),
        ("data.d", "d"),
        ("data.latents", "sparsity_levels"),
        ("data.noise", "gaussian_noise_levels"),
        ("views.masking_prob", "masking_probs"),
        ("views.pairs", "--n_aug"),
        ("model.m", "m"),
        ("model.init", "ws_noise_levels"),
        ("model.bias", "--bias_val"),
        ("loss.temperature", "--temperature"),
        ("train.epochs", "NUM_EPOCHES"),
        ("train.batch_size", "--batch_size"),
        ("train.lr", "--lr"),
        ("train.turns", "--ema_decay"),
    ];
    ORIGINS.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or(path, |(_, origin)| origin)
}

fn explain(fault: &Fault, line: &CommandLine) -> anyhow::Error {
    let reason = fault.message.strip_prefix(&format!("{}: ", fault.path)).unwrap_or(&fault.message);
    input_error!("{}: {reason} ({} of --model {})", origin(&fault.path), line.cfg.display(), line.model)
}

fn read_start(path: &Path) -> Result<StateDict> {
    let state = match path.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => record::read_state(path),
        Some("pt" | "pth") => record::read_torch_state(path),
        _ => {
            return Err(input_error!(
                "--from-state-dict {}: a state dict is needed, as .safetensors or as .pt of torch.save (their .pkl files hold \
                 whole modules: save `module.state_dict()` instead)",
                path.display()
            ));
        }
    };
    state.map_err(|error| input_error!("--from-state-dict: {error:#}"))
}

/// The parameters of a file as the model needs them: those that the model lacks are left out, and buffers may be
/// missing.
fn fitted(given: &StateDict, spec: &RunSpec, line: &CommandLine) -> Result<StateDict> {
    let mut state = StateDict::new();
    for parameter in Layout::of(&spec.model, spec.data.p) {
        let fallback = match parameter.kind {
            Kind::RunningVar => Some(1.0),
            Kind::RunningMean | Kind::BatchCount | Kind::Moment => Some(0.0),
            _ => None,
        };
        let value = match (given.get(&parameter.name), fallback) {
            (Some(value), _) if value.shape() == parameter.shape => value.clone(),
            (Some(value), _) => {
                return Err(input_error!(
                    "--from-state-dict: {} has the shape {:?}, and --model {} needs {:?}",
                    parameter.name,
                    value.shape(),
                    line.model,
                    parameter.shape
                ));
            }
            (None, Some(value)) => ndarray::ArrayD::from_elem(parameter.shape.clone(), value),
            (None, None) => {
                return Err(input_error!(
                    "--from-state-dict: there is no {}, which --model {} needs",
                    parameter.name,
                    line.model
                ));
            }
        };
        state.insert(parameter.name, value);
    }
    Ok(state)
}

impl Plan {
    /// What tells the curve of a run from the others of this plan, by the parts of their files' names: `c1.25, mask0.5`.
    /// Experiments of one setting share it.
    pub fn curve(&self, run: &PlannedRun) -> String {
        let parts = |run: &PlannedRun| run.id.split('_').map(String::from).collect::<Vec<_>>();
        let all: Vec<Vec<String>> = self.runs.iter().map(parts).collect();
        let differs = |at: usize| all.iter().any(|other| other.get(at) != all[0].get(at));
        let own = parts(run).into_iter().enumerate();
        let told = own.filter(|(at, part)| differs(*at) && !part.starts_with("experiment")).map(|(_, part)| part);
        told.collect::<Vec<_>>().join(", ")
    }

    /// The runs still to be trained: all but those whose folder already holds the same settings from the same start.
    /// (Any call with the same folder and levels overwrites the authors' files, and ours too unless nothing would
    /// change.) A record that cannot be read is trained again.
    pub fn todo(&self, force: bool) -> Vec<PlannedRun> {
        let is_same = |run: &PlannedRun| -> bool {
            let folder = record::run_folder(&self.results, run);
            let start = run.start.as_deref().map(record::state_digest);
            record::read_run(&folder).is_ok_and(|record| record.spec == *run.spec && record.summary.start == start)
        };
        self.runs.iter().filter(|run| force || !is_same(run)).cloned().collect()
    }

    /// Creates the folder above `--logDir`.
    pub fn create_folder(&self) -> Result<()> {
        let folder = if self.results.as_os_str().is_empty() { Path::new(".") } else { &self.results };
        std::fs::create_dir_all(folder).context("cannot create the folder of --logDir")
    }
}
