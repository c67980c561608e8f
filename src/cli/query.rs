use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use crate::{
    aligned, input_error,
    output::{self, say},
    query::{self, Facts},
    record,
    spec::unknown,
};

/// Ask recorded runs: which fulfil a condition on settings and results? As a table, CSV for pandas, or JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A condition reads as in Python. Settings go by their path (train.lr, loss.kind), results at the last epoch by their column
(min_cosine; end.loss, since loss is a setting), and experiment, run, label, wall_seconds, diverged_at.

Examples:
  landscape query 'min_cosine > 0.9 and loss.kind == \"nt_xent\"'
  landscape query 'train.lr < 0.01' --of fig4 --columns label,seed,min_cosine
  landscape query --format csv > runs.csv     # all runs; every setting and result is a column
  landscape query 'label in [\"NCL\", \"CL\"] and seed <= 5' --format json")]
pub struct Args {
    /// What must hold; all runs if it is left out
    condition: Option<String>,

    /// Experiments, by the names of their folders [default: all]
    #[arg(long, value_name = "EXPERIMENT", value_delimiter = ',')]
    of: Vec<String>,

    /// Columns to show [default: experiment, label, seed, min_cosine, loss_mean and those of the condition; all of them in
    /// CSV and JSON]
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let runs = query::select(self.read()?, self.condition.as_deref())?;
        let columns = match (&self.columns[..], self.format) {
            ([], Format::Table) => {
                ["experiment", "label", "seed", "min_cosine", "loss_mean"].map(String::from).to_vec()
            }
            ([], Format::Csv | Format::Json) => query::columns(&runs),
            (names, _) => query::chosen(&runs, names)?,
        };
        match self.format {
            Format::Csv => output::write(format_args!("{}", String::from_utf8(query::csv(&columns, &runs)?)?)),
            Format::Json => say!("{}", query::json(&columns, &runs)?),
            Format::Table => {
                let cells = |run: &Facts| columns.iter().map(|column| short(run.cell(column))).collect();
                let rows: Vec<Vec<String>> = runs.iter().map(cells).collect();
                output::write(format_args!("{}", aligned::table(&columns, &rows)))?;
                say!("{} runs", runs.len())
            }
        }
    }

    fn read(&self) -> Result<Vec<Facts>> {
        let all = record::experiments(&self.results).map_err(|error| input_error!("--results: {error:#}"))?;
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        if let Some(name) = self.of.iter().find(|name| !all.contains(name)) {
            return Err(input_error!("--of: {}", unknown("experiment", name, &names)));
        }
        let wanted = if self.of.is_empty() { all } else { self.of.clone() };
        let mut facts = Vec::new();
        for experiment in wanted {
            for run in record::recorded(&self.results, &experiment)? {
                facts.push(Facts::read(&self.results.join(&experiment).join(run))?);
            }
        }
        Ok(facts)
    }
}

/// Results to four decimals: what a table is read for.
fn short(cell: String) -> String {
    match cell.parse::<f64>() {
        Ok(value) if cell.len() > 7 && value.is_finite() => format!("{value:.4}"),
        _ => cell,
    }
}
