//! A sweep in parts, its Slurm scripts, and what can be followed from outside.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use contrastive_landscape::record::{Leases, Workspace};
use predicates::{prelude::*, str::contains};
use serde_json::Value;

use crate::workbench::{Workbench, differing, results};

const TINY: &str = tiny!(
    4,
    "arms:
  NCL: { method: ncl }
  CL: { method: cl }
seeds: 1..3
"
);

fn json_lines(stdout: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn status(workbench: &Workbench, arguments: &[&str]) -> Vec<Value> {
    let output =
        workbench.landscape(&[&["status", "--json"], arguments].concat()).success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

fn states(sweep: &Value) -> Vec<&str> {
    sweep["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect()
}

#[test]
fn shards_add_up_to_the_whole() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml", "--results", "whole"]).success();
    let mut trained = 0;
    for shard in ["1/4", "2/4", "3/4", "4/4"] {
        let listed = workbench.landscape(&["run", "tiny.yaml", "--shard", shard, "--dry-run"]).success();
        trained += String::from_utf8_lossy(&listed.get_output().stdout).matches("to train").count();
        workbench.landscape(&["run", "tiny.yaml", "--shard", shard]).success().stderr(contains(" 0 recorded before"));
    }
    assert_eq!(trained, 6);
    assert_eq!(differing(&results(&workbench.path("whole/tiny")), &workbench.results()), Vec::<String>::new());
    // More shards than runs: some have nothing to do, and say so.
    workbench.landscape(&["run", "tiny.yaml", "--shard", "9/9"]).success().stderr(contains("0 of the 6 runs"));
}

#[test]
fn single_runs_by_their_number() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml", "--index", "5"]).success().stderr(contains("1 runs trained"));
    let run = workbench.runs().remove(0);
    assert!(run.to_string_lossy().contains("cl_seed2"), "{}", run.display());
    workbench.landscape(&["run", "tiny.yaml", "--index", "7"]).code(2).stderr(contains("numbered from 1 to 6"));
    workbench.landscape(&["run", "tiny.yaml", "--index", "0"]).code(2).stderr(contains("--index"));
    workbench.landscape(&["run", "tiny.yaml", "--index", "1", "--shard", "1/2"]).code(2);
    workbench.landscape(&["run", "tiny.yaml", "--shard", "3/2"]).code(2).stderr(contains("I from 1 to N"));
}

#[test]
fn slurm_says_which_part_is_ours() {
    let workbench = Workbench::new(TINY);
    let dry = |flag: &str, variables: &[(&str, &str)]| {
        let mut command = workbench.command(&["run", "tiny.yaml", flag, "slurm", "--dry-run"]);
        command.envs(variables.iter().copied());
        assert_cmd::Command::from_std(command).assert()
    };
    let array = |first, last, count| {
        [
            ("SLURM_ARRAY_TASK_ID", "5"),
            ("SLURM_ARRAY_TASK_MIN", first),
            ("SLURM_ARRAY_TASK_MAX", last),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ]
    };
    dry("--shard", &array("4", "6", "3")).success().stdout(contains("to train").count(2));
    dry("--shard", &array("1", "9", "2")).code(2).stderr(contains("gaps"));
    dry("--index", &array("5", "5", "1")).success().stdout(contains("cl_seed2"));
    dry("--shard", &[]).code(2).stderr(contains("SLURM_ARRAY_TASK_ID is not set"));
}

#[test]
fn the_last_shard_draws() {
    let workbench = Workbench::new(TINY);
    let figures = |shard: &str| workbench.landscape(&["figures", "tiny.yaml", "--shard", shard]).success();
    figures("1/2").stderr(contains("not drawn yet: tiny: 3 of 6 runs are not recorded"));
    assert!(!workbench.path("plots/tiny.png").exists());
    figures("2/2").stdout(contains("tiny.png"));
    assert!(workbench.path("plots/tiny.png").exists());
}

#[test]
fn status_needs_the_results_alone() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["status"]).code(2).stderr(contains("no folder of results"));
    workbench.landscape(&["run", "tiny.yaml", "--shard", "1/3"]).success();
    workbench.landscape(&["run", "tiny.yaml", "--seeds", "9", "--index", "1"]).success();
    let by_file = status(&workbench, &["tiny.yaml"]);
    fs::remove_file(workbench.path("tiny.yaml")).unwrap();
    let sweeps = status(&workbench, &["results"]);
    assert_eq!(sweeps.len(), 2, "one for each set of flags");
    assert_eq!(sweeps, status(&workbench, &[]));
    assert_eq!(by_file[0]["runs"], sweeps[0]["runs"]);
    assert_eq!(states(&sweeps[0]).iter().filter(|state| **state == "done").count(), 2);
    assert_eq!(states(&sweeps[0]).iter().filter(|state| **state == "to do").count(), 4);
    assert_eq!(sweeps[1]["flags"], serde_json::json!(["--seeds", "9"]));
    assert_eq!(states(&sweeps[1]), ["done", "to do"]);
    workbench.landscape(&["status"]).success().stdout(contains("tiny --seeds 9").and(contains("33%")));
}

#[test]
fn status_tells_running_saved_and_failed() {
    let workbench = Workbench::new(&TINY.replace("epochs: 4", "epochs: 1000000, lr: 0.001").replace("1..3", "1..2"));
    let mut sweep = workbench
        .command(&["run", "tiny.yaml", "--jobs", "1", "--checkpoint-every", "0.1"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let progressed = |state: &str| {
        (0..600).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            let sweeps = if workbench.path("results").is_dir() { status(&workbench, &[]) } else { vec![] };
            let runs = sweeps.first().and_then(|sweep| sweep["runs"].as_array().cloned()).unwrap_or_default();
            runs.iter().any(|run| run["state"] == state && run["epoch"].as_u64() > Some(0))
        })
    };
    assert!(progressed("running"));
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    assert!(progressed("saved"));
    let failed = workbench.path("results/tiny/.unfinished");
    let saved =
        status(&workbench, &[])[0]["runs"].as_array().unwrap().iter().find(|run| run["state"] == "to do").cloned();
    let name = saved.unwrap()["run"].as_str().unwrap().to_string();
    let note = serde_json::json!({ "run": name, "error": "the disk burnt", "time": 1 });
    fs::write(failed.join(format!("{name}.failed")), note.to_string()).unwrap();
    workbench.landscape(&["status"]).success().stdout(contains("failed: the disk burnt"));
}

/// Machines disagree about the time: an earlier note never blocks a run, whatever time it claims.
#[test]
fn a_failure_noted_by_a_clock_that_is_ahead_blocks_nothing() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml"]).success();
    for more in [&["--force"][..], &[]] {
        let run = workbench.runs().remove(0);
        let name = run.file_name().unwrap().to_str().unwrap();
        let note = serde_json::json!({ "run": name, "error": "the disk burnt", "time": u64::MAX });
        let path = workbench.path("results/tiny/.unfinished").join(format!("{name}.failed"));
        fs::write(&path, note.to_string()).unwrap();
        if more.is_empty() {
            fs::remove_dir_all(&run).unwrap();
        }
        workbench.landscape(&[&["run", "tiny.yaml"], more].concat()).success().stderr(contains("0 failed"));
        assert!(!path.exists());
    }
}

/// A record that another process is about to replace is not removed while it does so.
#[test]
fn a_broken_record_that_is_being_trained_again_is_left_alone() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml"]).success();
    let run = workbench.runs().remove(0);
    fs::write(run.join("metrics.csv"), "").unwrap();
    let workspace = Workspace::of(&workbench.path("results"), "tiny");
    let lease = Leases::open(&workspace).unwrap().take(run.file_name().unwrap().to_str().unwrap()).unwrap();
    let prune = || workbench.landscape(&["results", "prune", "--broken", "--yes"]).success();
    prune().stdout(contains("nothing to remove"));
    drop(lease);
    prune().stdout(contains("1 removed"));
    assert!(!run.exists());
}

/// `landscape` under an address space limited by `ulimit -v`.
fn within(workbench: &Workbench, megabytes: usize, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::new("bash");
    let limited = format!("ulimit -v {}; exec \"$0\" \"$@\"", 1024 * megabytes);
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_landscape")]).args(arguments).current_dir(&workbench.folder);
    assert_cmd::Command::from_std(command).assert()
}

/// The small runs are done; the one that no memory holds is reported, and ends nothing.
#[test]
fn a_run_that_is_too_large_for_the_memory_fails_alone() {
    let arms = "arms:\n  vast: { data: { samples: 2000000000 } }\n";
    let workbench = Workbench::new(&TINY.replace("arms:\n", arms).replace("1..3", "1..2"));
    let run = ["run", "tiny.yaml", "--jobs", "2"];
    let says = "failed: tiny/vast_seed1";
    within(&workbench, 8000, &run)
        .code(1)
        .stderr(contains("4 runs trained").and(contains("2 failed")).and(contains(says)).and(contains("GB of memory")));
    assert_eq!(workbench.runs().len(), 4);
    // A size that is a matter of the batch.
    let workbench = Workbench::new(TINY);
    let set = ["--set", "data.samples=10000000", "--set", "train.batch_size=10000000", "--set", "model.m=4000"];
    workbench
        .landscape(&[&["run", "tiny.yaml", "--index", "1"][..], &set].concat())
        .code(1)
        .stderr(contains("of memory"));
}

/// A large run that an earlier process began and never saved comes last, and after a second such end not at all.
#[test]
fn a_large_run_that_ended_a_process_comes_last_and_is_given_up() {
    let arms = "arms:\n  large: { data: { samples: 2000000 }, train: { epochs: 1, batch_size: 1000 } }\n";
    let workbench = Workbench::new(&TINY.replace("arms:\n", arms).replace("1..3", "1"));
    let order = |assert: assert_cmd::assert::Assert| -> Vec<String> {
        let events = json_lines(&assert.get_output().stdout);
        let named = |event: &Value| Some(event["run"].as_str()?.split('_').next()?.to_string());
        events
            .iter()
            .filter(|event| event["event"] == "finished" || event["event"] == "failed")
            .filter_map(named)
            .collect()
    };
    let run = ["run", "tiny.yaml", "--jobs", "1", "--progress", "json"];
    let trained = order(within(&workbench, 4000, &run).success());
    assert_eq!(trained, ["tiny/large", "tiny/ncl", "tiny/cl"], "costliest first");
    let large = workbench.runs().into_iter().find(|run| run.to_string_lossy().contains("/large")).unwrap();
    let name = large.file_name().unwrap().to_str().unwrap().to_string();
    let workspace = Workspace::of(&workbench.path("results"), "tiny");
    assert_eq!(workspace.times_begun(&name), 0, "it came to its end");
    let restart = |times: u32| {
        workbench.runs().iter().for_each(|run| fs::remove_dir_all(run).unwrap());
        workspace.forget_begun(&name).unwrap();
        (0..times).for_each(|_| workspace.note_begun(&name).unwrap());
    };
    restart(1);
    assert_eq!(order(within(&workbench, 4000, &run).success()), ["tiny/ncl", "tiny/cl", "tiny/large"]);
    restart(2);
    let given_up = within(&workbench, 4000, &run).code(1).stderr(contains("begun 2 times and never saved"));
    assert_eq!(order(given_up).len(), 3);
    assert_eq!(workbench.runs().len(), 2);
    within(&workbench, 4000, &[&run[..], &["--force"]].concat()).success();
    assert_eq!((workbench.runs().len(), workspace.times_begun(&name)), (3, 0));
}

#[test]
fn progress_for_programs() {
    let workbench = Workbench::new(TINY);
    let run = |arguments: &[&str]| json_lines(&workbench.landscape(arguments).success().get_output().stdout);
    let events = run(&["run", "tiny.yaml", "--progress", "json"]);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    events.iter().for_each(|event| *counts.entry(event["event"].as_str().unwrap()).or_default() += 1);
    assert_eq!((counts["start"], counts["finished"], counts["end"]), (1, 6, 1));
    assert_eq!(events[0], serde_json::json!({ "event": "start", "runs": 6, "recorded": 0 }));
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["finished"], &end["failed"]), (&"end".into(), &6.into(), &0.into()));
    let events = run(&["figures", "tiny.yaml", "--progress", "json"]);
    assert_eq!(events[0]["recorded"], 6);
    assert!(events.iter().any(|event| event["event"] == "drawn" && event["path"] == "plots/tiny.png"));
    workbench.landscape(&["run", "tiny.yaml", "--force", "--progress", "none"]).success().stdout("");
    workbench
        .landscape(&["run", "tiny.yaml", "--progress", "loud"])
        .code(2)
        .stderr(contains("possible values: auto, bar"));
}

#[test]
fn messages_by_level() {
    let workbench = Workbench::new(TINY);
    let run = |level: &str| {
        let mut command = workbench.command(&["run", "tiny.yaml", "--force"]);
        command.env("RUST_LOG", level);
        assert_cmd::Command::from_std(command).assert().success()
    };
    run("warn").stderr(contains("INFO").not());
    run("info").stderr(contains("INFO").and(contains("tiny/ncl_seed1")).and(contains("DEBUG").not()));
    run("debug").stderr(contains("DEBUG"));
}

#[test]
fn slurm_scripts() {
    let workbench = Workbench::new(TINY);
    let write = |more: &[&str]| {
        let arguments = ["slurm", "tiny.yaml", "--partition", "gpu", "--time", "4:00:00", "--set", "train.lr=0.5"];
        workbench.landscape(&[&arguments, more].concat())
    };
    write(&["--shards", "3", "--array-parallelism", "2", "--gpus-per-task", "1", "--sbatch=--account=me"])
        .success()
        .stdout(contains("slurm/tiny/array.sbatch"))
        .stderr(contains("--dependency=afterany:$job"));
    let array = fs::read_to_string(workbench.path("slurm/tiny/array.sbatch")).unwrap();
    for line in [
        "#SBATCH --array=1-3%2",
        "#SBATCH --partition=gpu",
        "#SBATCH --time=4:00:00",
        "#SBATCH --gpus-per-task=1",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=16G",
        "#SBATCH --account=me",
        "#SBATCH --requeue",
        "#SBATCH --signal=USR1@120",
        "--set 'train.lr=0.5'",
        "--device cuda:0",
        "--shard \"$SLURM_ARRAY_TASK_ID/3\"",
        "if [ \"$code\" -eq 75 ]; then",
    ] {
        assert!(array.contains(line), "{line} is not in\n{array}");
    }
    let figures = fs::read_to_string(workbench.path("slurm/tiny/figures.sbatch")).unwrap();
    assert!(figures.contains(" plot ") && !figures.contains("gpus"), "{figures}");
    for script in ["array", "figures"] {
        let script = workbench.path(&format!("slurm/tiny/{script}.sbatch"));
        assert!(std::process::Command::new("bash").arg("-n").arg(script).status().unwrap().success());
    }
    // The queued job keeps its own copy of the experiment; another job has another folder.
    assert_eq!(fs::read_to_string(workbench.path("slurm/tiny/experiments/tiny.yaml")).unwrap(), TINY);
    write(&[]).success().stdout(contains("slurm/tiny-2/array.sbatch"));
    write(&["--out", "slurm/tiny"]).code(2).stderr(contains("there is a job in this folder already"));
    write(&["--grace", "9000"]).code(2).stderr(contains("--grace"));
    workbench.landscape(&["slurm", "tiny.yaml", "--time", "4h"]).code(2).stderr(contains("4:00:00"));
    write(&["--gpus-per-task", "2"]).code(2);
    let script = |folder: &str| fs::read_to_string(workbench.path(&format!("slurm/{folder}/array.sbatch"))).unwrap();
    assert!(!script("tiny-2").contains("--mem"));
    // All GPUs of a node, each with a process of its own, and as much memory for each.
    write(&["--out", "slurm/nodes", "--gpus-per-node", "2", "--shards", "5", "--cpus-per-task", "2"]).success();
    let nodes = script("nodes");
    for line in
        ["--array=1-3\n", "--nodes=1\n", "--ntasks=2\n", "--cpus-per-task=2\n", "--gpus-per-task=1\n", "--mem=32G\n"]
    {
        assert!(nodes.contains(&format!("#SBATCH {line}")), "{line} is not in\n{nodes}");
    }
    assert!(nodes.contains(" --gpus-per-task=1 --gpu-bind=single:1 ") && nodes.contains("--shard slurm"), "{nodes}");
    write(&["--out", "slurm/own", "--gpus-per-task", "1", "--sbatch=--mem-per-cpu=9G"]).success();
    assert!(!script("own").contains("--mem=16G"));
    // The queued job keeps its own copy of the program too.
    let program = workbench.path("slurm/tiny/landscape");
    assert!(array.contains(&format!("{} run", program.display())), "{array}");
    assert!(std::process::Command::new(program).arg("--version").status().unwrap().success());
    let mut unsubmitted = workbench.command(&["slurm", "tiny.yaml", "--time", "60", "--submit"]);
    unsubmitted.env("PATH", "");
    assert_cmd::Command::from_std(unsubmitted).assert().code(1).stderr(contains("cannot start sbatch"));
}

/// Runs a script of a job, in place of the cluster: `srun` and `scontrol` are as given.
fn bash(workbench: &Workbench, script: &Path, srun: &str, scontrol: &str) -> assert_cmd::assert::Assert {
    let tools = workbench.path("tools");
    fs::create_dir_all(&tools).unwrap();
    for (name, text) in [("srun", srun), ("scontrol", scontrol)] {
        fs::write(tools.join(name), format!("#!/bin/bash\n{text}\n")).unwrap();
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("bash");
    command.arg(script).current_dir(&workbench.folder);
    command.env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
    command.envs([("SLURM_CPUS_PER_TASK", "1"), ("SLURM_ARRAY_JOB_ID", "7"), ("SLURM_ARRAY_TASK_ID", "1")]);
    assert_cmd::Command::from_std(command).assert()
}

/// Every experiment in the repository, in a job of its folder: the task finds everything it needs after the files
/// themselves are gone.
#[test]
fn a_job_carries_all_that_it_needs() {
    let workbench = Workbench::new(TINY);
    let delivered = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    for folder in ["", "authors", "repaired", "sweeps", "atlas", "text"] {
        assert!(
            Command::new("cp").arg("-r").arg(&delivered).arg(workbench.path("experiments")).status().unwrap().success()
        );
        let files = fs::read_dir(delivered.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
        // What the text leaves open and what is registered are lists, and not experiments.
        files.retain(|name| name.ends_with(".yaml") && !["open.yaml", "registered.yaml"].contains(&name.as_str()));
        files.sort();
        let files: Vec<String> = files.iter().map(|name| format!("experiments/{folder}/{name}")).collect();
        let mut arguments = vec!["slurm", "--time", "60", "--shards", "1", "--name", "job", "--results", "none"];
        arguments.extend(files.iter().map(String::as_str));
        let written = workbench.landscape(&arguments).success();
        fs::remove_dir_all(workbench.path("experiments")).unwrap();
        let scripts = String::from_utf8_lossy(&written.get_output().stdout).into_owned();
        let scripts: Vec<&str> = scripts.lines().collect();
        // `srun --cpus-per-task=1 landscape run ...`, and nothing is to be trained here.
        let task = bash(&workbench, &workbench.path(scripts[0]), "shift; exec \"$@\" --dry-run", "exit 1").success();
        let planned = String::from_utf8_lossy(&task.get_output().stdout).into_owned();
        for file in &files {
            let name = Path::new(file).file_stem().unwrap().to_string_lossy();
            assert!(planned.contains(&format!("to train  {name}/")), "{name}");
        }
        bash(&workbench, &workbench.path(scripts[1]), "", "").code(1).stderr(contains("train them first"));
    }
}

#[test]
fn a_job_takes_along_what_is_named_by_its_place() {
    let workbench = Workbench::new(TINY);
    let absolute = format!("extends: {}", workbench.path("tiny.yaml").display());
    fs::write(workbench.path("varied.yaml"), absolute).unwrap();
    let slurm = ["slurm", "varied.yaml", "--time", "60"];
    workbench.landscape(&slurm).code(2).stderr(contains("tiny.yaml is named by an absolute path"));
    for folder in ["a", "b"] {
        fs::create_dir(workbench.path(folder)).unwrap();
        fs::write(workbench.path(folder).join("x.yaml"), TINY).unwrap();
    }
    let same = "a/x.yaml and b/x.yaml are both named `x`";
    workbench.landscape(&["slurm", "a/x.yaml", "b/x.yaml", "--time", "60"]).code(2).stderr(contains(same));
    workbench.landscape(&["run", "a/x.yaml", "b/x.yaml"]).code(2).stderr(contains(same));
    workbench.landscape(&["run", "a/x.yaml", "a/../a/x.yaml", "--dry-run"]).success();
}

#[test]
fn what_users_write_stays_in_its_line() {
    let workbench = Workbench::new(TINY);
    let write = |more: &[&str]| workbench.landscape(&[&["slurm", "tiny.yaml", "--time", "60"], more].concat());
    let attack = "x\ntouch broken";
    for flag in ["--name", "--partition", "--figures-partition", "--sbatch", "--setup", "--out"] {
        write(&[&format!("{flag}={attack}")]).code(2).stderr(contains(flag).and(contains("control character")));
    }
    write(&["--name", "../x"]).code(2).stderr(contains("must not contain a slash"));
    fs::copy(workbench.path("tiny.yaml"), workbench.path(&format!("{attack}.yaml"))).unwrap();
    workbench
        .landscape(&["slurm", &format!("{attack}.yaml"), "--time", "60"])
        .code(2)
        .stderr(contains("control character"));
    let folder = |name: &str| {
        let folder = workbench.path(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tiny.yaml"), TINY).unwrap();
        let mut command =
            workbench.command(&["slurm", "tiny.yaml", "--time", "60", "--partition", "a b", "--out", "100% \"job\""]);
        command.current_dir(&folder);
        (folder, assert_cmd::Command::from_std(command).assert())
    };
    folder(attack).1.code(2).stderr(contains("current folder"));
    let (there, written) = folder("a \"b\" $(touch broken) `touch broken`");
    written.success().stderr(contains("sbatch --parsable '100% \"job\"/array.sbatch'"));
    let script = fs::read_to_string(there.join("100% \"job\"/array.sbatch")).unwrap();
    for line in [
        "--chdir=\"".to_string() + &there.display().to_string().replace('"', "\\\"") + "\"",
        r#"--output="100%% \"job\"/logs/%A_%a.log""#.into(),
        r#"--partition="a b""#.into(),
    ] {
        assert!(script.contains(&format!("#SBATCH {line}\n")), "{line} is not in\n{script}");
    }
    bash(&workbench, &there.join("100% \"job\"/array.sbatch"), "echo \"$@\"", "")
        .success()
        .stdout(contains("100% \"job\"/experiments/tiny.yaml"));
    assert!(!workbench.path("broken").exists());
}

#[test]
fn an_interrupted_task_is_requeued_whatever_the_shell_is_told() {
    for setup in ["set -e", "set -euo pipefail", "true"] {
        let workbench = Workbench::new(TINY);
        workbench.landscape(&["slurm", "tiny.yaml", "--time", "60", "--setup", setup]).success();
        let array = workbench.path("slurm/tiny/array.sbatch");
        bash(&workbench, &array, "exit 75", "echo \"$@\" >queued").code(75);
        assert_eq!(fs::read_to_string(workbench.path("queued")).unwrap(), "requeue 7_1\n");
        bash(&workbench, &array, "exit 1", "rm queued").code(1);
        bash(&workbench, &array, "", "rm queued").success();
        assert!(workbench.path("queued").exists());
    }
}

/// Commands of Slurm that do what they are told here, first in a command's search path.
fn with_slurm(command: &mut Command, workbench: &Workbench, programs: &[(&str, &str)]) {
    let bin = workbench.path("bin");
    fs::create_dir_all(&bin).unwrap();
    for (name, lines) in programs {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
}

#[test]
fn an_array_is_no_larger_than_the_cluster_takes() {
    let workbench = Workbench::new(TINY);
    let slurm = |shards: &str| {
        let mut command = workbench.command(&["slurm", "tiny.yaml", "--time", "60", "--shards", shards]);
        with_slurm(&mut command, &workbench, &[("scontrol", "echo 'MaxArraySize            = 5'")]);
        assert_cmd::Command::from_std(command).assert()
    };
    slurm("5").code(2).stderr(contains("--shards 5: an array of this cluster has at most 4 tasks"));
    assert!(!workbench.path("slurm").exists(), "nothing is written");
    slurm("4").success();
}

/// Two more turns, on other nodes after a GPU broke; one that saved something begins the count anew, as does another job.
#[test]
fn a_task_has_three_turns_in_a_row_that_save_nothing() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["slurm", "tiny.yaml", "--time", "60", "--setup", "set -euo pipefail"]).success();
    let turn_of = |job: &str, node: &str, ends: i32| {
        let mut task = Command::new("bash");
        task.current_dir(&workbench.folder).arg("slurm/tiny/array.sbatch").envs([
            ("SLURM_ARRAY_JOB_ID", job),
            ("SLURM_ARRAY_TASK_ID", "3"),
            ("SLURM_CPUS_PER_TASK", "4"),
            ("SLURMD_NODENAME", node),
        ]);
        let srun = format!("exit {ends}");
        // Not every site lets a job exclude a node.
        let scontrol = "echo \"$@\" >> asked; [ \"$1\" != update ]";
        with_slurm(&mut task, &workbench, &[("srun", &srun), ("scontrol", scontrol)]);
        let output = task.output().unwrap();
        let asked = fs::read_to_string(workbench.path("asked")).unwrap_or_default();
        let _ = fs::remove_file(workbench.path("asked"));
        (output.status.code().unwrap(), asked + &String::from_utf8_lossy(&output.stderr))
    };
    let turn = |node: &str, ends: i32| turn_of("7", node, ends);
    let again = "requeue 7_3\n";
    let elsewhere = |nodes: &str| format!("{again}update JobId=7_3 ExcNodeList={nodes}\n");
    assert_eq!(turn("a", 76), (75, elsewhere("a")));
    assert_eq!(turn("b", 75), (75, again.into()));
    assert_eq!(turn("a", 76), (75, elsewhere("a")));
    assert_eq!(turn("b", 76), (75, elsewhere("a,b")));
    let given_up = |turns: &str| {
        format!("not requeued: nothing was recorded or saved in 3 turns in a row (code and node of each: {turns})\n")
    };
    assert_eq!(turn("c", 76), (76, given_up("76 a,76 b,76 c")));
    assert_eq!(turn("c", 76), (76, given_up("76 a,76 b,76 c,76 c")), "nor later");
    assert_eq!(turn("c", 0), (0, String::new()));
    assert_eq!(turn("c", 74), (75, again.into()));
    assert_eq!(turn("a", 76), (75, elsewhere("a")), "a node whose GPU works is not excluded");
    assert_eq!(turn_of("8", "d", 74), (75, "requeue 8_3\n".into()));
    assert_eq!(turn("b", 74), (74, given_up("74 c,76 a,74 b")));
    // What cannot be counted would be for ever.
    fs::remove_dir_all(workbench.path("slurm/tiny/logs")).unwrap();
    let (code, said) = turn("b", 74);
    assert!(code == 74 && said.contains("not requeued: nothing was saved in this turn on b"), "{code}: {said}");
}

/// A GPU takes the same time for a cohort as for half of it.
#[test]
fn shards_for_gpus_hold_whole_cohorts() {
    let workbench = Workbench::new(TINY);
    let dealt = |device: &[&str], of: usize| -> Vec<Vec<String>> {
        let shard = |number: usize| {
            let part = format!("{number}/{of}");
            let arguments = [&["run", "tiny.yaml", "--dry-run", "--shard", &part], device].concat();
            let listed = workbench.landscape(&arguments).success().get_output().stdout.clone();
            let listed = String::from_utf8(listed).unwrap();
            let runs =
                listed.lines().filter_map(|line| Some(line.split_once("tiny/")?.1.split('_').next()?.to_string()));
            runs.collect()
        };
        (1..=of).map(shard).collect()
    };
    let whole = |runs: usize, name: &str| vec![name.to_string(); runs];
    let mut gpus = dealt(&["--device", "cuda"], 3);
    gpus.sort();
    assert_eq!(gpus, [vec![], whole(3, "cl"), whole(3, "ncl")]);
    let mut gpus = dealt(&["--device", "cuda", "--cohort", "2"], 4);
    gpus.sort();
    assert_eq!(gpus, [whole(1, "cl"), whole(2, "cl"), whole(1, "ncl"), whole(2, "ncl")]);
    assert!(dealt(&["--device", "cpu"], 3).iter().all(|runs| runs.len() == 2), "cores are dealt single runs");
}

/// What a results folder rests on is tried with a second process, and with those of other nodes.
#[test]
fn doctor_tries_the_locks_of_a_results_folder() {
    let workbench = Workbench::new(TINY);
    let doctor = |more: &[&str]| workbench.landscape(&[&["doctor", "--results", "here"], more].concat());
    doctor(&[]).code(2).stderr(contains("--results here: there is no such folder"));
    fs::create_dir(workbench.path("here")).unwrap();
    let works = "files are replaced whole, and locks keep processes out, of this node";
    doctor(&[]).success().stdout(contains("results     here: ").and(contains(works)).and(contains("all is well\n")));
    doctor(&["--shard", "1/1"]).code(2).stderr(contains("it takes two processes"));
    // As srun starts them, here on one node.
    let started = ["0", "1", "2"].map(|rank| {
        let mut command = workbench.command(&["doctor", "--results", "here", "--shard", "slurm"]);
        command.envs([("SLURM_STEP_ID", "0"), ("SLURM_PROCID", rank), ("SLURM_STEP_NUM_TASKS", "3")]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    });
    for process in started {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains(works), "{said}");
    }
    assert_eq!(fs::read_dir(workbench.path("here")).unwrap().count(), 0, "nothing is left there");
    // A file system whose locks stay within a node, as with Lustre's `localflock`, and one that has none.
    for (locks, says) in [("return 0;", "does not keep out"), ("errno = ENOSYS; return -1;", "there are no locks")] {
        let mut command = workbench.command(&["doctor", "--results", "here"]);
        if !with_locks(&mut command, &workbench, locks) {
            eprintln!("skipped: there is no C++ compiler `c++`");
            return;
        }
        let caution = "two jobs on different nodes may train the same run";
        let safe = contains("all is well, but for the locks of that folder");
        assert_cmd::Command::from_std(command)
            .assert()
            .success()
            .stdout(contains(says).and(contains(caution)).and(safe));
    }
}

/// Lets a command's requests for locks do this instead; false where that cannot be compiled.
fn with_locks(command: &mut Command, workbench: &Workbench, locks: &str) -> bool {
    let source = format!(
        "#include <cerrno>\n#include <cstdarg>\n#include <fcntl.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
         extern \"C\" int fcntl(int file, int what, ...) {{ if (what == F_OFD_SETLK) {{ {locks} }} va_list rest; \
         va_start(rest, what); void* argument = va_arg(rest, void*); va_end(rest); \
         return static_cast<int>(syscall(SYS_fcntl, file, what, argument)); }}\n\
         extern \"C\" int fcntl64(int, int, ...) __attribute__((alias(\"fcntl\")));\n"
    );
    let (source_file, library) = (workbench.path("locks.cpp"), workbench.path("locks.so"));
    fs::write(&source_file, source).unwrap();
    let compiled = Command::new("c++").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source_file).status();
    let Ok(status) = compiled else { return false };
    assert!(status.success());
    command.env("LD_PRELOAD", library);
    true
}

/// As far as this can be told without Apptainer: bases of one version, and of the checkout what git tracks.
#[test]
fn the_container_takes_what_git_tracks() {
    let recipe = fs::read_to_string("containers/landscape.def").unwrap();
    let bases: Vec<&str> = recipe.lines().filter_map(|line| line.strip_prefix("From: ")).collect();
    assert!(bases.len() == 2 && bases.iter().all(|base| base.split('.').count() > 1), "{bases:?}");
    let setup = recipe.split("%setup\n").nth(1).unwrap().split("\n%").next().unwrap();
    if !Path::new(".git").exists() {
        eprintln!("skipped: this is no checkout");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let status = Command::new("sh").args(["-ec", setup]).env("APPTAINER_ROOTFS", root.path()).status().unwrap();
    assert!(status.success());
    let copied = root.path().join("opt/landscape");
    for path in ["Cargo.lock", "src/lib.rs", "experiments/fig1.yaml", "COMMIT"] {
        assert!(copied.join(path).exists(), "{path}");
    }
    for path in ["target", ".venv", ".git", "results"] {
        assert!(!copied.join(path).exists(), "{path}");
    }
}

#[test]
fn no_device_is_visible() {
    let workbench = Workbench::new(TINY);
    let mut command = workbench.command(&["run", "tiny.yaml", "--device", "cuda"]);
    command.env("CUDA_VISIBLE_DEVICES", "");
    assert_cmd::Command::from_std(command).assert().code(2).stderr(contains("CUDA_VISIBLE_DEVICES="));
    // What was refused is not a sweep that is to do.
    assert!(!workbench.path("results").exists());
}
