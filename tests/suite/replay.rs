//! Every recorded case of the authors' code, replayed from its seed over all of its epochs.

use std::{path::Path, sync::Arc};

use crate::reference::cases;
use contrastive_landscape::{
    crosscheck::{self, compare, recorded_cases},
    train::Cohort,
};

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

/// Every logged value within 1e-5, the support exact, the final parameters within 1e-5.
#[test]
fn every_logged_value_and_the_final_parameters() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference");
    let cases = recorded_cases(&folder).unwrap();
    assert!(cases.len() >= 21);
    let mut comparisons = Vec::new();
    for case in cases {
        let ours = crosscheck::replay(&Arc::new(case.spec)).unwrap();
        comparisons.push(compare(&case.name, &case.theirs, &ours.rows, &ours.state));
    }
    let table = crosscheck::table(&comparisons);
    println!("{table}");
    assert!(comparisons.iter().all(crosscheck::Comparison::is_within), "{table}");
    // The accuracy actually reached, well inside the bounds: a regression would show here first.
    let exact: Vec<&str> = comparisons.iter().filter(|c| c.weights == 0.0).map(|c| c.case.as_str()).collect();
    println!("final parameters equal to the last bit: {exact:?}");
}
