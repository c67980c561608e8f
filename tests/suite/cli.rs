//! The program as a user uses it.

use std::{fs, path::Path, time::SystemTime};

use predicates::{prelude::*, str::contains};

use contrastive_landscape::{
    metrics::COLUMNS,
    record::{Summary, read_run},
    spec::{self, Moment},
};

use crate::workbench::{self, Workbench};

const TINY: &str = tiny!(
    4,
    "arms:
  NCL: { method: ncl }
  CL: { method: cl }
seeds: 1..2
table: { columns: [max_cosine, min_cosine], published: { NCL: [[0.5, 0.1], [0.4, 0.1]] } }
"
);

fn modified(run: &Path) -> SystemTime {
    fs::metadata(run.join("metrics.csv")).unwrap().modified().unwrap()
}

#[test]
fn run_records_and_a_second_run_recomputes_nothing() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml", "--dry-run"]).success().stdout(contains("to train").count(4));
    assert!(!workbench.path("results").exists(), "a dry run writes nothing");
    workbench.landscape(&["run", "tiny.yaml"]).success().stderr(contains("4 runs trained, 0 recorded before"));
    let runs = workbench.runs();
    assert_eq!(runs.len(), 4);
    for run in &runs {
        for file in ["spec.yaml", "metrics.csv", "summary.json", "final.safetensors"] {
            assert!(run.join(file).is_file(), "{}", run.join(file).display());
        }
        let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
        assert!(metrics.starts_with("epoch,loss,loss_mean,max_cosine,median_cosine,min_cosine,"));
        assert_eq!(metrics.lines().count(), 1 + 5, "header, start and four epochs");
    }
    let before: Vec<_> = runs.iter().map(|run| modified(run)).collect();
    workbench.landscape(&["run", "tiny.yaml"]).success().stderr(contains("0 runs trained, 4 recorded before"));
    let after: Vec<_> = runs.iter().map(|run| modified(run)).collect();
    assert_eq!(before, after);
    workbench.landscape(&["run", "tiny.yaml", "--dry-run"]).success().stdout(contains("recorded").count(5));
    // A changed setting is another run; --force trains again.
    workbench.landscape(&["run", "tiny.yaml", "--set", "train.lr=0.01", "--seeds", "1"]).success();
    assert_eq!(workbench.runs().len(), 6);
    workbench.landscape(&["run", "tiny.yaml", "--force"]).success().stderr(contains("4 runs trained"));
}

#[test]
fn results_do_not_depend_on_jobs() {
    let workbench = Workbench::new(TINY);
    let metrics = |results: &str| -> Vec<String> {
        let runs = workbench::runs(&workbench.path(results).join("tiny"));
        runs.iter().map(|run| fs::read_to_string(run.join("metrics.csv")).unwrap()).collect()
    };
    let dtype = if cfg!(feature = "torch") { "float64" } else { "float32" };
    for (results, jobs) in [("one", "1"), ("two", "2")] {
        let run = ["run", "tiny.yaml", "--results", results, "--jobs", jobs, "--dtype", dtype];
        workbench.landscape(&run).success();
    }
    for (one, two) in metrics("one").iter().zip(metrics("two")) {
        for (a, b) in one.lines().zip(two.lines()).skip(1) {
            for (a, b) in a.split(',').zip(b.split(',')) {
                let numbers = (a.parse::<f64>(), b.parse::<f64>());
                let same = matches!(numbers, (Ok(a), Ok(b)) if (a - b).abs() <= 1e-9 * (1.0 + a.abs()));
                assert!(same || a == b, "{a} and {b}");
            }
        }
    }
}

#[test]
fn figures_draws_pictures_and_tables() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["figures", "tiny.yaml"]).success().stdout(contains("plots/tiny.png"));
    for file in ["tiny.png", "tiny-all.png", "tiny.md", "tiny.csv", "tiny.txt"] {
        assert!(workbench.path("plots").join(file).is_file(), "{file}");
    }
    let table = fs::read_to_string(workbench.path("plots/tiny.md")).unwrap();
    assert!(table.contains("0.5 ± 0.1"), "{table}");
    workbench.landscape(&["plot", "tiny.yaml", "--svg", "--band", "ci95"]).success();
    assert!(fs::read_to_string(workbench.path("plots/tiny.svg")).unwrap().contains("<svg"));
    fs::copy(workbench.path("tiny.yaml"), workbench.path("other.yaml")).unwrap();
    workbench.landscape(&["run", "other.yaml"]).success();
    workbench.landscape(&["plot", "tiny.yaml", "other.yaml", "--overlay", "both", "--svg"]).success();
    assert!(fs::read_to_string(workbench.path("plots/both.svg")).unwrap().contains("other: NCL"));
    let run = workbench.runs().remove(0);
    workbench.landscape(&["plot", "weights", run.to_str().unwrap()]).success();
    assert!(run.join("weights.png").is_file());
}

#[test]
fn quick_pictures_say_so() {
    let workbench = Workbench::new(&TINY.replace("epochs: 4, ", "").replace("seeds: 1..2", "seeds: 1"));
    workbench.landscape(&["figures", "tiny.yaml", "--quick", "--svg"]).success();
    let svg = fs::read_to_string(workbench.path("plots/quick/tiny.svg")).unwrap();
    assert!(svg.contains("quick run"));
}

/// A changed setting gets a picture and a table of its own, which state the change.
#[test]
fn changed_settings_leave_the_experiments_picture_alone() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["figures", "tiny.yaml", "--svg"]).success();
    let before = fs::read(workbench.path("plots/tiny.svg")).unwrap();
    let set = ["--set", "train.lr=0.5", "--seeds", "1"];
    workbench.landscape(&[&["figures", "tiny.yaml", "--svg"][..], &set].concat()).success();
    assert_eq!(fs::read(workbench.path("plots/tiny.svg")).unwrap(), before);
    let changed = "train.lr=0.5, seeds=1";
    for name in ["tiny-train.lr-0.5-seeds-1.svg", "tiny-train.lr-0.5-seeds-1-all.svg", "tiny-train.lr-0.5-seeds-1.md"] {
        assert!(fs::read_to_string(workbench.path("plots").join(name)).unwrap().contains(changed), "{name}");
    }
    let long = format!("views.masking_prob={}1", "0.".to_string() + &"3".repeat(300));
    let drawn = workbench.landscape(&["figures", "tiny.yaml", "--set", &long]).success();
    assert!(String::from_utf8_lossy(&drawn.get_output().stdout).lines().all(|path| workbench.path(path).is_file()));
}

/// The grid's values give way to the command line's: no run is drawn under several names.
#[test]
fn a_flag_takes_the_place_of_an_axis() {
    let workbench = Workbench::new(
        &TINY
            .replace("seeds: 1..2", "seeds: 1\ngrid: { data.latents.sparsity: [0.1, 0.2, 0.3] }")
            .replace("table:", "#"),
    );
    let set = ["figures", "tiny.yaml", "--svg", "--set", "data.latents.sparsity=0.15"];
    let says = "--set data.latents.sparsity=0.15 replaces the grid's sp 0.1, 0.2, 0.3";
    workbench.landscape(&set).success().stderr(contains(says).and(contains("2 runs trained")));
    let svg = fs::read_to_string(workbench.path("plots/tiny-data.latents.sparsity-0.15.svg")).unwrap();
    assert!(svg.contains("NCL, sparsity 0.15") && !svg.contains("sparsity 0.2"));
    workbench.landscape(&["run", "tiny.yaml", "--set", "seed=3"]).code(2).stderr(contains("--seeds 3"));
}

#[test]
fn config_and_methods_print() {
    let workbench = Workbench::new(TINY);
    workbench
        .landscape(&["config", "tiny.yaml", "--set", "train.lr=0.5"])
        .success()
        .stdout(contains("lr: 0.5").count(4));
    workbench.landscape(&["methods"]).success().stdout(contains("simsiam-abl-2").and(contains("models/simsiam.py")));
    let libtorch = if cfg!(feature = "torch") { "2.11.0" } else { "built without" };
    workbench.landscape(&["doctor"]).success().stdout(contains(libtorch).and(contains("all is well")));
    workbench.landscape(&["run", "--help"]).success();
}

#[test]
fn programs_read_lists_as_json() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml", "--quiet"]).success().stderr("").stdout("");
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&workbench.landscape(arguments).success().get_output().stdout).unwrap()
    };
    let methods = json(&["methods", "--json"]);
    assert!(
        methods.as_array().unwrap().iter().any(|method| method["name"] == "byol" && method["settings"].is_object())
    );
    let runs = json(&["config", "tiny.yaml", "--json"]);
    assert_eq!((runs.as_array().unwrap().len(), &runs[0]["settings"]["train"]["epochs"]), (4, &4.into()));
    let listed = json(&["results", "list", "--json"]);
    assert_eq!(listed.as_array().unwrap().len(), 4);
    assert_eq!((&listed[0]["state"], &listed[0]["summary"]["epochs"]), (&"recorded".into(), &4.into()));
}

#[test]
fn shells_and_readers_are_served() {
    let workbench = Workbench::new(TINY);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        workbench.landscape(&["completions", shell]).success().stdout(contains("checkpoint-every"));
    }
    workbench.landscape(&["completions", "csh"]).code(2).stderr(contains("possible values: bash"));
    workbench.landscape(&["man"]).success().stdout(contains(".TH landscape 1").and(contains("landscape\\-figures(1)")));
    workbench.landscape(&["man", "run"]).success().stdout(contains(".TH landscape-run 1").and(contains("dry\\-run")));
    workbench.landscape(&["man", "figure"]).code(2).stderr(contains("did you mean `figures`?"));
    let help = |command: &str, values: &str| {
        let shown = workbench.landscape(&[command, "--help"]).success();
        let shown = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" "); // lines are as long as the terminal is wide
        assert!(words.contains(values), "{shown}");
    };
    help("run", "[possible values: auto, autograd, fused]");
    help("run", "[possible values: auto, bar, plain, json, none]");
    help("plot", "[possible values: std, sem, ci95, minmax, none]");
    help("claims", "[possible values: text, md, csv, json]");
}

#[test]
fn as_much_is_said_as_is_asked_for() {
    let workbench = Workbench::new(TINY);
    let said = |flags: &[&str]| {
        let run = workbench.landscape(&[&["run", "tiny.yaml", "--force", "--seeds", "1"], flags].concat()).success();
        String::from_utf8_lossy(&run.get_output().stderr).into_owned()
    };
    assert_eq!(said(&["-q"]), "");
    let (usual, more, most) = (said(&[]), said(&["-v"]), said(&["-vvv"]));
    assert!(usual.contains("2 runs trained") && !usual.contains("INFO"), "{usual}");
    assert!(more.contains("INFO") && !more.contains("TRACE"), "{more}");
    assert!(most.contains("DEBUG") && most.contains("TRACE"), "{most}");
    workbench.landscape(&["run", "missing.yaml", "-q"]).code(2).stderr(contains("missing.yaml"));
    workbench.landscape(&["run", "tiny.yaml", "-q", "-v"]).code(2);
}

/// Wrong input: exit code 2 and one line that says what to change.
fn refused(experiment: &str, arguments: &[&str], says: &[&str]) {
    let workbench = Workbench::new(experiment);
    let mut assert = workbench.landscape(arguments).code(2);
    for words in says {
        assert = assert.stderr(contains(*words));
    }
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn wrong_files_are_refused_with_the_line_and_the_nearest_key() {
    let run = ["run", "tiny.yaml"];
    refused("title: [", &run, &["tiny.yaml"]);
    refused(&TINY.replace("claim", "clam"), &run, &["tiny.yaml:4", "unknown key `clam`", "did you mean `claim`?"]);
    refused(&TINY.replace("samples", "sampels"), &run, &["tiny.yaml:6", "`sampels`", "did you mean `samples`?"]);
    refused(&TINY.replace("method: cl", "method: clr"), &run, &["tiny.yaml:11", "unknown method `clr`"]);
    refused(&TINY.replace("epochs: 4", "epochs: four"), &run, &["tiny.yaml:8", "train.epochs"]);
    refused(
        &TINY.replace("p: 12", "p: 3"),
        &run,
        &["tiny.yaml:6", "only dictionary: gaussian has more atoms than dimensions"],
    );
    refused(&TINY.replace("batch_size: 16", "batch_size: 64"), &run, &["tiny.yaml:8", "does not fit"]);
    refused(&TINY.replace("seeds: 1..2", "seeds: 2..1"), &run, &["tiny.yaml:12", "seeds"]);
    let sparsity = "data: { latents: { kind: symmetric, sparsity: 1.5 }, samples: 40";
    refused(&TINY.replace("data: { samples: 40", sparsity), &run, &["tiny.yaml:6", "between 0 and 1"]);
    let identity = "data: { dictionary: identity, samples: 40";
    refused(&TINY.replace("data: { samples: 40", identity), &run, &["tiny.yaml:6", "needs p = d"]);
}

/// Of several files, the sound ones are trained, drawn and judged; the faults of the others are told at the end.
#[test]
fn a_wrong_file_does_not_stop_the_others() {
    let workbench = Workbench::new(TINY);
    fs::write(workbench.path("wrong.yaml"), TINY.replace("samples", "sampels")).unwrap();
    fs::write(workbench.path("worse.yaml"), "title: [").unwrap();
    let other = TINY.replace("seeds: 1..2", "seeds: 3").replace("table:", "claims: [{ says: It rises., above: 0 }] #");
    fs::write(workbench.path("other.yaml"), other).unwrap();
    let files = ["tiny.yaml", "wrong.yaml", "missing.yaml", "worse.yaml", "other.yaml"];
    let last = || {
        contains("error: 3 of 5 experiment files left out, being wrong:\n  wrong.yaml:6: data: unknown key `sampels`")
            .and(contains("\n  cannot read the experiment file missing.yaml").and(contains("\n  worse.yaml")))
    };
    let with = |command: &str| workbench.landscape(&[&[command][..], &files].concat());
    with("run").code(2).stderr(contains("6 runs trained").and(last()));
    let drawn = || contains("plots/tiny.png").and(contains("plots/other.png"));
    with("figures").code(2).stdout(drawn()).stderr(last());
    with("plot").code(2).stdout(drawn()).stderr(last());
    with("claims").code(2).stdout(contains("It rises.").and(contains("claims:"))).stderr(last());
    workbench
        .landscape(&["run", "wrong.yaml", "missing.yaml"])
        .code(2)
        .stderr(contains("wrong.yaml:6").and(contains("missing.yaml")));
    // A run that fails counts for more than a file; both are told.
    let failing = TINY.replace("m: 9", "m: 260000");
    fs::write(workbench.path("failing.yaml"), failing).unwrap();
    let failed = contains("experiment files left out").and(contains("4 of 4 runs failed"));
    workbench.landscape(&["run", "failing.yaml", "wrong.yaml"]).code(1).stderr(failed);
}

/// What is drawn and tabulated is checked before anything is trained.
#[test]
fn wrong_columns_are_refused_before_the_first_epoch() {
    let run = ["figures", "tiny.yaml"];
    let with = |line: &str| format!("{TINY}{line}\n");
    refused(&with("panels: [min_cosine, los]"), &run, &["tiny.yaml:14", "panels[1]", "`los`", "did you mean `loss`?"]);
    refused(&with("distribution: [min_cosin]"), &run, &["tiny.yaml:14", "distribution[0]", "`min_cosine`"]);
    let grid = "grid: { train.lr: [0.1], data.p: [12] }\nmap: { x: train.lr, y: data.p, measure: los }";
    refused(
        &TINY.replace("table:", &format!("{grid}\ntable:")).replace("NCL:", "\"NCL, lr 0.1, p 12\":"),
        &run,
        &["map.measure"],
    );
    let outcomes = |of: &str| {
        let grid = "grid: { train.lr: [0.1, 0.2], data.p: [12] }";
        TINY.replace("table:", &format!("{grid}\noutcomes: {{ {of} }}\ntable:"))
            .replace("published: { NCL", "published: { \"NCL, lr 0.1, p 12\"")
    };
    refused(&outcomes("color: train.rl"), &run, &["outcomes.color", "did you mean `train.lr`?"]);
    refused(&outcomes("color: train.lr"), &run, &["neither color nor fill says data.p"]);
    refused(&outcomes("color: train.lr, fill: data.p"), &run, &["outcomes.fill: data.p must have two values"]);
    refused(&outcomes("color: data.p, fill: train.lr, references: { PCA: 2 }"), &run, &["PCA: 2 is no max-cosine"]);
    let table = |columns: &str| TINY.replace("[max_cosine, min_cosine]", columns);
    refused(&table("[max_cosine, los]"), &run, &["tiny.yaml:13", "table.columns[1]"]);
    refused(&table("[max_cosine]"), &run, &["tiny.yaml:13", "table.published.NCL", "2 cells for 1 columns"]);
    refused(&TINY.replace("{ NCL: [[", "{ NLC: [["), &run, &["tiny.yaml:13", "unknown row `NLC`", "valid: NCL, CL"]);
    // Columns that nothing is measured in.
    let no_values = ["tiny.yaml:14", "no run of this experiment has values"];
    refused(&with("panels: [wp_condition_number]"), &run, &no_values);
    let never = with("panels: [effective_rank]").replace("model:", "metrics: { detail_every: 0 }\n  model:");
    refused(&never, &run, &["tiny.yaml:15", "`effective_rank`"]);
}

/// The columns that each method is said to measure are those that it measures.
#[test]
fn methods_measure_what_they_say() {
    let names: Vec<&str> = spec::methods().iter().map(|method| method.name.as_str()).collect();
    let arms: String = names.iter().map(|name| format!("  {name}: {{ method: {name} }}\n")).collect();
    let workbench = Workbench::new(&format!(
        "title: t\npaper: t\nclaim: t\nseeds: 1\nbase:\n  data: {{ samples: 40, p: 12, d: 12 }}\n  model: {{ m: 12 }}\n  \
         train: {{ epochs: 1, batch_size: 16 }}\narms:\n{arms}"
    ));
    let arguments = ["run", "tiny.yaml", "--progress", "none"];
    workbench.landscape(&arguments).success();
    assert_eq!(workbench.runs().len(), names.len());
    for run in workbench.runs() {
        let record = read_run(&run).unwrap();
        // What counts what is found has no value before something is.
        for column in
            COLUMNS.iter().map(|column| column.key).filter(|key| !["neurons_per_atom", "steps_to_found"].contains(key))
        {
            let has_value = record.metrics.at(column, Moment::End).is_some();
            assert_eq!(record.spec.measures(column), has_value, "{column} of {}", record.spec.method);
        }
    }
}

#[test]
fn wrong_flags_are_refused_by_name() {
    refused(TINY, &["run", "missing.yaml"], &["missing.yaml", "No such file"]);
    refused(TINY, &["run", "tiny.yaml", "--set", "train.lr"], &["--set train.lr"]);
    refused(TINY, &["run", "tiny.yaml", "--set", "train.lrr=1"], &["--set train.lrr=1", "did you mean `lr`?"]);
    refused(TINY, &["run", "tiny.yaml", "--set", "train.lr=-1"], &["--set train.lr=-1", "positive"]);
    refused(
        TINY,
        &["run", "tiny.yaml", "--set", "model.m=3", "--set", "model.init={kind: warm, closeness: 1}"],
        &["m >= d"],
    );
    refused(TINY, &["run", "tiny.yaml", "--seeds", "a"], &["--seeds"]);
    refused(TINY, &["run", "tiny.yaml", "--device", "gpu"], &["--device", "cuda:N"]);
    refused(TINY, &["run", "tiny.yaml", "--dtype", "float16"], &["--dtype"]);
    refused(TINY, &["run", "tiny.yaml", "--jobs", "0"], &["--jobs"]);
    refused(TINY, &["run", "tiny.yaml", "--cohort", "0"], &["--cohort"]);
    refused(TINY, &["run", "tiny.yaml", "--checkpoint-every", "-1"], &["--checkpoint-every"]);
    refused(TINY, &["run", "tiny.yaml", "--checkpoint-every", "soon"], &["--checkpoint-every", "such as 30"]);
    refused(TINY, &["run"], &["FILE"]);
    refused(TINY, &["plot", "tiny.yaml", "--band", "wide"], &["wide"]);
}

#[test]
fn asking_for_a_gpu_that_is_not_there_is_an_error() {
    if contrastive_landscape::runner::cuda_status().is_ok() || contrastive_landscape::fused::cuda::runs_on(0).is_ok() {
        return; // there is one
    }
    refused(TINY, &["run", "tiny.yaml", "--device", "cuda"], &["--device cuda"]);
}

/// Every reader of a record checks that it is as it was written.
#[test]
fn damaged_records_are_not_read_as_they_are() {
    type Damage = (&'static str, &'static str, fn(&str) -> String);
    let damages: [Damage; 4] = [
        ("metrics.csv", "metrics.csv has been changed", |text| text.lines().next().unwrap().to_string() + "\n"),
        ("metrics.csv", "metrics.csv has been changed", |text| text.replacen('1', "2", 1)),
        ("summary.json", "does not match its hash", |text| text.replacen("\"epochs\": 4", "\"epochs\": 5", 1)),
        ("summary.json", "unknown key `sha255`", |text| text.replacen("\"sha256\": {", "\"sha255\": {", 1)),
    ];
    let claim = format!("{TINY}claims: [{{ says: it learns, of: NCL, above: 0 }}]\n");
    for (file, says, damage) in damages {
        let workbench = Workbench::new(&claim);
        workbench.landscape(&["run", "tiny.yaml"]).success();
        let run = workbench.runs().into_iter().find(|run| run.to_string_lossy().contains("/ncl")).unwrap();
        let path = run.join(file);
        fs::write(&path, damage(&fs::read_to_string(&path).unwrap())).unwrap();
        let commands =
            [&["plot", "tiny.yaml"][..], &["claims", "tiny.yaml"], &["plot", "weights", run.to_str().unwrap()]];
        for command in commands {
            workbench.landscape(command).code(1).stderr(contains(says).and(contains("is broken")));
        }
        workbench.landscape(&["results", "verify"]).code(1).stdout(contains(says));
    }
}

/// A record keeps which sources made it, and a sweep says which of its records were made by others.
#[test]
fn records_of_other_code_are_told() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml"]).success().stderr(contains("other code").not());
    workbench.landscape(&["run", "tiny.yaml"]).success().stderr(contains("other code").not());
    let run = workbench.runs().remove(0);
    let mut summary = Summary::read(&run).unwrap();
    assert_eq!(summary.provenance.sources.len(), 16);
    summary.provenance.sources = "0123456789abcdef".into();
    fs::write(run.join("summary.json"), summary.signed().unwrap()).unwrap();
    let says = "1 of the recorded runs were made by other code";
    workbench.landscape(&["run", "tiny.yaml"]).success().stderr(contains(says).and(contains("--force")));
    workbench.landscape(&["run", "tiny.yaml", "--force"]).success().stderr(contains("4 runs trained"));
    workbench.landscape(&["run", "tiny.yaml"]).success().stderr(contains("other code").not());
}

/// Weights that are not finite are not a result, whatever the loss says.
#[test]
fn weights_that_are_not_finite_count_as_diverged() {
    for engine in ["fused", "autograd"] {
        if cfg!(not(feature = "torch")) && engine == "autograd" {
            continue;
        }
        let workbench = Workbench::new(TINY);
        let arguments = ["run", "tiny.yaml", "--set", "train.lr=1e308", "--engine", engine];
        workbench.landscape(&arguments).success().stderr(contains("4 runs diverged"));
        for run in workbench.runs() {
            let record = read_run(&run).unwrap();
            assert_eq!(record.summary.diverged_at, Some(1), "{}", run.display());
            assert!(
                record.summary.r#final.get("loss_mean").is_none(),
                "no loss is made of weights that are not numbers"
            );
        }
    }
}

#[test]
fn results_that_cannot_be_written_are_a_failure() {
    let workbench = Workbench::new(TINY);
    fs::write(workbench.path("blocked"), "a file where the folder should be").unwrap();
    workbench.landscape(&["run", "tiny.yaml", "--results", "blocked"]).code(1).stderr(contains("blocked"));
    workbench.landscape(&["plot", "tiny.yaml"]).code(1).stderr(contains("not recorded"));
}
