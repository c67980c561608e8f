use std::{collections::BTreeMap, io::Write, path::PathBuf};

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;

use crate::{
    aligned,
    figures::{Outcome, outcome},
    input_error,
    metrics::{COLUMNS, Finding},
    output::{self, say},
    query::{self, Facts},
    record::{self, State},
    runner::human_seconds,
    spec::unknown,
};

/// Read and look after a folder of results: what the runs found, what the columns mean, checks, lists, leftovers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape results verify
  landscape results list fig2
  landscape results outcomes fig2           # what was found: nothing, the span, all atoms but some, all
  landscape results columns                 # what the numbers mean
  landscape results table fig2 > fig2.csv   # one row for each run; --curves: one for each measured epoch
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
    List {
        #[command(flatten)]
        folder: Folder,

        /// Print JSON, with the whole summary of each finished run
        #[arg(long)]
        json: bool,
    },
    /// Say what the runs found, from their final weights: nothing, the span of the atoms, all atoms but so many, all
    Outcomes {
        #[command(flatten)]
        folder: Folder,

        /// Run by run, instead of curve by curve
        #[arg(long)]
        runs: bool,
    },
    /// Write CSV for pandas, a row for each run: its settings by their path (train.lr) and what was measured last
    Table {
        #[command(flatten)]
        folder: Folder,

        /// A row for each row of metrics.csv, with the run's settings
        #[arg(long)]
        curves: bool,
    },
    /// List the columns of metrics.csv, and those that are worked out from them: what they are, how to read them
    Columns,
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
            What::List { folder, json: true } => list_as_json(&folder),
            What::List { folder, json: false } => list(&folder),
            What::Outcomes { folder, runs: true } => outcomes(&folder),
            What::Outcomes { folder, runs: false } => tally(&folder),
            What::Table { folder, curves } => table(&folder, curves),
            What::Columns => columns(),
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
            faults.iter().try_for_each(|fault| say!("{experiment}/{run}: {fault}"))?;
        }
    }
    if broken > 0 {
        bail!(
            "{broken} of {records} records are broken; `landscape results prune --broken` removes them, and the command \
             that trained them trains them again"
        );
    }
    say!("{records} records, all whole")
}

fn list_as_json(folder: &Folder) -> Result<()> {
    let mut entries = Vec::new();
    for experiment in folder.experiments()? {
        for (run, state) in record::runs(&folder.results, &experiment)? {
            let (summary, progress, error) = match &state {
                State::Recorded(summary) => (Some(summary), None, None),
                State::Running(progress) | State::Interrupted(progress) => (None, progress.as_ref(), None),
                State::Failed(note) => (None, None, Some(&note.error)),
                State::Broken => (None, None, None),
            };
            entries.push(json!({
                "experiment": experiment,
                "run": run,
                "state": state.word(),
                "saved_at": progress.map(|progress| progress.epoch),
                "error": error,
                "summary": summary,
            }));
        }
    }
    say!("{}", serde_json::to_string_pretty(&entries)?)
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
                cells[5] = human_seconds(summary.wall_seconds);
            }
            *counts.entry(state.word()).or_default() += 1;
            table.push(cells);
        }
    }
    print(&table)?;
    let counts: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    say!("{}", if counts.is_empty() { "no runs".into() } else { counts.join(", ") })
}

/// Every recorded run of the experiments with what it found.
fn found(folder: &Folder) -> Result<Vec<(String, String, Outcome)>> {
    let mut found = vec![];
    for experiment in folder.experiments()? {
        for run in record::recorded(&folder.results, &experiment)? {
            let outcome = outcome(&folder.results.join(&experiment).join(&run))?;
            found.push((experiment.clone(), run, outcome));
        }
    }
    Ok(found)
}

fn outcomes(folder: &Folder) -> Result<()> {
    let mut table = vec![
        [
            "experiment",
            "run",
            "found",
            "atoms at .9",
            "min_cosine",
            "by chance",
            "span overlap",
            "neurons per atom",
            "steps to .9",
        ]
        .map(String::from),
    ];
    for (experiment, run, o) in found(folder)? {
        let number = |value: Option<f64>, digits: usize| value.map_or("-".into(), |value| format!("{value:.digits$}"));
        table.push([
            experiment,
            run,
            o.finding.map_or("-".into(), |finding| finding.to_string()),
            o.found.map_or("-".into(), |found| format!("{found} of {}", o.atoms)),
            format!("{:.3}", o.min_cosine),
            format!("{:.3}", o.chance),
            number(o.span_overlap, 3),
            number(o.neurons_per_atom, 1),
            number(o.steps_to_found, 0),
        ]);
    }
    print(&table)
}

/// How many runs of each curve found what.
fn tally(folder: &Folder) -> Result<()> {
    let mut curves: BTreeMap<(String, String), Vec<Outcome>> = BTreeMap::new();
    for (experiment, _, outcome) in found(folder)? {
        curves.entry((experiment, outcome.label.clone())).or_default().push(outcome);
    }
    let mut table = vec![
        [
            "experiment",
            "curve",
            "runs",
            "all",
            "all but some",
            "the span",
            "nothing",
            "min_cosine",
            "by chance",
            "steps to .9",
        ]
        .map(String::from),
    ];
    for ((experiment, label), outcomes) in curves {
        let count = |is: fn(Finding) -> bool| outcomes.iter().filter(|o| o.finding.is_some_and(is)).count().to_string();
        let mean = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64;
        let mut steps: Vec<f64> = outcomes.iter().filter_map(|o| o.steps_to_found).collect();
        steps.sort_by(f64::total_cmp);
        // The middle run's; none where less than half of them come so far.
        let middle = steps.get((outcomes.len() - 1) / 2);
        table.push([
            experiment,
            label,
            outcomes.len().to_string(),
            count(|finding| finding == Finding::All),
            count(|finding| matches!(finding, Finding::AllBut(_))),
            count(|finding| finding == Finding::Span),
            count(|finding| finding == Finding::Nothing),
            format!("{:.3}", mean(|o| o.min_cosine)),
            format!("{:.3}", mean(|o| o.chance)),
            middle.map_or("-".into(), |steps| format!("{steps:.0}")),
        ]);
    }
    print(&table)
}

fn table(folder: &Folder, curves: bool) -> Result<()> {
    let mut runs = Vec::new();
    for experiment in folder.experiments()? {
        let place = folder.results.join(&experiment);
        runs.extend(record::recorded(&folder.results, &experiment)?.into_iter().map(|run| place.join(run)));
    }
    let facts: Vec<Facts> = runs.iter().map(|run| Facts::read(run)).collect::<Result<_>>()?;
    let write = |bytes: &[u8]| output::with(|| std::io::stdout().write_all(bytes));
    if curves {
        let runs: Vec<_> = runs.iter().map(PathBuf::as_path).zip(facts).collect();
        return query::write_curves(&runs, write);
    }
    write(&query::csv(&query::columns(&facts), &facts)?)
}

fn columns() -> Result<()> {
    let mut table = vec![["column", "in pictures", "group", "measured", "between", "what it is"].map(String::from)];
    for column in COLUMNS {
        let bounds = column.bounds.map_or(String::new(), |(low, high)| format!("{low} and {high}"));
        let texts = [column.key, column.title, column.group, column.when()].map(String::from);
        let [key, title, group, when] = texts;
        table.push([key, title, group, when, bounds, column.meaning.into()]);
    }
    print(&table)
}

fn print<const N: usize>(table: &[[String; N]]) -> Result<()> {
    let Some((header, rows)) = table.split_first() else { return Ok(()) };
    let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    output::write(format_args!("{}", aligned::table(header, &rows)))
}

fn prune(folder: &Folder, checkpoints: bool, broken: bool, yes: bool) -> Result<()> {
    let mut removed = 0;
    for experiment in folder.experiments()? {
        for leftover in record::leftovers(&folder.results, &experiment, checkpoints, broken)? {
            say!("{}  {}", leftover.path.display(), leftover.what)?;
            removed += 1;
            if yes {
                record::remove(&leftover.path)?;
            }
        }
    }
    match (removed, yes) {
        (0, _) => say!("nothing to remove"),
        (_, true) => say!("{removed} removed"),
        (_, false) => say!("{removed} to remove; --yes does it"),
    }
}
