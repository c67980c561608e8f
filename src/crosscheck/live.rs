//! The authors' own Python beside ours, at the same seeds.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use indexmap::IndexMap;
use serde::Deserialize;

use super::{Comparison, Theirs, Timing, compare, replay};
use crate::{
    authors::{
        CommandLine, Plan, Script,
        argparse::split,
        command_line::{OURS, THEIRS, TorchDraws},
        plan,
    },
    input_error, record,
    spec::layout::StateDict,
};

/// Files that run their scripts and record them, embedded from `scripts/crosscheck`.
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
    /// What its PyTorch draws.
    torch: TorchDraws,
    /// Our half of the Python, and the runs' results.
    folder: tempfile::TempDir,
}

/// What `theirs.py` writes about an experiment; null stands for a number that is not finite.
#[derive(Deserialize)]
struct Record {
    seconds: f64,
    epoch_seconds: Vec<f64>,
    epochs: Vec<IndexMap<String, Option<f64>>>,
}

impl Live {
    /// Nothing is written into the checkout.
    ///
    /// # Errors
    /// Input errors: no checkout there, or a Python that lacks what the scripts import.
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
        let imports =
            Command::new(python).args(["-c", "import numpy, torch, yacs.config; print(torch.__version__)"]).output();
        let imports = imports.map_err(|error| input_error!("--python {}: {error}", python.display()))?;
        if !imports.status.success() {
            return Err(input_error!(
                "--python {}: it lacks a module ({}); `make setup TORCH=full`, or `pip install numpy yacs torch==2.11.0`",
                python.display(),
                last_line(&imports.stderr)
            ));
        }
        let version = String::from_utf8_lossy(&imports.stdout).trim().to_string();
        let torch =
            version.parse().map_err(|error| input_error!("--python {}: torch {version}: {error}", python.display()))?;
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        for (name, text) in PYTHON {
            let path = folder.path().join("python").join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            std::fs::write(path, text)?;
        }
        Ok(Self { repository, python: python.into(), torch, folder })
    }

    /// Runs one of their command lines on both sides, logging everything; one comparison for each experiment.
    ///
    /// # Errors
    /// What our side refuses, and a script of theirs that stops.
    pub fn check(&self, name: &str, script: Script, arguments: &[String]) -> Result<Vec<Comparison>> {
        let call = self.call(script, &[arguments, &["--log_metrics".into()]].concat())?;
        let theirs = self.run(&call)?;
        ensure!(
            theirs.len() == call.plan.runs.len(),
            "they ran {} experiments and we {}: are some levels spelt alike?",
            theirs.len(),
            call.plan.runs.len()
        );
        compare_all(name, &call.plan, theirs)
    }

    /// Seconds that each epoch's training takes on either side, without the costly metrics: `rounds` times one call of
    /// theirs, then our replay of it over ten times as many epochs.
    ///
    /// # Errors
    /// As [`Live::check`].
    pub fn time(&self, name: &str, script: Script, arguments: &[String], rounds: usize) -> Result<Timing> {
        let call = self.call(script, arguments)?;
        let mut timing = Timing { name: name.into(), ..Timing::default() };
        for _ in 0..rounds {
            let records = self.run(&call)?;
            timing.theirs.extend(records.into_iter().flat_map(|(record, _)| record.epoch_seconds));
            for run in &call.plan.runs {
                let mut spec = (*run.spec).clone();
                spec.train.epochs *= 10;
                timing.ours.extend(replay(&spec.into())?.epoch_seconds);
            }
        }
        Ok(timing)
    }

    /// The same call for them and for us.
    fn call(&self, script: Script, arguments: &[String]) -> Result<Call> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let log_dir = folder.path().join("log").display().to_string();
        let arguments = [arguments, &["--logDir".into(), log_dir]].concat();
        let mut line = CommandLine::parse(script, &arguments)?;
        line.ours.torch.get_or_insert(self.torch);
        // Their scripts run in their own folder; ours do not.
        let in_repository = self.repository.join(&line.cfg);
        let found = [&line.cfg, &in_repository].into_iter().find_map(|path| path.canonicalize().ok());
        line.cfg = found.unwrap_or(in_repository);
        let plan = plan(script, &line)?;
        let mut theirs = vec![script.name().to_string()];
        for given in split(&arguments, THEIRS, OURS)? {
            if given.name == "cfg" {
                theirs.push(format!("--cfg={}", line.cfg.display()));
            } else if let Some(flag) = THEIRS.iter().find(|flag| flag.name == given.name) {
                theirs.push(match flag.value {
                    Some(_) => format!("--{}={}", flag.name, given.value),
                    None => format!("--{}", flag.name),
                });
            }
        }
        Ok(Call { folder, plan, theirs, line })
    }

    /// Runs their side of a call: the record and final state dict of each experiment.
    fn run(&self, call: &Call) -> Result<Vec<(Record, StateDict)>> {
        let out = tempfile::tempdir_in(call.folder.path())?;
        let mut command = Command::new(&self.python);
        if call.line.flags.ema_decay.is_some() {
            // They assert that it is off; -O removes assertions.
            command.arg("-O");
        }
        command.arg(self.folder.path().join("python/theirs.py")).arg("--repo").arg(&self.repository);
        command.arg("--out").arg(out.path()).args(["--threads", "1"]);
        if let Some(seeds) = &call.line.ours.seeds {
            let seeds: Vec<String> = seeds.0.iter().map(ToString::to_string).collect();
            command.arg("--seeds").arg(seeds.join(","));
        }
        let output = command.arg("--").args(&call.theirs).output().context("cannot run the authors' script")?;
        if !output.status.success() {
            return Err(anyhow!("their {} stops: {}", call.theirs[0], last_line(&output.stderr)));
        }
        let mut all = Vec::new();
        while let Ok(text) = std::fs::read_to_string(out.path().join(format!("{:04}.json", all.len()))) {
            let record = serde_json::from_str(&text).context("their record")?;
            all.push((record, record::read_state(&out.path().join(format!("{:04}.safetensors", all.len())))?));
        }
        Ok(all)
    }
}

/// A call of one of the scripts, for both sides.
struct Call {
    folder: tempfile::TempDir,
    plan: Plan,
    /// Their script and its arguments.
    theirs: Vec<String>,
    line: CommandLine,
}

fn compare_all(name: &str, plan: &Plan, theirs: Vec<(Record, StateDict)>) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for (run, (record, state)) in plan.runs.iter().zip(theirs) {
        let clock = Instant::now();
        let ours = replay(&run.spec)?;
        let seconds = (record.seconds, clock.elapsed().as_secs_f64());
        let case = if plan.runs.len() == 1 { name.to_string() } else { format!("{name} {}", run.id) };
        let comparison = compare(&case, &Theirs::new(record.epochs, state), &ours.rows, &ours.state);
        comparisons.push(Comparison { seconds: Some(seconds), ..comparison });
    }
    Ok(comparisons)
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message").trim().to_string()
}
