//! A run that one experiment has recorded is not trained again for another.

use std::fs;

use predicates::prelude::*;
use serde_json::Value;

use crate::workbench::{Workbench, runs};

fn trained(flags: &[&str]) -> Workbench {
    let workbench = Workbench::new(tiny!("3", "arms:\n  First: { method: ncl }\nseeds: 1..3\n"));
    workbench.landscape(&[&["run", "tiny.yaml"], flags].concat()).success();
    let same = fs::read_to_string(workbench.path("tiny.yaml")).unwrap().replace("First", "Same");
    fs::write(workbench.path("other.yaml"), same.replace("1..3", "2..4")).unwrap();
    workbench
}

#[test]
fn the_same_settings_are_taken_over_under_their_own_name() {
    let workbench = trained(&[]);
    let told = predicate::str::contains("1 runs trained, 2 recorded before")
        .and(predicate::str::contains("2 of the recorded runs were taken over from other experiments"));
    workbench.landscape(&["run", "other.yaml"]).success().stderr(told);
    let (ours, theirs) = (workbench.runs(), runs(&workbench.path("results/other")));
    assert_eq!((ours.len(), theirs.len()), (3, 3));
    for (from, to) in ours[1..].iter().zip(&theirs) {
        for file in ["spec.yaml", "metrics.csv", "final.safetensors"] {
            assert_eq!(fs::read(from.join(file)).unwrap(), fs::read(to.join(file)).unwrap());
        }
        let summary: Value = serde_json::from_slice(&fs::read(to.join("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["taken_from"], format!("tiny/{}", from.file_name().unwrap().to_string_lossy()));
        assert_eq!((&summary["experiment"], &summary["label"]), (&"other".into(), &"Same".into()));
    }
    workbench.landscape(&["results", "verify"]).success().stdout(predicate::str::contains("6 records, all whole"));
    workbench.landscape(&["run", "other.yaml", "--force"]).success().stderr(predicate::str::contains("3 runs trained"));
}

#[test]
fn what_is_damaged_or_made_by_other_code_is_trained() {
    let workbench = trained(&[]);
    let [first, second, third] = &workbench.runs()[..] else { panic!("three runs") };
    fs::write(second.join("final.safetensors"), b"damaged").unwrap();
    let summary = fs::read_to_string(third.join("summary.json")).unwrap();
    let mut other: Value = serde_json::from_str(&summary).unwrap();
    other["sources"] = "0123".into();
    other["digest"] = "".into();
    fs::write(third.join("summary.json"), other.to_string()).unwrap();
    assert!(first.exists());
    workbench
        .landscape(&["run", "other.yaml"])
        .success()
        .stderr(predicate::str::contains("3 runs trained, 0 recorded before"));
}

#[test]
#[cfg(feature = "torch")]
fn an_engine_that_is_asked_for_computes() {
    let workbench = trained(&["--engine", "fused"]);
    let told = predicate::str::contains("3 runs trained, 0 recorded before");
    workbench.landscape(&["run", "other.yaml", "--engine", "autograd"]).success().stderr(told);
}
