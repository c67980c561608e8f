use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::options::Settings;
use crate::{
    aligned, input_error,
    output::{self, say},
    record,
    runner::{RunState, SweepStatus},
    spec::PlannedExperiment,
};

/// Show how far sweeps are, from the folder of results alone
#[derive(Debug, clap::Args)]
#[command(mut_arg("files", |arg| arg
    .required(false)
    .value_name("FILE|DIR")
    .help("Experiment files, or a folder of results for all that it has been used for [default: --results]")))]
#[command(after_help = "\
done: recorded. running: a process is training it; the epoch is that of its last checkpoint. saved: interrupted, and the
next process goes on from there. work: share of the estimated work that is done.")]
pub struct Args {
    #[command(flatten)]
    settings: Settings,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let sweeps = self.sweeps()?;
        if self.json {
            let sweeps: Vec<_> = sweeps.iter().map(as_json).collect();
            say!("{}", serde_json::to_string_pretty(&sweeps)?)
        } else {
            print(&sweeps)
        }
    }

    fn sweeps(&self) -> Result<Vec<SweepStatus>> {
        let folders: Vec<&PathBuf> = self.settings.files.iter().filter(|path| path.is_dir()).collect();
        match folders.as_slice() {
            [] if self.settings.files.is_empty() => SweepStatus::of_folder(&self.settings.results),
            [] => {
                let plans = self.settings.plans()?;
                let of = |(experiment, runs): &PlannedExperiment| {
                    SweepStatus::of_runs(&self.settings.results, &experiment.name, runs)
                };
                plans.iter().map(of).collect()
            }
            [folder] if self.settings.files.len() == 1 => SweepStatus::of_folder(folder),
            _ => Err(input_error!("give experiment files, or one folder of results")),
        }
    }
}

/// Runs named one by one below the table.
const NAMED: usize = 20;

fn print(sweeps: &[SweepStatus]) -> Result<()> {
    if sweeps.is_empty() {
        return say!("nothing has been run here");
    }
    let header = ["sweep", "runs", "done", "running", "saved", "failed", "to do", "work"];
    let rows: Vec<Vec<String>> = sweeps.iter().map(row).collect();
    output::write(format_args!("{}", aligned::table(&header, &rows)))?;
    let notes: Vec<String> = sweeps.iter().flat_map(notes).collect();
    notes.iter().take(NAMED).try_for_each(|note| say!("{note}"))?;
    if notes.len() > NAMED {
        say!("and {} more; --json names all", notes.len() - NAMED)?;
    }
    Ok(())
}

fn row(sweep: &SweepStatus) -> Vec<String> {
    let count = |counts: fn(&RunState) -> bool| sweep.count(counts).to_string();
    vec![
        name(sweep),
        sweep.runs.len().to_string(),
        count(|state| matches!(state, RunState::Done)),
        count(|state| matches!(state, RunState::Running { .. })),
        count(|state| matches!(state, RunState::Saved { .. })),
        count(|state| matches!(state, RunState::Failed { .. })),
        count(|state| matches!(state, RunState::ToDo)),
        // A sweep that is not done never shows 100%.
        format!("{:.0}%", (1000.0 * sweep.done_share()).floor() / 10.0),
    ]
}

/// `fig2 --quick --seeds=1..2`
fn name(sweep: &SweepStatus) -> String {
    [std::slice::from_ref(&sweep.experiment), &sweep.flags].concat().join(" ")
}

/// Runs under way, and what went wrong.
fn notes(sweep: &SweepStatus) -> Vec<String> {
    let note = |(run, size, state): &(String, record::PlannedWork, RunState)| {
        let what = match state {
            RunState::Running { epoch } => format!("running, epoch {epoch} of {}", size.epochs),
            RunState::Saved { epoch } => format!("saved at epoch {epoch} of {}", size.epochs),
            RunState::Failed { error } => format!("failed: {error}"),
            RunState::Done | RunState::ToDo => return None,
        };
        Some(format!("{}/{run}: {what}", sweep.experiment))
    };
    sweep.runs.iter().filter_map(note).collect()
}

fn as_json(sweep: &SweepStatus) -> serde_json::Value {
    let run = |(run, size, state): &(String, record::PlannedWork, RunState)| {
        let (state, epoch, error) = match state {
            RunState::Done => ("done", Some(size.epochs), None),
            RunState::Running { epoch } => ("running", Some(*epoch), None),
            RunState::Saved { epoch } => ("saved", Some(*epoch), None),
            RunState::Failed { error } => ("failed", None, Some(error)),
            RunState::ToDo => ("to do", None, None),
        };
        json!({ "run": run, "state": state, "epoch": epoch, "epochs": size.epochs, "error": error })
    };
    json!({
        "experiment": sweep.experiment,
        "flags": sweep.flags,
        "work_done": sweep.done_share(),
        "runs": sweep.runs.iter().map(run).collect::<Vec<_>>(),
    })
}
