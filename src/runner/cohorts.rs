//! Which runs are trained side by side.

use anyhow::Result;
use indexmap::IndexMap;

use super::{Options, cost, engine::EngineKind, gpu_memory};
use crate::Device;
use crate::{spec::PlannedRun, train};

/// Runs that fit together, for one worker.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    pub engine: EngineKind,
    pub runs: Vec<&'a PlannedRun>,
    /// Nothing else is trained at the same time.
    pub alone: bool,
}

impl Group<'_> {
    /// Arithmetic of all its runs.
    pub fn work(&self) -> f64 {
        self.runs.iter().map(|run| cost::work(&run.spec)).sum()
    }
}

/// Groups the runs that are to do by what fits together, the costliest first so that no worker ends long after the
/// others.
///
/// libtorch rounds a run alone and a run beside others differently in the last digit. On a CPU, each run is therefore
/// trained alone, unless cohorts are asked for; a GPU needs large ones. They are formed from all runs (on a CPU, of an
/// experiment) before finished ones are left out, so that a restarted sweep trains the rest in the same cohorts.
pub fn group<'a>(
    runs: &[&'a PlannedRun],
    is_todo: impl Fn(&PlannedRun) -> bool,
    options: &Options,
    device: Device,
) -> Result<Vec<Group<'a>>> {
    let mut fitting: IndexMap<(EngineKind, String, &str), Vec<&PlannedRun>> = IndexMap::new();
    for &run in runs {
        let engine = options.engine.choose(&run.spec, device)?;
        let shared = serde_json::to_string(&train::shared(&run.spec))?;
        let experiment = if device == Device::Cpu { run.experiment.as_str() } else { "" };
        fitting.entry((engine, shared, experiment)).or_default().push(run);
    }
    let mut groups = Vec::new();
    for ((engine, ..), runs) in fitting {
        let limit = options.cohort.unwrap_or_else(|| default_limit(device, &runs));
        groups.extend(runs.chunks(limit).map(|runs| Group { engine, runs: runs.to_vec(), alone: false }));
    }
    groups.iter_mut().for_each(|group: &mut Group| group.runs.retain(|run| is_todo(run)));
    groups.retain(|group| !group.runs.is_empty());
    groups.sort_by(|a, b| b.work().total_cmp(&a.work()));
    Ok(groups)
}

/// Size of a cohort, for `runs` that fit together, where `--cohort` does not say.
fn default_limit(device: Device, runs: &[&PlannedRun]) -> usize {
    match device {
        Device::Cpu => 1,
        Device::Cuda(number) => gpu_memory::cohort_limit(&runs[0].spec, number),
    }
}
