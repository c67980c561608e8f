//! The authors' own Python beside ours, at the same seeds.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use indexmap::IndexMap;
use serde::Deserialize;

use super::{Comparison, Theirs, compare, replay};
use crate::{
    authors::{CommandLine, Plan, Script, plan},
    input_error, record,
};

/// Files that run their scripts and record them, as they stand in `scripts/crosscheck`.
const PYTHON: [(&str, &str); 5] = [
    ("theirs.py", include_str!("../../scripts/crosscheck/theirs.py")),
    ("shims/wandb.py", include_str!("../../scripts/crosscheck/shims/wandb.py")),
    ("shims/seaborn.py", include_str!("../../scripts/crosscheck/shims/seaborn.py")),
    ("shims/matplotlib/__init__.py", include_str!("../../scripts/crosscheck/shims/matplotlib/__init__.py")),
    ("shims/matplotlib/pyplot.py", include_str!("../../scripts/crosscheck/shims/matplotlib/pyplot.py")),
];

/// A checkout of the authors' repository and a Python that can run it.
#[derive(Debug)]
pub struct Live {
    repository: PathBuf,
    python: PathBuf,
    /// Our half of the Python, and the runs' results.
    folder: tempfile::TempDir,
}

/// What `theirs.py` writes of an experiment.
#[derive(Deserialize)]
struct Record {
    seconds: f64,
    epochs: Vec<IndexMap<String, f64>>,
}

impl Live {
    /// Nothing is written into the checkout.
    ///
    /// # Errors
    /// Input errors: no checkout there, or a Python without what the scripts import.
    pub fn new(repository: &Path, python: &Path) -> Result<Self> {
        let repository = repository
            .canonicalize()
            .map_err(|error| input_error!("--authors-repo {}: {error}", repository.display()))?;
        if !repository.join("main.py").is_file() || !repository.join("common_args.py").is_file() {
            return Err(input_error!(
                "--authors-repo {}: not a checkout of ashwinipokle/contrastive_landscape",
                repository.display()
            ));
        }
        let imports = Command::new(python).args(["-c", "import numpy, torch, yacs.config"]).output();
        let imports = imports.map_err(|error| input_error!("--python {}: {error}", python.display()))?;
        if !imports.status.success() {
            return Err(input_error!(
                "--python {}: it lacks a module ({}); `make setup TORCH=full`, or `pip install numpy yacs torch==2.11.0`",
                python.display(),
                last_line(&imports.stderr)
            ));
        }
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        for (name, text) in PYTHON {
            let path = folder.path().join("python").join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            std::fs::write(path, text)?;
        }
        Ok(Self { repository, python: python.into(), folder })
    }

    /// Runs a command line of theirs both ways; one comparison for each experiment.
    ///
    /// # Errors
    /// What our side refuses, and a script of theirs that stops.
    pub fn check(&self, name: &str, script: Script, arguments: &[String]) -> Result<Vec<Comparison>> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let arguments = self.absolute_configuration(arguments);
        let log_dir = folder.path().join("log").display().to_string();
        let arguments = [&arguments[..], &["--logDir".into(), log_dir, "--log_metrics".into()]].concat();
        let line = CommandLine::parse(script, &arguments)?;
        let plan = plan(script, &line)?;
        let theirs = self.theirs(script, &arguments, &line, folder.path())?;
        ensure!(
            theirs.len() == plan.runs.len(),
            "they ran {} experiments and we {}: levels that are written alike?",
            theirs.len(),
            plan.runs.len()
        );
        compare_all(name, &plan, &theirs)
    }

    /// Their scripts run in their own folder, ours do not.
    fn absolute_configuration(&self, arguments: &[String]) -> Vec<String> {
        let mut out = arguments.to_vec();
        for i in 0..out.len() {
            let resolve = |path: &str| {
                let path = Path::new(path);
                let found = if path.exists() {
                    path.canonicalize().ok()
                } else {
                    self.repository.join(path).canonicalize().ok()
                };
                found.map_or_else(|| path.display().to_string(), |path| path.display().to_string())
            };
            if let Some(path) = out[i].strip_prefix("--cfg=") {
                out[i] = format!("--cfg={}", resolve(path));
            } else if out[i] == "--cfg" && i + 1 < out.len() {
                out[i + 1] = resolve(&out[i + 1]);
            }
        }
        out
    }

    fn theirs(&self, script: Script, arguments: &[String], line: &CommandLine, folder: &Path) -> Result<Vec<Theirs>> {
        let out = folder.join("theirs");
        let mut command = Command::new(&self.python);
        command.arg(self.folder.path().join("python/theirs.py")).arg("--repo").arg(&self.repository);
        command.arg("--out").arg(&out).args(["--threads", "1", "--quiet"]);
        if let Some(seeds) = &line.ours.seeds {
            let seeds: Vec<String> = seeds.0.iter().map(ToString::to_string).collect();
            command.arg("--seeds").arg(seeds.join(","));
        }
        command.arg("--").arg(script.name()).args(without_ours(arguments));
        let output = command.output().context("cannot run the authors' script")?;
        if !output.status.success() {
            return Err(anyhow!("their {} stops: {}", script.name(), last_line(&output.stderr)));
        }
        let mut all = Vec::new();
        while let Ok(text) = std::fs::read_to_string(out.join(format!("{:04}.json", all.len()))) {
            let Record { seconds, epochs } = serde_json::from_str(&text).context("their record")?;
            let state = record::read_state(&out.join(format!("{:04}.safetensors", all.len())))?;
            all.push(Theirs { epochs, state, seconds: Some(seconds) });
        }
        Ok(all)
    }
}

fn compare_all(name: &str, plan: &Plan, theirs: &[Theirs]) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for (run, theirs) in plan.runs.iter().zip(theirs) {
        let clock = Instant::now();
        let (rows, state) = replay(&run.spec)?;
        let ours = clock.elapsed().as_secs_f64();
        let case = if plan.runs.len() == 1 { name.to_string() } else { format!("{name} {}", run.id) };
        let mut comparison = compare(&case, theirs, &rows, &state);
        comparison.seconds = theirs.seconds.map(|theirs| (theirs, ours));
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

/// The arguments that their parser knows: `--seeds` is given to it another way.
fn without_ours(arguments: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--seeds" {
            rest.next();
        } else if !argument.starts_with("--seeds=") {
            out.push(argument.clone());
        }
    }
    out
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message").trim().to_string()
}
