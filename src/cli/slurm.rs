use std::{
    env,
    num::NonZero,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    options::{Settings, Training, count, pair},
    plot::Look,
};
use crate::{
    input_error,
    logs::tell,
    output::say,
    runner,
    slurm::{self, Gpus, Job, Program, Submitted, TimeLimit},
    spec::PlannedRun,
};

/// Write a Slurm job array that trains the given experiments and a job that draws them, and submit both
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape slurm experiments/fig2.yaml --partition cpu --time 4:00:00 --shards 16
  landscape slurm experiments/*.yaml --partition gpu --gpus-per-task 1 --time 4:00:00 --array-parallelism 4 --submit
  landscape slurm experiments/fig2.yaml --time 1-0 --sbatch=--account=me --sbatch=--mem-per-cpu=2G")]
pub struct Args {
    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    training: Training,

    #[command(flatten)]
    look: Look,

    /// Partition of the array
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,

    /// Partition of the job that draws [default: that of the array]
    #[arg(long, value_name = "NAME")]
    figures_partition: Option<String>,

    /// Time limit of a task: minutes, HH:MM:SS or D-HH:MM:SS. What is not done by then goes on in another turn
    #[arg(long, value_name = "TIME")]
    time: TimeLimit,

    /// Tasks of the array [default: --array-parallelism, or 16; never more than runs]
    #[arg(long, value_name = "N", value_parser = count)]
    shards: Option<NonZero<usize>>,

    /// Tasks that run at the same time, at most
    #[arg(long, value_name = "K", value_parser = count)]
    array_parallelism: Option<NonZero<usize>>,

    /// Cores of a process; on the CPU it trains as many cohorts at the same time [default: 1, with a GPU 4]
    #[arg(long, value_name = "N", value_parser = count)]
    cpus_per_task: Option<NonZero<usize>>,

    /// GPUs of a task; a task uses one
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=1))]
    gpus_per_task: u8,

    /// GPUs of a node: each task takes a node with so many, and runs a process on each
    #[arg(long, value_name = "N", conflicts_with = "gpus_per_task", value_parser = clap::value_parser!(u8).range(1..))]
    gpus_per_node: Option<u8>,

    /// Seconds before the time limit at which a task saves its work
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    grace: u64,

    /// Another option of sbatch for both jobs, as in --sbatch=--account=me; may be given several times
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    sbatch: Vec<String>,

    /// A shell line to run first, as in --setup 'module load cuda'; may be given several times
    #[arg(long, value_name = "LINE")]
    setup: Vec<String>,

    /// Run the program of this Apptainer image instead of this one
    #[arg(long, value_name = "IMAGE")]
    container: Option<PathBuf>,

    /// Do not draw when the array has ended
    #[arg(long)]
    no_figures: bool,

    /// Name of the jobs [default: the experiments']
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Folder of scripts and logs [default: slurm/<name>, with a number if that is there]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Hand the jobs to sbatch, instead of saying how to
    #[arg(long)]
    submit: bool,
}

/// Cores of a process on a GPU: one that feeds it, one of libtorch's backward pass, and some for what is measured.
const GPU_CORES: NonZero<usize> = NonZero::new(4).unwrap();

impl Args {
    pub fn execute(mut self) -> Result<()> {
        let plans = self.settings.plans()?;
        let runs = runner::whole_plan(&plans);
        let name = self.name.take().unwrap_or_else(|| match plans.as_slice() {
            [(experiment, _)] => experiment.name.clone(),
            _ => format!("{}-and-{}-more", plans[0].0.name, plans.len() - 1),
        });
        if name.contains('/') || name.is_empty() || name.starts_with('.') {
            return Err(input_error!(
                "--name {name}: it names a folder too, so it must not contain a slash or begin with a dot"
            ));
        }
        let folder = self.out.take().unwrap_or_else(|| free_folder(&name));
        let submit = self.submit;
        let files = self.job(name, &runs)?.write(&folder)?;
        let mut scripts = std::iter::once(&files.array).chain(&files.figures);
        scripts.try_for_each(|path| say!("{}", path.display()))?;
        if submit {
            let Submitted { array, figures } = slurm::submit(&files)?;
            tell(format_args!(
                "submitted as job {array}{}",
                figures.map(|job| format!(", figures as {job}")).unwrap_or_default()
            ));
        } else {
            tell(format_args!("to submit: {}", files.commands()?));
        }
        Ok(())
    }

    fn job(mut self, name: String, runs: &[PlannedRun]) -> Result<Job> {
        let shards = self.shards.or(self.array_parallelism).map_or(16, NonZero::get).min(runs.len());
        let gpus = match (self.gpus_per_node, self.gpus_per_task) {
            (None, 0) => Gpus::None,
            (None | Some(1), _) => Gpus::One,
            (Some(several), _) => Gpus::Several(several),
        };
        let gpu = gpus != Gpus::None;
        if gpu {
            self.training.prefer_cuda();
            if !self.no_figures && self.partition.is_some() && self.figures_partition.is_none() {
                tell(
                    "the figures' job needs no GPU, which some sites demand of their GPU partitions: --figures-partition",
                );
            }
        }
        let cores = if gpu { GPU_CORES } else { NonZero::<usize>::MIN };
        let program = match &self.container {
            Some(image) => {
                let image = image.display().to_string();
                let words =
                    ["apptainer", "exec"].into_iter().chain(gpu.then_some("--nv")).chain([&*image, "landscape"]);
                Program::Words(words.map(String::from).collect())
            }
            None => Program::Copied(env::current_exe().context("cannot find this program's own path")?),
        };
        let results = pair("--results", self.settings.results.display());
        Ok(Job {
            summary: summary(&name, runs, shards),
            name,
            directory: env::current_dir().context("cannot find the current folder")?,
            settings: [self.settings.changes(), results.into()].concat(),
            experiments: self.settings.files,
            program,
            training: self.training.flags(),
            drawing: (!self.no_figures).then(|| self.look.flags()),
            shards,
            parallelism: self.array_parallelism.map(NonZero::get),
            partition: self.partition,
            figures_partition: self.figures_partition,
            time: self.time,
            grace: self.grace,
            cpus_per_task: self.cpus_per_task.unwrap_or(cores).get(),
            gpus,
            directives: self.sbatch,
            setup: self.setup,
        })
    }
}

fn summary(name: &str, runs: &[PlannedRun], shards: usize) -> String {
    let work: f64 = runs.iter().map(|run| runner::work(&run.spec)).sum();
    let each = runner::human_seconds(work / shards as f64);
    format!("Trains {name}: {} runs in {shards} shards, each an estimated {each} of work for one CPU core.", runs.len())
}

/// `slurm/<name>`, or the first of `slurm/<name>-2`, `slurm/<name>-3`, ... that is not there.
fn free_folder(name: &str) -> PathBuf {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut folders = std::iter::once(name.to_string()).chain(numbered).map(|name| Path::new("slurm").join(name));
    folders.find(|folder| !folder.exists()).expect("there is always another number")
}
