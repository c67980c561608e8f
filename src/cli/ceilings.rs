use std::{
    num::NonZero,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread::available_parallelism,
};

use anyhow::{Context, Result};
use rayon::ThreadPoolBuilder;
use serde_yaml::Value;

use super::options::{count, one_of};
use crate::{
    aligned,
    ceilings::{self, Found, Method},
    input_error,
    logs::tell,
    output,
    record::write_whole,
    spec::{Overrides, RunSpec, Seeds, plan_all, resolve, tree},
};

/// What methods from outside of self-supervised learning find in the same samples: PCA, ICA, dictionary learning, autoencoders
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every method sees the samples that a run with the same settings and seed learns from, and is judged by the same max-cosines.
The table has medians over seeds, the file a row for each.

Examples:
  landscape ceilings experiments/atlas/objectives.yaml --seeds 1..5 --output experiments/atlas/ceilings.csv
  landscape ceilings --set data.latents.sparsity=0.3 --methods pca,fast-ica")]
pub struct Args {
    /// Experiment whose data are taken; without one, the paper's
    #[arg(value_name = "FILE")]
    experiment: Option<PathBuf>,

    /// Change a setting; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,

    /// Seeds: 7, 1..5 (both ends included) or 1,4,9 [default: the experiment's own, or 1..5 without one]
    #[arg(long, value_name = "SEEDS")]
    seeds: Option<Seeds>,

    /// Methods, with commas between them [default: all]
    #[arg(long, value_name = "METHODS", value_delimiter = ',', value_parser = one_of(Method::ALL))]
    methods: Vec<Method>,

    /// Also write a row for each method and seed
    #[arg(long, value_name = "FILE.csv")]
    output: Option<PathBuf>,

    /// Methods at work at the same time; changes no digit [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = count)]
    jobs: Option<NonZero<usize>>,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        if let Some(path) = &self.output {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !folder.is_dir() {
                return Err(input_error!("--output {}: there is no folder {}", path.display(), folder.display()));
            }
        }
        let points = ceilings::points(&self.specs()?);
        let specs = || points.iter().flat_map(|point| &point.specs);
        specs().try_for_each(ceilings::check).map_err(|fault| input_error!("{fault}"))?;
        let all: Vec<Method> = Method::ALL.into_iter().map(|(method, _)| method).collect();
        let methods = if self.methods.is_empty() { &all } else { &self.methods };
        let total = methods.len() * specs().count();
        let done = AtomicUsize::new(0);
        let told = |found: &Found| {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            let min = found.ceiling.cosine.min;
            tell(format_args!("{done}/{total} {}, seed {}: minimum {min:.3}", found.method.name(), found.seed));
        };
        let jobs = self.jobs.or(available_parallelism().ok()).map_or(1, NonZero::get);
        let pool = ThreadPoolBuilder::new().num_threads(jobs).build().context("cannot start threads")?;
        let found = pool.install(|| ceilings::survey(&points, methods, told));
        if let Some(path) = &self.output {
            write_whole(path, &ceilings::csv(&points, &found)?)?;
        }
        let (header, rows) = ceilings::medians(&points, &found);
        output::write(format_args!("{}", aligned::table(&header, &rows)))
    }

    /// The settings whose data are looked at, with their seeds.
    fn specs(&self) -> Result<Vec<RunSpec>> {
        let mut overrides = Overrides::with_seeds(self.seeds.clone());
        self.sets.iter().try_for_each(|assignment| overrides.set(assignment))?;
        if let Some(file) = &self.experiment {
            let plans = plan_all(std::slice::from_ref(file), &overrides)?;
            return Ok(plans.iter().flat_map(|(_, runs)| runs).map(|run| (*run.spec).clone()).collect());
        }
        let Seeds(seeds) = self.seeds.clone().unwrap_or(Seeds((1..=5).collect()));
        let of = |seed: u64| {
            let seed = tree::at_path("seed", Value::from(seed));
            let layers: Vec<&Value> = overrides.layers.iter().chain([&seed]).collect();
            resolve(&layers).map_err(|fault| match overrides.origin(&fault.path) {
                Some(flag) => input_error!("{flag}: {}", fault.message),
                None => input_error!("{}", fault.message),
            })
        };
        seeds.into_iter().map(of).collect()
    }
}
