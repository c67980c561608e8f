//! Handing scripts to sbatch.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use super::Files;

/// The numbers of submitted jobs.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Slurm's number of the array.
    pub array: String,
    /// Slurm's number of the job that draws, if there is one.
    pub figures: Option<String>,
}

/// Hands the scripts to sbatch, the figures to start when the array has ended.
pub fn submit(files: &Files) -> Result<Submitted> {
    let array = sbatch(&files.array, None)?;
    let figures = match &files.figures {
        Some(script) => Some(
            sbatch(script, Some(&array))
                .with_context(|| format!("the array is job {array}; its figures are not queued"))?,
        ),
        None => None,
    };
    Ok(Submitted { array, figures })
}

fn sbatch(script: &Path, after: Option<&str>) -> Result<String> {
    let mut command = Command::new("sbatch");
    command.arg("--parsable").args(after.map(|job| format!("--dependency=afterany:{job}"))).arg(script);
    let output = command.output().context("cannot start sbatch; is this a machine of the cluster?")?;
    if !output.status.success() {
        bail!("sbatch {}: {}", script.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    // `--parsable` prints `job` or `job;cluster`.
    let printed = String::from_utf8_lossy(&output.stdout);
    Ok(printed.trim().split(';').next().unwrap_or_default().to_string())
}
