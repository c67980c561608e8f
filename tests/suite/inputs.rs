//! Inputs that nobody means: each is refused in words, or does what it says, and none panics, hangs or fills the memory.

use std::{fs, time::Duration};

use assert_cmd::assert::Assert;
use predicates::{prelude::*, str::contains};

use crate::workbench::Workbench;

const TINY: &str = tiny!(
    2,
    "arms:
  NCL: { method: ncl }
seeds: 1
"
);

/// Whatever is asked for takes no longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program on an experiment, which must end in time and in order.
fn on(experiment: &str, arguments: &[&str]) -> (Workbench, Assert) {
    let workbench = Workbench::new(experiment);
    let assert = again(&workbench, arguments);
    (workbench, assert)
}

fn again(workbench: &Workbench, arguments: &[&str]) -> Assert {
    in_order(assert_cmd::Command::from_std(workbench.command(arguments)))
}

fn in_order(mut command: assert_cmd::Command) -> Assert {
    let assert = command.timeout(PATIENCE).assert();
    let output = assert.get_output();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0..=2)), "{assert}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert
}

fn refused(experiment: &str, arguments: &[&str], says: &str) {
    on(experiment, arguments).1.code(2).stderr(contains(says));
}

const RUN: [&str; 2] = ["run", "tiny.yaml"];

#[test]
fn numbers_without_end_are_refused() {
    let with = |from: &str, to: &str| TINY.replace(from, to);
    refused(&with("seeds: 1", "seeds: 1..1000000"), &RUN, "tiny.yaml:11: seeds: `1..1000000` names more than 100000");
    refused(TINY, &["run", "tiny.yaml", "--seeds", "0..100000"], "more than 100000 seeds");
    let values: Vec<String> = (1..=40).map(|value| value.to_string()).collect();
    let path = |name: &str| format!("  {name}: [{}]\n", values.join(", "));
    let grid = ["train.lr", "data.noise.sigma", "views.masking_prob"].map(path).concat();
    let grid = format!("{TINY}grid:\n{grid}");
    refused(&grid, &RUN, "tiny.yaml:12: grid: with the arms, it has more than 10000 points");
    refused(&grid, &["claims", "tiny.yaml"], "10000 points");
    let many = format!("{TINY}grid: {{ train.lr: [{}] }}", values.join(", ")).replace("seeds: 1", "seeds: 1..90000");
    refused(&many, &RUN, "tiny.yaml:11: 100000 runs of one experiment at most");
    refused(&with("epochs: 2", "epochs: 18446744073709551615"), &RUN, "tiny.yaml:8: train.epochs: at most 1000000000");
    refused(&format!("{TINY}grid: {{ train.lr: [] }}"), &RUN, "tiny.yaml:12: grid.train.lr: give at least one value");
    let long = with("NCL:", &format!("{}:", "x".repeat(300)));
    refused(&long, &RUN, "is too long for files");
}

#[test]
fn numbers_that_are_none_are_refused() {
    let bias = "model: { bias: { kind: constant, value: .nan }, m: 9 }";
    refused(
        &TINY.replace("model: { m: 9 }", bias),
        &RUN,
        "tiny.yaml: base.model.bias.value: NaN is not a finite number",
    );
    refused(TINY, &["run", "tiny.yaml", "--set", "train.lr=.inf"], "--set train.lr=.inf: inf is not a finite number");
    refused(TINY, &["run", "tiny.yaml", "--set", "data.noise={kind: gaussian, sigma: -.inf}"], "not a finite number");
    refused(&format!("{TINY}claims: [{{ says: x, above: .nan }}]"), &RUN, "not a finite number");
}

#[test]
fn depth_is_refused_with_its_line() {
    for piece in ["[", "{a: ", "- ", "[{a: "] {
        let deep = format!("{TINY}finding: {}", piece.repeat(100_000));
        let assert = on(&deep, &RUN).1.code(2);
        assert.stderr(contains("tiny.yaml:12: ").and(predicate::function(|text: &str| text.len() < 500)));
    }
    let path = format!("{}=1", ["a"; 20_000].join("."));
    refused(TINY, &["run", "tiny.yaml", "--set", &path], "no setting has so long a path");
    let value = format!("train.lr={}", "[".repeat(100_000));
    refused(TINY, &["run", "tiny.yaml", "--set", &value], "nested too deep");
    refused(&format!("{TINY}# {}", "x".repeat(2_000_000)), &RUN, "has more than 1048576 bytes");
}

#[test]
fn runs_that_no_memory_holds_fail_before_they_begin() {
    let absurd: [&[&str]; 3] = [
        &["--set", "views.pairs=30000000", "--set", "model.m=100"],
        &["--set", "data={samples: 200000000, p: 300, d: 1}"],
        &["--set", "model.m=200000"],
    ];
    for sets in absurd {
        let (workbench, assert) = on(TINY, &[&RUN, sets].concat());
        let said =
            contains("it needs an estimated").and(contains("of memory, and")).and(contains("1 of 1 runs failed"));
        assert.code(1).stderr(said);
        assert_eq!(workbench.runs().len(), 0);
    }
    on(TINY, &["run", "tiny.yaml", "--set", "data={p: 100000, d: 1}", "--set", "metrics.detail_every=0"]).1.success();
}

#[test]
fn the_rarest_latents_are_drawn() {
    for sparsity in ["1e-9", "1e-300"] {
        let set = format!("data.latents={{kind: symmetric, sparsity: {sparsity}}}");
        let (workbench, assert) = on(TINY, &["run", "tiny.yaml", "--set", &set]);
        assert.success();
        let run = workbench.runs().remove(0);
        again(&workbench, &["plot", "weights", run.to_str().unwrap()]).success();
    }
}

#[test]
fn shards_of_any_number_are_dealt() {
    let dry = |more: &[&str]| on(TINY, &[&["run", "tiny.yaml", "--dry-run"], more].concat()).1;
    dry(&["--shard", "1/18446744073709551615"]).success().stdout(contains("1 runs"));
    dry(&["--shard", "18446744073709551615/18446744073709551615"]).success().stdout(contains("0 runs"));
    let workbench = Workbench::new(TINY);
    let slurm = |variables: &[(&str, &str)]| {
        let mut command = workbench.command(&["run", "tiny.yaml", "--dry-run", "--shard", "slurm"]);
        command.envs(variables.iter().copied());
        in_order(assert_cmd::Command::from_std(command))
    };
    let most = "18446744073709551615";
    let array = [("SLURM_ARRAY_TASK_ID", most), ("SLURM_ARRAY_TASK_MIN", "0"), ("SLURM_ARRAY_TASK_MAX", most)];
    slurm(&array).code(2).stderr(contains("gaps"));
    let step = [("SLURM_STEP_ID", "0"), ("SLURM_PROCID", most), ("SLURM_STEP_NUM_TASKS", most)];
    slurm(&step).code(2).stderr(contains("SLURM_PROCID"));
    let both = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_MAX", "4")];
    slurm(&both).code(2).stderr(contains("task 7 is not one of the array 1..4"));
}

#[test]
fn names_that_no_folder_can_have_are_refused() {
    let workbench = Workbench::new(TINY);
    for name in ["...yaml", ".hidden.yaml"] {
        fs::copy(workbench.path("tiny.yaml"), workbench.path(name)).unwrap();
        again(&workbench, &["run", name]).code(2).stderr(contains("rename the file"));
    }
    again(&workbench, &["run", ".."]).code(2);
    again(&workbench, &["run", "."]).code(2);
    assert!(!workbench.path("results").exists());
}

/// Records whose files hold what no run wrote.
#[test]
fn records_of_any_content_are_read_to_their_end() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&RUN).success();
    let run = workbench.runs().remove(0);
    let whole = |file: &str| fs::read_to_string(run.join(file)).unwrap();
    let commands: [&[&str]; 5] = [
        &["results", "list"],
        &["results", "verify"],
        &["plot", "tiny.yaml"],
        &["claims", "tiny.yaml"],
        &["plot", "weights", run.to_str().unwrap()],
    ];
    let (summary, spec, metrics) = (whole("summary.json"), whole("spec.yaml"), whole("metrics.csv"));
    let wall = summary.lines().find(|line| line.contains("wall_seconds")).unwrap();
    let mut changed = vec![
        ("summary.json", summary.replace(wall, "\"wall_seconds\": 1e300,")),
        ("summary.json", summary.replace(wall, "\"wall_seconds\": -1e300,")),
        ("summary.json", "[".repeat(100_000)),
        ("spec.yaml", spec.replace("every: 1", "every: 9000000000000000000")),
        ("spec.yaml", spec.replace("samples: 40", "samples: 4000000000")),
        ("spec.yaml", spec.replace("epochs: 2", "epochs: 1000000000")),
        ("spec.yaml", spec.replace("kind: symmetric", "kind: symmetric\n    sparsity: 1e-300 #")),
        ("spec.yaml", spec.replace("  m: 9", "  m: 12")),
        ("spec.yaml", "- ".repeat(100_000)),
        ("metrics.csv", metrics.replace("\n1,", "\n1e300,").replace("\n2,", "\n2e300,")),
        ("metrics.csv", metrics.replace("\n1,", "\n1e17,").replace("\n2,", "\n9007199254740993e1,")),
        ("metrics.csv", metrics.replace("\n1,", "\n-1e-320,").replace("\n2,", "\n1e-320,")),
    ];
    changed.push(("metrics.csv", metrics.lines().next().unwrap().to_string() + "\n"));
    for (file, content) in changed {
        let before = whole(file);
        fs::write(run.join(file), &content).unwrap();
        for command in commands {
            again(&workbench, command);
        }
        if cfg!(feature = "torch") && file == "spec.yaml" {
            again(&workbench, &["slice", run.to_str().unwrap(), "--points", "2", "--lanczos", "0"]);
        }
        fs::write(run.join(file), before).unwrap();
    }
    fs::write(run.join("summary.json"), summary.replace(wall, "\"wall_seconds\": 1e300,")).unwrap();
    again(&workbench, &["results", "list"]).success();
}

#[test]
fn what_is_no_plain_file_is_not_waited_for() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&RUN).success();
    let run = workbench.runs().remove(0);
    for file in ["summary.json", "spec.yaml", "metrics.csv", "final.safetensors"] {
        let path = run.join(file);
        let whole = fs::read(&path).unwrap();
        for make in [
            (|path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap()) as fn(&std::path::Path),
            |path| fs::create_dir(path).unwrap(),
        ] {
            fs::remove_file(&path).unwrap();
            make(&path);
            again(&workbench, &["results", "list"]);
            again(&workbench, &["results", "verify"]).code(1).stdout(contains(file));
            again(&workbench, &["plot", "tiny.yaml"]);
            again(&workbench, &["plot", "weights", run.to_str().unwrap()]);
            if path.is_dir() {
                fs::remove_dir(&path).unwrap()
            } else {
                fs::remove_file(&path).unwrap()
            }
            fs::write(&path, &whole).unwrap();
        }
    }
    workbench.landscape(&["results", "verify"]).success();
}

#[test]
fn threads_have_their_stacks_whatever_the_environment_says() {
    let workbench = Workbench::new(TINY);
    for size in ["1", "18446744073709551615"] {
        let mut command = workbench.command(&["run", "tiny.yaml", "--force"]);
        command.env("RUST_MIN_STACK", size);
        in_order(assert_cmd::Command::from_std(command)).success();
    }
}

#[test]
fn a_limit_of_file_sizes_fails_the_run_and_not_the_program() {
    let workbench = Workbench::new(TINY);
    let mut command = std::process::Command::new("bash");
    let program = env!("CARGO_BIN_EXE_landscape");
    command.current_dir(&workbench.folder).args(["-c", &format!("ulimit -f 1; exec '{program}' run tiny.yaml")]);
    // A kibibyte holds neither the weights nor the summary.
    let assert = in_order(assert_cmd::Command::from_std(command)).code(1);
    assert.stderr(contains("File too large").and(contains("goes on from the last checkpoint")));
    assert_eq!(workbench.runs().len(), 0);
    workbench.landscape(&RUN).success();
}

#[test]
fn a_file_of_ones_own_is_not_the_papers() {
    let own = TINY.replace("paper: none\nclaim: It runs.\n", "") + "table: { columns: [loss_mean] }\n";
    let workbench = Workbench::new(&own);
    workbench.landscape(&["figures", "tiny.yaml", "--svg"]).success();
    let table = fs::read_to_string(workbench.path("plots/tiny.md")).unwrap();
    assert!(table.contains("| run | n |") && !table.contains("published"), "{table}");
    fs::create_dir(workbench.path("experiments")).unwrap();
    fs::write(workbench.path("experiments/summary.md"), "What the paper comes to.").unwrap();
    workbench.landscape(&["report", "tiny.yaml", "--out", "docs"]).success();
    let page = fs::read_to_string(workbench.path("docs/reproduction.html")).unwrap();
    assert!(page.contains("settings of one's own"), "{page}");
    assert!(!page.contains("What the paper comes to") && !page.contains("the paper as written"), "{page}");
    // Nor is a variant of the paper's, whatever that says of itself.
    fs::write(workbench.path("parent.yaml"), TINY).unwrap();
    fs::write(workbench.path("own.yaml"), "extends: parent.yaml\nbase: { train: { lr: 0.1 } }\n").unwrap();
    let claims = format!("{TINY}claims: [{{ says: It rises., above: 0 }}]\n");
    fs::write(workbench.path("parent.yaml"), claims).unwrap();
    again(&workbench, &["claims", "own.yaml"]).success().stdout(contains("own (a variant of parent)"));
    // The folder that is kept for them is ignored by git, but for the page that says what it is.
    let ignores = |file: &str| {
        let git = |arguments: &[&str]| {
            std::process::Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
        };
        git(&["check-ignore", "-q", file]).status.success()
    };
    if std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".git").exists() {
        assert!(ignores("experiments/own/rates.yaml") && !ignores("experiments/own/README.md"));
    }
    let missing = "missing: `title` (what its pictures are called) and `seeds` (which seeds";
    refused("base: { model: { m: 9 } }\n", &RUN, missing);
    refused(&TINY.replace("claim: It", "extend: x\nclaim: It"), &RUN, "unknown key `extend` (did you mean `extends`?)");
}

#[test]
fn variants_extend_variants_and_keep_the_claims_that_are_theirs() {
    let claims = "claims: [{ says: Both rise., above: 0 }, { says: One leads., of: NCL, above: CL }]\n";
    let workbench = Workbench::new(&(TINY.replace("seeds: 1", "  CL: { method: cl }\nseeds: 1") + claims));
    for (name, text) in [
        ("alone.yaml", "extends: tiny.yaml\narms: { NCL: { method: ncl } }\n"),
        ("longer.yaml", "extends: alone.yaml\nbase: { train: { epochs: 3 } }\n"),
        ("one.yaml", "extends: other.yaml\n"),
        ("other.yaml", "extends: one.yaml\n"),
    ] {
        fs::write(workbench.path(name), text).unwrap();
    }
    again(&workbench, &["config", "longer.yaml"]).success().stdout(contains("epochs: 3").count(1));
    let claims = again(&workbench, &["claims", "longer.yaml"]).success();
    let claims = claims.stderr(contains("without the arm `CL`, no claim \"One leads.\""));
    claims.stdout(contains("Both rise.").and(contains("One leads.").not()));
    again(&workbench, &["run", "one.yaml"]).code(2).stderr(contains("in a circle"));
}

#[test]
fn a_curve_that_diverged_is_said_to_have_diverged() {
    let text = TINY.replace("epochs: 2", "epochs: 3, lr: 1e308") + "claims: [{ says: It rises., above: 0 }]\n";
    let workbench = Workbench::new(&text);
    let claims = || again(&workbench, &["claims", "tiny.yaml"]).success();
    claims().stdout(contains("not run"));
    workbench.landscape(&RUN).success().stderr(contains("diverged"));
    claims().stdout(contains("diverged").and(contains("not run").not()));
}
