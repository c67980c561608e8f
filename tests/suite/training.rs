//! Training as a whole: cohorts, turns, constraints, precision.

use std::{ops::ControlFlow, sync::Arc};

use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::Engine,
    metrics::Row,
    spec::{RunSpec, layout::StateDict, methods, resolve},
    train::{Cohort, train},
};

/// Small enough for a test, large enough for two batches.
const SMALL: &str = "data: {samples: 40, p: 12, d: 5}, views: {masking_prob: 0.5}";

fn spec(method: &str, seed: u64, more: &str) -> Arc<RunSpec> {
    let text = format!(
        "{{method: {method}, seed: {seed}, {SMALL}, model: {{m: 9}}, train: {{batch_size: 16, epochs: 5}}{more}}}"
    );
    let layer = serde_yaml::from_str(&text).unwrap();
    // The methods with an identity dictionary need square sizes.
    let square = serde_yaml::from_str("{data: {p: 5, d: 5}, model: {m: 5}}").unwrap();
    let layers = if method == "ncl-fixed-bias" { vec![&layer, &square] } else { vec![&layer] };
    Arc::new(resolve(&layers).unwrap_or_else(|fault| panic!("{fault:?}")))
}

fn run(specs: &[Arc<RunSpec>]) -> (Vec<Vec<Row>>, Vec<StateDict>) {
    let mut cohort = Cohort::draw(specs).unwrap();
    let mut engine = AutogradEngine::new(cohort.members(), Device::Cpu).unwrap();
    let mut rows = vec![Vec::new(); specs.len()];
    train(&mut cohort, &mut engine, |_, new| {
        rows.iter_mut().zip(new).for_each(|(rows, row)| rows.push(row));
        ControlFlow::Continue(())
    })
    .unwrap();
    (rows, engine.state().unwrap())
}

fn worst(a: &StateDict, b: &StateDict) -> f64 {
    a.iter().flat_map(|(name, x)| (x - &b[name]).into_iter().map(f64::abs).collect::<Vec<_>>()).fold(0.0, f64::max)
}

#[test]
fn a_run_does_not_depend_on_its_cohort() {
    for method in methods() {
        let specs: Vec<_> = (1..=3).map(|seed| spec(&method.name, seed, ", dtype: float64")).collect();
        let (_, together) = run(&specs);
        for (r, alone) in specs.iter().enumerate() {
            let (_, state) = run(std::slice::from_ref(alone));
            let off = worst(&state[0], &together[r]);
            assert!(off < 1e-12, "{}: run {r} moves by {off:e} in a cohort", method.name);
        }
    }
}

#[test]
fn every_method_trains_in_both_precisions_to_the_same_numbers() {
    for method in methods() {
        let (rows, single) = run(&[spec(&method.name, 1, "")]);
        let (_, double) = run(&[spec(&method.name, 1, ", dtype: float64")]);
        assert_eq!(rows[0].len(), 6, "a row for the start and one for each epoch");
        assert!(rows[0][1..].iter().all(|row| row.loss.unwrap().is_finite()), "{}", method.name);
        let off = worst(&single[0], &double[0]);
        assert!(off < 1e-4, "{}: single precision is off by {off:e}", method.name);
        assert!(off > 0.0, "{}: the precision makes no difference", method.name);
    }
}

#[test]
fn alternating_turns_leave_the_other_branch_alone() {
    // One batch per epoch: every epoch starts at online, so the target never learns.
    let one_batch = ", train: {batch_size: 40, epochs: 3}";
    let text = format!("{{method: ncl, {SMALL}, model: {{m: 9}}{one_batch}}}");
    let spec = Arc::new(resolve(&[&serde_yaml::from_str(&text).unwrap()]).unwrap());
    let initial = Cohort::draw(std::slice::from_ref(&spec)).unwrap().members()[0].state.clone();
    let (_, state) = run(&[spec]);
    assert_eq!(state[0]["Wt.weight"], initial["Wt.weight"].mapv(|v| f64::from(v as f32)));
    assert_ne!(state[0]["Wo.weight"], initial["Wo.weight"].mapv(|v| f64::from(v as f32)));
}

#[test]
fn an_ema_target_follows_the_online_encoder() {
    let text = format!(
        "{{method: byol, dtype: float64, {SMALL}, model: {{m: 9}}, \
         train: {{batch_size: 40, epochs: 1, turns: {{kind: ema, decay: 0.9}}}}}}"
    );
    let spec = Arc::new(resolve(&[&serde_yaml::from_str(&text).unwrap()]).unwrap());
    let initial = Cohort::draw(std::slice::from_ref(&spec)).unwrap().members()[0].state.clone();
    let (_, state) = run(&[spec]);
    let expected = &initial["Wt.weight"] * 0.9 + &state[0]["Wo.weight"] * 0.1;
    assert!((&state[0]["Wt.weight"] - expected).iter().all(|v| v.abs() < 1e-15));
}

#[test]
fn constraints_hold_after_every_step() {
    let norms = |state: &StateDict, name: &str, axis: usize| -> Vec<f64> {
        state[name].mapv(|v| v * v).sum_axis(ndarray::Axis(axis)).iter().map(|v| v.sqrt()).collect()
    };
    let unit = |norms: Vec<f64>| norms.iter().all(|norm| (norm - 1.0).abs() < 1e-12);
    let constrained = |method: &str, train: &str| {
        let text = format!(
            "{{method: {method}, dtype: float64, {SMALL}, model: {{m: 9}}, train: {{batch_size: 16, epochs: 2, {train}}}}}"
        );
        run(&[Arc::new(resolve(&[&serde_yaml::from_str(&text).unwrap()]).unwrap())]).1.remove(0)
    };
    let state = constrained("ncl", "normalize_encoder: rows");
    assert!(unit(norms(&state, "Wo.weight", 1)) && unit(norms(&state, "Wt.weight", 1)));
    let state = constrained("ncl", "normalize_encoder: columns");
    assert!(unit(norms(&state, "Wo.weight", 0)) && unit(norms(&state, "Wt.weight", 0)));
    let state = constrained("ncl-predictor", "normalize_predictor: rows");
    assert!(unit(norms(&state, "Wp.weight", 1)));
    let state = constrained("ncl", "lr: 5, clamp_bias: 0.01");
    let biases: Vec<f64> = state["Wo.bias"].iter().chain(&state["Wt.bias"]).copied().collect();
    assert!(biases.iter().all(|b| b.abs() <= 0.01) && biases.iter().any(|b| b.abs() == 0.01));
}

#[test]
fn frozen_parts_stay_as_drawn() {
    let frozen = spec("simsiam-freeze", 1, "");
    let initial = Cohort::draw(std::slice::from_ref(&frozen)).unwrap().members()[0].state.clone();
    let (_, state) = run(&[frozen]);
    let single = |value: &ndarray::ArrayD<f64>| value.mapv(|v| f64::from(v as f32));
    assert_eq!(state[0]["Wp.weight"], single(&initial["Wp.weight"]));
    assert_ne!(state[0]["Wproj.weight"], single(&initial["Wproj.weight"]));
}
