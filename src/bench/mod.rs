//! `landscape bench`: this program beside the best rewrites in PyTorch and JAX, the authors' code and the arithmetic's
//! floor, all in one run on one machine.
//!
//! Every side is a process of its own, pinned to the same cores and asked in turn, round after round, so that drift in
//! the machine's speed affects all of them alike. Before any is timed, all must give the same losses on the same views.

mod floor;
mod protocol;
mod report;
mod scaling;
mod serve;
mod side;

use std::{path::PathBuf, sync::Arc, thread};

use anyhow::{Context, Result, anyhow, ensure};

pub use scaling::scaling;
pub use serve::{Kind, serve};

use self::{
    floor::Work,
    protocol::{Answer, Load, Request},
    report::{Report, Timing},
    side::{Launch, Side, allowed_cpus},
};
use crate::{
    input_error,
    logs::tell,
    output::{self, say},
    spec::{RunSpec, resolve, unknown},
    train::Cohort,
};

/// What is compared: title, and settings over the defaults.
const MODELS: [(&str, &str); 5] = [
    ("non-contrastive", "{method: simplified}"),
    ("with predictor and batch norm", "{method: simplified-pred, model: {batch_norm: pre_activation}}"),
    ("two layers", "{method: simplified-ml}"),
    ("SimSiam", "{method: simsiam}"),
    ("SimCLR-orig", "{method: simclr-orig}"),
];

/// Runs side by side.
const RUNS: [usize; 3] = [1, 5, 15];

/// Steps whose losses are compared. The third comes after a step of each branch.
const CHECKED_STEPS: usize = 3;

/// How far losses may lie apart, relative to the loss.
const TOLERANCE: f64 = 2e-5;

/// What is compared, how thoroughly, and where the numbers go.
#[derive(Clone, Debug)]
pub struct Options {
    /// Methods to compare; all of them if empty.
    pub models: Vec<String>,
    /// Python with torch and jax.
    pub python: PathBuf,
    /// Folder of the peers' programs.
    pub peers: PathBuf,
    /// A checkout of the authors' repository, to time their code too.
    pub authors_repo: Option<PathBuf>,
    /// Times that every side is timed.
    pub rounds: usize,
    /// Least time of one timing.
    pub seconds: f64,
    /// Folder of the CSV files.
    pub results: PathBuf,
    /// Folder of the pictures.
    pub plots: PathBuf,
}

/// Compares all sides. Prints a table for each model, and writes `bench.csv` and `bench.png`.
pub fn compare(options: &Options) -> Result<()> {
    let mut report = Report::default();
    for (title, spec) in models(&options.models)? {
        let model = Model::new(title, &spec)?;
        let single = model.measure(&options.candidates(), options)?;
        report.add(title, single);
        let cores = allowed_cpus()?.len();
        if cores > 1 {
            let many = options.on_all_cores(report.of(title), cores);
            report.add(title, model.measure(&many, options)?);
        }
        let work = Work::of_step(&spec, spec.train.batch_size);
        say!(
            "\n{title}: {:.1} MFLOP of products and {} exponentials for a full batch",
            work.flops() / 1e6,
            work.exponentials
        )?;
        output::write(format_args!("{}", report.table(title)))?;
    }
    report.write(&options.results, &options.plots)
}

/// The models to compare, by the names of their methods.
fn models(names: &[String]) -> Result<Vec<(&'static str, RunSpec)>> {
    let parse = |settings: &str| -> Result<RunSpec> {
        resolve(&[&serde_yaml::from_str(settings)?]).map_err(|fault| anyhow!("{}", fault.message))
    };
    let all = MODELS.map(|(title, settings)| parse(settings).map(|spec| (title, spec)));
    let all = all.into_iter().collect::<Result<Vec<_>>>()?;
    let methods: Vec<&str> = all.iter().map(|(_, spec)| spec.method.as_str()).collect();
    if let Some(name) = names.iter().find(|name| !methods.contains(&name.as_str())) {
        return Err(input_error!("--models: {}", unknown("model", name, &methods)));
    }
    Ok(all.iter().filter(|(_, spec)| names.is_empty() || names.contains(&spec.method)).cloned().collect())
}

impl Options {
    /// Every side on one core.
    fn candidates(&self) -> Vec<Launch> {
        let launch = |name: &str, command: Vec<String>, runs: usize| Launch {
            name: name.into(),
            command,
            runs,
            processes: 1,
            threads: 1,
        };
        let python = |words: &[&str]| -> Vec<String> {
            let script = self.peers.join(words[0]).display().to_string();
            let words = words[1..].iter().map(|word| (*word).to_string());
            [self.python.display().to_string(), script, "{threads}".into()].into_iter().chain(words).collect()
        };
        let mut sides = vec![launch(FLOOR, own("floor"), 1)];
        for runs in RUNS {
            sides.push(launch(OURS, own("fused"), runs));
        }
        for runs in RUNS {
            sides.push(launch("jax", python(&["jax_peer.py"]), runs));
        }
        for runs in RUNS {
            sides.push(launch("torch", python(&["torch_peer.py", "eager"]), runs));
        }
        sides.push(launch("torch.compile", python(&["torch_peer.py", "compile"]), 1));
        sides.push(launch("ours, autograd", own("autograd"), RUNS[2]));
        if let Some(repository) = &self.authors_repo {
            let repository = repository.display().to_string();
            sides.push(launch(AUTHORS, python(&["authors_peer.py", &repository]), 1));
        }
        sides
    }

    /// The best of each side on one core, now on all of them: as one process with threads, and as one process per core.
    fn on_all_cores(&self, single: &[Timing], cores: usize) -> Vec<Launch> {
        let mut names: Vec<&str> = Vec::new();
        for timing in single {
            let name = timing.launch.name.as_str();
            if !names.contains(&name) && ![FLOOR, AUTHORS, "ours, autograd"].contains(&name) {
                names.push(name);
            }
        }
        let best = |name: &&str| single.iter().filter(|timing| timing.launch.name == *name).min_by(|a, b| a.cmp(b));
        let spread = |timing: &Timing| {
            let launch = &timing.launch;
            let threads = Launch { threads: cores, ..launch.clone() };
            let processes = Launch { processes: cores, ..launch.clone() };
            if launch.name == OURS { vec![threads] } else { vec![threads, processes] }
        };
        names.iter().filter_map(best).flat_map(spread).collect()
    }
}

const OURS: &str = "ours";
const FLOOR: &str = "floor";
const AUTHORS: &str = "authors";

/// This program as a side.
fn own(kind: &str) -> Vec<String> {
    let program = std::env::current_exe().map_or_else(|_| "landscape".into(), |path| path.display().to_string());
    [program.as_str(), "bench-side", kind, "{threads}"].map(String::from).to_vec()
}

/// A model with the views on which all sides must agree.
struct Model {
    title: &'static str,
    load: Box<dyn Fn(usize) -> Request + Sync>,
    check: Request,
}

impl Model {
    fn new(title: &'static str, spec: &RunSpec) -> Result<Self> {
        let mut cohort = Cohort::draw(&[Arc::new(spec.clone())])?;
        cohort.begin_epoch(0);
        let batch = cohort.batch(0);
        let x = cohort.members()[0].x.clone();
        let [x1, x2] = batch.runs[0].views(&x, batch.scale).map(|view| protocol::rows(view.view()));
        let check = Request::Check { x1, x2, steps: CHECKED_STEPS };
        let (samples, state) = (protocol::rows(x.view()), protocol::nested(&cohort.members()[0].state));
        let sent = spec.clone();
        let load = move |runs| {
            let (spec, x, state) = (sent.clone(), samples.clone(), state.clone());
            Request::Load(Box::new(Load { spec, runs, x, state }))
        };
        Ok(Self { title, load: Box::new(load), check })
    }

    /// Starts all sides, lets them agree, and times them in turn.
    fn measure(&self, launches: &[Launch], options: &Options) -> Result<Vec<Timing>> {
        tell(format_args!("== {}: starting {} sides", self.title, launches.len()));
        let prepared: Vec<Result<(Side, Vec<f64>)>> = thread::scope(|scope| {
            let threads: Vec<_> = launches.iter().map(|launch| scope.spawn(|| self.prepare(launch))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a panic")))).collect()
        });
        let (sides, losses): (Vec<Side>, Vec<Vec<f64>>) =
            prepared.into_iter().collect::<Result<Vec<_>>>()?.into_iter().unzip();
        self.agree(&sides, &losses)?;
        take_turns(sides, options)
    }

    /// A side that has compiled and touched everything it needs, and its losses.
    fn prepare(&self, launch: &Launch) -> Result<(Side, Vec<f64>)> {
        let mut side = Side::start(launch)?;
        side.ask(&(self.load)(launch.runs))?;
        let losses = match launch.name.as_str() {
            // One side computes none; the other's are compared by `landscape crosscheck`.
            FLOOR | AUTHORS => Vec::new(),
            _ => side.ask(&self.check)?.remove(0).losses,
        };
        side.ask(&Request::Time { seconds: 0.0 })?;
        Ok((side, losses))
    }

    /// Fails if a side computes other losses than ours.
    fn agree(&self, sides: &[Side], losses: &[Vec<f64>]) -> Result<()> {
        let of = |name: &str| sides.iter().position(|side| side.launch.name == name).map(|at| &losses[at]);
        let ours = of(OURS).context("we are a side")?;
        let apart = |a: &f64, b: &f64| (a - b).abs() / b.abs().max(1.0);
        let mut worst = 0.0f64;
        for (side, theirs) in sides.iter().zip(losses).filter(|(_, losses)| !losses.is_empty()) {
            ensure!(theirs.len() == CHECKED_STEPS, "{} gave {} losses", side.launch.name, theirs.len());
            let off = theirs.iter().zip(ours).map(|(a, b)| apart(a, b)).fold(0.0, f64::max);
            ensure!(
                off <= TOLERANCE,
                "{} computes a different loss for {}: {theirs:?} instead of {ours:?}",
                side.launch.name,
                self.title
            );
            worst = worst.max(off);
        }
        tell(format_args!("== {}: {CHECKED_STEPS} losses of all sides agree within {worst:.0e}", self.title));
        Ok(())
    }
}

/// Times every side once in each round.
fn take_turns(mut sides: Vec<Side>, options: &Options) -> Result<Vec<Timing>> {
    let mut timings: Vec<Timing> = sides.iter().map(|side| Timing::new(side.launch.clone())).collect();
    for _ in 0..options.rounds {
        for (side, timing) in sides.iter_mut().zip(&mut timings) {
            timing.add(&side.ask(&Request::Time { seconds: options.seconds })?);
        }
    }
    Ok(timings)
}

/// Steps per second, summed over runs and over all processes of a side.
fn rate(answers: &[Answer]) -> f64 {
    answers.iter().map(|answer| answer.run_steps / answer.seconds).sum()
}
