//! A run that is saved and resumed from its checkpoint, against one that never stopped: the same bytes.

use std::{ops::ControlFlow, sync::Arc};

use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::{Engine, Member},
    fused::FusedEngine,
    record::{Checkpoint, Log, Progress, Workspace},
    spec::{Optimizer, PlannedRun, RunSpec, Schedule, layout::StateDict, methods, resolve},
    train::{Cohort, Ended, Snapshot, train},
};

/// Two batches an epoch, the costly columns now and then.
fn spec(method: &str, seed: u64, more: &str) -> Arc<RunSpec> {
    let text = format!(
        "{{method: {method}, seed: {seed}, data: {{samples: 40, p: 12, d: 5}}, model: {{m: 9}}, \
         train: {{batch_size: 16, epochs: 7}}, metrics: {{every: 2, detail_every: 3}}{more}}}"
    );
    let square = "{data: {p: 5, d: 5}, model: {m: 5}}";
    let layers = [text.as_str(), if method == "ncl-fixed-bias" { square } else { "{}" }];
    let layers = layers.map(|layer| serde_yaml::from_str(layer).unwrap());
    Arc::new(resolve(&[&layers[0], &layers[1]]).unwrap_or_else(|fault| panic!("{fault:?}")))
}

type Build = fn(&[Member]) -> Box<dyn Engine>;

fn autograd(members: &[Member]) -> Box<dyn Engine> {
    Box::new(AutogradEngine::new(members, Device::Cpu).unwrap())
}

fn fused(members: &[Member]) -> Box<dyn Engine> {
    Box::new(FusedEngine::new(members).unwrap())
}

/// Rows and final states of runs that never stop.
fn straight(specs: &[Arc<RunSpec>], build: Build) -> (Vec<Log>, Vec<StateDict>) {
    tch::set_num_threads(1);
    let mut cohort = Cohort::draw(specs).unwrap();
    let mut engine = build(cohort.members());
    let mut logs = vec![Log::default(); specs.len()];
    train(&mut cohort, &mut *engine, |_, rows| {
        logs.iter_mut().zip(&rows).for_each(|(log, row)| log.push(row));
        ControlFlow::Continue(())
    })
    .unwrap();
    (logs, engine.state().unwrap())
}

/// The same with a process for each epoch: everything but the checkpoint files is forgotten in between.
fn in_pieces(specs: &[Arc<RunSpec>], build: Build) -> (Vec<Log>, Vec<StateDict>) {
    let results = tempfile::tempdir().unwrap();
    let workspace = Workspace::of(results.path(), "tiny");
    workspace.create().unwrap();
    let runs: Vec<_> = specs.iter().enumerate().map(|(place, spec)| planned(place, spec)).collect();
    loop {
        let mut cohort = Cohort::draw(specs).unwrap();
        let saved: Vec<_> = runs.iter().flat_map(|run| Checkpoint::read(&workspace, run).unwrap()).collect();
        let mut logs = vec![Log::default(); specs.len()];
        if !saved.is_empty() {
            let epoch = saved[0].progress.epoch;
            logs = saved.iter().map(|checkpoint| checkpoint.log.clone()).collect();
            let snapshot = |saved: Checkpoint| Snapshot { state: saved.state, generators: saved.generators };
            cohort.resume(epoch, saved.into_iter().map(snapshot).collect()).unwrap();
        }
        let mut engine = build(cohort.members());
        let ended = train(&mut cohort, &mut *engine, |_, rows| {
            logs.iter_mut().zip(&rows).for_each(|(log, row)| log.push(row));
            ControlFlow::Break(())
        });
        if ended.unwrap() == Ended::Finished {
            return (logs, engine.state().unwrap());
        }
        let snapshots = cohort.snapshots(&*engine).unwrap();
        let saved = runs.iter().zip(logs).zip(snapshots).map(|((run, log), Snapshot { state, generators })| {
            let progress = Progress::new(run, cohort.epoch(), 0.0, 0, "", vec![]);
            (Checkpoint { progress, log, state, generators }, &workspace, run)
        });
        Checkpoint::write(saved).unwrap();
    }
}

fn planned(place: usize, spec: &Arc<RunSpec>) -> PlannedRun {
    PlannedRun::alone("tiny", format!("run{place}"), "", spec.clone())
}

fn check(specs: &[Arc<RunSpec>], build: Build, name: &str) {
    let (logs, states) = straight(specs, build);
    let (pieces, ends) = in_pieces(specs, build);
    assert_eq!(logs[0].rows().count(), 5, "rows for epochs 0, 2, 4, 6 and the last, 7");
    for ((log, piece), (state, end)) in logs.iter().zip(&pieces).zip(states.iter().zip(&ends)) {
        assert_eq!(String::from_utf8_lossy(piece.csv()), String::from_utf8_lossy(log.csv()), "{name}");
        for (parameter, value) in state {
            let bits = |value: &ndarray::ArrayD<f64>| value.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&end[parameter]), bits(value), "{name}: {parameter}");
        }
    }
}

#[test]
fn every_method_goes_on_as_if_it_had_not_stopped() {
    for method in methods() {
        for more in ["", ", random: authors", ", dtype: float64", ", dtype: float64, random: authors"] {
            let specs: Vec<_> = (1..=2).map(|seed| spec(&method.name, seed, more)).collect();
            let name = format!("{}{more}", method.name);
            check(&specs, autograd, &name);
            if FusedEngine::supports(&specs[0]) {
                check(&specs, fused, &format!("{name}, fused"));
            }
        }
    }
}

#[test]
fn optimisers_and_schedules_go_on_as_if_they_had_not_stopped() {
    let optimizers = ["{kind: sgd, momentum: 0.9, nesterov: true}", "{kind: adam}", "{kind: adamw}"];
    for optimizer in optimizers {
        for (dtype, build) in [("float32", fused as Build), ("float32", autograd), ("float64", autograd)] {
            let with = |seed| {
                let mut spec = (*spec("ncl-predictor", seed, &format!(", dtype: {dtype}"))).clone();
                spec.train.optimizer = serde_yaml::from_str::<Optimizer>(optimizer).unwrap();
                spec.train.schedule = Schedule::Cosine { warmup: 2, floor: 0.1 };
                Arc::new(spec)
            };
            check(&[with(1), with(2)], build, &format!("{optimizer}, {dtype}"));
        }
    }
}
