//! The runs still to do, shared with the other workers of this process and with other processes in the same folder.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;

use super::{cohorts::Group, engine::EngineKind, interrupt::Interrupt};
use crate::{
    record::{self, Checkpoint, FailureNote, Lease, Leases, Workspace},
    spec::PlannedRun,
};

/// How often an idle worker checks on the runs that other processes hold.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a worker is to do next.
#[derive(Debug)]
pub enum Next<'a> {
    Train(Work<'a>),
    /// Other processes hold everything that is left: [wait](Queue::wait) until they have recorded it or died, and ask
    /// again.
    Wait,
    /// Nothing is left, or the sweep is to stop.
    End,
}

/// A run that this process has leased.
#[derive(Debug)]
pub struct Held<'a> {
    pub run: &'a PlannedRun,
    _lease: Lease,
}

/// What a worker gets from the queue.
#[derive(Debug)]
pub struct Work<'a> {
    pub engine: EngineKind,
    pub runs: Vec<Held<'a>>,
    /// Nothing else is trained at the same time.
    pub alone: bool,
    /// Runs that another process has recorded in the meantime.
    pub recorded: Vec<&'a PlannedRun>,
    /// Runs that another process has failed at in the meantime.
    pub failed: Vec<(&'a PlannedRun, FailureNote)>,
    /// Runs that could not be leased, other than because another process holds them.
    pub blocked: Vec<(&'a PlannedRun, anyhow::Error)>,
}

/// The groups that no worker has taken yet.
pub struct Queue<'a> {
    waiting: Mutex<VecDeque<Group<'a>>>,
    /// Held by other processes.
    elsewhere: Mutex<Vec<Group<'a>>>,
    leases: HashMap<&'a str, Arc<Leases>>,
    results: &'a std::path::Path,
    interrupt: Interrupt,
    closed: AtomicBool,
    force: bool,
    /// Failures noted earlier, by the runs' names.
    past_failures: HashMap<String, FailureNote>,
}

impl<'a> Queue<'a> {
    /// Opens the workspaces of the groups' experiments.
    pub fn open(
        groups: Vec<Group<'a>>,
        results: &'a std::path::Path,
        interrupt: Interrupt,
        force: bool,
    ) -> Result<Self> {
        let (mut leases, mut past_failures) = (HashMap::new(), HashMap::new());
        for run in groups.iter().flat_map(|group| &group.runs) {
            let failure = Workspace::of(results, &run.experiment).read_failure(&run.id);
            past_failures.extend(failure.map(|note| (run.to_string(), note)));
            if !leases.contains_key(run.experiment.as_str()) {
                let workspace = Workspace::of(results, &run.experiment);
                workspace.create()?;
                leases.insert(run.experiment.as_str(), Leases::open(&workspace)?);
            }
        }
        Ok(Self {
            waiting: Mutex::new(groups.into()),
            elsewhere: Mutex::default(),
            leases,
            results,
            interrupt,
            closed: AtomicBool::new(false),
            force,
            past_failures,
        })
    }

    /// The next runs to train, leased.
    pub fn next(&self) -> Next<'a> {
        if self.interrupt.is_asked() || self.closed.load(Ordering::SeqCst) {
            return Next::End;
        }
        let group = super::lock(&self.waiting).pop_front();
        match group {
            Some(group) => Next::Train(self.lease(group)),
            None if super::lock(&self.elsewhere).is_empty() => Next::End,
            None => Next::Wait,
        }
    }

    /// Waits a moment for the runs that other processes hold.
    pub fn wait(&self) {
        let held = super::lock(&self.elsewhere).iter().map(|group| group.runs.len()).sum::<usize>();
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| log::warn!("waiting for {held} runs that another process is training"));
        std::thread::sleep(PATIENCE);
        let held = std::mem::take(&mut *super::lock(&self.elsewhere));
        super::lock(&self.waiting).extend(held);
    }

    /// Gives runs back, to be handed out after everything that waits.
    pub fn give_back(&self, group: Group<'a>) {
        super::lock(&self.waiting).push_back(group);
    }

    /// Hands out nothing more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Runs that were never handed out.
    pub fn left(&self) -> usize {
        let count = |groups: &mut dyn Iterator<Item = &Group>| groups.map(|group| group.runs.len()).sum::<usize>();
        count(&mut super::lock(&self.waiting).iter()) + count(&mut super::lock(&self.elsewhere).iter())
    }

    /// Leases the runs of a group up to the first that another process holds; the rest is left for later. Processes
    /// that work through the same sweep thus take whole cohorts instead of splitting each of them.
    fn lease(&self, group: Group<'a>) -> Work<'a> {
        let Group { engine, runs, alone } = group;
        let mut work = Work { engine, runs: vec![], alone, recorded: vec![], failed: vec![], blocked: vec![] };
        for (place, &run) in runs.iter().enumerate() {
            let lease = match self.leases[run.experiment.as_str()].take(&run.id) {
                Ok(Some(lease)) => lease,
                Ok(None) => {
                    super::lock(&self.elsewhere).push(Group { engine, runs: runs[place..].to_vec(), alone });
                    break;
                }
                Err(error) => {
                    work.blocked.push((run, error));
                    continue;
                }
            };
            let failure = Workspace::of(self.results, &run.experiment).read_failure(&run.id);
            if !self.force && record::is_recorded(self.results, run) {
                work.recorded.push(run);
            } else if let Some(note) = failure.filter(|note| self.past_failures.get(&run.to_string()) != Some(note)) {
                work.failed.push((run, note));
            } else {
                work.runs.push(Held { run, _lease: lease });
            }
        }
        work
    }
}

impl Held<'_> {
    /// Whether the run has a checkpoint, valid or not.
    pub fn is_saved(&self, results: &std::path::Path) -> bool {
        Workspace::of(results, &self.run.experiment).checkpoint(&self.run.id).exists()
    }

    /// Where the run was saved, latest first.
    pub fn checkpoints(&self, results: &std::path::Path) -> Result<Vec<Checkpoint>> {
        Checkpoint::read(&Workspace::of(results, &self.run.experiment), self.run)
    }
}
