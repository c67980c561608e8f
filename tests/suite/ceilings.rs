//! `landscape ceilings`: what methods from outside of self-supervised learning find in the same samples.

use std::fs;

use predicates::prelude::*;

use crate::workbench::Workbench;

const SPARSITIES: &str = "
title: Two sparsities, which two methods and two learning rates share
base: { data: {samples: 400, p: 20, d: 5}, model: {m: 8}, train: {epochs: 3, batch_size: 20} }
arms:
  NCL: { method: ncl }
  CL: { method: cl, train: {lr: 0.1} }
grid:
  data.latents.sparsity: [0.05, 0.1]
seeds: 1..3
";

#[test]
fn every_method_and_seed_is_a_row_whatever_the_threads() {
    let workbench = Workbench::new(SPARSITIES);
    let csv = |jobs: &str, more: &[&str]| {
        let flags = ["ceilings", "tiny.yaml", "--methods", "pca,fast-ica", "--output", "a.csv", "--jobs", jobs];
        let table = workbench.landscape(&[&flags, more].concat()).success().get_output().stdout.clone();
        (fs::read_to_string(workbench.path("a.csv")).unwrap(), String::from_utf8(table).unwrap())
    };
    let (alone, table) = csv("1", &[]);
    assert_eq!((alone.clone(), table.clone()), csv("3", &[]));
    let lines: Vec<&str> = alone.lines().collect();
    assert_eq!(
        lines[0],
        "data.latents.sparsity,method,seed,directions,max_cosine,median_cosine,min_cosine,atoms_found,atoms"
    );
    assert_eq!(lines.len(), 1 + 2 * 2 * 3, "arms that share their data are looked at once");
    assert!(lines[1].starts_with("0.05,pca,1,5,0."));
    assert!(lines[12].starts_with("0.1,fast-ica,3,5,0."));
    assert_eq!(table.lines().count(), 5);
    assert!(table.starts_with("data.latents.sparsity  method"), "{table}");

    let (fewer, _) = csv("2", &["--set", "data.latents.sparsity=0.05", "--seeds", "2"]);
    let rest = |line: &str| line.split_once(',').unwrap().1.to_string();
    assert_eq!(fewer.lines().nth(1).unwrap(), rest(lines[2]), "the same data are the same numbers, in any company");
}

#[test]
fn the_papers_data_are_taken_without_an_experiment() {
    let workbench = Workbench::new(SPARSITIES);
    let flags = ["ceilings", "--methods", "fast-ica", "--seeds", "1"];
    workbench.landscape(&flags).success().stdout(predicate::str::contains("10 of 10"));
}

#[test]
fn what_has_no_ceiling_is_refused() {
    let workbench = Workbench::new(SPARSITIES);
    for (arguments, said) in [
        (&["--set", "data.fresh=true"][..], "data.fresh: ceilings are of samples that are drawn once"),
        (&["tiny.yaml", "--set", "views.masking_prob=1"], "views.masking_prob: a masked autoencoder needs visible"),
        (&["--set", "data.pp=3"], "--set data.pp=3: data: unknown key `pp`"),
        (&["--methods", "pcaa"], "invalid value 'pcaa'"),
        (&["--jobs", "0"], "is not a whole number from 1 on"),
        (&["--output", "none/a.csv"], "--output none/a.csv: there is no folder none"),
    ] {
        let refused = workbench.landscape(&[&["ceilings"], arguments].concat()).code(2);
        refused.stderr(predicate::str::contains(said)).stdout("");
    }
    assert!(!workbench.path("none").exists());
}

/// The lines in the atlas's picture are what the committed measurement says.
#[test]
fn the_atlas_compares_with_its_ceilings() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/atlas");
    let mut rows = csv::Reader::from_path(root.join("ceilings.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let median = |method: &str| {
        let of = rows.iter().filter(|row| &row[0] == method);
        let mut values: Vec<f64> = of.map(|row| row[5].parse().unwrap()).collect();
        values.sort_by(f64::total_cmp);
        assert_eq!(values.len(), 5, "{method}");
        values[2]
    };
    let text = fs::read_to_string(root.join("objectives.yaml")).unwrap();
    let experiment: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let references = &experiment["outcomes"]["references"];
    for (name, method) in [("PCA", "pca"), ("sparse autoencoder", "sparse-autoencoder"), ("FastICA", "fast-ica")] {
        let drawn = references[name].as_f64().unwrap();
        assert!((drawn - median(method)).abs() <= 5e-4, "{name}: {drawn}");
    }
}
