//! Loss and gradients of the first two batches of every recorded case, from the authors' own code, on given views.

use crate::reference::{Case, cases};
use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::{Engine, Member, Views},
    fused::FusedEngine,
    spec::{BatchNorm, Turn},
};
use ndarray::Array2;

/// Relative Frobenius distance.
fn distance(ours: &ndarray::ArrayD<f64>, theirs: &ndarray::ArrayD<f64>) -> f64 {
    let norm = |x: &ndarray::ArrayD<f64>| x.iter().map(|v| v * v).sum::<f64>().sqrt();
    norm(&(ours - theirs)) / norm(theirs).max(1e-12)
}

fn turn(case: &Case, step: usize) -> Turn {
    match (case.alternates(), step) {
        (false, _) => Turn::Joint,
        (true, 0) => Turn::Online,
        (true, _) => Turn::Target,
    }
}

type Build = fn(&[Member]) -> Box<dyn Engine>;

const ENGINES: [(&str, Build); 2] = [
    ("autograd", |members| Box::new(AutogradEngine::new(members, Device::Cpu).unwrap())),
    ("fused", |members| Box::new(FusedEngine::new(members).unwrap())),
];

/// Step 0 of `case` at place `place` of a cohort of `runs`, the others on other views and weights.
fn check(case: &Case, runs: usize, place: usize, (engine_name, build): (&str, Build)) {
    let mut spec = case.spec();
    if engine_name == "fused" && spec.model.batch_norm == BatchNorm::Idle {
        // The same arithmetic; carrying a module that is never applied is left to autograd.
        spec.model.batch_norm = BatchNorm::None;
    }
    let state = case.state("init", &spec);
    let members: Vec<Member> = (0..runs)
        .map(|r| {
            let mut state = state.clone();
            if r != place {
                state.values_mut().for_each(|value| value.mapv_inplace(|v| v * 1.1 + 0.01 * r as f64));
            }
            Member { spec: spec.clone().into(), x: Array2::zeros((1, spec.data.p)).into(), state }
        })
        .collect();
    let mut engine = build(&members);
    let (x1, x2) = (case.array2("step0.x1"), case.array2("step0.x2"));
    let other = |x: &Array2<f64>, r: usize| if r == place { x.clone() } else { x * 0.7 + 0.1 };
    let views =
        Views { x1: (0..runs).map(|r| other(&x1, r)).collect(), x2: (0..runs).map(|r| other(&x2, r)).collect() };
    let (loss, gradients) = engine.gradients(&views, turn(case, 0)).unwrap().swap_remove(place);
    let expected = case.scalar("step0.loss");
    let name = format!("{} ({engine_name})", case.name);
    assert!((loss - expected).abs() <= 2e-6 * expected.abs(), "{name}: loss {loss}, recorded {expected}");
    let recorded = case.gradients(0);
    assert!(!recorded.is_empty());
    for (parameter, gradient) in recorded {
        let ours = gradients.get(&parameter).unwrap_or_else(|| panic!("{name}: no gradient of {parameter}"));
        let off = distance(ours, &gradient);
        assert!(off <= 1e-5, "{name}: gradient of {parameter} is off by {off:e}");
    }
}

#[test]
fn first_step_alone() {
    for case in cases().iter().filter(|case| case.has_views()) {
        ENGINES.iter().for_each(|engine| check(case, 1, 0, *engine));
    }
}

#[test]
fn first_step_inside_a_cohort() {
    for case in cases().iter().filter(|case| case.has_views()) {
        ENGINES.iter().for_each(|engine| check(case, 3, 1, *engine));
    }
}
