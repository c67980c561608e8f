use std::{collections::HashSet, path::PathBuf, sync::Mutex, time::Duration};

use anyhow::{Result, anyhow};
use tch::Device;

use super::{
    DeviceChoice, EngineChoice, cohorts, cost,
    engine::{Chosen, build},
    interrupt::{Interrupt, Interrupted},
    progress::Progress,
    queue::{Held, Queue},
};
use crate::{
    engine::{Engine, Member},
    record::{self, Workspace},
    spec::PlannedRun,
};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    pub results: PathBuf,
    /// Cohorts trained at the same time.
    pub jobs: usize,
    /// Runs of a cohort, at most; chosen by engine and device if not given.
    pub cohort: Option<usize>,
    pub device: DeviceChoice,
    pub engine: EngineChoice,
    /// Run again what has been recorded.
    pub force: bool,
    /// Go on from checkpoints; else they are removed.
    pub resume: bool,
    /// Time between two checkpoints; zero for one after every epoch.
    pub checkpoint_every: Duration,
    /// Where the sweep is asked to stop.
    pub interrupt: Interrupt,
}

/// What came of a sweep.
#[derive(Debug, Default)]
pub struct Outcome {
    pub trained: usize,
    /// Of them, runs whose loss stopped being a number.
    pub diverged: usize,
    /// Runs found recorded.
    pub kept: usize,
    /// Runs that another process recorded meanwhile.
    pub elsewhere: usize,
    pub failures: Vec<Failure>,
    /// The sweep was asked to stop before it was done.
    pub interrupted: Option<Interrupted>,
    /// Runs not begun, since nothing more can be written.
    pub stopped: usize,
}

/// A run that could not be finished.
#[derive(Debug)]
pub struct Failure {
    pub run: String,
    pub error: anyhow::Error,
}

/// Makes the engine of a cohort.
pub type Build<'a> = dyn Fn(Chosen, &[Member], Device) -> Result<Box<dyn Engine>> + Sync + 'a;

/// Trains every run that is not recorded yet and records each as it is done. A run that fails does not stop the rest.
///
/// # Errors
/// The sweep cannot begin: a device that is not there, a folder that cannot be written.
pub fn run(runs: &[PlannedRun], options: &Options) -> Result<Outcome> {
    run_with(runs, options, &build)
}

/// [`run`] with engines of the caller's making.
pub fn run_with(runs: &[PlannedRun], options: &Options, build: &Build<'_>) -> Result<Outcome> {
    let device = options.device.resolve()?;
    let mut seen = HashSet::new();
    let once = runs.iter().filter(|run| seen.insert((&run.experiment, &run.id)));
    let (kept, todo): (Vec<_>, Vec<_>) =
        once.partition(|run| !options.force && record::is_recorded(&options.results, run));
    let outcome = Mutex::new(Outcome { kept: kept.len(), ..Outcome::default() });
    if !todo.is_empty() {
        let workers = if device.is_cuda() { 1 } else { options.jobs.max(1) };
        let groups = cohorts::group(&todo, options, device, workers)?;
        let queue = Queue::open(groups, &options.results, options.interrupt.clone(), options.force)?;
        let progress = Progress::new(todo.len(), todo.iter().map(|run| cost::work(&run.spec)).sum());
        let sweep = Sweep { options, device, build, queue, progress, outcome };
        std::thread::scope(|scope| (0..workers).for_each(|_| _ = scope.spawn(|| sweep.work())));
        return Ok(sweep.close());
    }
    Ok(outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// A sweep under way, shared by its workers.
pub struct Sweep<'a> {
    pub options: &'a Options,
    pub device: Device,
    pub build: &'a Build<'a>,
    pub queue: Queue<'a>,
    pub progress: Progress,
    outcome: Mutex<Outcome>,
}

impl Sweep<'_> {
    fn work(&self) {
        if self.device == Device::Cpu {
            // libtorch splits sums by threads: one thread, so that a run's digits do not depend on the number of workers.
            tch::set_num_threads(1);
        }
        while let Some(work) = self.queue.next() {
            for run in work.recorded {
                self.progress.found(cost::work(&run.spec));
                self.progress.finished(&format!("{}/{}, by another process", run.experiment, run.id));
                self.note(|outcome| outcome.elsewhere += 1);
            }
            for (run, note) in work.failed {
                self.note_failure(run, anyhow!("{} (in another process)", note.error));
            }
            for (run, error) in work.blocked {
                self.note_failure(run, error);
            }
            if !self.options.resume {
                self.forget(&work.runs);
            }
            self.train(work.engine, work.runs);
        }
    }

    fn forget(&self, runs: &[Held]) {
        for Held { run, .. } in runs {
            if let Err(error) = self.workspace(run).forget_checkpoint(&run.id) {
                log::warn!("{error:#}");
            }
        }
    }

    pub fn workspace(&self, run: &PlannedRun) -> Workspace {
        Workspace::of(&self.options.results, &run.experiment)
    }

    /// Changes what has come of the sweep so far.
    pub fn note(&self, change: impl FnOnce(&mut Outcome)) {
        change(&mut super::lock(&self.outcome));
    }

    pub fn note_failure(&self, run: &PlannedRun, error: anyhow::Error) {
        log::info!("{}/{} failed: {error:#}", run.experiment, run.id);
        self.note(|outcome| outcome.failures.push(Failure { run: format!("{}/{}", run.experiment, run.id), error }));
    }

    /// Runs were saved in the middle, since the sweep was asked to stop.
    pub fn note_saved(&self, runs: usize) {
        self.note(|outcome| outcome.interrupted.get_or_insert(Interrupted { saved: 0, left: 0 }).saved += runs);
    }

    fn close(self) -> Outcome {
        self.progress.close();
        let mut outcome = self.outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let left = self.queue.left();
        if self.options.interrupt.is_asked() && (left > 0 || outcome.interrupted.is_some()) {
            outcome.interrupted.get_or_insert(Interrupted { saved: 0, left }).left = left;
        } else {
            outcome.stopped = left;
        }
        outcome
    }
}
