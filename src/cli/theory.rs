use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{
    input_error,
    output::say,
    record::write_whole,
    spec::Overrides,
    theory::{THEOREMS, Theorem, markdown},
};

/// Check the paper's theorems numerically, as printed and repaired, and draw them
///
/// Fails if a statement that must hold does not. Of the theorems as they are printed, some do not: `all` ends with a table
/// of what holds, with counterexamples and repairs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape theory all
  landscape theory theorem1 --set descent.dimensions=[20] --set descent.drawn=20
  landscape theory theorem3 --options my-theorem3.yaml")]
pub struct Args {
    /// What to check
    #[arg(value_name = "THEOREM", value_parser = ["theorem1", "theorem2", "theorem3", "all"])]
    what: String,

    /// Options file of the theorem, or a folder of theorem1.yaml, theorem2.yaml and theorem3.yaml
    #[arg(long, value_name = "PATH", default_value = "experiments/theory")]
    options: PathBuf,

    /// Change an option; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,

    /// Folder of results; tables and a report go to its folder `theory`
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// Folder of pictures; they go to its folder `theory`
    #[arg(long, value_name = "DIR", default_value = "plots")]
    plots: PathBuf,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let mut overrides = Overrides::default();
        self.sets.iter().try_for_each(|assignment| overrides.set(assignment))?;
        let theorems: Vec<&Theorem> =
            THEOREMS.iter().filter(|theorem| self.what == "all" || self.what == theorem.name).collect();
        if theorems.len() > 1 && !self.options.is_dir() {
            return Err(input_error!("--options {}: for all theorems, give a folder", self.options.display()));
        }
        let (out, plots) = (self.results.join("theory"), self.plots.join("theory"));
        let (mut broken, mut verdicts) = (0, vec![]);
        for theorem in &theorems {
            let file = options_file(&self.options, theorem);
            let report = theorem.run(&file, &overrides, &out, &plots)?;
            say!("{report}")?;
            broken += report.checks.iter().filter(|check| !check.holds).count();
            verdicts.extend(report.verdicts);
        }
        if theorems.len() > 1 {
            let (table, path) = (markdown(&verdicts), out.join("theorems.md"));
            write_whole(&path, table.as_bytes())?;
            say!("The theorems as printed (also in {})\n\n{table}", path.display())?;
        }
        if broken > 0 {
            bail!("{broken} statements do not hold: see NO above");
        }
        Ok(())
    }
}

fn options_file(path: &Path, theorem: &Theorem) -> PathBuf {
    if path.is_dir() { path.join(format!("{}.yaml", theorem.name)) } else { path.to_path_buf() }
}
