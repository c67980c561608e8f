//! Certificates of registered verdicts: checked, trained again, and forged.

use std::fs;

use predicates::{prelude::PredicateBooleanExt, str::contains};

use super::workbench::Workbench;

const TINY: &str = "\
title: t
seeds: 1
base:
  method: ncl
  data: { samples: 32, p: 20, d: 4 }
  model: { m: 6 }
  train: { epochs: 3, batch_size: 16 }
arms:
  one: {}
  other: { train: { lr: 0.5 } }
";

const REGISTERED: &str = "\
seeds: 3..6
margin: 0.05
claims:
  - id: above
    source: here
    says: it is high
    experiment: tiny.yaml
    of: one
    statistic: { kind: mean, above: 0.1 }
  - id: apart
    source: here
    says: they differ
    experiment: tiny.yaml
    of: one
    since: start
    statistic: { kind: difference, from: other, above: 0.9 }
";

fn certified() -> Workbench {
    let workbench = Workbench::new(TINY);
    fs::write(workbench.path("registered.yaml"), REGISTERED).unwrap();
    workbench.landscape(&["certify", "--registered", "registered.yaml"]).code(1).stderr(contains("run --registered"));
    workbench.landscape(&["run", "--registered=registered.yaml", "--progress", "none"]).success();
    let written = ["certify", "--registered", "registered.yaml", "--out", "certificate.json"];
    workbench.landscape(&written).success().stdout(contains("certificate.json: 8 runs"));
    workbench
}

#[test]
fn a_certificate_holds_without_the_records() {
    let workbench = certified();
    fs::remove_dir_all(workbench.path("results")).unwrap();
    for file in ["tiny.yaml", "registered.yaml"] {
        fs::remove_file(workbench.path(file)).unwrap();
    }
    let checked = workbench.landscape(&["certify", "--check", "certificate.json", "--retrain", "3", "--draw", "1"]);
    let checked = checked.stdout(contains("8 of 8; 8 are planned").and(contains("2 of 2")));
    let text = String::from_utf8(checked.get_output().stdout.clone()).unwrap();
    assert_eq!(text.matches("the same bytes").count(), 3, "{text}");
    assert!(!workbench.path("results").exists(), "what is trained again is nobody's record");
}

#[test]
fn a_forged_certificate_is_found_out() {
    let workbench = certified();
    let text = fs::read_to_string(workbench.path("certificate.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let check = |flags: &[&str]| {
        let command = [&["certify", "--check", "forged.json"], flags].concat();
        workbench.landscape(&command)
    };
    // A value changed by hand, without the digest.
    fs::write(workbench.path("forged.json"), text.replacen("undecided", "holds", 1)).unwrap();
    check(&[]).code(2).stderr(contains("forged.json").and(contains("not as it was written")));
    // And with it: a verdict, a run's value, a run's settings.
    let forge = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut forged = value.clone();
        edit(&mut forged);
        forged["digest"] = "".into();
        let unsigned = serde_json::to_string_pretty(&forged).unwrap() + "\n";
        forged["digest"] = contrastive_landscape::record::digest(&[unsigned.as_bytes()]).into();
        fs::write(workbench.path("forged.json"), serde_json::to_string_pretty(&forged).unwrap() + "\n").unwrap();
    };
    forge(&|forged| forged["rulings"]["above"][0]["ruling"] = "fails".into());
    check(&[]).code(1).stdout(contains("NO").and(contains("1 of 2")));
    forge(&|forged| {
        let runs = forged["runs"].as_array_mut().unwrap();
        let one = runs.iter_mut().find(|run| run["label"] == "one").unwrap();
        one["values"]["min_cosine at the end"] = 0.99.into();
    });
    check(&[]).code(1).stdout(contains("NO"));
    forge(&|forged| {
        let place = forged["files"]["tiny.yaml"].as_str().unwrap().replace("0.5", "0.25");
        forged["files"]["tiny.yaml"] = place.into();
    });
    check(&[]).code(1).stdout(contains("4 of 8; 8 are planned"));
    forge(&|forged| forged["runs"][0]["metrics"] = "0".repeat(64).into());
    // Runs of a program whose sources were edited, as while working on it, never make a sound certificate.
    check(&[]).code(i32::from(option_env!("LANDSCAPE_MODIFIED").is_some()));
    check(&["--retrain", "8"]).code(1).stdout(contains("other bytes on a machine of the same kind"));
    forge(&|forged| {
        let files = forged["files"].as_object_mut().unwrap();
        let outside = ("../tiny.yaml".to_owned(), files["tiny.yaml"].clone());
        *files = std::iter::once(outside).chain(files.clone()).collect(); // sorted, as a certificate has them
    });
    check(&[]).code(2).stderr(contains("outside of itself"));
}
