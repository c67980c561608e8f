use std::{
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::{Result, anyhow};
use tch::Device;

use super::{
    DeviceChoice, EngineChoice, cost,
    engine::{Chosen, build},
    progress::Progress,
};
use crate::{
    record::{self, Provenance},
    spec::PlannedRun,
    train::{self, Cohort},
};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    pub results: PathBuf,
    /// Cohorts trained at the same time.
    pub jobs: usize,
    pub device: DeviceChoice,
    pub engine: EngineChoice,
    /// Run again what has been recorded.
    pub force: bool,
}

/// What came of a sweep.
#[derive(Debug, Default)]
pub struct Outcome {
    pub trained: usize,
    /// Runs found recorded.
    pub kept: usize,
    pub failures: Vec<Failure>,
}

/// A run that could not be finished.
#[derive(Debug)]
pub struct Failure {
    pub run: String,
    pub error: anyhow::Error,
}

/// Runs of a cohort on one CPU worker: enough to feed its core, few enough to spread over the workers.
const CPU_COHORT: usize = 8;

/// Runs trained side by side on a GPU.
const GPU_COHORT: usize = 1024;

/// Trains every run that is not recorded yet and records each as it is done. A run that fails does not stop the rest.
pub fn run(runs: &[PlannedRun], options: &Options) -> Result<Outcome> {
    let device = options.device.resolve()?;
    let todo: Vec<&PlannedRun> =
        runs.iter().filter(|run| options.force || !record::is_recorded(&options.results, run)).collect();
    let mut outcome = Outcome { kept: runs.len() - todo.len(), ..Outcome::default() };
    if todo.is_empty() {
        return Ok(outcome);
    }
    std::fs::create_dir_all(&options.results)
        .map_err(|error| anyhow!("cannot create the results folder {}: {error}", options.results.display()))?;
    let workers = if device.is_cuda() { 1 } else { options.jobs.max(1) };
    let cohorts = group(&todo, options, device, workers)?;
    let progress = Progress::new(todo.len(), todo.iter().map(|run| cost::work(&run.spec)).sum());
    let queue = Mutex::new(cohorts.into_iter());
    let finished = Mutex::new(&mut outcome);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                if workers > 1 {
                    tch::set_num_threads(1);
                }
                loop {
                    let Some(group) = lock(&queue).next() else { break };
                    let result = guarded(&group, options, device, &progress);
                    let mut outcome = lock(&finished);
                    match result {
                        Ok(()) => outcome.trained += group.runs.len(),
                        Err(error) => {
                            let error = format!("{error:#}");
                            let failure =
                                |run: &&PlannedRun| Failure { run: run.id.clone(), error: anyhow!(error.clone()) };
                            outcome.failures.extend(group.runs.iter().map(failure));
                        }
                    }
                }
            });
        }
    });
    progress.close();
    Ok(outcome)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs that are trained side by side by one worker.
struct Group<'a> {
    engine: Chosen,
    runs: Vec<&'a PlannedRun>,
}

/// Puts runs that fit together into cohorts, the costliest first so that no worker ends long after the others.
fn group<'a>(todo: &[&'a PlannedRun], options: &Options, device: Device, workers: usize) -> Result<Vec<Group<'a>>> {
    let mut groups: Vec<Group> = Vec::new();
    for &run in todo {
        let engine = options.engine.choose(&run.spec, device)?;
        let fits = |group: &&mut Group| group.engine == engine && train::fits(&group.runs[0].spec, &run.spec);
        match groups.iter_mut().find(fits) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { engine, runs: vec![run] }),
        }
    }
    let mut cohorts = Vec::new();
    for group in groups {
        let limit = match (group.engine, device) {
            // One run's batch fills a core's caches already.
            (Chosen::Fused, _) => 1,
            (Chosen::Autograd, Device::Cpu) => group.runs.len().div_ceil(workers).clamp(1, CPU_COHORT),
            (Chosen::Autograd, _) => GPU_COHORT,
        };
        let split = group.runs.chunks(limit).map(|runs| Group { engine: group.engine, runs: runs.to_vec() });
        cohorts.extend(split);
    }
    let work = |group: &Group| group.runs.iter().map(|run| cost::work(&run.spec)).sum::<f64>();
    cohorts.sort_by(|a, b| work(b).total_cmp(&work(a)));
    Ok(cohorts)
}

/// Trains one cohort; a panic in it (libtorch's errors among them) becomes an error.
fn guarded(group: &Group, options: &Options, device: Device, progress: &Progress) -> Result<()> {
    catch_unwind(AssertUnwindSafe(|| train_group(group, options, device, progress))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(anyhow!("the run panicked: {}", message.unwrap_or("no message").lines().next().unwrap_or_default()))
    })
}

fn train_group(group: &Group, options: &Options, device: Device, progress: &Progress) -> Result<()> {
    let start = Instant::now();
    let specs: Vec<_> = group.runs.iter().map(|run| Arc::clone(&run.spec)).collect();
    let mut cohort = Cohort::draw(&specs)?;
    let mut engine = build(group.engine, cohort.members(), device)?;
    let mut rows = vec![Vec::new(); specs.len()];
    let per_epoch = specs.iter().map(|spec| cost::work(spec) / spec.train.epochs as f64).sum::<f64>();
    train::train(&mut cohort, &mut *engine, |epoch, measured| {
        rows.iter_mut().zip(measured).for_each(|(rows, row)| rows.push(row));
        if epoch > 0 {
            progress.advance(per_epoch);
        }
        ControlFlow::Continue(())
    })?;
    let provenance = Provenance::here(group.engine.name(), &device_name(device));
    let wall = start.elapsed().as_secs_f64();
    for ((run, rows), state) in group.runs.iter().zip(&rows).zip(engine.state()?) {
        record::write_run(&options.results, run, rows, &state, wall, specs.len(), &provenance)?;
        progress.finished(&format!("{}/{}", run.experiment, run.id));
    }
    Ok(())
}

fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(number) => format!("cuda:{number}"),
        _ => "cpu".into(),
    }
}
