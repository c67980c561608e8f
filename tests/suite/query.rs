//! `landscape query`: conditions on settings and results, and what comes out.

use predicates::prelude::*;
use serde_json::Value;

use crate::workbench::Workbench;

const TWO_LOSSES: &str = "
title: Two losses
paper: none
claim: They differ.
base: { method: cl, data: {samples: 40, p: 8, d: 4}, model: {m: 6}, train: {epochs: 3, batch_size: 20} }
arms:
  NT-Xent: { loss: {temperature: 0.2} }
  Spectral: { loss: {kind: spectral} }
seeds: 1..3
";

fn trained() -> Workbench {
    let bench = Workbench::new(TWO_LOSSES);
    bench.landscape(&["run", "tiny.yaml"]).success();
    bench
}

fn json(bench: &Workbench, arguments: &[&str]) -> Vec<Value> {
    let output = bench.landscape(&[&["query", "--format", "json"], arguments].concat()).success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

#[test]
fn conditions_select_by_settings_and_results() {
    let bench = trained();
    let labels = |condition: &str| -> Vec<String> {
        json(&bench, &[condition]).iter().map(|run| format!("{} {}", run["label"], run["seed"])).collect()
    };
    assert_eq!(json(&bench, &[]).len(), 6);
    assert_eq!(labels("loss.kind == 'spectral' and seed < 3"), ["\"Spectral\" 1", "\"Spectral\" 2"]);
    // Runs without a temperature do not have it above 0.1.
    assert_eq!(labels("loss.temperature > 0.1").len(), 3);
    assert_eq!(labels("min_cosine > 0 and end.loss < 1e9 and train.optimizer.kind == 'sgd'").len(), 6);
    assert_eq!(labels("label in ['NT-Xent'] and not seed == 2").len(), 2);
    // What is worked out when a record is read is a column, too.
    assert_eq!(labels("chance_cosine > 0 and chance_cosine < 1 and not steps_to_found").len(), 6);
}

#[test]
fn csv_has_a_column_for_every_setting_and_result() {
    let bench = trained();
    let output = bench.landscape(&["query", "--format", "csv"]).success();
    let mut reader = csv::Reader::from_reader(&output.get_output().stdout[..]);
    let header: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    for column in
        ["experiment", "run", "train.lr", "loss.kind", "loss.temperature", "min_cosine", "loss_mean", "end.loss"]
    {
        assert!(header.iter().any(|name| name == column), "no {column} in {header:?}");
    }
    assert_eq!(reader.records().map(Result::unwrap).count(), 6);
    bench
        .landscape(&["query", "seed == 1", "--columns", "label,train.lr"])
        .success()
        .stdout("label     train.lr\nNT-Xent      0.025\nSpectral     0.025\n2 runs\n");
}

#[test]
fn one_file_holds_the_runs_or_their_curves() {
    let bench = trained();
    let table = |flags: &[&str]| -> Vec<std::collections::BTreeMap<String, String>> {
        let output = bench.landscape(&[&["results", "table"], flags].concat()).success();
        csv::Reader::from_reader(&output.get_output().stdout[..]).deserialize().map(Result::unwrap).collect()
    };
    let runs = table(&["tiny"]);
    assert_eq!(runs.len(), 6);
    let curves = table(&["--curves"]);
    assert_eq!(curves.len(), 6 * 4); // the start and three epochs
    for run in &runs {
        let rows: Vec<_> = curves.iter().filter(|row| row["run"] == run["run"]).collect();
        assert_eq!(rows.iter().map(|row| row["epoch"].as_str()).collect::<Vec<_>>(), ["0", "1", "2", "3"]);
        assert!(rows.iter().all(|row| row["train.lr"] == "0.025" && row["loss.kind"] == run["loss.kind"]));
        assert_eq!((&rows[3]["loss"], &rows[3]["min_cosine"]), (&run["end.loss"], &run["min_cosine"]));
        assert_eq!(rows[0]["loss"], "");
    }
    bench.landscape(&["results", "table", "tini"]).code(2).stderr(predicate::str::contains("did you mean `tiny`?"));
}

/// A result at the end has a name of its own, also where no setting has the same.
#[test]
fn every_format_knows_the_names_of_the_end() {
    let bench = trained();
    let runs = json(&bench, &["seed == 1", "--columns", "min_cosine,end.min_cosine"]);
    assert_eq!(runs.len(), 2);
    for run in &runs {
        assert!(run["end.min_cosine"].is_number() && run["end.min_cosine"] == run["min_cosine"], "{run}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let bench = trained();
    let refused = |arguments: &[&str], text: &str| {
        bench.landscape(&[&["query"], arguments].concat()).code(2).stderr(predicate::str::contains(text));
    };
    refused(&["loss.kind = 'spectral'"], "equality is `==`");
    refused(&["min_cosin > 0.9"], "did you mean `min_cosine`?");
    refused(&["seed == 1", "--columns", "labell"], "did you mean `label`?");
    refused(&["--of", "tini"], "did you mean `tiny`?");
}
