//! `scripts/load_weights.py`: the recorded weights in plain torch modules give our loss on the same batch.

use std::{path::PathBuf, process::Command, sync::Arc};

use contrastive_landscape::{
    autograd::AutogradEngine,
    engine::{Engine, Member, Turn, Views},
    models::StateDict,
    random::{Draws, native::Key},
    record::{Finished, Log, Provenance, write_run, write_state},
    spec::{Dtype, PlannedRun, Turns, resolve},
    train::Cohort,
};
use ndarray::Array2;
use tch::Device;

fn python() -> Option<PathBuf> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let python = std::env::var_os("LANDSCAPE_PYTHON").map_or_else(own, PathBuf::from);
    let has_torch = Command::new(&python).args(["-c", "import torch"]).output().is_ok_and(|out| out.status.success());
    has_torch.then_some(python)
}

const SETTINGS: [&str; 8] = [
    "method: ncl",
    "{method: simplified-pred, model: {batch_norm: pre_activation}}",
    "{method: simplified-noalt-pred, loss: {normalize: false, weight_penalty: 0.1}}",
    "{method: simplified-ml}",
    "{method: simplified, model: {bias: {kind: constant, value: 0.01}}}",
    "{method: simclr-orig}",
    "{method: simclr-alter-aug, model: {batch_norm: idle}}",
    "{method: simsiam, dtype: float64}",
];

#[test]
fn a_plain_torch_module_gives_our_loss() {
    let Some(python) = python() else {
        eprintln!("skipped: neither .venv nor LANDSCAPE_PYTHON is a Python with torch");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (number, settings) in SETTINGS.iter().enumerate() {
        let mut settings: serde_yaml::Value = serde_yaml::from_str(settings).unwrap();
        let small = "{data: {samples: 40, p: 12, d: 4}, model: {m: 10}, train: {epochs: 1, batch_size: 20}}";
        let mut layers = serde_yaml::from_str(small).unwrap();
        contrastive_landscape::spec::tree::merge(&mut layers, &settings);
        std::mem::swap(&mut layers, &mut settings);
        let spec = Arc::new(resolve(&[&settings]).unwrap());
        let cohort = Cohort::draw(std::slice::from_ref(&spec)).unwrap();
        let mut draws = Key::from_seed(3).stream();
        let mut view = || Array2::from_shape_fn((20, 12), |_| draws.normal());
        let (x1, x2) = (view(), view());
        let state = cohort.members()[0].state.clone();

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
            provenance: Provenance::here("autograd", "cpu"),
        };
        let run = write_run(folder.path(), &run, &finished).unwrap();
        let views = folder.path().join("views.safetensors");
        let both = StateDict::from_iter([("x1".into(), x1.clone().into_dyn()), ("x2".into(), x2.clone().into_dyn())]);
        write_state(&views, &both, Dtype::Float64).unwrap();

        let member = Member { spec: spec.clone(), x: Array2::zeros((1, 12)).into(), state };
        let mut engine = AutogradEngine::new(&[member], Device::Cpu).unwrap();
        let turn = if spec.train.turns == Turns::Joint { Turn::Joint } else { Turn::Online };
        let ours = engine.gradients(&Views { x1: vec![x1], x2: vec![x2] }, turn).unwrap()[0].0;

        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/load_weights.py");
        let output = Command::new(&python).arg(script).arg("loss").arg(&run).arg(&views).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let bound = if spec.dtype == Dtype::Float64 { 1e-12 } else { 2e-6 };
        assert!((ours - theirs).abs() <= bound * ours.abs().max(1.0), "{}: {ours} and {theirs}", spec.method);
    }
}
