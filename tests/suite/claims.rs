//! Claims and the report as a user uses them.

use std::fs;

use assert_cmd::Command;
use contrastive_landscape::{figures, record::Archive, spec::Moment};
use predicates::{prelude::*, str::contains};
use tempfile::TempDir;

const TINY: &str = "
title: A tiny experiment
paper: Figure 0
claim: It runs.
claims:
  - { says: NCL ends above nothing, of: NCL, above: 0 }
  - { says: NCL ends beyond reach, of: NCL, above: 1.5 }
  - { says: NCL starts where CL starts, of: NCL, at: start, above: CL }
  - { says: it ends at about 0.9, of: NCL, published: [0.9, 0.3] }
base:
  data: { samples: 40, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 4, batch_size: 16 }
arms:
  NCL: { method: ncl }
  CL: { method: cl }
seeds: 1..3
table: { columns: [max_cosine, min_cosine], published: { NCL: [[0.0, 0.001], [0.4, 10]] } }
";

struct Workbench {
    folder: TempDir,
}

impl Workbench {
    fn new(experiment: &str) -> Self {
        let workbench = Self { folder: tempfile::tempdir().unwrap() };
        workbench.write("experiments/tiny.yaml", experiment);
        workbench
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn landscape(&self, arguments: &[&str]) -> assert_cmd::assert::Assert {
        Command::cargo_bin("landscape").unwrap().current_dir(&self.folder).args(arguments).assert()
    }

    fn stdout(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.landscape(arguments).success().get_output().stdout.clone()).unwrap()
    }
}

#[test]
fn verdicts_follow_the_numbers_and_are_no_failure() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "experiments/tiny.yaml"]).success();
    let text = workbench.stdout(&["claims"]);
    assert!(text.contains("NCL ends above nothing [reproduced]"), "{text}");
    assert!(text.contains("NCL ends beyond reach [not reproduced]"), "{text}");
    assert!(text.contains("NCL: minimum max-cosine 0.4 ± 10 [reproduced]"), "{text}");
    assert!(text.contains("NCL: maximum max-cosine 0 ± 0.001 [not reproduced]"), "{text}");
    assert!(text.contains("6 claims: ") && text.contains("3 seeds"), "{text}");
}

/// Every number can be traced to the folders of its runs, and every recorded seed counts.
#[test]
fn the_csv_names_the_runs_and_more_seeds_count() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "experiments/tiny.yaml"]).success();
    workbench.landscape(&["run", "experiments/tiny.yaml", "--seeds", "7..8"]).success();
    let csv = workbench.stdout(&["claims", "experiments/tiny.yaml", "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 6);
    let runs = |record: &csv::StringRecord| record[18].split(' ').map(String::from).collect::<Vec<_>>();
    assert_eq!((&records[0][6], runs(&records[0]).len()), ("5", 5));
    assert_eq!(runs(&records[2]).len(), 10, "both arms");
    for run in records.iter().flat_map(runs) {
        assert!(workbench.folder.path().join("results").join(&run).join("metrics.csv").is_file(), "{run}");
    }
    // The mean is that of the runs' own files.
    let last = |run: &String| -> f64 {
        let metrics = workbench.read(&format!("results/{run}/metrics.csv"));
        metrics.lines().last().unwrap().split(',').nth(5).unwrap().parse().unwrap()
    };
    let mean = runs(&records[0]).iter().map(last).sum::<f64>() / 5.0;
    assert!((records[0][7].parse::<f64>().unwrap() - mean).abs() < 1e-12);
}

#[test]
fn formats_say_the_same() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "experiments/tiny.yaml"]).success();
    let json: serde_json::Value = serde_json::from_str(&workbench.stdout(&["claims", "--format", "json"])).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 6);
    assert_eq!(json[1]["verdict"], "not_reproduced");
    assert_eq!(json[2]["checks"][0]["comparison"]["margin"]["seeds"], 3);
    let md = workbench.stdout(&["claims", "--format", "md"]);
    assert!(md.lines().count() == 8 && md.contains("| Figure 0 | NCL ends beyond reach | NCL |"), "{md}");
    workbench.landscape(&["claims", "--format", "pdf"]).code(2).stderr(contains("text, md, csv, json"));
}

#[test]
fn nothing_recorded_is_not_run() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["claims"]).success().stdout(contains("6 claims: 6 not run"));
}

/// Runs with changed settings are other runs, and judged by the flags that they were trained with.
#[test]
fn changed_runs_are_judged_by_their_flags() {
    let workbench = Workbench::new(TINY);
    let file = "experiments/tiny.yaml";
    let changes = ["--set", "train.lr=0.5", "--seeds", "1..2"];
    workbench.landscape(&[&["run", file][..], &changes].concat()).success();
    assert!(workbench.stdout(&["claims", file]).contains("6 claims: 6 not run"));
    let judged = workbench.stdout(&[&["claims", file][..], &changes].concat());
    assert!(judged.contains("with --set train.lr=0.5, --seeds 1..2)"), "{judged}");
    assert!(judged.contains("2 seeds") && !judged.contains("not run"), "{judged}");
    let one = workbench.stdout(&["claims", file, "--set", "train.lr=0.5", "--seeds", "2"]);
    assert!(one.contains("1 seed ") && !one.contains("2 seeds"), "{one}");
    // Every recorded seed counts where none is named.
    assert!(workbench.stdout(&["claims", file, "--set", "train.lr=0.5"]).contains("2 seeds"));
    // An arm that the flags make the same as another has no claims.
    let same = workbench.landscape(&["claims", file, "--set", "method=ncl"]).success();
    same.stderr(contains("makes the arms `NCL` and `CL` the same").and(contains("without the arm `CL`, no claim")));
    let table = workbench.stdout(&["results", "table", "tiny"]);
    assert!(table.lines().count() == 1 + 4 && table.contains("0.5"), "{table}");
    workbench.landscape(&["claims", file, "--open", "--quick"]).code(2);
}

#[test]
fn a_variant_makes_the_same_claims_of_its_own_runs() {
    let workbench = Workbench::new(TINY);
    workbench.write(
        "experiments/authors/tiny-authors.yaml",
        "extends: ../tiny.yaml\nprotocol: another\nbase: { train: { lr: 0.5 } }\nseeds: 1..2\n",
    );
    workbench.landscape(&["run", "experiments/authors/tiny-authors.yaml"]).success();
    let text = workbench.stdout(&["claims", "experiments/authors/tiny-authors.yaml"]);
    assert!(text.contains("tiny-authors (another)") && text.contains("2 seeds"), "{text}");
    let config = workbench.stdout(&["config", "experiments/authors/tiny-authors.yaml", "--seeds", "1"]);
    assert!(config.contains("lr: 0.5") && config.contains("samples: 40"), "{config}");
}

/// Wrong claims: exit code 2 and one line with the place in the file.
#[test]
fn wrong_claims_are_refused_with_their_line() {
    let refused = |from: &str, to: &str, says: &[&str]| {
        let workbench = Workbench::new(&TINY.replace(from, to));
        let mut assert = workbench.landscape(&["claims"]).code(2);
        for words in says {
            assert = assert.stderr(contains(*words));
        }
    };
    refused("of: NCL, above: 0 }", "of: NCL, abov: 0 }", &["tiny.yaml:6", "`abov`", "did you mean `above`?"]);
    refused(
        "of: NCL, above: 0 }",
        "of: NCLL, above: 0 }",
        &["tiny.yaml:6", "unknown arm `NCLL`", "did you mean `NCL`?"],
    );
    refused("above: 1.5", "above: CLL", &["tiny.yaml:7", "unknown arm `CLL`"]);
    refused("above: 1.5", "above: 1, below: 2", &["tiny.yaml:7", "not both"]);
    refused(", above: 1.5", "", &["tiny.yaml:7", "one of `above`, `below` or `published`"]);
    refused("above: 1.5", "above: 1.5, measure: min_cosin", &["tiny.yaml:7", "did you mean `min_cosine`?"]);
    refused("at: start", "at: begin", &["tiny.yaml:8", "start, end, lowest, highest or an epoch"]);
    refused("[0.9, 0.3]", "[0.9, 0.3, 1]", &["tiny.yaml:9", "[mean, standard deviation]"]);
    refused("above: 1.5", "above: { experiment: other }", &["other.yaml"]);
    refused("seeds: 1..3", "seeds: 1..3\nextends: none.yaml", &["extends", "none.yaml"]);
    refused("seeds: 1..3", "seeds: 1..3\nmap: { x: data.p, y: data.d }", &["map.x", "data.p"]);
    refused("seeds: 1..3", "seeds: 1..3\ndesign: { from: a, to: b, factors: {} }", &["design", "leave out `arms`"]);
}

#[test]
fn a_fault_in_the_file_that_is_extended_names_that_file() {
    let workbench = Workbench::new(&TINY.replace("samples: 40", "sampels: 40"));
    workbench.write("experiments/child.yaml", "extends: tiny.yaml\nseeds: 1\n");
    workbench
        .landscape(&["run", "experiments/child.yaml"])
        .code(2)
        .stderr(contains("tiny.yaml:11").and(contains("`sampels`")));
}

#[test]
fn designs_maps_and_distributions_are_drawn() {
    let sweep = TINY.split("arms:").next().unwrap().split("claims:").next().unwrap().to_string()
        + "base:
  data: { samples: 40, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 4, batch_size: 16 }
design:
  from: slow
  to: fast
  factors: { rate: { train: { lr: 0.5 } }, bias: { model: { bias: uniform } } }
grid: { views.masking_prob: [0.25, 0.5], data.latents.sparsity: [0.1, 0.3] }
seeds: 1..2
panels: []
map: { x: views.masking_prob, y: data.latents.sparsity }
outcomes: { color: views.masking_prob, fill: data.latents.sparsity, references: { PCA: 0.5 } }
distribution: [min_cosine]
";
    let workbench = Workbench::new(&sweep);
    workbench.landscape(&["figures", "experiments/tiny.yaml"]).success().stdout(contains("plots/tiny-effects.png"));
    for name in ["tiny-effects", "tiny-map", "tiny-outcomes", "tiny-distribution"] {
        assert!(workbench.folder.path().join(format!("plots/{name}.png")).is_file(), "{name}");
    }
    assert!(!workbench.folder.path().join("plots/tiny.png").exists(), "no curves are asked for");
    // The report's effects are differences of the runs' final values, seed by seed.
    workbench.landscape(&["report"]).success();
    let runs = workbench.read("docs/reproduction-runs.csv");
    let mut reader = csv::Reader::from_reader(runs.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let finals = |curve: &str| -> f64 {
        let of: Vec<f64> = records.iter().filter(|r| &r[2] == curve).map(|r| r[8].parse().unwrap()).collect();
        assert_eq!(of.len(), 2, "{curve}");
        of.iter().sum::<f64>() / 2.0
    };
    let point = "mask 0.25, sp 0.1";
    let change = finals(&format!("slow + rate, {point}")) - finals(&format!("slow, {point}"));
    let md = workbench.read("docs/reproduction.md");
    let table = md.split(&format!("| {point} |")).nth(1).unwrap();
    let row = table.lines().find(|line| line.starts_with("| rate |")).unwrap();
    assert!(row.starts_with(&format!("| rate | {change:+.3} [")) && row.ends_with("| 2 |"), "{row}, not {change}");
}

/// A row for each arm, a column for each value of the grid, and each number the mean of its own runs.
#[test]
fn arms_are_an_axis_of_a_map() {
    let sweep = "
title: Arms by masks
base:
  data: { samples: 40, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 4, batch_size: 16 }
arms: { NCL: { method: ncl }, CL: { method: cl } }
grid: { data.latents.sparsity: [0.1, 0.3], views.masking_prob: [0.25, 0.5, 0.75] }
seeds: 1..2
panels: []
map: { x: views.masking_prob, y: arm }
";
    let workbench = Workbench::new(sweep);
    workbench.landscape(&["figures", "experiments/tiny.yaml"]).success().stdout(contains("tiny-map.png"));
    let [results, file] = ["results", "experiments/tiny.yaml"].map(|name| workbench.folder.path().join(name));
    let entry = Archive::new(&results).entry(&file).unwrap();
    let map = figures::map_figure(&entry, entry.experiment.map.as_ref().unwrap());
    assert_eq!(map.panels.iter().map(|panel| panel.title.as_str()).collect::<Vec<_>>(), ["sp 0.1", "sp 0.3"]);
    for panel in &map.panels {
        assert_eq!(panel.row_ticks, [(0, "CL".to_string()), (1, "NCL".to_string())], "from the bottom");
        for (row, arm) in ["CL", "NCL"].into_iter().enumerate() {
            for (column, masking) in [0.25, 0.5, 0.75].into_iter().enumerate() {
                let label = format!("{arm}, {}, mask {masking}", panel.title);
                let values = entry.values(&label, "min_cosine", Moment::End);
                assert_eq!(values.len(), 2, "{label}");
                assert_eq!(panel.values[row][column], (values[0].1 + values[1].1) / 2.0, "{label}");
            }
        }
    }
    workbench.write("experiments/tiny.yaml", &sweep.replace("y: arm", "y: views.masking_prob"));
    workbench.landscape(&["figures", "experiments/tiny.yaml"]).code(2).stderr(contains("map.x already"));
    let alone =
        sweep.replace("arms: { NCL: { method: ncl }, CL: { method: cl } }", "").replace("base:", "base:\n  method: cl");
    workbench.write("experiments/tiny.yaml", &alone);
    workbench
        .landscape(&["figures", "experiments/tiny.yaml"])
        .code(2)
        .stderr(contains("unknown path of the grid `arm`"));
}

/// Two folders of results beside each other: the runs that both have, and no others.
#[test]
fn verdicts_stand_beside_each_other() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "experiments/tiny.yaml"]).success();
    let beside = ["claims", "experiments/tiny.yaml", "--beside", "other"];
    workbench.landscape(&beside).code(1).stderr(contains("recorded in both results and other"));
    let engine = if cfg!(feature = "torch") { "autograd" } else { "fused" };
    workbench
        .landscape(&["run", "experiments/tiny.yaml", "--results", "other", "--seeds", "2..3", "--engine", engine])
        .success();
    let table = workbench.stdout(&beside);
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| tiny |")).collect();
    assert_eq!(rows.len(), 6, "four claims and two cells: {table}");
    assert!(rows.iter().all(|row| row.contains("| 2 |")), "two seeds in common: {table}");
    assert!(rows[1].ends_with("| not reproduced |"), "{table}");
    assert!(table.contains("\n6 of 6 claims have the same verdict; the largest difference of a mean is "), "{table}");
    let difference: f64 = table.rsplit_once("mean is ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(difference > 0.0, cfg!(feature = "torch"), "engines differ in the last digits: {table}");
    assert!(difference < 1e-4, "{table}");
}

#[test]
fn a_fit_measures_the_distance_from_a_published_table() {
    let workbench = Workbench::new(TINY);
    let sweep = "
title: Which masking?
paper: Figure 0
claim: One fits.
base:
  data: { samples: 40, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 4, batch_size: 16 }
arms: { without negatives: { method: ncl } }
grid: { views.masking_prob: [0.25, 0.5] }
seeds: 1..2
panels: []
fit: { to: ../tiny, over: views.masking_prob, rows: { without negatives: NCL } }
";
    workbench.write("experiments/sweeps/masking.yaml", sweep);
    workbench.landscape(&["figures", "experiments/sweeps/masking.yaml"]).success().stdout(contains("masking-fit.png"));
    workbench.landscape(&["report", "experiments/tiny.yaml", "experiments/sweeps/masking.yaml"]).success();
    let runs = workbench.read("docs/reproduction-runs.csv");
    let mut reader = csv::Reader::from_reader(runs.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mean = |curve: &str, column: usize| {
        let of: Vec<f64> = records.iter().filter(|r| &r[2] == curve).map(|r| r[column].parse().unwrap()).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    // The published row of NCL says 0 and 0.4.
    let distance = |curve: &str| ((mean(curve, 6).powi(2) + (mean(curve, 8) - 0.4).powi(2)) / 2.0).sqrt();
    let distances = ["mask 0.25", "mask 0.5"].map(|value| (value, distance(&format!("without negatives, {value}"))));
    let nearest = distances[0].1.min(distances[1].1);
    let md = workbench.read("docs/reproduction.md");
    for (value, distance) in distances {
        let bold = if distance == nearest { "**" } else { "" };
        let row = format!("| without negatives | {value} | {bold}{distance:.3}{bold} | NCL: ");
        assert!(md.contains(&row), "{row} in {md}");
    }
}

#[test]
fn a_report_of_nothing_does_not_replace_one_of_something() {
    let workbench = Workbench::new(TINY);
    workbench.write("docs/reproduction.md", "of something");
    workbench.landscape(&["report"]).code(1).stderr(contains("recorded in results").and(contains("make claims")));
    assert_eq!(workbench.read("docs/reproduction.md"), "of something");
}

#[test]
fn the_report_is_whole_without_the_network() {
    let workbench = Workbench::new(TINY);
    workbench.write("experiments/summary.md", "It **holds**, by and large.\n");
    workbench.landscape(&["figures", "experiments/tiny.yaml"]).success();
    workbench.landscape(&["report"]).success().stdout(contains("docs/reproduction.html"));
    let md = workbench.read("docs/reproduction.md");
    for words in ["It **holds**", "✗ **not reproduced**", "![A tiny experiment](../plots/tiny.png)", "tiny.yaml"] {
        assert!(md.contains(words), "{words} in {md}");
    }
    assert!(md.lines().any(|line| line.starts_with("| Figure 0 | ✓ ✗ ")), "a mark for each claim in {md}");
    let html = workbench.read("docs/reproduction.html");
    for words in ["<strong>holds</strong>", "not reproduced", "<svg", "class=\"mean\""] {
        assert!(html.contains(words), "{words}");
    }
    for request in ["<link", "<img", "src=", "url(", "@import", "fetch("] {
        assert!(!html.contains(request), "{request}");
    }
    let runs = workbench.read("docs/reproduction-runs.csv");
    assert_eq!(runs.lines().count(), 1 + 6);
}
