//! Claims under what the text leaves open.

use std::{fs, path::Path};

use contrastive_landscape::{
    claims::{Ruling, rule},
    record::Archive,
    spec::{Experiment, OpenSettings, Overrides, Registration, Statistic},
};
use predicates::str::contains;

use super::workbench::Workbench;

const TINY: &str = "\
title: t
paper: Figure 9
claim: t
claims:
  - { says: the start is kept, of: warm, above: 0.9 }
  - { says: the loss is low, measure: loss_mean, below: 100 }
seeds: 1..2
base:
  method: ncl
  data: { samples: 32, p: 20, d: 4, noise: none }
  model: { m: 4, init: { kind: warm, closeness: 4 } }
  train: { epochs: 1, batch_size: 16, lr: 1.0e-9 }
arms:
  warm: {}
  other: {}
";

const OPEN: &str = "\
settings:
  - name: start
    text: The start is not said.
    experiments: { tiny: [warm] }
    path: model.init.closeness
    values: [4, 0.1]
  - name: encoder
    text: Whose cosine is not said.
    experiments: { tiny: [] }
    measures: [min_cosine, wt_min_cosine]
  - { name: weather, text: The weather is not said., untried: It cannot be set. }
";

fn workbench(open: &str) -> Workbench {
    let workbench = Workbench::new(TINY);
    fs::write(workbench.path("open.yaml"), open).unwrap();
    workbench
}

#[test]
fn a_claim_holds_for_some_readings_of_the_text() {
    let workbench = workbench(OPEN);
    let not_run = workbench.landscape(&["claims", "tiny.yaml", "--open=open.yaml"]).success();
    not_run.stdout(contains("start: holds for 0 of 0 values run"));
    // Two arms of two seeds, and one arm under the other start: the same runs serve both columns.
    workbench.landscape(&["run", "tiny.yaml", "--open=open.yaml", "--dry-run"]).success().stdout(contains("6 runs"));
    workbench.landscape(&["run", "tiny.yaml", "--open=open.yaml", "--progress", "none"]).success();
    assert_eq!(workbench.runs().len(), 6);
    let text = workbench.landscape(&["claims", "tiny.yaml", "--open=open.yaml"]).success();
    let text = String::from_utf8(text.get_output().stdout.clone()).unwrap();
    let (kept, low) = text.split_once("tiny, Figure 9: the loss is low").unwrap();
    assert!(kept.starts_with("tiny, Figure 9: the start is kept\n  start: holds for 1 of 2 values run\n"), "{text}");
    assert!(kept.contains("    4    reproduced (as the file has it)\n    0.1  not reproduced\n"), "{text}");
    assert!(kept.contains("  encoder: holds for 2 of 2 values run\n"), "{text}");
    assert!(low.contains("start: holds for 2 of 2"), "{text}");
    // As it stands, the experiment is what it was without the list.
    workbench.landscape(&["claims", "tiny.yaml"]).success().stdout(contains("the start is kept [reproduced]"));
}

#[test]
fn faults_of_the_list_are_named() {
    let fault = |from: &str, to: &str, says: &str| {
        let list = OPEN.replacen(from, to, 1);
        assert_ne!(list, OPEN);
        let workbench = workbench(&list);
        workbench.landscape(&["claims", "tiny.yaml", "--open=open.yaml"]).code(2).stderr(contains(says));
    };
    fault("tiny: [warm]", "tiny: [wram]", "unknown arm of tiny `wram` (did you mean `warm`?)");
    fault("path: model", "pth: model", "did you mean `path`?");
    fault("wt_min_cosine", "wt_cosine", "open.yaml:10: unknown column `wt_cosine`");
    fault(", untried: It cannot be set.", "", "open.yaml:11: settings[2].untried: give `values`");
    fault("    path: model.init.closeness\n", "", "settings[0].path: `path` and `values` go together");
    fault("closeness\n", "closness\n", "did you mean `closeness`?");
    let workbench = workbench(OPEN);
    workbench.landscape(&["claims", "tiny.yaml", "--open=none.yaml"]).code(2).stderr(contains("none.yaml"));
    workbench
        .landscape(&["claims", "tiny.yaml", "--open=open.yaml", "--format", "csv"])
        .code(2)
        .stderr(contains("--open: readings are printed as text"));
}

#[test]
fn every_reading_of_the_papers_experiments_can_be_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let open = OpenSettings::read(&folder.join("text/open.yaml")).unwrap();
    let mut concerned = 0;
    for name in open.settings.iter().flat_map(|setting| setting.experiments.keys()) {
        let (experiment, lines) = Experiment::read(&folder.join(format!("{name}.yaml"))).unwrap();
        let standing = experiment.plan(&lines, &Overrides::default()).unwrap();
        let readings = open.readings(&experiment).unwrap();
        concerned += readings.len();
        for setting in &open.settings {
            let of_setting = readings.iter().filter(|reading| reading.setting == setting.name);
            let plans = of_setting.map(|reading| reading.experiment.plan(&lines, &Overrides::default()).unwrap());
            // What the file takes is among the values that a reader could take.
            let taken = plans.filter(|plan| plan.iter().map(|run| &run.id).eq(standing.iter().map(|run| &run.id)));
            if setting.experiments.contains_key(name) {
                assert!(taken.count() >= 1, "{name}: its own {} is not in the list", setting.name);
            }
        }
    }
    assert!(concerned > 60, "{concerned}");
}

const REGISTERED: &str = "\
seeds: 3..8
margin: 0.05
claims:
  - id: kept
    source: Figure 9
    says: the start is kept
    experiment: tiny.yaml
    of: warm
    statistic: { kind: mean, above: 0.9 }
  - id: as good
    source: Figure 9
    says: the arms differ
    experiment: tiny.yaml
    of: warm
    statistic: { kind: difference, from: other, above: 0.1 }
  - id: value
    source: Figure 9
    says: it is 0.9
    experiment: tiny.yaml
    of: other
    statistic: { kind: published, mean: 0.9, std: 0.3, n: 5 }
  - id: share
    source: Figure 9
    says: few reach it
    experiment: tiny.yaml
    of: other
    statistic: { kind: share, reaching: 0.5, below: 0.3 }
";

#[test]
fn registered_claims_are_judged_on_their_own_seeds() {
    let workbench = Workbench::new(TINY);
    fs::write(workbench.path("registered.yaml"), REGISTERED).unwrap();
    let judge = || {
        let judged = workbench.landscape(&["claims", "--registered=registered.yaml"]).success();
        String::from_utf8(judged.get_output().stdout.clone()).unwrap()
    };
    // Other seeds do not count, and neither does a part of the registered ones.
    workbench.landscape(&["run", "tiny.yaml", "--seeds", "1..7", "--progress", "none"]).success();
    assert!(judge().contains("5 seeds recorded"), "{}", judge());
    assert!(judge().contains("4 not run"), "{}", judge());
    workbench.landscape(&["run", "tiny.yaml", "--seeds", "8", "--progress", "none"]).success();
    let text = judge();
    let of = |id: &str| -> String {
        let from = text.split_once(&format!("{id} (Figure 9)")).expect(id).1;
        from.lines().nth(2).unwrap().to_owned()
    };
    // Six seeds on one side: an exact p of 2 / 64, adjusted for three tests.
    assert!(of("kept").contains("warm   holds") && of("kept").contains("p 3.1e-2, adjusted 3.1e-2"), "{text}");
    assert!(of("as good").contains("fails"), "{text}");
    assert!(of("value").contains("publication too imprecise"), "{text}");
    assert!(of("share").contains("fails") && of("share").contains("1.000 [0.541, 1.000]"), "{text}");
    assert!(text.contains("all runs by commit"), "{text}");
}

#[test]
fn what_registered_claims_need_is_trained_and_no_more() {
    let workbench = Workbench::new(TINY);
    let own_seeds = REGISTERED.replacen("    of: warm\n", "    seeds: 21..22\n    of: warm\n", 1);
    assert_ne!(own_seeds, REGISTERED);
    fs::write(workbench.path("registered.yaml"), own_seeds).unwrap();
    workbench.landscape(&["run", "--registered=registered.yaml", "--progress", "none"]).success();
    let recorded = workbench.landscape(&["claims", "--registered=registered.yaml"]).success();
    let text = String::from_utf8(recorded.get_output().stdout.clone()).unwrap();
    assert!(!text.contains("not run"), "{text}");
    let names = fs::read_dir(workbench.path("results/tiny")).unwrap().map(|entry| entry.unwrap().file_name());
    let trained = names.filter(|name| name.to_string_lossy().contains("_seed")).count();
    // Two arms on the six registered seeds, and the claim with two of its own.
    assert_eq!(trained, 2 * 6 + 2, "{text}");
    workbench.landscape(&["run", "--registered", "tiny.yaml"]).code(2).stderr(contains("cannot be used with"));
    workbench.landscape(&["run"]).code(2).stderr(contains("<FILE>"));
}

#[test]
fn the_report_begins_with_what_was_registered() {
    let workbench = Workbench::new(TINY);
    fs::write(workbench.path("registered.yaml"), REGISTERED).unwrap();
    workbench.landscape(&["run", "--registered=registered.yaml", "--progress", "none"]).success();
    let report = |summary: &str| {
        fs::write(workbench.path("summary.md"), summary).unwrap();
        workbench.landscape(&["report", "tiny.yaml", "--registered=registered.yaml", "--summary=summary.md"])
    };
    report("{{ ruling(\"kept\") }}: {{ numbers(\"kept\") }}").success();
    let page = fs::read_to_string(workbench.path("docs/reproduction.md")).unwrap();
    let first = page.lines().nth(4).unwrap();
    assert!(first.starts_with("✓ holds: ") && first.contains('['), "{first}");
    assert!(page.contains("registered.png") && workbench.path("plots/registered.png").is_file());
    assert!(page.contains("(0.5 ± ") || page.contains(" ± "), "the published cell stands beside ours: {page}");
    let html = fs::read_to_string(workbench.path("docs/reproduction.html")).unwrap();
    assert!(html.contains("href=\"reproduction/tiny.html\"") && html.contains("class=\"badge yes\""));
    let figure = fs::read_to_string(workbench.path("docs/reproduction/tiny.html")).unwrap();
    assert!(figure.contains("<svg") && figure.contains("../reproduction.html"));
    report("{{ ruling(\"kpet\") }}").code(1).stderr(contains("no claim `kpet` is registered"));
}

#[test]
fn faults_of_a_registration_are_named() {
    let fault = |from: &str, to: &str, says: &str| {
        let list = REGISTERED.replacen(from, to, 1);
        assert_ne!(list, REGISTERED);
        let workbench = Workbench::new(TINY);
        fs::write(workbench.path("registered.yaml"), list).unwrap();
        workbench.landscape(&["claims", "--registered=registered.yaml"]).code(2).stderr(contains(says));
    };
    fault("above: 0.9", "above: 0.9, below: 1", "registered.yaml:9: give one of `above` and `below`");
    fault("kind: mean", "kind: men", "did you mean `mean`?");
    fault("from: other", "from: 0.3", "`from` names other runs");
    fault("id: value", "id: kept", "`kept` names two claims");
    fault(", n: 5", "", "`std` and `n` go together");
    fault("below: 0.3", "below: 3", "a share lies between 0 and 1");
    fault("margin: 0.05", "margin: 0", "margin: must be a positive number");
    fault("experiment: tiny.yaml", "experiment: tny.yaml", "tny.yaml");
}

#[test]
fn what_is_registered_can_be_judged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let empty = tempfile::tempdir().unwrap();
    let registration = Registration::read(&folder.join("text/registered.yaml")).unwrap();
    let rulings = rule(&registration, &mut Archive::new(empty.path())).unwrap();
    assert!(rulings.checks().count() > 50, "{}", rulings.checks().count());
    assert!(rulings.checks().all(|check| check.ruling == Ruling::NotRun));
    assert!(rulings.claims.iter().all(|claim| !claim.asks.is_empty()));
    // Every cell of Table 1, as the experiment's file has it.
    let (table, _) = Experiment::read(&folder.join("table1.yaml")).unwrap();
    let published = table.table.unwrap().published;
    let cells = registration.claims.iter().filter_map(|claim| match &claim.statistic {
        Statistic::Published { mean, std: Some(std), .. } => Some((claim.of.clone().unwrap(), [*mean, *std])),
        _ => None,
    });
    let cells: Vec<_> = cells.collect();
    let expected = published.iter().flat_map(|(label, cells)| cells.iter().map(|cell| (label.clone(), *cell)));
    assert_eq!(cells, expected.collect::<Vec<_>>());
}
