//! Training cohorts, from where their runs stand to their ends.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{cost, engine::EngineKind, faults, queue::Held, recording::Done, sweep::Sweep};
use crate::{
    engine::Engine,
    logs::{Logging, RunLog},
    metrics::{Cells, Row},
    record::{self, Checkpoint, Finished, Log, Progress, Provenance},
    spec::PlannedRun,
    train::{self, Cohort, Ended, Snapshot},
};

/// Share of the time that checkpoints may take; an interval in which they would take more is stretched.
const SHARE: f64 = 0.015;

/// A run in a worker's hands: its rows, and its history.
struct InHand<'a> {
    run: &'a PlannedRun,
    log: Log,
    /// Where the rows can be followed during training.
    live: RunLog,
    /// Seconds of earlier processes.
    wall_before: f64,
    resumed: usize,
    /// Where and with what it is computed now and, if that differs, was computed before.
    here: Provenance,
    earlier: Vec<Provenance>,
}

impl<'a> InHand<'a> {
    /// Resumes a run from its checkpoint, if it has one.
    fn take_up(
        run: &'a PlannedRun,
        checkpoint: Option<Checkpoint>,
        logging: &Logging,
        here: &Provenance,
    ) -> (Self, Option<Snapshot>) {
        let (mut live, here) = (logging.open(run), here.clone());
        let Some(Checkpoint { progress, log, state, generators }) = checkpoint else {
            let log = Log::default();
            return (Self { run, log, live, wall_before: 0.0, resumed: 0, here, earlier: vec![] }, None);
        };
        log::info!("{run} goes on from epoch {}", progress.epoch);
        log.rows().for_each(|cells| live.row(&cells));
        let (wall_before, resumed) = (progress.wall_seconds, progress.resumed + 1);
        let mut earlier = progress.made_by;
        earlier.retain(|other| !other.computes_like(&here));
        (Self { run, log, live, wall_before, resumed, here, earlier }, Some(Snapshot { state, generators }))
    }

    fn push(&mut self, row: &Row) {
        log::trace!("{}: {row:?}", self.run);
        self.log.push(row);
        self.live.row(&Cells::of(row));
    }
}

impl Sweep<'_> {
    /// Trains leased runs side by side, those that lag behind separately.
    pub fn train<'a>(&self, engine: EngineKind, runs: Vec<Held<'a>>, done: &mut Done<'a>) {
        let mut saved = Vec::with_capacity(runs.len());
        for held in runs {
            match held.checkpoints(&self.options.results) {
                Ok(checkpoints) => saved.push((held, checkpoints)),
                Err(error) => self.fail(held.run, error),
            }
        }
        let common = common_epoch(&saved, &self.options.results);
        let mut cohorts: BTreeMap<usize, Vec<(Held<'a>, Option<Checkpoint>)>> = BTreeMap::new();
        for (held, mut checkpoints) in saved {
            checkpoints.retain(|checkpoint| common.is_none_or(|epoch| checkpoint.progress.epoch == epoch));
            let checkpoint = checkpoints.into_iter().next();
            let epoch = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.progress.epoch);
            if let Err(error) = Checkpoint::keep(&self.workspace(held.run), held.run, epoch) {
                log::warn!("{error:#}");
            }
            cohorts.entry(epoch).or_default().push((held, checkpoint));
        }
        for (epoch, cohort) in cohorts {
            let (held, checkpoints): (Vec<_>, Vec<_>) = cohort.into_iter().unzip();
            let runs: Vec<_> = held.iter().map(|held| held.run).collect();
            match faults::guarded(|| self.train_cohort(engine, &runs, epoch, checkpoints)) {
                Ok(finished) => done.add(held.into_iter().zip(finished)),
                Err(error) => self.separate(engine, held, error, done),
            }
        }
    }

    /// Trains a cohort to its end. If the sweep is asked to stop, the cohort is saved and no run is finished.
    fn train_cohort(
        &self,
        kind: EngineKind,
        runs: &[&PlannedRun],
        epoch: usize,
        checkpoints: Vec<Option<Checkpoint>>,
    ) -> Result<Vec<Finished>> {
        let clock = Instant::now();
        let specs: Vec<_> = runs.iter().map(|run| Arc::clone(&run.spec)).collect();
        let mut cohort =
            Cohort::draw_from(&specs, |place, drawn| runs[place].start.as_deref().cloned().unwrap_or(drawn))?;
        let here = Provenance::here(kind.name(), self.device);
        let in_hand = runs
            .iter()
            .zip(checkpoints)
            .map(|(run, checkpoint)| InHand::take_up(run, checkpoint, &self.options.logging, &here));
        let (mut hands, snapshots): (Vec<_>, Vec<_>) = in_hand.unzip();
        if epoch > 0 {
            cohort.resume(epoch, snapshots.into_iter().flatten().collect())?;
        }
        runs.iter().for_each(|run| log::info!("{run} begins, {} on {}", kind.name(), self.device));
        let mut engine = (self.build)(kind, cohort.members(), self.device)?;
        let mut meter = Meter::start(&self.progress, runs, epoch);
        let mut saver = Saver::new(self.options.checkpoint_every);
        loop {
            let ended = train::train(&mut cohort, &mut *engine, |epoch, rows: Vec<Row>| {
                hands.iter_mut().zip(&rows).for_each(|(hand, row)| hand.push(row));
                meter.reach(epoch);
                let stop = saver.is_due() || self.options.interrupt.is_asked();
                if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if ended == Ended::Finished {
                break;
            }
            let saved = saver.save(|| self.save(&cohort, &*engine, &hands, clock));
            self.note(|outcome| outcome.saves += usize::from(saved));
            if self.options.interrupt.is_asked() {
                self.note_saved(if saved { runs.len() } else { 0 });
                return Ok(Vec::new());
            }
        }
        meter.keep();
        let (wall, runs_in_cohort) = (clock.elapsed().as_secs_f64(), hands.len());
        let finish = |(hand, state)| {
            let InHand { run, log, live, wall_before, resumed, here: provenance, earlier } = hand;
            live.close();
            let wall_seconds = wall_before + wall;
            log::info!("{run} ends at epoch {} after {wall_seconds:.1} s", run.spec.train.epochs);
            Finished { log, state, wall_seconds, runs_in_cohort, resumed, provenance, earlier }
        };
        Ok(hands.into_iter().zip(engine.state()?).map(finish).collect())
    }

    /// Writes a checkpoint of every run.
    fn save(&self, cohort: &Cohort, engine: &dyn Engine, hands: &[InHand], clock: Instant) -> Result<()> {
        let wall = clock.elapsed().as_secs_f64();
        let name = cohort_name(hands.iter().map(|hand| hand.run));
        let workspaces: Vec<_> = hands.iter().map(|hand| self.workspace(hand.run)).collect();
        let snapshots = cohort.snapshots(engine)?;
        Checkpoint::write(hands.iter().zip(&workspaces).zip(snapshots).map(|((hand, workspace), snapshot)| {
            let InHand { run, log, wall_before, resumed, here, earlier, .. } = hand;
            let Snapshot { state, generators } = snapshot;
            let made_by = earlier.iter().chain([here]).cloned().collect();
            let progress = Progress::new(run, cohort.epoch(), wall_before + wall, *resumed, &name, made_by);
            (Checkpoint { progress, log: log.clone(), state, generators }, workspace, *run)
        }))?;
        log::debug!("{} runs saved at epoch {}", hands.len(), cohort.epoch());
        Ok(())
    }
}

/// The epoch from which runs can go on together: the last for which all have a checkpoint. (They may have two each, if
/// a kill came while the cohort was being saved; if that was its first save, they have the start in common.) None if
/// they have been in different cohorts, each with epochs of its own.
fn common_epoch(saved: &[(Held, Vec<Checkpoint>)], results: &Path) -> Option<usize> {
    let ((_, first), others) = saved.split_first()?;
    let has = |epoch: &usize| {
        others.iter().all(|(_, checkpoints)| checkpoints.iter().any(|saved| saved.progress.epoch == *epoch))
    };
    let common = first.iter().map(|checkpoint| checkpoint.progress.epoch).filter(has).max();
    let cohort = cohort_name(saved.iter().map(|(held, _)| held.run));
    let were_together = || saved.iter().flat_map(|(_, saved)| saved).any(|saved| saved.progress.cohort == cohort);
    let never_saved = || saved.iter().any(|(held, saved)| saved.is_empty() && !held.is_saved(results));
    common.or_else(|| (were_together() && never_saved()).then_some(0))
}

/// Tells one cohort from another.
fn cohort_name<'a>(runs: impl Iterator<Item = &'a PlannedRun>) -> String {
    record::digest(&runs.flat_map(|run| [run.experiment.as_bytes(), run.id.as_bytes()]).collect::<Vec<_>>())
}

/// When a cohort is saved.
struct Saver {
    every: Duration,
    last: Instant,
    /// Time that the last checkpoint took.
    cost: Duration,
    warned: bool,
}

impl Saver {
    fn new(every: Duration) -> Self {
        Self { every, last: Instant::now(), cost: Duration::ZERO, warned: false }
    }

    fn is_due(&self) -> bool {
        self.every.is_zero() || self.last.elapsed() >= self.every.max(self.cost.div_f64(SHARE))
    }

    /// Saves. A failure, such as a full disk, is no reason to stop: training may end before anything kills it. Returns
    /// whether it worked.
    fn save(&mut self, save: impl FnOnce() -> Result<()>) -> bool {
        let clock = Instant::now();
        let saved = save();
        if let Err(error) = &saved
            && !std::mem::replace(&mut self.warned, true)
        {
            log::warn!("no checkpoint could be written, and training goes on without one: {error:#}");
        }
        self.last = Instant::now();
        self.cost = clock.elapsed();
        saved.is_ok()
    }
}

/// Reports the progress of a cohort, and takes it back if the cohort fails.
struct Meter<'a> {
    progress: &'a super::progress::Progress,
    per_epoch: f64,
    found: usize,
    reached: usize,
}

impl<'a> Meter<'a> {
    fn start(progress: &'a super::progress::Progress, runs: &[&PlannedRun], epoch: usize) -> Self {
        let per_epoch = runs.iter().map(|run| cost::work(&run.spec) / run.spec.train.epochs as f64).sum();
        progress.found(per_epoch * epoch as f64);
        Self { progress, per_epoch, found: epoch, reached: epoch }
    }

    fn reach(&mut self, epoch: usize) {
        self.progress.advance(self.per_epoch * (epoch - self.reached) as f64);
        self.reached = epoch;
    }

    /// The work is done for good.
    fn keep(&mut self) {
        (self.found, self.reached) = (0, 0);
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.progress.advance(-self.per_epoch * (self.reached - self.found) as f64);
        self.progress.found(-self.per_epoch * self.found as f64);
    }
}
