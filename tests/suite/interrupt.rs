//! Signals: a sweep saves its work, says so by its exit code, and goes on when it is run again.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use predicates::{prelude::*, str::contains};

#[cfg(feature = "torch")]
use contrastive_landscape::record::Summary;

use crate::workbench::{Workbench, differing};

/// Runs that take long enough to be met in the middle.
const LONG: &str = "
title: A long experiment
paper: none
claim: It runs.
base:
  data: { samples: 120, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 3000, batch_size: 16 }
  metrics: { every: 100 }
arms:
  NCL: { method: ncl }
  CL: { method: cl, random: authors }
seeds: 1..2
";

const RUN: [&str; 4] = ["run", "tiny.yaml", "--jobs", "2"];

/// The sweep with every signal as in a terminal: a test that runs under `nohup` or behind `&` hands on those ignored there,
/// and the program rightly leaves an ignored signal alone.
fn start(workbench: &Workbench, more: &[&str]) -> Child {
    let sweep = workbench.command(&[&RUN, more].concat());
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(sweep.get_program()).args(sweep.get_args());
    command.current_dir(&workbench.folder).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until a condition holds, but no longer than a test may take.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(2));
    }
}

fn has_checkpoint(workbench: &Workbench) -> bool {
    workbench.unfinished().iter().any(|name| name.ends_with(".checkpoint"))
}

#[test]
fn each_signal_saves_and_the_same_command_goes_on() {
    let reference = Workbench::new(LONG);
    reference.landscape(&RUN).success();
    for name in ["-TERM", "-INT", "-USR1", "-HUP", "-XCPU"] {
        let workbench = Workbench::new(LONG);
        let child = start(&workbench, &["--checkpoint-every", "0.01"]);
        until("a first checkpoint", || has_checkpoint(&workbench));
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(75), "{name}: {stderr}");
        assert!(stderr.contains("interrupted: 2 runs saved where they were, 2 not begun"), "{name}: {stderr}");
        assert_eq!(workbench.unfinished().iter().filter(|name| name.ends_with(".checkpoint")).count(), 2);
        workbench.landscape(&["results", "list"]).success().stdout(contains("interrupted, saved at epoch").count(2));
        workbench.landscape(&RUN).success().stderr(contains("4 runs trained"));
        assert_eq!(differing(&workbench.results(), &reference.results()), [""; 0], "{name}");
        assert_eq!(workbench.unfinished(), ["lock"]);
        let summaries: Vec<String> =
            workbench.runs().iter().map(|run| std::fs::read_to_string(run.join("summary.json")).unwrap()).collect();
        assert_eq!(summaries.iter().filter(|summary| summary.contains("\"resumed\": 1")).count(), 2);
    }
}

/// A scheduler that gives such a task turn after turn wastes them all, and can tell from the code.
#[test]
fn a_turn_that_saves_nothing_has_a_code_of_its_own() {
    let workbench = Workbench::new(&LONG.replace("epochs: 3000", "epochs: 1000000"));
    let mut command = Command::new("env");
    // Files of a kilobyte at most: no checkpoint can be written.
    command.args([
        "--default-signal",
        "bash",
        "-c",
        "ulimit -f 1; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_landscape"),
    ]);
    command.args(RUN).args(["--checkpoint-every", "0.01"]).current_dir(&workbench.folder);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("no checkpoint could be written") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
    }
    signal(&child, "-USR1");
    lines.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(74), "{said}");
    assert!(said.contains("interrupted: 0 runs saved") && said.contains("nothing was recorded or saved"), "{said}");
    assert!(!has_checkpoint(&workbench));
}

#[test]
fn a_second_ctrl_c_ends_it_at_once_and_the_signals_of_a_scheduler_do_not() {
    // Runs whose first epoch takes many seconds.
    let workbench = Workbench::new(&LONG.replace("samples: 120", "samples: 1500000"));
    let mut child = start(&workbench, &[]);
    until("the lock file", || workbench.unfinished() == ["lock"]);
    sleep(Duration::from_millis(300));
    for name in ["-TERM", "-USR1", "-TERM"] {
        signal(&child, name);
        sleep(Duration::from_millis(50));
        assert!(child.try_wait().unwrap().is_none(), "it waits for the end of the epoch");
    }
    signal(&child, "-INT");
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2));
}

#[test]
fn two_processes_share_a_sweep_and_take_over_from_the_dead() {
    let reference = Workbench::new(LONG);
    reference.landscape(&RUN).success();
    let workbench = Workbench::new(LONG);
    let one = ["--jobs", "1", "--checkpoint-every", "0.01"];
    let run = |arguments: &[&str]| {
        let mut command = workbench.command(&[&["run", "tiny.yaml"], arguments].concat());
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut doomed = run(&one);
    until("a first checkpoint", || has_checkpoint(&workbench));
    let helpers = [run(&one), run(&one)];
    sleep(Duration::from_millis(100));
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    let said: Vec<String> = helpers
        .into_iter()
        .map(|helper| {
            let output = helper.wait_with_output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stderr).unwrap()
        })
        .collect();
    assert_eq!(differing(&workbench.results(), &reference.results()), [""; 0]);
    assert_eq!(workbench.unfinished(), ["lock"]);
    // No run was done twice: the other two together trained what the dead process had not recorded.
    let trained = |text: &String| -> usize {
        let line = text.lines().find(|line| line.contains("runs trained")).unwrap();
        line.split(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(said.iter().map(trained).sum::<usize>(), 4, "{said:?}");
    workbench
        .landscape(&RUN)
        .success()
        .stderr(contains("0 runs trained, 4 recorded before").and(contains("damaged").not()));
}

/// `nohup` starts a program with SIGHUP ignored, so that it outlives its terminal.
#[test]
fn an_ignored_signal_stays_ignored() {
    let workbench = Workbench::new(LONG);
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_landscape")).args(RUN).args(["--checkpoint-every", "0.01"]);
    let child = command.current_dir(&workbench.folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("a first checkpoint", || has_checkpoint(&workbench));
    signal(&child, "-HUP");
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", ended.status);
    assert_eq!(workbench.runs().len(), 4);
}

/// A reader of stderr that goes away, such as `head` or a closed terminal, costs no run and no picture.
#[test]
fn output_that_nobody_reads_stops_nothing() {
    let workbench = Workbench::new(LONG);
    let script = "set -o pipefail; \"$0\" figures tiny.yaml --jobs 2 --progress plain 2>&1 | true";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_landscape")]).current_dir(&workbench.folder);
    assert!(command.status().unwrap().success());
    assert_eq!(workbench.runs().len(), 4);
    assert!(workbench.path("plots/tiny.png").is_file());
}

/// What one engine began and another ended says so.
#[cfg(feature = "torch")]
#[test]
fn a_run_of_two_engines_says_so() {
    let workbench = Workbench::new(&LONG.replace("random: authors", "random: native"));
    let child = start(&workbench, &["--engine", "autograd", "--checkpoint-every", "0.01"]);
    until("a first checkpoint", || has_checkpoint(&workbench));
    signal(&child, "-TERM");
    child.wait_with_output().unwrap();
    let begun = workbench.unfinished().iter().filter(|name| name.ends_with(".checkpoint")).count();
    let says = format!("{begun} runs were begun by another engine");
    workbench.landscape(&[&RUN[..], &["--engine", "fused"]].concat()).success().stderr(contains(says));
    let summaries = workbench.runs().into_iter().map(|run| Summary::read(&run).unwrap());
    let mixed: Vec<Summary> = summaries.filter(|summary| !summary.earlier.is_empty()).collect();
    assert_eq!(mixed.len(), begun);
    for summary in mixed {
        assert_eq!((summary.provenance.engine.as_str(), summary.earlier.len()), ("fused", 1));
        assert_eq!((summary.earlier[0].engine.as_str(), summary.resumed), ("autograd", 1));
    }
}
