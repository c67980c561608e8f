//! Flags that several subcommands share.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_yaml::Value;

use super::faults::Faults;
use crate::{
    input_error,
    logs::Logging,
    runner::{self, DeviceChoice, EngineChoice, IndexChoice, Pieces, ProgressMode, ShardChoice, Share},
    spec::{OpenSettings, Overrides, PlannedExperiment, PlannedRun, Seeds, check_names, plan_all, plan_file},
};

/// Which experiments, what to change in them, and where results lie.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Experiment files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Change a setting of every run; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,

    /// Seeds instead of the experiment's own: 7, 1..5 (both ends included) or 1,4,9
    #[arg(long, value_name = "SEEDS")]
    seeds: Option<Seeds>,

    /// Precision of the training
    #[arg(long, value_name = "TYPE", value_parser = ["float32", "float64"])]
    dtype: Option<String>,

    /// Few epochs, to see that everything works; pictures are marked as a quick run
    #[arg(long)]
    pub quick: bool,

    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
}

/// The list of what the paper's text leaves open.
pub const OPEN: &str = "experiments/text/open.yaml";

/// The list of registered claims.
pub const REGISTERED: &str = "experiments/text/registered.yaml";

/// Epochs of a quick run, of the paper's 8000.
pub const QUICK_EPOCHS: u64 = 500;

impl Settings {
    /// The experiments and their runs.
    pub fn plans(&self) -> Result<Vec<PlannedExperiment>> {
        plan_all(&self.files, &self.overrides()?)
    }

    /// The same with more settings changed, as by `--set`.
    pub fn plans_with(&self, sets: &[String]) -> Result<Vec<PlannedExperiment>> {
        let mut overrides = self.overrides()?;
        sets.iter().try_for_each(|assignment| overrides.set(assignment))?;
        plan_all(&self.files, &overrides)
    }

    /// The experiments of the files that are sound, with the faults of the others.
    pub fn sound_plans(&self) -> Result<(Vec<PlannedExperiment>, Faults)> {
        let overrides = self.overrides()?;
        check_names(&self.files)?;
        Faults::apart(&self.files, |file| plan_file(file, &overrides))
    }

    /// The flags that change the experiments, for another command line.
    pub fn changes(&self) -> Vec<String> {
        let Self { files: _, sets, seeds, dtype, quick, results: _ } = self;
        let mut flags: Vec<String> = sets.iter().flat_map(|set| pair("--set", set)).collect();
        flags.extend(seeds.iter().flat_map(|seeds| pair("--seeds", seeds)));
        flags.extend(dtype.iter().flat_map(|dtype| pair("--dtype", dtype)));
        flags.extend(quick.then(|| "--quick".into()));
        flags
    }

    /// What these flags change in the experiments, in words for pictures; `--quick` is said there in its own way.
    pub fn changed(&self) -> Vec<String> {
        let dtype = self.dtype.iter().map(|dtype| format!("dtype={dtype}"));
        let seeds = self.seeds.iter().map(|seeds| format!("seeds={seeds}"));
        self.sets.iter().cloned().chain(dtype).chain(seeds).collect()
    }

    /// The runs of the experiments under every value of what the text leaves open, one changed at a time, beside `plans`.
    pub fn with_readings(&self, plans: &mut [PlannedExperiment], list: &Path) -> Result<()> {
        let (open, overrides) = (OpenSettings::read(list)?, self.overrides()?);
        for (experiment, runs) in plans {
            runs.extend(open.further_runs(experiment, &overrides, runs)?);
        }
        Ok(())
    }

    /// The command line as layers of settings; `--set` comes last and wins.
    pub fn overrides(&self) -> Result<Overrides> {
        let mut overrides = Overrides::with_seeds(self.seeds.clone());
        if self.quick {
            overrides.layer("train.epochs", Value::from(QUICK_EPOCHS), "--quick".into());
        }
        if let Some(dtype) = &self.dtype {
            overrides.layer("dtype", Value::from(dtype.as_str()), format!("--dtype {dtype}"));
        }
        for assignment in &self.sets {
            overrides.set(assignment)?;
        }
        Ok(overrides)
    }
}

/// The experiment files of some folders, by name. A folder that is not there has none.
pub fn experiment_files(folders: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
        found.sort_by_key(|path| path.file_stem().map(std::ffi::OsStr::to_os_string));
        files.extend(found);
    }
    if files.is_empty() {
        return Err(input_error!("there are no experiment files in {}; name some", folders.join(", ")));
    }
    Ok(files)
}

/// How to compute.
#[derive(Debug, clap::Args)]
pub struct Computing {
    #[command(flatten)]
    training: Training,

    /// Cohorts trained at the same time [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = count)]
    jobs: Option<NonZero<usize>>,

    /// Train part I of N, dealt by estimated cost: the same parts on every machine. `slurm` for the task of a job array
    #[arg(long, value_name = "I/N", conflicts_with = "index")]
    shard: Option<ShardChoice>,

    /// Train one run, by its number in --dry-run. `slurm` for $SLURM_ARRAY_TASK_ID
    #[arg(long, value_name = "K")]
    index: Option<IndexChoice>,

    /// Run again what is recorded already, and from the start
    #[arg(long)]
    force: bool,

    /// How progress is shown; auto is a bar on a terminal, else plain; json is a line for each event, on stdout
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = one_of(ProgressMode::NAMES))]
    pub progress: ProgressMode,
}

/// How runs are trained and logged, wherever that happens.
#[derive(Debug, clap::Args)]
pub struct Training {
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,

    /// What computes gradients: autograd is libtorch's, the reference; fused are hand-written kernels for the CPU
    #[arg(long, default_value = "auto", value_parser = one_of(EngineChoice::NAMES))]
    engine: EngineChoice,

    /// Runs trained side by side in a cohort, at most [default: 1 on a CPU, 512 on a GPU, fewer where they do not fit]
    #[arg(long, value_name = "N", value_parser = count)]
    cohort: Option<NonZero<usize>>,

    /// Time between two checkpoints of a run, which a killed sweep goes on from; 0 for one after every epoch
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, allow_negative_numbers = true)]
    checkpoint_every: Duration,

    /// Write live logs too: tensorboard
    #[arg(long, value_name = "FORMAT", value_parser = ["tensorboard"])]
    log: Option<String>,

    /// Folder of live logs, `DIR/<experiment>/<run>/`
    #[arg(long, value_name = "DIR", default_value = "runs")]
    log_dir: PathBuf,
}

/// One of several named values, all of which the help lists.
pub fn one_of<T, const N: usize>(named: [(T, &'static str); N]) -> impl TypedValueParser<Value = T>
where
    T: Clone + Send + Sync + 'static,
{
    let names = named.each_ref().map(|(_, name)| *name);
    let value = move |text: String| named.iter().find(|(_, name)| *name == text).map(|(value, _)| value.clone());
    PossibleValuesParser::new(names).map(move |text| value(text).expect("one of the possible values"))
}

/// A number of things, at least one.
pub fn count(text: &str) -> Result<NonZero<usize>, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number from 1 on"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("`{text}` is not a number of seconds, such as 30"))
}

/// A flag and its value, for another command line.
pub fn pair(flag: &str, value: impl std::fmt::Display) -> [String; 2] {
    [flag.into(), value.to_string()]
}

impl Computing {
    /// The places in the plan of the runs that this process trains.
    pub fn places(&self, runs: &[PlannedRun]) -> Result<Vec<usize>> {
        let Training { device, cohort, .. } = &self.training;
        let pieces = Pieces::choose(*device, cohort.map(std::num::NonZero::get));
        Share::choose(self.shard, self.index)?.places(runs, pieces)
    }

    /// The runner's options.
    pub fn options(&self, results: PathBuf) -> runner::Options {
        let Training { device, engine, cohort, checkpoint_every, log, log_dir } = &self.training;
        let default = runner::Options::new(results);
        runner::Options {
            jobs: self.jobs.map_or(default.jobs, NonZero::get),
            cohort: cohort.map(NonZero::get),
            device: *device,
            engine: *engine,
            force: self.force,
            resume: !self.force,
            checkpoint_every: *checkpoint_every,
            progress: self.progress,
            logging: Logging { tensorboard: log.as_ref().map(|_| log_dir.clone()) },
            ..default
        }
    }
}

impl Training {
    /// These flags, for another command line.
    pub fn flags(&self) -> Vec<String> {
        let Self { device, engine, cohort, checkpoint_every, log, log_dir } = self;
        let mut flags = [pair("--device", device), pair("--engine", engine)].concat();
        flags.extend(cohort.iter().flat_map(|runs| pair("--cohort", runs)));
        flags.extend(pair("--checkpoint-every", checkpoint_every.as_secs_f64()));
        if let Some(format) = log {
            flags.extend([pair("--log", format), pair("--log-dir", log_dir.display())].concat());
        }
        flags
    }

    /// Asks for a CUDA device where nothing else was asked for.
    pub fn prefer_cuda(&mut self) {
        if self.device == DeviceChoice::Auto {
            self.device = DeviceChoice::Cuda(0);
        }
    }
}
