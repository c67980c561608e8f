use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::{
    input_error,
    record::{self, State},
    runner::human_time,
    spec::unknown,
};

/// Look after a folder of results: check it, list it, remove what is left over
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape results verify
  landscape results list fig2
  landscape results prune                   # says what it would remove
  landscape results prune --broken --yes")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check every record: files, hashes, settings against the folder's name, rows and weights against the settings
    Verify(Folder),
    /// List the runs that are there, finished or not
    List(Folder),
    /// Say what can be removed, and remove it with --yes; runs that are being trained are left alone
    Prune {
        #[command(flatten)]
        folder: Folder,

        /// Also checkpoints of unfinished runs, which then start afresh, and notes of failures
        #[arg(long)]
        checkpoints: bool,

        /// Also records that `verify` finds faults in, which are then trained again
        #[arg(long)]
        broken: bool,

        /// Remove, instead of saying what would be removed
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Folder {
    /// Experiments, by the names of their folders [default: all]
    #[arg(value_name = "EXPERIMENT")]
    experiments: Vec<String>,

    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        match self.what {
            What::Verify(folder) => verify(&folder),
            What::List(folder) => list(&folder),
            What::Prune { folder, checkpoints, broken, yes } => prune(&folder, checkpoints, broken, yes),
        }
    }
}

impl Folder {
    fn experiments(&self) -> Result<Vec<String>> {
        let all = record::experiments(&self.results).map_err(|error| input_error!("--results: {error:#}"))?;
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        match self.experiments.iter().find(|name| !all.contains(name)) {
            Some(name) => Err(input_error!("{}", unknown("experiment", name, &names))),
            None if self.experiments.is_empty() => Ok(all),
            None => Ok(self.experiments.clone()),
        }
    }
}

fn verify(folder: &Folder) -> Result<()> {
    let (mut records, mut broken) = (0, 0);
    for experiment in folder.experiments()? {
        for run in record::recorded(&folder.results, &experiment)? {
            let faults = record::faults(&folder.results.join(&experiment).join(&run));
            records += 1;
            broken += usize::from(!faults.is_empty());
            faults.iter().for_each(|fault| println!("{experiment}/{run}: {fault}"));
        }
    }
    if broken > 0 {
        bail!(
            "{broken} of {records} records are broken; `landscape results prune --broken` removes them, and the command \
             that trained them trains them again"
        );
    }
    println!("{records} records, all whole");
    Ok(())
}

fn list(folder: &Folder) -> Result<()> {
    let mut table = vec![["experiment", "run", "epochs", "min_cosine", "loss_mean", "time", "state"].map(String::from)];
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for experiment in folder.experiments()? {
        for (run, state) in record::runs(&folder.results, &experiment)? {
            let mut cells = [
                experiment.clone(),
                run,
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                state.to_string(),
            ];
            if let State::Recorded(summary) = &state {
                let value = |name: &str| summary.r#final.get(name).map_or(String::new(), |value| format!("{value:.4}"));
                cells[2] = summary.epochs.to_string();
                cells[3] = value("min_cosine");
                cells[4] = value("loss_mean");
                cells[5] = human_time(std::time::Duration::from_secs_f64(summary.wall_seconds.max(0.0)));
            }
            *counts.entry(state.word()).or_default() += 1;
            table.push(cells);
        }
    }
    print(&table);
    let counts: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    println!("{}", if counts.is_empty() { "no runs".into() } else { counts.join(", ") });
    Ok(())
}

/// Columns as wide as their widest cell, numbers to the right.
fn print<const N: usize>(table: &[[String; N]]) {
    let widths: [usize; N] =
        std::array::from_fn(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for row in table {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            2..=5 => format!("{cell:>width$}"),
            _ => format!("{cell:width$}"),
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn prune(folder: &Folder, checkpoints: bool, broken: bool, yes: bool) -> Result<()> {
    let mut removed = 0;
    for experiment in folder.experiments()? {
        for leftover in record::leftovers(&folder.results, &experiment, checkpoints, broken)? {
            println!("{}  {}", leftover.path.display(), leftover.what);
            removed += 1;
            if yes {
                record::remove(&leftover.path)?;
            }
        }
    }
    match (removed, yes) {
        (0, _) => println!("nothing to remove"),
        (_, true) => println!("{removed} removed"),
        (_, false) => println!("{removed} to remove; --yes does it"),
    }
    Ok(())
}
