//! How far along a sweep is, from its folder of results alone.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use anyhow::Result;

use super::cost;
use crate::{
    input_error,
    record::{self, Plan, PlannedWork, Unfinished, Workspace},
    spec::PlannedRun,
};

/// What has become of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// Recorded.
    Done,
    /// A process is training it; the epoch is that of its last checkpoint.
    Running {
        /// Finished epochs as of its last checkpoint; 0 before the first.
        epoch: usize,
    },
    /// Saved midway; the next process goes on from there.
    Saved {
        /// Finished epochs as of its checkpoint.
        epoch: usize,
    },
    /// It could not be finished.
    Failed {
        /// The error with its causes.
        error: String,
    },
    /// Not begun.
    ToDo,
}

/// How far along one sweep is: an experiment as one set of flags plans it.
#[derive(Clone, Debug)]
pub struct SweepStatus {
    /// Name of the experiment.
    pub experiment: String,
    /// The flags that change the experiment's file.
    pub flags: Vec<String>,
    /// Every run, with its size and what has become of it.
    pub runs: Vec<(String, PlannedWork, RunState)>,
}

impl SweepStatus {
    /// Of planned runs, all of one experiment.
    pub fn of_runs(results: &Path, experiment: &str, runs: &[PlannedRun]) -> Result<Self> {
        Ok(Self::of_plan(&Folder::read(results, experiment)?, plan(experiment, runs, &[])))
    }

    /// Of every sweep that has used a folder of results. Recorded runs that no plan names make a sweep of their own.
    pub fn of_folder(results: &Path) -> Result<Vec<Self>> {
        if !results.is_dir() {
            return Err(input_error!("there is no folder of results {}", results.display()));
        }
        let mut sweeps = Vec::new();
        for experiment in record::experiments(results)? {
            let folder = Folder::read(results, &experiment)?;
            let plans = Plan::read_all(results, &experiment)?;
            let planned: HashSet<&String> = plans.iter().flat_map(|plan| plan.runs.keys()).collect();
            let size = PlannedWork { epochs: 1, work: 1.0 };
            let others = folder.names().filter(|run| !planned.contains(run)).map(|run| (run.clone(), size)).collect();
            let others = Plan { experiment: experiment.clone(), runs: others, ..Plan::default() };
            for plan in plans.into_iter().chain((!others.runs.is_empty()).then_some(others)) {
                sweeps.push(Self::of_plan(&folder, plan));
            }
        }
        Ok(sweeps)
    }

    fn of_plan(folder: &Folder, plan: Plan) -> Self {
        let runs = plan.runs.into_iter().map(|(run, size)| {
            let state = folder.state(&run);
            (run, size, state)
        });
        Self { experiment: plan.experiment, flags: plan.flags, runs: runs.collect() }
    }

    /// How many runs are in states that `counts`.
    pub fn count(&self, counts: impl Fn(&RunState) -> bool) -> usize {
        self.runs.iter().filter(|(_, _, state)| counts(state)).count()
    }

    /// Share of the estimated work that is done.
    pub fn done_share(&self) -> f64 {
        let (mut done, mut all) = (0.0, 0.0);
        for (_, size, state) in &self.runs {
            let share = match state {
                RunState::Done => 1.0,
                RunState::Running { epoch } | RunState::Saved { epoch } => *epoch as f64 / size.epochs.max(1) as f64,
                RunState::Failed { .. } | RunState::ToDo => 0.0,
            };
            done += share.min(1.0) * size.work;
            all += size.work;
        }
        if all > 0.0 { done / all } else { 1.0 }
    }
}

/// The plan of an experiment's runs, as it is left beside the results.
pub fn plan(experiment: &str, runs: &[PlannedRun], flags: &[String]) -> Plan {
    let size = |run: &PlannedRun| PlannedWork { epochs: run.spec.train.epochs, work: cost::work(&run.spec) };
    Plan {
        experiment: experiment.into(),
        flags: flags.to_vec(),
        time: record::now(),
        runs: runs.iter().map(|run| (run.id.clone(), size(run))).collect(),
    }
}

/// What an experiment's folder of results holds: names and a few short lines; no record is opened.
struct Folder {
    recorded: HashSet<String>,
    unfinished: HashMap<String, Unfinished>,
    /// For asking which runs are leased.
    lock: Option<std::fs::File>,
}

impl Folder {
    fn read(results: &Path, experiment: &str) -> Result<Self> {
        if !results.join(experiment).is_dir() {
            return Ok(Self { recorded: HashSet::new(), unfinished: HashMap::new(), lock: None });
        }
        let unfinished = record::unfinished(results, experiment)?.into_iter().map(|run| (run.run.clone(), run));
        Ok(Self {
            recorded: record::recorded(results, experiment)?.into_iter().collect(),
            unfinished: unfinished.collect(),
            lock: record::open_lock(&Workspace::of(results, experiment)),
        })
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.recorded.iter().chain(self.unfinished.keys().filter(|run| !self.recorded.contains(*run)))
    }

    fn state(&self, run: &str) -> RunState {
        let unfinished = self.unfinished.get(run);
        let epoch = unfinished.and_then(|run| run.progress.as_ref()).map(|progress| progress.epoch);
        if self.recorded.contains(run) {
            RunState::Done
        } else if self.lock.as_ref().is_some_and(|lock| record::is_locked(lock, run)) {
            RunState::Running { epoch: epoch.unwrap_or(0) }
        } else if let Some(failure) = unfinished.and_then(|run| run.failure.as_ref()) {
            RunState::Failed { error: failure.error.clone() }
        } else {
            epoch.map_or(RunState::ToDo, |epoch| RunState::Saved { epoch })
        }
    }
}
