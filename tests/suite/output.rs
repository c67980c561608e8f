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

/// Command lines that write to standard output, of every subcommand but those of [`ELSEWHERE`]. They need the tiny
/// experiment's records, of which `RUN` is one, and what [`prepared`] puts beside them.
const LINES: &[&str] = &[
    "--version",
    "authors main.py --help",
    "authors check_data_model.py --help",
    "authors --install-shim shim",
    "authors main.py --cfg authors.yaml --logDir x --dry-run",
    "run tiny.yaml --dry-run",
    "run tiny.yaml --force --progress json",
    "config tiny.yaml",
    "config tiny.yaml --json",
    "methods",
    "methods --json",
    "completions bash",
    "man",
    "man run",
    "losses",
    "schema",
    "doctor",
    "ceilings tiny.yaml --methods pca --seeds 1",
    "claims tiny.yaml",
    "claims tiny.yaml --format json",
    "certify --registered registered.yaml --out certificate.json",
    "figures tiny.yaml --svg",
    "plot tiny.yaml --svg",
    "plot weights RUN --out weights.svg",
    "report tiny.yaml --out docs",
    "results list",
    "results list --json",
    "results verify",
    "results outcomes",
    "results outcomes --runs",
    "results table",
    "results table --curves",
    "results columns",
    "results prune",
    "query min_cosine>0",
    "query min_cosine>0 --format csv",
    "export RUN --to exported",
    "status tiny.yaml",
    "status --json",
    "slurm tiny.yaml --time 10 --out slurm",
];

/// The same of those that need libtorch.
const OF_TORCH: &[&str] = &["slice RUN --points 3 --lanczos 2 --out s.svg", "crosscheck --reference reference"];

/// Subcommands whose answers take too long: what they print is printed by others' means, and their help is tried.
const ELSEWHERE: &[&str] = &["bench", "theory"];

/// Every subcommand that the program's own help lists, as the words to call it, `results list` too.
fn subcommands(workbench: &Workbench, above: &[&str]) -> Vec<String> {
    let shown = workbench.landscape(&[above, &["--help"]].concat()).success();
    let shown = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
    let listed = shown.split("Commands:\n").nth(1).unwrap_or_default().lines().take_while(|line| !line.is_empty());
    // A name stands two blanks in; what it says may go on below, further in.
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help");
    let mut all = Vec::new();
    for name in names {
        let words = [above, &[name]].concat();
        let deeper = subcommands(workbench, &words);
        all.push(words.join(" "));
        all.extend(deeper);
    }
    all
}

/// Every line, the help of every subcommand among them.
fn commands(workbench: &Workbench, run: &str) -> Vec<Vec<String>> {
    let torch = if cfg!(feature = "torch") { OF_TORCH } else { &[] };
    let mut lines: Vec<String> = LINES.iter().chain(torch).map(|line| line.replace("RUN", run)).collect();
    let subcommands = subcommands(workbench, &[]);
    assert!(subcommands.len() > 25 && subcommands.contains(&"results list".into()), "{subcommands:?}");
    for name in &subcommands {
        let has_line = lines.iter().any(|line| line.starts_with(&format!("{name} ")) || line == name);
        let excused =
            ELSEWHERE.contains(&name.as_str()) || (torch.is_empty() && OF_TORCH.iter().any(|l| l.starts_with(name)));
        assert!(has_line || excused, "`landscape {name}` is new: give it a line in LINES");
    }
    lines.extend(subcommands.iter().map(|name| format!("{name} --help")));
    lines.push("--help".into());
    lines.into_iter().map(|line| line.split(' ').map(String::from).collect()).collect()
}

fn run(command: &mut Command, stdout: impl Into<Stdio>) -> Output {
    command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

fn prepared() -> (Workbench, Vec<Vec<String>>) {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&["run", "tiny.yaml"]).success();
    let registered = "seeds: 1..2\nmargin: 0.05\nclaims:\n  - { id: rises, source: here, says: It rises., experiment: tiny.yaml, \
                      of: NCL, statistic: { kind: mean, above: 0 } }\n";
    std::fs::write(workbench.path("registered.yaml"), registered).unwrap();
    std::fs::write(workbench.path("authors.yaml"), "nn: 64\nnum_exp: 1\nNUM_EPOCHES: 3\np: 12\nd: 4\nm: 12\n").unwrap();
    std::fs::create_dir(workbench.path("reference")).unwrap();
    for ending in ["json", "npz"] {
        let name = format!("simplified.{ending}");
        let recorded = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference").join(&name);
        std::fs::copy(recorded, workbench.path("reference").join(name)).unwrap();
    }
    let run = workbench.runs().remove(0);
    let run = run.strip_prefix(workbench.folder.path()).unwrap().to_str().unwrap().to_string();
    let commands = commands(&workbench, &run);
    (workbench, commands)
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let (workbench, commands) = prepared();
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
    let (workbench, commands) = prepared();
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
