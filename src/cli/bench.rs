use std::path::PathBuf;

use anyhow::Result;

use super::options::count;
use crate::bench::{self, Options};

/// Time a training step beside the best rewrites in PyTorch and JAX, and how its cost grows
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  make bench
  landscape bench --models simplified,simclr-orig
  landscape bench --scaling")]
pub struct Args {
    /// Methods to compare instead of all: simplified, simplified-pred, simplified-ml, simsiam, simclr-orig
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Vec<String>,

    /// How our own cost grows with B, n, m, p, R and threads, instead of the comparison
    #[arg(long)]
    scaling: bool,

    /// Python with torch and jax
    #[arg(long, value_name = "FILE", default_value = ".venv-bench/bin/python")]
    python: PathBuf,

    /// Folder of the peers' programs
    #[arg(long, value_name = "DIR", default_value = "benches/peers")]
    peers: PathBuf,

    /// Checkout of ashwinipokle/contrastive_landscape, to time the authors' code too
    #[arg(long, value_name = "DIR")]
    authors_repo: Option<PathBuf>,

    /// Times that every side is timed
    #[arg(long, value_name = "N", default_value = "7", value_parser = count)]
    rounds: std::num::NonZero<usize>,

    /// Least duration of one timing in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.3)]
    seconds: f64,

    /// Folder of the CSV files
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// Folder of the pictures
    #[arg(long, value_name = "DIR", default_value = "plots")]
    plots: PathBuf,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let options = Options {
            models: self.models,
            python: self.python,
            peers: self.peers,
            authors_repo: self.authors_repo,
            rounds: self.rounds.get(),
            seconds: self.seconds,
            results: self.results,
            plots: self.plots,
        };
        if self.scaling { bench::scaling(&options) } else { bench::compare(&options) }
    }
}

/// One of our sides of the benchmark, spoken to on standard input
#[derive(Debug, clap::Args)]
pub struct SideArgs {
    /// fused, autograd or floor
    side: bench::Kind,

    threads: std::num::NonZero<usize>,
}

impl SideArgs {
    pub fn execute(self) -> Result<()> {
        bench::serve(self.side, self.threads.get())
    }
}
