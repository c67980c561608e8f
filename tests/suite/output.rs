//! Standard output that is closed or full: every command says so, or goes on in silence, and none panics.

use std::{
    fs::File,
    process::{Command, Output, Stdio},
};

use crate::workbench::Workbench;

const TINY: &str = tiny!(
    2,
    "arms:
  NCL: { method: ncl }
seeds: 1..2
claims: [{ says: It rises., above: 0 }]
"
);

/// Every command that writes to standard output and needs nothing but the tiny experiment's records.
fn commands(run: &str) -> Vec<Vec<String>> {
    let mut commands = vec![
        "--version",
        "--help",
        "run --help",
        "authors main.py --help",
        "authors check_data_model.py --help",
        "authors --install-shim shim",
        "run tiny.yaml --dry-run",
        "run tiny.yaml --force --progress json",
        "config tiny.yaml",
        "methods",
        "methods --json",
        "completions bash",
        "man",
        "losses",
        "doctor",
        "claims tiny.yaml",
        "claims tiny.yaml --format json",
        "figures tiny.yaml --svg",
        "plot tiny.yaml --svg",
        "report tiny.yaml --out docs",
        "results list",
        "results list --json",
        "results verify",
        "results prune",
        "status tiny.yaml",
        "status --json",
        "slurm tiny.yaml --time 10 --out slurm",
    ];
    let of_run =
        [format!("plot weights {run} --out weights.svg"), format!("slice {run} --points 3 --lanczos 2 --out s.svg")];
    commands.extend(of_run.iter().take(if cfg!(feature = "torch") { 2 } else { 1 }).map(String::as_str));
    commands.into_iter().map(|line| line.split(' ').map(String::from).collect()).collect()
}

fn run(command: &mut Command, stdout: impl Into<Stdio>) -> Output {
    command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

fn bench() -> (Workbench, Vec<Vec<String>>) {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml"]).success();
    let run = workbench.runs().remove(0);
    let commands = commands(run.strip_prefix(workbench.folder.path()).unwrap().to_str().unwrap());
    (workbench, commands)
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let (workbench, commands) = bench();
    for arguments in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run(&mut workbench.command(&arguments), writer);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
    // What was found wrong counts, whether or not anybody reads of it.
    std::fs::write(workbench.runs()[0].join("metrics.csv"), "epoch\n").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(run(&mut workbench.command(&["results", "verify"]), writer).status.code(), Some(1));
}

#[test]
fn a_full_disk_is_a_failure() {
    let (workbench, commands) = bench();
    for arguments in commands {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = run(&mut workbench.command(&arguments), full);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        let error = "error: cannot write to standard output: No space left on device";
        assert!(stderr.contains(error) && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}
