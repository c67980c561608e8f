//! The loss surface of finished runs: its gradient, its Hessian, and the program that draws it.

use std::{fs, path::PathBuf, sync::Arc};

use assert_cmd::Command;
use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::{Engine, Views},
    linalg::symmetric_eigenvalues,
    record::{Metrics, read_run},
    slices::{Coordinates, Point, TrainedLoss},
    spec::{RunSpec, Turn, layout::StateDict, methods, resolve},
    train::Cohort,
};
use predicates::{prelude::*, str::contains};

const SMALL: &str = "{dtype: float64, data: {p: 6, d: 6, samples: 24, latents: symmetric}, model: {m: 6}, \
                     train: {batch_size: 24}}";

/// A small run of a method at its start, with the views of its first batch.
struct Small {
    coordinates: Coordinates,
    engine: AutogradEngine,
    cohort: Cohort,
    views: Views,
    at: Point,
}

impl Small {
    fn of(settings: &str) -> Self {
        let layers = [SMALL, settings].map(|text| serde_yaml::from_str(text).unwrap());
        let spec: RunSpec = resolve(&[&layers[0], &layers[1]]).unwrap_or_else(|fault| panic!("{settings}: {fault:?}"));
        let coordinates = Coordinates::of(&spec).learning(Turn::Joint);
        let mut cohort = Cohort::draw(&[Arc::new(spec)]).unwrap();
        cohort.begin_epoch(0);
        let batch = cohort.batch(0);
        let member = &cohort.members()[0];
        let [x1, x2] = batch.runs[0].views(&member.x, batch.scale).map(|view| vec![view]);
        let engine = AutogradEngine::landscape(cohort.members(), Device::Cpu).unwrap();
        let at = coordinates.flatten(&member.state).unwrap();
        Self { coordinates, engine, views: Views { x1, x2 }, at, cohort }
    }

    fn move_to(&mut self, point: &Point) {
        let mut state = self.cohort.members()[0].state.clone();
        self.coordinates.unflatten(point, &mut state);
        self.engine.load(&[state]).unwrap();
    }

    fn loss(&mut self, point: &Point) -> f64 {
        self.move_to(point);
        self.engine.losses(&self.views, Turn::Joint).unwrap()[0]
    }

    fn gradient(&mut self, point: &Point) -> Point {
        self.move_to(point);
        let (_, slopes) = self.engine.gradients(&self.views, Turn::Joint).unwrap().remove(0);
        self.coordinates.flatten(&slopes).unwrap()
    }

    fn hessian_product(&mut self, point: &Point, direction: &Point) -> Point {
        self.move_to(point);
        let mut state = StateDict::new();
        self.coordinates.unflatten(direction, &mut state);
        let product = self.engine.hessian_products(&self.views, Turn::Joint, &[state]).unwrap().remove(0);
        self.coordinates.flatten(&product).unwrap()
    }
}

/// A direction without pattern.
fn direction(n: usize, phase: f64) -> Point {
    Point::from_shape_fn(n, |i| (1.7 * i as f64 + phase).sin())
}

#[test]
fn without_stops_the_gradient_is_that_of_the_loss_for_every_method() {
    for method in methods() {
        let mut small = Small::of(&format!("{{method: {}}}", method.name));
        // Off the start, where biases of zero put some activations at their kinks.
        let at = &small.at + &(direction(small.at.len(), 0.3) * 0.01);
        let along = direction(at.len(), 2.0);
        let step = 1e-6;
        let differences =
            (small.loss(&(&at + &(&along * step))) - small.loss(&(&at - &(&along * step)))) / (2.0 * step);
        let slope = small.gradient(&at).dot(&along);
        assert!((slope - differences).abs() < 1e-6 * (1.0 + slope.abs()), "{}: {slope}, {differences}", method.name);
    }
}

#[test]
fn the_hessian_is_that_of_the_loss_for_every_method() {
    for method in methods() {
        let mut small = Small::of(&format!("{{method: {}}}", method.name));
        let at = &small.at + &(direction(small.at.len(), 0.3) * 0.01);
        let (v, w) = (direction(at.len(), 2.0), direction(at.len(), 5.0));
        let product = small.hessian_product(&at, &v);
        let symmetric = small.hessian_product(&at, &w);
        let scale = 1.0 + product.dot(&w).abs();
        assert!((product.dot(&w) - symmetric.dot(&v)).abs() < 1e-10 * scale, "{}", method.name);
        let step = 1e-7;
        let differences =
            (small.gradient(&(&at + &(&v * step))) - small.gradient(&(&at - &(&v * step)))) / (2.0 * step);
        let error = (&product - &differences).mapv(f64::abs).fold(0.0, |a: f64, b| a.max(*b));
        let size = product.mapv(f64::abs).fold(0.0, |a: f64, b| a.max(*b));
        assert!(error < 1e-5 * (1.0 + size), "{}: {error} of {size}", method.name);
    }
}

#[test]
fn silent_samples_have_a_curvature() {
    // A threshold that silences all neurons on most samples: the norm of a zero representation has no slope.
    let mut small = Small::of("{method: ncl, model: {bias: {kind: constant, value: 0.3}, batch_norm: none}}");
    let at = small.at.clone();
    let product = small.hessian_product(&at, &direction(at.len(), 2.0));
    assert!(product.iter().all(|entry| entry.is_finite()), "{product}");
}

#[test]
fn unknown_directions_are_refused() {
    let mut small = Small::of("{method: cl}");
    assert!(small.engine.hessian_products(&small.views, Turn::Joint, &[Default::default()]).is_err());
}

fn landscape() -> Command {
    Command::cargo_bin("landscape").unwrap()
}

/// Trains the runs of a small experiment; their folders by name.
fn train(folder: &std::path::Path, epochs: usize, lr: f64) -> Vec<PathBuf> {
    let file = folder.join("tiny.yaml");
    let text = "title: t\npaper: none\nclaim: none\nseeds: 1..2\narms: {NCL: {method: ncl}, CL: {method: cl}}\n\
                base: {dtype: float64, data: {p: 8, d: 4, samples: 40}, model: {m: 6}, train: {batch_size: 16}}\n";
    fs::write(&file, text).unwrap();
    let sets = [format!("train.epochs={epochs}"), format!("train.lr={lr}")];
    let results = folder.join("results");
    let mut run = landscape();
    run.arg("run").arg(&file).arg("--results").arg(&results).args(["--jobs", "1", "--device", "cpu"]);
    run.args(sets.iter().flat_map(|set| ["--set", set])).assert().success();
    let entries = fs::read_dir(results.join("tiny")).unwrap().map(|entry| entry.unwrap().path());
    let mut runs: Vec<_> = entries.filter(|path| path.join("summary.json").is_file()).collect();
    runs.sort();
    assert_eq!(runs.len(), 4);
    runs // CL seed 1, CL seed 2, NCL seed 1, NCL seed 2
}

#[test]
fn the_surface_is_the_loss_of_training() {
    let folder = tempfile::tempdir().unwrap();
    // A rate so small that every batch of the epoch sees the same parameters.
    for run in train(folder.path(), 1, 1e-18) {
        let trained = TrainedLoss::of(&read_run(&run).unwrap(), 1).unwrap();
        let at_end = trained.over(1, |_| trained.end.clone()).unwrap()[0];
        let logged = Metrics::read(&run.join("metrics.csv")).unwrap().column("loss_mean").unwrap()[1];
        assert!((at_end - logged).abs() < 1e-9, "{}: {at_end}, {logged}", run.display());
    }
}

#[test]
fn lanczos_finds_the_ends_of_the_dense_spectrum() {
    let folder = tempfile::tempdir().unwrap();
    for run in train(folder.path(), 3, 0.05) {
        let trained = TrainedLoss::of(&read_run(&run).unwrap(), 1).unwrap();
        let dense = trained.hessian(&trained.end).unwrap();
        let asymmetry = (&dense - &dense.t()).mapv(f64::abs).fold(0.0, |a: f64, b| a.max(*b));
        assert!(asymmetry < 1e-10, "{asymmetry}");
        let eigenvalues = symmetric_eigenvalues(&((&dense + &dense.t()) / 2.0));
        let curvature = trained.curvature(&trained.end, 100, 1).unwrap();
        assert_eq!(curvature.parameters, eigenvalues.len());
        let found = [curvature.extremes.smallest, curvature.extremes.largest];
        let expected = [eigenvalues[0], eigenvalues[eigenvalues.len() - 1]];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7 * (1.0 + expected.abs()), "{found} is not {expected}");
        }
    }
}

#[test]
fn every_shape_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let runs = train(folder.path(), 2, 0.05);
    let slice = |runs: &[&PathBuf], more: &[&str]| {
        let mut command = landscape();
        command.arg("slice").args(runs).args(more).args(["--points", "5", "--lanczos", "10"]);
        command
    };
    let [cl, _, ncl, other] = [&runs[0], &runs[1], &runs[2], &runs[3]];
    slice(&[ncl], &[]).assert().success().stdout(contains("NCL, seed 1").and(contains("slice-path.png")));
    for name in ["slice-path.png", "slice-path.csv", "slice-path-hessian.csv"] {
        assert!(ncl.join(name).is_file(), "{name}");
    }
    let path = fs::read_to_string(ncl.join("slice-path.csv")).unwrap();
    assert_eq!(path.lines().count(), 6);
    slice(&[ncl, other], &[]).assert().success().stdout(contains("slice-line.png"));
    slice(&[ncl, other], &["--shape", "plane"]).assert().success().stdout(contains("slice-plane.png"));
    let out = folder.path().join("around.svg");
    slice(&[ncl, cl], &["--shape", "random", "--out", out.to_str().unwrap()]).assert().success();
    assert_eq!(fs::read_to_string(out.with_extension("csv")).unwrap().lines().count(), 2 * 25 + 1);

    slice(&[ncl, cl], &[]).assert().code(2).stderr(contains("other parameters"));
    slice(&[ncl, ncl], &[]).assert().code(2).stderr(contains("same parameters"));
    slice(&[ncl], &["--shape", "line"]).assert().code(2).stderr(contains("two runs, not 1"));
    slice(&[ncl], &["--shape", "circle"])
        .assert()
        .code(2)
        .stderr(contains("possible values: path, line, plane, random"));
    slice(&[&folder.path().join("nowhere")], &[]).assert().failure().stderr(contains("nowhere"));
}
