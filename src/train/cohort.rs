use std::sync::Arc;

use anyhow::{Result, ensure};
use ndarray::{Array2, Axis};

use super::parallel;
use crate::{
    data::{BatchSource, Dataset, RunStreams, initial_state},
    engine::{Batch, Engine, Member},
    spec::{Dictionary, Init, Latents, Noise, OneHotSign, Random, RunSpec, Strengths, Turn, Turns, layout::StateDict},
};

/// Runs that are trained side by side: their data, their initial parameters, their batches.
#[derive(Clone)]
pub struct Cohort {
    members: Vec<Member>,
    datasets: Vec<Dataset>,
    sources: Vec<BatchSource>,
    /// Sample of each view pair of the batch dealt last, for each run.
    last_rows: Vec<Vec<u32>>,
    /// Finished epochs.
    epoch: usize,
}

/// Where a run stands between two epochs: with its settings, all that training needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Parameters and buffers, and what the optimiser remembers: [`Engine::snapshot`].
    pub state: StateDict,
    /// The random generators, as [`RunStreams::save`] gives them.
    pub generators: Vec<u32>,
}

impl Cohort {
    /// Draws the data and the initial parameters of every run.
    pub fn draw(specs: &[Arc<RunSpec>]) -> Result<Self> {
        Self::draw_from(specs, |_, drawn| drawn)
    }

    /// As [`Cohort::draw`], with `start` given each run's place and drawn state to replace or keep.
    pub fn draw_from(specs: &[Arc<RunSpec>], start: impl Fn(usize, StateDict) -> StateDict) -> Result<Self> {
        ensure!(!specs.is_empty(), "a cohort has at least one run");
        ensure!(specs.iter().all(|spec| fits(spec, &specs[0])), "the runs of a cohort must share their shapes");
        let mut cohort = Self { members: vec![], datasets: vec![], sources: vec![], last_rows: vec![], epoch: 0 };
        for (place, spec) in specs.iter().enumerate() {
            let mut streams = RunStreams::new(spec.random, spec.seed);
            let dataset = Dataset::draw(&spec.data, &mut streams);
            let state = start(place, initial_state(spec, &dataset.dictionary, &mut streams));
            cohort.members.push(Member { spec: spec.clone(), x: Arc::new(dataset.x.clone()), state });
            cohort.datasets.push(dataset);
            cohort.sources.push(BatchSource::new(spec.clone(), streams));
        }
        Ok(cohort)
    }

    /// Puts the runs back where they stood after `epoch` epochs. Build engines only after this.
    pub fn resume(&mut self, epoch: usize, snapshots: Vec<Snapshot>) -> Result<()> {
        ensure!(snapshots.len() == self.members.len(), "{} snapshots for {} runs", snapshots.len(), self.members.len());
        for ((member, source), snapshot) in self.members.iter_mut().zip(&mut self.sources).zip(snapshots) {
            source.streams_mut().restore(&snapshot.generators)?;
            member.state = snapshot.state;
        }
        self.epoch = epoch;
        Ok(())
    }

    /// Where each run stands, with the parameters from the engine that trains the cohort; between two epochs only.
    pub fn snapshots(&self, engine: &dyn Engine) -> Result<Vec<Snapshot>> {
        let generators = self.sources.iter().map(|source| source.streams().save());
        Ok(engine
            .snapshot()?
            .into_iter()
            .zip(generators)
            .map(|(state, generators)| Snapshot { state, generators })
            .collect())
    }

    /// Finished epochs.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The settings of the first run, for reading what all runs share.
    pub fn spec(&self) -> &Arc<RunSpec> {
        &self.members[0].spec
    }

    /// The runs as an engine takes them.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The data of each run.
    pub fn datasets(&self) -> &[Dataset] {
        &self.datasets
    }

    /// Shuffles the samples of every run for an epoch, counted from 0, or draws new ones.
    pub fn begin_epoch(&mut self, epoch: usize) {
        self.epoch = epoch;
        parallel::each_of(&mut self.sources, |source| source.begin_epoch(epoch));
        for ((member, dataset), source) in self.members.iter().zip(&mut self.datasets).zip(&mut self.sources) {
            if member.spec.data.fresh {
                let dictionary = std::mem::take(&mut dataset.dictionary);
                *dataset = Dataset::of_epoch(&member.spec.data, dictionary, epoch, source.streams_mut());
            }
        }
    }

    /// Counts the epoch as finished.
    pub fn end_epoch(&mut self) {
        self.epoch += 1;
    }

    /// Batch `k` of the epoch for every run.
    pub fn batch(&mut self, k: usize) -> Batch {
        let runs = parallel::each_of(&mut self.sources, |source| source.batch(k));
        self.last_rows = runs.iter().map(|run| run.rows.clone()).collect();
        let RunSpec { data, train, views, .. } = &**self.spec();
        let fresh = data.fresh && k == 0;
        let samples = fresh.then(|| self.datasets.iter().map(|data| Arc::new(data.x.clone())).collect());
        let rate = train.schedule.factor(self.epoch, train.epochs);
        Batch { turn: turn(train.turns, k), scale: views.scale(), rate, samples, runs }
    }

    /// Latents of the batch dealt last, `(B, d)`, for each run.
    pub fn last_latents(&self) -> Vec<Array2<f64>> {
        let rows = |rows: &Vec<u32>| rows.iter().map(|&row| row as usize).collect::<Vec<_>>();
        self.datasets.iter().zip(&self.last_rows).map(|(data, r)| data.latents.select(Axis(0), &rows(r))).collect()
    }
}

/// Whose turn batch `k` of an epoch is.
fn turn(turns: Turns, k: usize) -> Turn {
    match turns {
        Turns::Alternating if k.is_multiple_of(2) => Turn::Online,
        Turns::Alternating => Turn::Target,
        Turns::Joint => Turn::Joint,
        Turns::Ema { .. } => Turn::Online,
    }
}

/// Whether two runs can be trained side by side: everything is equal except what [`Member`] lets differ.
pub fn fits(a: &RunSpec, b: &RunSpec) -> bool {
    shared(a) == shared(b)
}

/// What the runs of a cohort must have in common: the settings, with what [`Member`] lets differ set to a fixed value.
pub fn shared(spec: &RunSpec) -> RunSpec {
    let mut spec = spec.clone();
    spec.seed = 0;
    spec.method = String::new();
    spec.random = Random::Native;
    spec.data.dictionary = Dictionary::Orthonormal;
    spec.data.coherence = 0.0;
    spec.data.latents = Latents::OneHot { sign: OneHotSign::Random };
    spec.data.correlation = 0.0;
    spec.data.strengths = Strengths::Equal;
    spec.data.noise = Noise::None;
    spec.views.masking_prob = 0.0;
    spec.views.second_masking_prob = None;
    spec.model.init = Init::Random { scale: 1.0 };
    spec.train.lr = 0.0;
    spec
}
