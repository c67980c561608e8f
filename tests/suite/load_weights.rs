//! `scripts/load_weights.py`: a run's weights in plain torch modules give our loss on the same batch.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::{Engine, Member, Views},
    losses::{LossSpec, Sides},
    random::{Draws, native::Key},
    record::{Finished, Log, Provenance, write_run, write_state},
    spec::{Dtype, PlannedRun, Turn, Turns, layout::StateDict, methods, resolve, tree},
    train::Cohort,
};
use ndarray::Array2;

fn python() -> Option<PathBuf> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let python = std::env::var_os("LANDSCAPE_PYTHON").map_or_else(own, PathBuf::from);
    let has_torch = Command::new(&python).args(["-c", "import torch"]).output().is_ok_and(|out| out.status.success());
    has_torch.then_some(python)
}

/// Beside every method as it stands.
const MORE_SETTINGS: [&str; 8] = [
    "{method: simplified-pred, model: {batch_norm: pre_activation}}",
    "{method: simplified-noalt-pred, loss: {normalize: false, weight_penalty: 0.1}}",
    "{method: simplified, model: {bias: {kind: constant, value: 0.01}}}",
    "{method: simclr-alter-aug, model: {batch_norm: idle}}",
    "{method: simsiam, model: {batch_norm: pre_and_post_activation}}",
    "{method: simsiam, dtype: float64}",
    "{method: simplified-simsiam, model: {projector: linear}}",
    "{method: simclr-orig, loss: {kind: barlow_twins, scale: 0.024}}",
];

/// Writes an untrained run and a pair of views for each of its turns into `folder`; returns the run's folder and our
/// loss.
fn write_case(folder: &Path, number: usize, settings: &str) -> (PathBuf, f64) {
    let small = "{data: {samples: 40, p: 12, d: 12}, model: {m: 12}, train: {epochs: 1, batch_size: 20}}";
    let mut layers = serde_yaml::from_str(small).unwrap();
    tree::merge(&mut layers, &serde_yaml::from_str(settings).unwrap());
    let spec = Arc::new(resolve(&[&layers]).unwrap());
    let cohort = Cohort::draw(std::slice::from_ref(&spec)).unwrap();
    let state = cohort.members()[0].state.clone();
    let mut draws = Key::from_seed(3).stream();
    let mut view = || Array2::from_shape_fn((20, 12), |_| draws.normal());
    let (x1, x2) = (view(), view());

    let run = PlannedRun {
        arm: 0,
        point: 0,
        experiment: "weights".into(),
        id: number.to_string(),
        label: String::new(),
        spec: spec.clone(),
        start: None,
    };
    let finished = Finished {
        log: Log::default(),
        state: state.clone(),
        wall_seconds: 0.0,
        runs_in_cohort: 1,
        resumed: 0,
        provenance: Provenance::here("autograd", contrastive_landscape::Device::Cpu),
        earlier: vec![],
    };
    let run = write_run(folder, &run, &finished).unwrap();
    let both = StateDict::from_iter([("x1".into(), x1.clone().into_dyn()), ("x2".into(), x2.clone().into_dyn())]);
    write_state(&run.join("views.safetensors"), &both, Dtype::Float64).unwrap();

    let member = Member { spec: spec.clone(), x: Array2::zeros((1, 12)).into(), state };
    let mut engine = AutogradEngine::new(&[member], Device::Cpu).unwrap();
    let turn = if spec.train.turns == Turns::Joint { Turn::Joint } else { Turn::Online };
    let loss = engine.gradients(&Views { x1: vec![x1], x2: vec![x2] }, turn).unwrap()[0].0;
    (run, loss)
}

#[test]
fn a_plain_torch_module_gives_our_loss() {
    let Some(python) = python() else {
        eprintln!("skipped: neither .venv nor LANDSCAPE_PYTHON is a Python with torch (`make setup TORCH=full`)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let every_method = methods().iter().map(|method| format!("method: {}", method.name));
    let every_loss = LossSpec::all().into_iter().map(|loss| {
        let method = if loss.sides() == Sides::Both { "simclr-orig" } else { "simsiam" };
        format!("{{method: {method}, loss: {{kind: {}}}}}", loss.kind())
    });
    let settings: Vec<String> = every_method.chain(every_loss).chain(MORE_SETTINGS.map(String::from)).collect();
    let cases: Vec<_> =
        settings.iter().enumerate().map(|(number, settings)| write_case(folder.path(), number, settings)).collect();

    // All in one Python: importing torch takes seconds.
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let script =
        "import sys, load_weights\nfor run in sys.argv[1:]: load_weights.main([run, run + '/views.safetensors'])";
    let mut command = Command::new(&python);
    command.env("PYTHONPATH", scripts).args(["-c", script]).args(cases.iter().map(|(run, _)| run));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Vec<f64> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(theirs.len(), cases.len());
    for ((settings, (_, ours)), theirs) in settings.iter().zip(&cases).zip(theirs) {
        let bound = if settings.contains("float64") { 1e-12 } else { 2e-6 };
        assert!((ours - theirs).abs() <= bound * ours.abs().max(1.0), "{settings}: {ours} and {theirs}");
    }
}
