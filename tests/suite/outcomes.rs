//! What the numbers of a run mean: the table of columns, and outcomes in words.

use std::{fs, path::Path};

use contrastive_landscape::metrics::COLUMNS;
use predicates::str::contains;

use super::workbench::Workbench;

/// Warm starts that barely move find all atoms, random ones next to nothing.
const STARTS: &str = "\
title: t
paper: t
claim: t
seeds: 1..2
base:
  data: { samples: 160, p: 20, d: 4, noise: none }
  model: { m: 4 }
  train: { epochs: 2, batch_size: 80, lr: 1.0e-9 }
  metrics: { detail_every: 1 }
arms:
  warm: { method: ncl, model: { init: { kind: warm, closeness: 4 } } }
  random: { method: ncl }
";

#[test]
fn outcomes_are_said_in_words() {
    let workbench = Workbench::new(STARTS);
    workbench.landscape(&["run", "tiny.yaml", "--progress", "none"]).success();
    let by_curve = workbench.landscape(&["results", "outcomes"]).success();
    let text = String::from_utf8(by_curve.get_output().stdout.clone()).unwrap();
    let row = |label: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with("tiny") && line.contains(label)).unwrap();
        line.split_whitespace().map(String::from).collect()
    };
    // experiment, curve, runs, all, all but some, the span, nothing, min_cosine, by chance, steps
    assert_eq!(row("warm")[1..7], ["warm", "2", "2", "0", "0", "0"], "{text}");
    assert_eq!(row("warm")[9], "0", "found from the start");
    assert_eq!(row("random")[1..7], ["random", "2", "0", "0", "0", "2"], "{text}");
    assert_eq!((row("random")[8].as_str(), row("random")[9].as_str()), (row("warm")[8].as_str(), "-"));
    workbench
        .landscape(&["results", "outcomes", "tiny", "--runs"])
        .success()
        .stdout(contains("4 of 4"))
        .stdout(contains("nothing"));
    workbench.landscape(&["results", "outcomes", "tny"]).code(2).stderr(contains("did you mean `tiny`?"));
}

#[test]
fn a_row_holds_what_was_found() {
    let workbench = Workbench::new(STARTS);
    workbench.landscape(&["run", "tiny.yaml", "--progress", "none"]).success();
    for run in workbench.runs() {
        let metrics = contrastive_landscape::record::Metrics::read(&run.join("metrics.csv")).unwrap();
        let last = |key: &str| metrics.column(key).unwrap().last().copied().unwrap();
        let warm = run.to_string_lossy().contains("warm");
        assert_eq!(last("atoms_found") == 4.0, warm);
        assert_eq!(last("span_overlap") > 0.9, warm, "{}", last("span_overlap"));
        assert!(if warm { last("neurons_per_atom") == 1.0 } else { last("neurons_per_atom").is_nan() });
        assert_eq!(last("matched_min_cosine") > 0.9, warm);
        assert_eq!(last("wt_min_cosine") > 0.9, warm);
        assert!(last("signed_min_cosine") <= last("min_cosine"));
        assert!((1.0..=4.0).contains(&last("wo_effective_rank")));
        // Half of the entries are masked: even a perfect encoder misses something.
        assert!(last("latent_r2") < 1.0 && (last("latent_r2") > 0.3 || !warm), "{}", last("latent_r2"));
    }
}

#[test]
fn the_page_lists_every_column() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/experiments.md")).unwrap();
    for column in COLUMNS {
        let row = format!("| `{}` | {} | {} |", column.key, column.when(), column.meaning.replace('|', "\\|"));
        assert!(page.contains(&row), "docs/experiments.md lacks the row\n{row}");
    }
    let workbench = Workbench::new(STARTS);
    let listed = workbench.landscape(&["results", "columns"]).success();
    let listed = String::from_utf8(listed.get_output().stdout.clone()).unwrap();
    assert!(COLUMNS.iter().all(|column| listed.contains(column.meaning)));
}
