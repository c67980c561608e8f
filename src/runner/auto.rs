//! `--device auto`: the GPU or the CPU's cores, whichever is faster.

use std::time::Duration;

use anyhow::Result;

use super::{Options, cohorts, cost, device, engine::EngineChoice, human_time};
use crate::{Device, spec::PlannedRun};

/// The faster device for the runs that are to do, by [`cost`]'s estimates. Tells the user of a GPU on stderr if it is
/// not used, and why.
pub fn faster(runs: &[&PlannedRun], is_todo: impl Fn(&PlannedRun) -> bool, options: &Options) -> Result<Device> {
    if options.engine == EngineChoice::Fused {
        return Ok(Device::Cpu); // its speed on a GPU has not been measured: ask for it
    }
    let gpu = match device::libtorch_uses(0) {
        Ok(()) => Device::Cuda(0),
        Err(reason) if crate::device::gpus().is_empty() => {
            log::debug!("no GPU: {reason}");
            return Ok(Device::Cpu);
        }
        Err(reason) => {
            log::warn!("training on the CPU: {reason}");
            return Ok(Device::Cpu);
        }
    };
    let todo: Vec<_> = runs.iter().copied().filter(|run| is_todo(run)).collect();
    let groups = cohorts::group(runs, is_todo, options, gpu)?;
    let on_gpu: f64 = groups.iter().map(|group| cost::on_gpu(group.runs.iter().map(|run| &*run.spec))).sum();
    let on_cores = cost::on_cores(todo.iter().map(|run| &*run.spec), options.jobs);
    let time = |seconds: f64| human_time(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    let (gpu_time, cores_time) = (time(on_gpu), time(on_cores));
    if on_gpu < on_cores {
        log::info!("training on {gpu}: an estimated {gpu_time}, against {cores_time} on {} cores", options.jobs);
        return Ok(gpu);
    }
    if !todo.is_empty() {
        log::warn!(
            "training on {} cores of the CPU: an estimated {cores_time}, against {gpu_time} on {gpu} (--device cuda takes that)",
            options.jobs
        );
    }
    Ok(Device::Cpu)
}
