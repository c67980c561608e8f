//! `landscape export`: what is written is what the run saw.

use std::{fs, path::Path, sync::Arc};

use contrastive_landscape::{
    Device, RunSpec,
    engine::{Member, Views},
    losses::{LossSpec, Sides},
    record::{Metrics, read_run, read_state},
    runner::{EngineChoice, build},
    spec::{Turn, layout::StateDict, methods},
};
use ndarray::{Array2, Axis, Ix2};
use predicates::prelude::*;

use crate::workbench::Workbench;

/// `landscape export` of a run with more arguments, into the folder `out`.
fn exported(bench: &Workbench, run: &Path, arguments: &[&str]) -> std::path::PathBuf {
    let out = bench.path("out").join(run.file_name().unwrap());
    let (run, to) = (run.display().to_string(), out.display().to_string());
    bench.landscape(&[&["export", &run, "--to", &to], arguments].concat()).success();
    out
}

fn matrix(state: &StateDict, name: &str) -> Array2<f64> {
    state[name].clone().into_dimensionality::<Ix2>().unwrap()
}

/// Losses of the start's weights on every batch of an exported epoch.
fn losses(spec: &RunSpec, out: &Path, epoch: usize) -> Vec<f64> {
    let start = read_state(&out.join("start.safetensors")).unwrap();
    let data = read_state(&out.join("data.safetensors")).unwrap();
    let views = read_state(&out.join(format!("views-{epoch}.safetensors"))).unwrap();
    let member = Member { spec: Arc::new(spec.clone()), x: Arc::new(matrix(&data, "samples")), state: start };
    let chosen = EngineChoice::Auto.choose(spec, Device::Cpu).unwrap();
    let turns = views["turn"].iter().map(|turn| [Turn::Online, Turn::Target, Turn::Joint][*turn as usize]);
    let of_batch = |(k, turn): (usize, Turn)| {
        let rows: Vec<usize> =
            views["batch"].iter().enumerate().filter(|(_, batch)| **batch == k as f64).map(|(row, _)| row).collect();
        let [x1, x2] = ["x1", "x2"].map(|name| vec![matrix(&views, name).select(Axis(0), &rows)]);
        let mut engine = build(chosen, std::slice::from_ref(&member), Device::Cpu).unwrap();
        engine.gradients(&Views { x1, x2 }, turn).unwrap()[0].0
    };
    turns.enumerate().map(of_batch).collect()
}

fn assert_close(ours: f64, recorded: f64, what: &str) {
    assert!((ours - recorded).abs() <= 2e-6 * recorded.abs().max(1.0), "{what}: {ours} and {recorded}");
}

/// A loss on the start's weights is recorded where the first epoch is one batch.
#[test]
fn the_exported_data_give_the_recorded_loss_of_every_method_and_loss() {
    let arm = |name: &str, settings: &str| format!("  {name}: {{ {settings} }}\n");
    let mut arms: String =
        methods().iter().map(|method| arm(&method.name, &format!("method: {}", method.name))).collect();
    for loss in LossSpec::all() {
        let method = if loss.sides() == Sides::Both { "simclr-orig" } else { "simsiam" };
        arms += &arm(&format!("{}-loss", loss.kind()), &format!("method: {method}, loss: {{kind: {}}}", loss.kind()));
    }
    let bench = Workbench::new(&format!(
        "title: All\nseeds: 1\nbase: {{ data: {{samples: 40, p: 12, d: 12}}, model: {{m: 12}}, train: {{epochs: 1, batch_size: 40}} }}\n\
         arms:\n{arms}"
    ));
    match cfg!(feature = "torch") {
        true => _ = bench.landscape(&["run", "tiny.yaml"]).success(),
        false => return, // some of these need autograd, and a file is trained whole
    }
    let runs = bench.runs();
    assert_eq!(runs.len(), methods().len() + LossSpec::all().len());
    for run in runs {
        let out = exported(&bench, &run, &[]);
        let record = read_run(&run).unwrap();
        let recorded = record.metrics.column("loss").unwrap()[1];
        if record.spec.loss.draws() {
            // Given views come without draws; the Python package's tests make the loss of what is written here.
            let views = read_state(&out.join("views-1.safetensors")).unwrap();
            let drawn = views["drawn"].index_axis(Axis(0), 0).into_dimensionality::<Ix2>().unwrap().to_owned();
            assert_eq!((views["drawn"].shape()[0], drawn.nrows()), (1, record.spec.model.m));
            let other = record.spec.loss.drawn(contrastive_landscape::random::native::Key::from_seed(0), 12).unwrap();
            assert!(drawn.dim() == other.dim() && drawn != other, "a step has draws of its own");
            continue;
        }
        assert_close(losses(&record.spec, &out, 1)[0], recorded, &record.summary.label);
    }
}

/// With a learning rate that moves nothing, every epoch's losses are of the start's weights.
#[test]
fn every_epoch_and_batch_is_as_the_run_saw_it() {
    let bench = Workbench::new(
        "title: Views\nseeds: 1\n\
         base: { data: {samples: 45, p: 70, d: 12}, model: {m: 12}, train: {epochs: 4, batch_size: 20, lr: 1.0e-30} }\n\
         arms:\n  NCL: { method: ncl }\n  CL: { method: cl }\n  Pairs: { method: ncl, views: {pairs: 3} }\n\
         \x20 Dependent: { method: ncl, views: {masks: dependent} }\n  Joint: { method: ncl, train: {turns: joint} }\n\
         \x20 Shared: { method: simclr-alter-aug, random: authors }\n  Theirs: { method: simplified, random: authors }\n\
         \x20 Schedule: { method: ncl, train: {schedule: {kind: cosine}} }\n",
    );
    bench.landscape(&["run", "tiny.yaml"]).success();
    let runs = bench.runs();
    assert_eq!(runs.len(), 8);
    for run in runs {
        let out = exported(&bench, &run, &["--epochs", "2,last"]);
        assert!(!out.join("views-1.safetensors").exists() && !out.join("views-3.safetensors").exists());
        let record = read_run(&run).unwrap();
        for epoch in [2, 4] {
            let losses = losses(&record.spec, &out, epoch);
            assert_eq!(losses.len(), record.spec.batches().len());
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            let recorded = |column: &str| record.metrics.column(column).unwrap()[epoch];
            assert_close(mean, recorded("loss_mean"), &format!("{} epoch {epoch}", record.summary.label));
            assert_close(*losses.last().unwrap(), recorded("loss"), &record.summary.label);
            let views = read_state(&out.join(format!("views-{epoch}.safetensors"))).unwrap();
            let of_schedule = record.spec.train.schedule.factor(epoch - 1, 4);
            assert_eq!(views["lr"].iter().copied().collect::<Vec<_>>(), vec![1e-30 * of_schedule; losses.len()]);
            // A view's entry is its sample's, scaled, or zero.
            let data = read_state(&out.join("data.safetensors")).unwrap();
            let scale = record.spec.views.scale();
            for (row, sample) in views["sample"].iter().enumerate() {
                for (j, &seen) in views["x1"].index_axis(Axis(0), row).iter().enumerate() {
                    let entry = data["samples"][[*sample as usize, j]];
                    assert!(seen == 0.0 || seen == scale * entry);
                }
            }
        }
    }
}

#[test]
fn the_data_are_the_truth_behind_the_samples() {
    let bench = Workbench::new(&tiny!("2", "seeds: 1\n").replace("samples: 40", "samples: 40, noise: {kind: none}"));
    bench.landscape(&["run", "tiny.yaml"]).success();
    let run = &bench.runs()[0];
    let out = exported(&bench, run, &["--epochs", "none"]);
    let data = read_state(&out.join("data.safetensors")).unwrap();
    let clean = matrix(&data, "latents").dot(&matrix(&data, "dictionary").t());
    let samples = matrix(&data, "samples");
    assert_eq!(samples.dim(), (40, 12));
    assert!((clean - samples).iter().all(|difference| difference.abs() < 1e-7));
    assert!(!fs::read_dir(&out).unwrap().any(|file| file.unwrap().file_name().to_string_lossy().starts_with("views")));
    // As recorded, to the byte; and the settings, all of them.
    assert_eq!(fs::read(out.join("final.safetensors")).unwrap(), fs::read(run.join("final.safetensors")).unwrap());
    let spec: serde_json::Value = serde_json::from_slice(&fs::read(out.join("spec.json")).unwrap()).unwrap();
    assert_eq!(spec["train"]["schedule"]["kind"], "constant");
    assert_eq!(spec["data"]["p"], 12);
    let metrics = Metrics::read(&run.join("metrics.csv")).unwrap();
    assert_eq!(metrics.column("epoch").unwrap().len(), 3);
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let bench = Workbench::new(tiny!("2", "seeds: 1\n"));
    bench.landscape(&["run", "tiny.yaml"]).success();
    let run = bench.runs()[0].clone();
    let name = run.display().to_string();
    let refused = |arguments: &[&str], code: i32, text: &str| {
        bench.landscape(arguments).code(code).stderr(predicate::str::contains(text.to_string()));
    };
    refused(&["export", &name, "--epochs", "3"], 2, "the run has the epochs 1 to 2, not 3");
    refused(&["export", &name, "--epochs", "first"], 2, "names no epochs");
    refused(&["export", "results/none"], 2, "there is no folder results/none");
    refused(&["export", "results/tiny"], 1, "summary.json cannot be read");
    assert!(!bench.path("exports").exists(), "nothing is left of what was refused");

    // A record of another program's draws, without hashes as old ones are.
    let spec = fs::read_to_string(run.join("spec.yaml")).unwrap();
    fs::write(run.join("spec.yaml"), spec.replace("seed: 1", "seed: 2")).unwrap();
    let summary = fs::read_to_string(run.join("summary.json")).unwrap();
    let mut summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    summary["digest"] = "".into();
    summary["sha256"] = serde_json::json!({});
    fs::write(run.join("summary.json"), summary.to_string()).unwrap();
    refused(&["export", &name], 1, "is not what the run saw");
    assert!(!bench.path("exports").exists());
}

#[test]
fn files_go_into_a_folder_of_the_runs_name() {
    let bench = Workbench::new(tiny!("2", "seeds: 1\n"));
    bench.landscape(&["run", "tiny.yaml"]).success();
    let run = bench.runs()[0].clone();
    let name = run.file_name().unwrap().to_string_lossy().into_owned();
    let line = format!("exports/{name}/data.safetensors  dictionary (12, 5), latents (40, 5), samples (40, 12)");
    bench.landscape(&["export", &run.display().to_string()]).success().stdout(predicate::str::contains(line));
    assert!(bench.path(&format!("exports/{name}/views-2.safetensors")).exists());
}
