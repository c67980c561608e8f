//! Loss and gradients of the first two batches of every recorded case, from the authors' own code, on given views.

mod common;

use common::reference::{Case, cases};
use contrastive_landscape::{
    autograd::AutogradEngine,
    engine::{Engine, Member, Turn, Views},
};
use ndarray::Array2;
use tch::Device;

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

/// Step 0 of `case` at place `place` of a cohort of `runs`, the others on other views and weights.
fn check(case: &Case, runs: usize, place: usize) {
    let spec = case.spec();
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
    let mut engine = AutogradEngine::new(&members, Device::Cpu).unwrap();
    let (x1, x2) = (case.array2("step0.x1"), case.array2("step0.x2"));
    let other = |x: &Array2<f64>, r: usize| if r == place { x.clone() } else { x * 0.7 + 0.1 };
    let views =
        Views { x1: (0..runs).map(|r| other(&x1, r)).collect(), x2: (0..runs).map(|r| other(&x2, r)).collect() };
    let (loss, gradients) = engine.gradients(&views, turn(case, 0)).unwrap().swap_remove(place);
    let expected = case.scalar("step0.loss");
    assert!((loss - expected).abs() <= 2e-6 * expected.abs(), "{}: loss {loss}, recorded {expected}", case.name);
    let recorded = case.gradients(0);
    assert!(!recorded.is_empty());
    for (name, gradient) in recorded {
        let ours = gradients.get(&name).unwrap_or_else(|| panic!("{}: no gradient of {name}", case.name));
        let off = distance(ours, &gradient);
        assert!(off <= 1e-5, "{}: gradient of {name} is off by {off:e}", case.name);
    }
}

#[test]
fn first_step_alone() {
    for case in cases().iter().filter(|case| case.has_views()) {
        check(case, 1, 0);
    }
}

#[test]
fn first_step_inside_a_cohort() {
    for case in cases().iter().filter(|case| case.has_views()) {
        check(case, 3, 1);
    }
}
