//! What a recorded run learnt from, as files for other programs.
//!
//! A run's data are drawn again, which gives the numbers that it saw: draws are functions of the settings. The first row of
//! `metrics.csv` was computed from the dictionary and the initial weights, so it tells whether that is so.

mod epochs;
mod tensors;
mod val_dict;

pub use epochs::Epochs;
pub use val_dict::{FILE as VAL_DICT, val_dict};

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use ndarray::{Array1, Array2, Array3, Axis, Ix2, concatenate, stack};

use self::tensors::{integers, reals};
use crate::{
    input_error,
    metrics::max_cosine,
    record::{self, RunRecord},
    runner::{self, EngineKind},
    spec::{Dtype, Moment, Turn, layout::StateDict},
    train::Cohort,
};

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Where it lies.
    pub path: PathBuf,
    /// The names of its tensors with their shapes.
    pub holds: Vec<(String, Vec<usize>)>,
}

/// Writes what the run in `run` learnt from into the folder `to`:
///
/// - `spec.json`: its settings, all of them;
/// - `data.safetensors`: `dictionary` `(p, d)` and `latents` `(n, d)` in double precision, `samples` `(n, p)`;
/// - `views-E.safetensors` for each chosen epoch E, the one that row E of `metrics.csv` tells of: `x1` and `x2` `(N, p)`, the
///   pairs of views of all its batches; `sample` and `batch` `(N,)`, where each pair is from; and of each batch `(batches,)`
///   `turn`, who learns (0 the online branch, 1 the target, 2 everything), and `lr`, the learning rate;
/// - `start.safetensors` and `final.safetensors`: the weights before and after training.
///
/// Samples, views and weights are in the run's precision. A run that was told its start has no `start.safetensors`: nothing
/// tells what it was.
///
/// # Errors
/// No such run, or a broken one; epochs that it does not have; data that would not be what it saw; memory or disk that do
/// not suffice.
pub fn export(run: &Path, to: &Path, epochs: &Epochs) -> Result<Vec<Exported>> {
    let record = record::read_run(run)?;
    let chosen = epochs.of(record.spec.train.epochs)?;
    can_be_drawn(&record)?;
    let mut cohort = Cohort::draw(&[Arc::new(record.spec.clone())])?;
    is_what_the_run_saw(&record, &cohort)?;
    if !record.summary.provenance.is_of_this_code() {
        log::warn!(
            "the run was made by other sources of this program: its dictionary and weights have been checked, its latents, \
             noise and masks are taken to be drawn as they are now"
        );
    }
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;

    let mut written = vec![write_settings(&record, to)?, write_data(&record, &cohort, to)?];
    let dtype = record.spec.dtype;
    let state = |name: &str, state: &StateDict| write(to.join(name), &record::stored(state, dtype));
    if record.summary.start.is_none() {
        written.push(state("start.safetensors", &cohort.members()[0].state)?);
    }
    written.push(state("final.safetensors", &record.state)?);
    let all_before = record.spec.random.is_authors(); // their generators go through every epoch
    let last = chosen.last().copied().unwrap_or(0);
    for epoch in (1..=last).filter(|epoch| all_before || chosen.contains(epoch)) {
        let views = EpochViews::deal(&mut cohort, epoch - 1);
        if chosen.contains(&epoch) {
            written.push(views.write(to.join(format!("views-{epoch}.safetensors")), dtype)?);
        }
    }
    Ok(written)
}

/// Fails where the draws would be others than the run's, or too large to hold.
fn can_be_drawn(record: &RunRecord) -> Result<()> {
    let spec = &record.spec;
    if cfg!(not(feature = "torch")) && spec.random.is_authors() {
        return Err(input_error!(
            "the run has the authors' draws, whose dictionary needs LAPACK's last bits: export it by a program with \
             libtorch (`make build TORCH=lean`)"
        ));
    }
    // An epoch's views twice in double precision, while they are put together, and once as bytes.
    let pairs = (spec.samples_per_epoch() * spec.views.pairs) as f64;
    let views = 5.0 * 8.0 * pairs * spec.data.p as f64;
    runner::ensure_memory("the data of such a run", runner::memory_needed(spec, EngineKind::Fused) + views)
}

/// Fails unless the dictionary and the weights give the cosines that the run recorded: at its end, and at its start where
/// that was drawn.
fn is_what_the_run_saw(record: &RunRecord, cohort: &Cohort) -> Result<()> {
    let dictionary = &cohort.datasets()[0].dictionary;
    let starts = record.summary.start.is_none().then_some((Moment::Start, &cohort.members()[0].state));
    for (moment, state) in starts.into_iter().chain([(Moment::End, &record.state)]) {
        let Some(recorded) = record.metrics.at("min_cosine", moment) else { continue };
        let drawn = max_cosine(&encoder(state, record.spec.dtype)?, dictionary).min;
        // Processors differ in the order of sums.
        if (drawn - recorded).abs() > 1e-9 {
            bail!(
                "the data that this program draws is not what the run saw: its min_cosine at the {} is {recorded}, and drawn \
                 again {drawn}; the program that made it was version {}",
                if moment == Moment::Start { "start" } else { "end" },
                record.summary.provenance.version,
            );
        }
    }
    Ok(())
}

/// W^o, `(m, p)`, in the precision in which the run had it.
fn encoder(state: &StateDict, dtype: Dtype) -> Result<Array2<f64>> {
    let weight = state.get("Wo.weight").context("the run has no encoder weight W^o")?;
    let weight = weight.clone().into_dimensionality::<Ix2>()?;
    Ok(if dtype == Dtype::Float32 { weight.mapv(|entry| f64::from(entry as f32)) } else { weight })
}

fn write_settings(record: &RunRecord, to: &Path) -> Result<Exported> {
    let path = to.join("spec.json");
    record::write_whole(&path, (serde_json::to_string_pretty(&record.spec.tree())? + "\n").as_bytes())?;
    Ok(Exported { path, holds: vec![] })
}

fn write_data(record: &RunRecord, cohort: &Cohort, to: &Path) -> Result<Exported> {
    let data = &cohort.datasets()[0];
    let tensors = [
        reals("dictionary", &data.dictionary, Dtype::Float64),
        reals("latents", &data.latents, Dtype::Float64),
        reals("samples", &data.x, record.spec.dtype),
    ];
    write(to.join("data.safetensors"), &tensors)
}

/// All pairs of views of an epoch.
struct EpochViews {
    /// `(N, p)`
    views: [Array2<f64>; 2],
    /// Row of the samples, `(N,)`.
    samples: Vec<i64>,
    /// Batch within the epoch, `(N,)`.
    batches: Vec<i64>,
    /// Whose turn it is, `(batches,)`.
    turns: Vec<i64>,
    /// Learning rates, `(batches,)`.
    rates: Vec<f64>,
    /// What the loss drew for each batch, `(batches, m, draws)`, if it draws.
    drawn: Option<Array3<f64>>,
}

impl EpochViews {
    /// Deals the batches of an epoch, counted from 0.
    fn deal(cohort: &mut Cohort, epoch: usize) -> Self {
        let spec = cohort.spec().clone();
        let mut parts = [vec![], vec![]];
        let mut drawn = vec![];
        let (mut samples, mut batches, mut turns, mut rates) = (vec![], vec![], vec![], vec![]);
        cohort.begin_epoch(epoch);
        let x = cohort.datasets()[0].x.clone(); // the epoch's own, where it has its own
        for k in 0..spec.batches().len() {
            let batch = cohort.batch(k);
            let run = &batch.runs[0];
            parts.iter_mut().zip(run.views(&x, batch.scale)).for_each(|(parts, view)| parts.push(view));
            samples.extend(run.rows.iter().map(|&row| i64::from(row)));
            batches.extend(std::iter::repeat_n(k as i64, run.rows.len()));
            turns.push(match batch.turn {
                Turn::Online => 0,
                Turn::Target => 1,
                Turn::Joint => 2,
            });
            rates.push(spec.train.lr * batch.rate);
            drawn.extend(spec.loss.drawn(run.draws, spec.model.m));
        }
        let views = parts.map(|parts| {
            let parts: Vec<_> = parts.iter().map(Array2::view).collect();
            concatenate(Axis(0), &parts).expect("all batches have p columns")
        });
        let drawn: Vec<_> = drawn.iter().map(Array2::view).collect();
        let drawn = (!drawn.is_empty()).then(|| stack(Axis(0), &drawn).expect("a loss draws as much for every batch"));
        Self { views, samples, batches, turns, rates, drawn }
    }

    fn write(&self, path: PathBuf, dtype: Dtype) -> Result<Exported> {
        let [x1, x2] = &self.views;
        let mut tensors = vec![
            reals("x1", x1, dtype),
            reals("x2", x2, dtype),
            integers("sample", &self.samples),
            integers("batch", &self.batches),
            integers("turn", &self.turns),
            reals("lr", &Array1::from(self.rates.clone()), Dtype::Float64),
        ];
        tensors.extend(self.drawn.iter().map(|drawn| reals("drawn", drawn, Dtype::Float64)));
        write(path, &tensors)
    }
}

fn write(path: PathBuf, tensors: &[record::StoredTensor]) -> Result<Exported> {
    record::write_whole(&path, &record::serialize(tensors)?)?;
    let holds = tensors.iter().map(|(name, _, shape, _)| (name.clone(), shape.clone())).collect();
    Ok(Exported { path, holds })
}
