//! `--device auto`: the GPU or the CPU's cores, whichever is faster.

use std::time::Duration;

use anyhow::Result;

use super::{
    Options,
    cohorts::{self, Group},
    cost, device,
    engine::EngineKind,
    human_time,
};
use crate::{Device, spec::PlannedRun};

/// The faster device for the runs that are to do, by [`cost`]'s estimates. Says in one line which, and why: a GPU that is not
/// used is worth a warning.
pub fn faster(runs: &[&PlannedRun], is_todo: impl Fn(&PlannedRun) -> bool, options: &Options) -> Result<Device> {
    const GPU: usize = 0;
    let on_cpu = |reason: String| {
        if crate::device::gpus().is_empty() {
            log::debug!("no GPU: {reason}");
        } else {
            log::warn!("training on the CPU: {reason}");
        }
        Ok(Device::Cpu)
    };
    if let Err(reason) = device::usable(GPU, options.engine) {
        return on_cpu(reason);
    }
    let gpu = Device::Cuda(GPU);
    let todo: Vec<_> = runs.iter().copied().filter(|run| is_todo(run)).collect();
    // The CPU may train what no engine of this choice trains there.
    let groups = match cohorts::group(runs, is_todo, options, gpu) {
        Ok(groups) => groups,
        Err(error) => return on_cpu(format!("{error:#}")),
    };
    if todo.is_empty() {
        return Ok(Device::Cpu);
    }
    let multiprocessors = crate::device::multiprocessors(GPU).unwrap_or(1);
    let on_gpu: f64 = groups.iter().map(|group| time_on_gpu(group, multiprocessors, options.jobs)).sum();
    let on_cores = cost::on_cores(todo.iter().map(|run| &*run.spec), options.jobs);
    let time = |seconds: f64| human_time(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    let (gpu_time, cores_time, how) = (time(on_gpu), time(on_cores), how(&groups, multiprocessors));
    if on_gpu < on_cores {
        log::info!(
            "training on {gpu}: an estimated {gpu_time} ({how}), against {cores_time} on {} cores; never measured on a GPU",
            options.jobs
        );
        return Ok(gpu);
    }
    log::warn!(
        "training on {} cores of the CPU: an estimated {cores_time}, against {gpu_time} on {gpu} ({how}); never measured on a \
         GPU, and --device cuda takes it",
        options.jobs
    );
    Ok(Device::Cpu)
}

/// Estimated seconds of a group on a GPU.
fn time_on_gpu(group: &Group, multiprocessors: usize, cores: usize) -> f64 {
    let specs = group.runs.iter().map(|run| &*run.spec);
    match group.engine {
        EngineKind::Fused => cost::on_blocks(specs, multiprocessors, cores),
        EngineKind::Autograd => cost::on_gpu(specs),
    }
}

/// `fused: 3 waves of 132 blocks; autograd: 1 cohort`
fn how(groups: &[Group], multiprocessors: usize) -> String {
    let of = |engine: EngineKind| groups.iter().filter(move |group| group.engine == engine);
    let waves: usize = of(EngineKind::Fused).map(|group| cost::waves(group.runs.len(), multiprocessors)).sum();
    let cohorts = of(EngineKind::Autograd).count();
    let fused = (waves > 0).then(|| format!("fused: {waves} waves of {multiprocessors} blocks"));
    let autograd = (cohorts > 0).then(|| format!("autograd: {cohorts} cohorts"));
    fused.into_iter().chain(autograd).collect::<Vec<_>>().join("; ")
}
