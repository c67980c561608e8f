use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use indexmap::IndexMap;

use super::{Metrics, Summary, inventory, is_recorded, read_metrics, run_folder};
use crate::spec::{Experiment, Moment, Overrides, PlannedRun, plan_file};

/// A finished run.
#[derive(Clone, Debug)]
pub struct RecordedRun {
    /// The run as the experiment's file plans it.
    pub plan: PlannedRun,
    /// Its `metrics.csv`.
    pub metrics: Metrics,
    /// Its `summary.json`.
    pub summary: Summary,
}

/// An experiment with all that is recorded of it.
#[derive(Clone, Debug)]
pub struct ExperimentRecord {
    /// The experiment's file, read.
    pub experiment: Experiment,
    /// One run of every curve, as planned, whether or not it is recorded.
    pub curves: Vec<PlannedRun>,
    /// Recorded runs by label, in the order of their seeds: the experiment's own seeds and any others found.
    pub runs: IndexMap<String, Vec<RecordedRun>>,
}

/// Experiments and their records, each read once.
#[derive(Debug)]
pub struct Archive {
    results: PathBuf,
    /// Only runs that are recorded here, too.
    beside: Option<PathBuf>,
    overrides: Overrides,
    entries: HashMap<PathBuf, Arc<ExperimentRecord>>,
}

impl Archive {
    /// Of a folder of results.
    pub fn new(results: &Path) -> Self {
        Self::changed(results, Overrides::default())
    }

    /// Of a folder of results, of the runs that experiments have when the command line changes them: with other settings,
    /// or on other seeds and no more.
    pub fn changed(results: &Path, overrides: Overrides) -> Self {
        Self { results: results.to_path_buf(), overrides, beside: None, entries: HashMap::new() }
    }

    /// The same, but of those runs alone that another folder has as well: so that what was trained twice, by two engines
    /// perhaps, is compared run by run.
    pub fn shared_with(self, other: &Path) -> Self {
        Self { beside: Some(other.to_path_buf()), ..self }
    }

    /// Reads an experiment file and its records.
    pub fn entry(&mut self, file: &Path) -> Result<Arc<ExperimentRecord>> {
        if let Some(entry) = self.entries.get(file) {
            return Ok(Arc::clone(entry));
        }
        let mut entry = ExperimentRecord::read(file, &self.results, &self.overrides)?;
        if let Some(other) = &self.beside {
            entry.runs.values_mut().for_each(|runs| runs.retain(|run| is_recorded(other, &run.plan)));
        }
        let entry = Arc::new(entry);
        self.entries.insert(file.to_path_buf(), Arc::clone(&entry));
        Ok(entry)
    }

    /// [Another experiment](Experiment::sibling) of the same folder, by its name.
    pub fn sibling(&mut self, of: &Experiment, name: &str) -> Result<Arc<ExperimentRecord>> {
        self.entry(&of.sibling(name))
            .with_context(|| format!("{} compares itself with the experiment `{name}`", of.file.display()))
    }
}

impl ExperimentRecord {
    fn read(file: &Path, results: &Path, overrides: &Overrides) -> Result<Self> {
        let (mut experiment, runs) = plan_file(file, overrides)?;
        if let Some(flags) = overrides.flags() {
            experiment.protocol += &format!(", with {flags}");
        }
        match overrides.seeds {
            Some(_) => Self::of_seeds(experiment, &runs, results, seeds_in(&runs)),
            None => Self::gather(experiment, &runs, results),
        }
    }

    /// What is recorded of an experiment whose runs are planned as given, on their seeds and any others.
    pub fn gather(experiment: Experiment, planned: &[PlannedRun], results: &Path) -> Result<Self> {
        let mut seeds = seeds_in(planned);
        seeds.extend(seeds_of(results, &experiment.name));
        Self::of_seeds(experiment, planned, results, seeds)
    }

    fn of_seeds(experiment: Experiment, planned: &[PlannedRun], results: &Path, seeds: BTreeSet<u64>) -> Result<Self> {
        let mut curves: IndexMap<&str, &PlannedRun> = IndexMap::new();
        planned.iter().for_each(|run| _ = curves.entry(run.label.as_str()).or_insert(run));
        let mut runs = IndexMap::new();
        for curve in curves.values() {
            let all = seeds.iter().map(|&seed| curve.with_seed(seed));
            let recorded = all.filter(|run| is_recorded(results, run)).map(|run| read(results, run));
            runs.insert(curve.label.clone(), recorded.collect::<Result<_>>()?);
        }
        let curves = curves.into_values().cloned().collect();
        Ok(Self { experiment, curves, runs })
    }

    /// Recorded runs of a curve.
    pub fn runs(&self, label: &str) -> &[RecordedRun] {
        self.runs.get(label).map_or(&[], Vec::as_slice)
    }

    /// A column at a moment, for every recorded seed of a curve that has a value there.
    pub fn values(&self, label: &str, column: &str, at: Moment) -> Vec<(u64, f64)> {
        let of = |run: &RecordedRun| Some((run.plan.spec.seed, run.metrics.at(column, at)?));
        self.runs(label).iter().filter_map(of).collect()
    }
}

fn read(results: &Path, plan: PlannedRun) -> Result<RecordedRun> {
    let (summary, metrics) = read_metrics(&run_folder(results, &plan))?;
    Ok(RecordedRun { metrics: metrics.complete(&plan.spec), plan, summary })
}

fn seeds_in(planned: &[PlannedRun]) -> BTreeSet<u64> {
    planned.iter().map(|run| run.spec.seed).collect()
}

/// Seeds in the names of an experiment's run folders; none where there is no such folder.
fn seeds_of(results: &Path, experiment: &str) -> Vec<u64> {
    let seed = |name: String| {
        let (_, seed_and_hash) = name.rsplit_once("_seed")?;
        seed_and_hash.split_once('_')?.0.parse().ok()
    };
    inventory::recorded(results, experiment).unwrap_or_default().into_iter().filter_map(seed).collect()
}
