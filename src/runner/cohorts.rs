//! Which runs are trained side by side.

use anyhow::Result;
use indexmap::IndexMap;
use tch::Device;

use super::{Options, cost, engine::Chosen};
use crate::{spec::PlannedRun, train};

/// Runs of a cohort on one CPU worker: enough to feed its core, few enough to spread over the workers.
const CPU_COHORT: usize = 8;

/// Runs trained side by side on a GPU.
const GPU_COHORT: usize = 1024;

/// Runs that fit together, for one worker.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    pub engine: Chosen,
    pub runs: Vec<&'a PlannedRun>,
}

/// Puts runs that fit together into groups, the costliest first so that no worker ends long after the others.
pub fn group<'a>(todo: &[&'a PlannedRun], options: &Options, device: Device, workers: usize) -> Result<Vec<Group<'a>>> {
    let mut fitting: IndexMap<(Chosen, String), Vec<&PlannedRun>> = IndexMap::new();
    for &run in todo {
        let engine = options.engine.choose(&run.spec, device)?;
        let shared = serde_json::to_string(&train::shared(&run.spec))?;
        fitting.entry((engine, shared)).or_default().push(run);
    }
    let mut groups = Vec::new();
    for ((engine, _), runs) in fitting {
        let limit = options.cohort.unwrap_or_else(|| default_limit(engine, device, runs.len(), workers));
        groups.extend(runs.chunks(limit).map(|runs| Group { engine, runs: runs.to_vec() }));
    }
    let work = |group: &Group| group.runs.iter().map(|run| cost::work(&run.spec)).sum::<f64>();
    groups.sort_by(|a, b| work(b).total_cmp(&work(a)));
    Ok(groups)
}

/// Runs of a cohort, of `runs` that fit together, where `--cohort` does not say.
fn default_limit(engine: Chosen, device: Device, runs: usize, workers: usize) -> usize {
    match (engine, device) {
        // One run's batch fills a core's caches already.
        (Chosen::Fused, _) => 1,
        (Chosen::Autograd, Device::Cpu) => runs.div_ceil(workers).clamp(1, CPU_COHORT),
        (Chosen::Autograd, _) => GPU_COHORT,
    }
}
