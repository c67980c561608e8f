//! Every recorded case of the authors' code, replayed from its seed over all of its epochs.

mod common;

use std::{ops::ControlFlow, sync::Arc};

use common::reference::{Case, cases};
use contrastive_landscape::{
    autograd::AutogradEngine,
    engine::Engine,
    metrics::Row,
    train::{Cohort, train},
};
use tch::Device;

fn replay(case: &Case) -> (Vec<Row>, contrastive_landscape::models::StateDict) {
    let mut spec = case.spec();
    spec.metrics.detail_every = 1;
    let mut cohort = Cohort::draw(&[Arc::new(spec)]).unwrap();
    let mut engine = AutogradEngine::new(cohort.members(), Device::Cpu).unwrap();
    let mut rows = Vec::new();
    train(&mut cohort, &mut engine, |_, new| {
        rows.extend(new);
        ControlFlow::Continue(())
    })
    .unwrap();
    (rows, engine.state().unwrap().remove(0))
}

fn column(logged: &str) -> String {
    match logged {
        "Max Wo_dot_M" => "max_cosine".into(),
        "Med Wo_dot_M" => "median_cosine".into(),
        "Min Wo_dot_M" => "min_cosine".into(),
        "weight diff" => "weight_diff".into(),
        other => other
            .to_lowercase()
            .replace("singular_val", "singular_value")
            .replace("condition number", "condition_number")
            .replace(" norm", "_norm"),
    }
}

#[test]
fn draws_are_the_authors() {
    for case in cases().iter() {
        let spec = Arc::new(case.spec());
        let cohort = Cohort::draw(std::slice::from_ref(&spec)).unwrap();
        let data = &cohort.datasets()[0];
        let worst = |ours: &ndarray::ArrayD<f64>, theirs: &ndarray::ArrayD<f64>| {
            (ours - theirs).iter().fold(0.0, |worst: f64, v| worst.max(v.abs()))
        };
        if case.contains("gen_M") {
            assert!(worst(&data.dictionary.clone().into_dyn(), &case.array("gen_M")) < 1e-14, "{}", case.name);
        }
        for name in ["gen_z", "gen_z_one_hot"] {
            if case.contains(name) {
                assert_eq!(data.latents.t().to_owned().into_dyn(), case.array(name), "{}", case.name);
            }
        }
        let recorded = case.state("init", &spec);
        for (name, value) in &cohort.members()[0].state {
            let rounded = value.mapv(|v| f64::from(v as f32));
            assert_eq!(rounded, recorded[name], "{}: {name}", case.name);
        }
    }
}

#[test]
fn every_logged_value() {
    let mut report = String::new();
    for case in cases().iter() {
        let (rows, last) = replay(case);
        let epochs = case.json["epochs"].as_array().unwrap();
        let mut worst = std::collections::BTreeMap::new();
        for (row, logged) in rows[1..].iter().zip(epochs) {
            let cells = row.cells();
            for (key, theirs) in logged.as_object().unwrap() {
                let name = column(key);
                let at = contrastive_landscape::metrics::COLUMNS.iter().position(|c| *c == name).expect(&name);
                let (ours, theirs) = (cells[at].unwrap_or(f64::NAN), theirs.as_f64().unwrap_or(f64::NAN));
                let off: &mut f64 = worst.entry(name).or_default();
                *off = off.max((ours - theirs).abs());
            }
        }
        let spec = case.spec();
        let weights = case
            .state("final", &spec)
            .iter()
            .map(|(name, theirs)| (&last[name] - theirs).iter().fold(0.0, |w: f64, v| w.max(v.abs())))
            .fold(0.0, f64::max);
        let worst: Vec<String> = worst.iter().map(|(name, off)| format!("{name} {off:.0e}")).collect();
        report += &format!("{:28} {:3} epochs, weights {weights:.1e}: {worst:?}\n", case.name, epochs.len());
    }
    println!("{report}");
}
