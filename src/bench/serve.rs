//! Our own sides of the benchmark: the engines, and the floor that no engine can pass.

use std::{
    fs,
    io::{BufRead, stdin},
    str::FromStr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use super::{
    floor::Floor,
    protocol::{self, Answer, Load, Request, Rows},
};
use crate::{
    engine::{Engine, Member, Views},
    fused::FusedEngine,
    output::say,
    spec::{RunSpec, Turn, Turns},
    train::Cohort,
};

/// What a side computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A cohort in each thread.
    Fused,
    /// One cohort, libtorch's threads.
    Autograd,
    /// The arithmetic of a step and nothing else.
    Floor,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fused" => Ok(Self::Fused),
            "autograd" => Ok(Self::Autograd),
            "floor" => Ok(Self::Floor),
            _ => Err(format!("`{text}` is not a side; valid: fused, autograd, floor")),
        }
    }
}

/// Something that is timed by the epoch.
pub trait Timed: Send {
    /// Works through an epoch. Returns its steps, summed over the runs.
    fn epoch(&mut self) -> Result<usize>;
}

/// Answers requests on standard input until it ends.
pub fn serve(kind: Kind, threads: usize) -> Result<()> {
    #[cfg(feature = "torch")]
    tch::set_num_threads(if kind == Kind::Autograd { threads as i32 } else { 1 });
    let mut loaded: Option<Loaded> = None;
    for line in stdin().lock().lines() {
        let request = serde_json::from_str(&line?)?;
        let answer = match (request, &mut loaded) {
            (Request::Load(load), loaded) => {
                *loaded = Some(Loaded::new(kind, threads, *load)?);
                Answer::default()
            }
            (_, None) => return Err(anyhow!("nothing is loaded")),
            (Request::Check { x1, x2, steps }, Some(loaded)) => {
                Answer { losses: loaded.check(&x1, &x2, steps)?, ..Answer::default() }
            }
            (Request::Time { seconds }, Some(loaded)) => loaded.time(Duration::from_secs_f64(seconds))?,
        };
        say!("{}", serde_json::to_string(&answer)?)?;
    }
    Ok(())
}

struct Loaded {
    kind: Kind,
    /// The run as it was sent, for the check.
    member: Member,
    /// One for each of our threads.
    workers: Vec<Box<dyn Timed>>,
}

impl Loaded {
    fn new(kind: Kind, threads: usize, load: Load) -> Result<Self> {
        let workers = if kind == Kind::Fused { threads } else { 1 };
        let worker = |at: usize| -> Result<Box<dyn Timed>> {
            match kind {
                Kind::Floor => Ok(Box::new(Floor::new(&load.spec))),
                _ => Ok(Box::new(Training::new(kind, &load.spec, at * load.runs..(at + 1) * load.runs)?)),
            }
        };
        let workers = (0..workers).map(worker).collect::<Result<_>>()?;
        let x = Arc::new(protocol::matrix(&load.x));
        let member = Member { spec: Arc::new(load.spec), x, state: protocol::state(load.state) };
        Ok(Self { kind, member, workers })
    }

    /// Plain gradient descent on given views, turn by turn.
    fn check(&self, x1: &Rows, x2: &Rows, steps: usize) -> Result<Vec<f64>> {
        let spec = &self.member.spec;
        let mut engine = engine(self.kind, std::slice::from_ref(&self.member))?;
        let views = Views { x1: vec![protocol::matrix(x1)], x2: vec![protocol::matrix(x2)] };
        let mut losses = Vec::with_capacity(steps);
        for k in 0..steps {
            let turn = match spec.train.turns {
                Turns::Alternating if k % 2 == 0 => Turn::Online,
                Turns::Alternating => Turn::Target,
                Turns::Ema { .. } => Turn::Online,
                Turns::Joint => Turn::Joint,
            };
            let (loss, gradients) = engine.gradients(&views, turn)?.remove(0);
            let mut states = engine.state()?;
            for (name, gradient) in gradients {
                states[0][&name].scaled_add(-spec.train.lr, &gradient);
            }
            engine.load(&states)?;
            losses.push(loss);
        }
        Ok(losses)
    }

    fn time(&mut self, least: Duration) -> Result<Answer> {
        let clock = Instant::now();
        let work = |worker: &mut Box<dyn Timed>| -> Result<usize> {
            let mut run_steps = worker.epoch()?;
            while clock.elapsed() < least {
                run_steps += worker.epoch()?;
            }
            Ok(run_steps)
        };
        let run_steps: Result<usize> = thread::scope(|scope| {
            let threads: Vec<_> = self.workers.iter_mut().map(|worker| scope.spawn(move || work(worker))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a worker panicked")))).sum()
        });
        let seconds = clock.elapsed().as_secs_f64();
        Ok(Answer { seconds, run_steps: run_steps? as f64, memory: peak_memory()?, ..Answer::default() })
    }
}

fn engine(kind: Kind, members: &[Member]) -> Result<Box<dyn Engine>> {
    match kind {
        Kind::Fused => Ok(Box::new(FusedEngine::new(members)?)),
        #[cfg(feature = "torch")]
        Kind::Autograd => Ok(Box::new(crate::autograd::AutogradEngine::new(members, crate::Device::Cpu)?)),
        #[cfg(not(feature = "torch"))]
        Kind::Autograd => Err(anyhow!("this program was built without libtorch, and so without autograd")),
        Kind::Floor => Err(anyhow!("the floor computes no loss")),
    }
}

/// A cohort in training, without what is measured between epochs.
struct Training {
    cohort: Cohort,
    engine: Box<dyn Engine>,
    epoch: usize,
}

impl Training {
    /// The runs differ in their seeds.
    fn new(kind: Kind, spec: &RunSpec, seeds: std::ops::Range<usize>) -> Result<Self> {
        let specs: Vec<_> = seeds.map(|seed| Arc::new(RunSpec { seed: seed as u64, ..spec.clone() })).collect();
        let cohort = Cohort::draw(&specs)?;
        let engine = engine(kind, cohort.members())?;
        Ok(Self { cohort, engine, epoch: 0 })
    }
}

impl Timed for Training {
    fn epoch(&mut self) -> Result<usize> {
        self.cohort.begin_epoch(self.epoch);
        self.epoch += 1;
        let batches = self.cohort.spec().batches().len();
        self.engine.steps(&mut (0..batches).map(|k| self.cohort.batch(k)))?;
        Ok(batches * self.cohort.members().len())
    }
}

/// Most memory that this process ever held, in bytes.
fn peak_memory() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("the benchmark runs on Linux")?;
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    kilobytes.map(|kilobytes: f64| 1024.0 * kilobytes).context("/proc/self/status names no peak memory")
}
