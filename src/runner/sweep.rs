use std::{collections::HashSet, path::PathBuf, sync::Mutex, time::Duration};

use anyhow::{Context, Result, anyhow};
use indexmap::IndexSet;
use rayon::ThreadPoolBuilder;

use super::{
    DeviceChoice, EngineChoice, auto,
    cohorts::{self, Group},
    cost,
    engine::{EngineKind, build},
    interrupt::{Interrupt, Interrupted},
    lost_device::LostDevice,
    memory::{self, Memory, Taken, human_bytes},
    progress::{Progress, ProgressMode},
    queue::{Held, Next, Queue, Work},
    recording::Done,
};
use crate::{
    Device,
    engine::{Engine, Member},
    logs::Logging,
    record::{self, FailureNote, Provenance, Workspace},
    spec::PlannedRun,
};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of results, which gets a folder for each experiment.
    pub results: PathBuf,
    /// Cohorts trained at the same time.
    pub jobs: usize,
    /// Runs of a cohort, at most; chosen by engine and device if not given.
    pub cohort: Option<usize>,
    /// Where cohorts are trained.
    pub device: DeviceChoice,
    /// What computes their gradients.
    pub engine: EngineChoice,
    /// Run again what has been recorded.
    pub force: bool,
    /// Go on from checkpoints; else they are removed.
    pub resume: bool,
    /// Time between two checkpoints; zero for one after every epoch.
    pub checkpoint_every: Duration,
    /// Where the sweep is asked to stop.
    pub interrupt: Interrupt,
    /// How progress is shown.
    pub progress: ProgressMode,
    /// Live logs beside the results.
    pub logging: Logging,
}

impl Options {
    /// Into a folder of results, everything else at its default; shows no progress.
    pub fn new(results: impl Into<PathBuf>) -> Self {
        Self {
            results: results.into(),
            jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cohort: None,
            device: DeviceChoice::Auto,
            engine: EngineChoice::Auto,
            force: false,
            resume: true,
            checkpoint_every: Duration::from_secs(30),
            interrupt: Interrupt::default(),
            progress: ProgressMode::None,
            logging: Logging::default(),
        }
    }
}

/// The outcome of a sweep.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Runs trained to their end by this sweep, and recorded.
    pub trained: usize,
    /// Of them, runs whose loss or weights stopped being numbers.
    pub diverged: usize,
    /// Of them, runs begun by another engine, kind of device, processor, libtorch or program.
    pub mixed: usize,
    /// Runs found recorded.
    pub kept: usize,
    /// Of them, those taken over from other experiments with the same settings.
    pub adopted: usize,
    /// Of those found recorded, those made by other sources of this program.
    pub by_other_code: usize,
    /// Runs that another process recorded in the meantime.
    pub elsewhere: usize,
    /// Runs that could not be finished, the others being recorded.
    pub failures: Vec<Failure>,
    /// The sweep was asked to stop before it was done.
    pub interrupted: Option<Interrupted>,
    /// Runs not begun because nothing more can be written.
    pub stopped: usize,
    /// The device no longer computes.
    pub lost: Option<LostDevice>,
    /// Times that a cohort was saved in the middle.
    pub saves: usize,
}

/// A run that could not be finished.
#[derive(Debug)]
pub struct Failure {
    /// Name of the run's folder.
    pub run: String,
    /// Why, with its causes.
    pub error: anyhow::Error,
}

/// Processes that may die holding a large run before it is given up.
const MOST_BEGUN: u32 = 1;

/// Makes the engine of a cohort.
pub type Build<'a> = dyn Fn(EngineKind, &[Member], Device) -> Result<Box<dyn Engine>> + Sync + 'a;

/// Refuses, before anything is written, what [`run`] would refuse: a device that is not there, or an engine that cannot
/// train these runs.
pub fn check(runs: &[PlannedRun], options: &Options) -> Result<()> {
    // Where the device is ours to choose, the CPU is among the choices.
    let device = options.device.resolve(options.engine)?.unwrap_or(Device::Cpu);
    runs.iter().try_for_each(|run| options.engine.choose(&run.spec, device).map(drop))
}

/// Trains every run that is not recorded yet and records each as it is done. A run that fails does not stop the rest.
///
/// # Errors
/// The sweep cannot begin: a device that is not there, a folder that cannot be written.
pub fn run(runs: &[PlannedRun], options: &Options) -> Result<Outcome> {
    run_with(runs, options, &build)
}

/// [`run`] with engines made by the caller.
pub fn run_with(runs: &[PlannedRun], options: &Options, build: &Build<'_>) -> Result<Outcome> {
    let asked = options.device.resolve(options.engine)?;
    let experiments: IndexSet<&str> = runs.iter().map(|run| run.experiment.as_str()).collect();
    experiments.iter().try_for_each(|experiment| Workspace::of(&options.results, experiment).settle())?;
    let mut seen = HashSet::new();
    let runs: Vec<_> = runs.iter().filter(|run| seen.insert((&run.experiment, &run.id))).collect();
    let wanted = |made: &Provenance| {
        (options.engine == EngineChoice::Auto || made.engine == options.engine.to_string())
            && asked.is_none_or(|device| made.device == device.to_string())
    };
    let adopted = match options.force {
        true => 0,
        false => record::adopt(&options.results, runs.iter().copied(), wanted)?,
    };
    let is_todo = |run: &PlannedRun| options.force || !record::is_recorded(&options.results, run);
    let device = asked.map_or_else(|| auto::faster(&runs, is_todo, options), Ok)?;
    let workers = if device.is_cuda() { 1 } else { options.jobs.max(1) };
    let groups = cohorts::group(&runs, is_todo, options, device)?;
    let todo = groups.iter().map(|group| group.runs.len()).sum::<usize>();
    let kept: Vec<&PlannedRun> = runs.iter().copied().filter(|run| !is_todo(run)).collect();
    let by_other_code = record::made_by_other_code(&options.results, kept.iter().copied());
    let outcome = Outcome { kept: kept.len(), adopted, by_other_code, ..Outcome::default() };
    let work = groups.iter().map(cohorts::Group::work).sum();
    let progress = Progress::new(options.progress, todo, outcome.kept, work);
    if todo == 0 {
        progress.close();
        return Ok(outcome);
    }
    log::info!("{todo} runs in {} cohorts on {}, {workers} at a time", groups.len(), device);
    let queue = Queue::open(groups, &options.results, options.interrupt.clone(), options.force)?;
    memory::keep_freed_blocks();
    let memory = Memory::here();
    let sweep = Sweep { options, device, build, queue, memory, progress, outcome: Mutex::new(outcome) };
    // A worker alone on a GPU has all cores for what is done on the host.
    let pools = (0..workers).map(|_| ThreadPoolBuilder::new().num_threads((options.jobs / workers).max(1)).build());
    let pools: Vec<_> = pools.collect::<Result<_, _>>().context("cannot start the workers")?;
    std::thread::scope(|scope| pools.iter().for_each(|pool| _ = scope.spawn(|| pool.install(|| sweep.work()))));
    Ok(sweep.close())
}

/// A sweep under way, shared by its workers.
pub struct Sweep<'a> {
    pub options: &'a Options,
    pub device: Device,
    pub build: &'a Build<'a>,
    pub queue: Queue<'a>,
    memory: Memory,
    pub progress: Progress,
    outcome: Mutex<Outcome>,
}

impl<'a> Sweep<'a> {
    fn work(&self) {
        // libtorch splits sums among threads: one thread, so that a run's digits do not depend on the number of
        // workers.
        #[cfg(feature = "torch")]
        tch::set_num_threads(1);
        let mut done = Done::new();
        loop {
            match self.queue.next() {
                Next::Train(work) => {
                    let Work { engine, runs, alone, recorded, failed, blocked } = work;
                    self.note_others(recorded, failed, blocked);
                    let Some((runs, _room)) = self.admit(engine, runs, alone) else { continue };
                    if !self.options.resume {
                        self.forget(&runs);
                    }
                    self.train(engine, runs, &mut done);
                    if done.is_due() {
                        self.record(&mut done);
                    }
                }
                Next::Wait => {
                    self.record(&mut done);
                    self.queue.wait();
                }
                Next::End => return self.record(&mut done),
            }
        }
    }

    /// Waits until the machine's memory has room for the runs; none if it never will, or if they are put off.
    ///
    /// The estimate may be wrong. So a large run is noted when it is begun. If such a note is found without a
    /// checkpoint, the run may have been what ended an earlier process: it is tried once more, last and alone, and then
    /// given up.
    fn admit<'b>(&'b self, engine: EngineKind, runs: Vec<Held<'a>>, alone: bool) -> Option<(Vec<Held<'a>>, Taken<'b>)> {
        if self.device.is_cuda() {
            return Some((runs, self.memory.take(0.0)));
        }
        let (mut admitted, mut needed, mut put_off) = (Vec::new(), 0.0, Vec::new());
        for held in runs {
            let (run, bytes) = (held.run, memory::bytes(&held.run.spec, engine));
            let workspace = self.workspace(run);
            let times =
                match self.memory.is_large(bytes) && !self.options.force && !held.is_saved(&self.options.results) {
                    true => workspace.times_begun(&run.id),
                    false => 0,
                };
            if bytes > self.memory.budget() {
                let (bytes, free) = (human_bytes(bytes), human_bytes(self.memory.budget()));
                self.fail(run, anyhow!("it needs an estimated {bytes} of memory, and {free} are free"));
            } else if times > MOST_BEGUN {
                let advice = "--force tries it again, as does `landscape results prune --checkpoints --yes` for all";
                let bytes = human_bytes(bytes);
                self.fail(run, anyhow!(
                    "it has been begun {times} times and never saved, as if its estimated {bytes} of memory were too much; \
                     {advice}"
                ));
            } else if (times > 0 && !alone) || needed + bytes > self.memory.budget() {
                put_off.push(run);
            } else {
                if self.memory.is_large(bytes)
                    && let Err(error) = workspace.note_begun(&run.id)
                {
                    log::warn!("{error:#}");
                }
                needed += bytes;
                admitted.push(held);
            }
        }
        for run in put_off {
            self.queue.give_back(Group { engine, runs: vec![run], alone: true });
        }
        let room = self.memory.take(if alone { f64::INFINITY } else { needed });
        (!admitted.is_empty()).then_some((admitted, room))
    }

    /// Runs that ended without us.
    fn note_others(
        &self,
        recorded: Vec<&PlannedRun>,
        failed: Vec<(&PlannedRun, FailureNote)>,
        blocked: Vec<(&PlannedRun, anyhow::Error)>,
    ) {
        for run in recorded {
            self.progress.found(cost::work(&run.spec));
            self.progress.finished(&format!("{run}, by another process"));
            self.note(|outcome| outcome.elsewhere += 1);
        }
        for (run, note) in failed {
            self.note_failure(run, anyhow!("{} (in another process)", note.error));
        }
        blocked.into_iter().for_each(|(run, error)| self.note_failure(run, error));
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

    /// Updates the outcome of the sweep so far.
    pub fn note(&self, change: impl FnOnce(&mut Outcome)) {
        change(&mut super::lock(&self.outcome));
    }

    pub fn note_failure(&self, run: &PlannedRun, error: anyhow::Error) {
        log::info!("{run} failed: {error:#}");
        self.progress.failed(&run.to_string(), &format!("{error:#}"));
        self.note(|outcome| outcome.failures.push(Failure { run: run.to_string(), error }));
    }

    /// Runs were saved midway because the sweep was asked to stop.
    pub fn note_saved(&self, runs: usize) {
        let none = Interrupted { saved: 0, left: 0, progressed: false };
        self.note(|outcome| outcome.interrupted.get_or_insert(none).saved += runs);
    }

    fn close(self) -> Outcome {
        self.progress.close();
        let mut outcome = self.outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let left = self.queue.left();
        let progressed = outcome.trained + outcome.saves > 0;
        if let Some(lost) = &mut outcome.lost {
            lost.left += left;
            lost.progressed = progressed;
        } else if self.options.interrupt.is_asked() && (left > 0 || outcome.interrupted.is_some()) {
            let saved = outcome.interrupted.map_or(0, |interrupted| interrupted.saved);
            outcome.interrupted = Some(Interrupted { saved, left, progressed });
        } else {
            outcome.stopped = left;
        }
        outcome
    }
}
