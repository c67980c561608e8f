//! The rows of `metrics.csv` from an engine's parameters.

use anyhow::Result;
use ndarray::{Array2, ArrayD, Ix2};

use super::{Cohort, parallel};
use crate::{
    engine::Engine,
    metrics::{self, Detail, Row, Spectrum},
    spec::{
        Dtype, Part, RunSpec, SpectrumSource,
        layout::{Layout, Site},
    },
};

/// One row for each run after `epoch` epochs, with the losses of the epoch's batches, `(batches, R)`.
pub fn rows(cohort: &Cohort, engine: &dyn Engine, epoch: usize, losses: Option<&[Vec<f64>]>) -> Result<Vec<Row>> {
    let spec = cohort.spec();
    let weights = Weights::read(spec, engine)?;
    let detail_due = spec.metrics.detail_every > 0
        && (epoch.is_multiple_of(spec.metrics.detail_every) || epoch == spec.train.epochs);
    let row = |r: usize| {
        let wo = &weights.wo[r];
        let wt = weights.wt.as_ref().map(|runs| &runs[r]);
        let loss = losses.and_then(|batches| Some(batches.last()?[r]));
        let loss_mean = losses.map(|batches| batches.iter().map(|batch| batch[r]).sum::<f64>() / batches.len() as f64);
        Row {
            epoch,
            loss,
            loss_mean,
            cosine: metrics::max_cosine(wo, &cohort.datasets()[r].dictionary),
            wo_norm: norm(wo.iter()),
            wt_norm: wt.map(|wt| norm(wt.iter())),
            bo_norm: weights.bo.as_ref().map(|runs| norm(runs[r].iter())),
            bt_norm: weights.bt.as_ref().map(|runs| norm(runs[r].iter())),
            weight_diff: wt.map(|wt| norm((wo - wt).iter())),
            detail: None,
        }
    };
    let mut rows = parallel::each(cohort.members().len(), row);
    if detail_due {
        let details = details(cohort, engine, &weights)?;
        rows.iter_mut().zip(details).for_each(|(row, detail)| row.detail = Some(detail));
    }
    Ok(rows)
}

fn details(cohort: &Cohort, engine: &dyn Engine, weights: &Weights) -> Result<Vec<Detail>> {
    let spec = cohort.spec();
    let is_single = spec.dtype == Dtype::Float32;
    let representations = engine.representations()?;
    let latents = cohort.last_latents();
    let heads = |name: &str| matrices(spec, engine, name);
    let (wp, wproj) = (heads("Wp.weight")?, heads("Wproj.weight")?);
    let of = |runs: &Option<Vec<Array2<f64>>>, r: usize| -> Option<Spectrum> { metrics::spectrum(&runs.as_ref()?[r]) };
    let detail = |r: usize| {
        let wo = metrics::spectrum(&weights.wo[r]);
        let wt = match spec.metrics.target_spectrum {
            SpectrumSource::Target => of(&weights.wt, r),
            SpectrumSource::Online => weights.wt.as_ref().and(wo),
        };
        let batch = representations.get(r).zip(latents.get(r));
        let dictionary = &cohort.datasets()[r].dictionary;
        Detail {
            support: batch.map(|(h, z)| metrics::support(&weights.wo[r], dictionary, h, z, is_single)),
            wo,
            wt,
            wp: of(&wp, r),
            wproj: of(&wproj, r),
            collapse: batch.and_then(|(h, _)| metrics::collapse(h)),
            recovery: metrics::recovery(&weights.wo[r], dictionary),
            wt_min_cosine: weights.wt.as_ref().map(|wt| metrics::max_cosine(&wt[r], dictionary).min),
            latent_r2: batch.and_then(|(h, z)| metrics::latent_r2(h, z)),
        }
    };
    Ok(parallel::each(cohort.members().len(), detail))
}

/// First-layer parameters of both encoders, for each run.
struct Weights {
    wo: Vec<Array2<f64>>,
    wt: Option<Vec<Array2<f64>>>,
    bo: Option<Vec<ArrayD<f64>>>,
    bt: Option<Vec<ArrayD<f64>>>,
}

impl Weights {
    fn read(spec: &RunSpec, engine: &dyn Engine) -> Result<Self> {
        let layout = Layout::of(&spec.model, spec.data.p);
        let bias = |part: Part| -> Result<Option<Vec<ArrayD<f64>>>> {
            layout.bias(Site::first(part)).map(|bias| engine.parameter(&bias.name)).transpose()
        };
        Ok(Self {
            wo: matrices(spec, engine, "Wo.weight")?.unwrap_or_default(),
            wt: matrices(spec, engine, "Wt.weight")?,
            bo: bias(Part::Encoder)?,
            bt: bias(Part::Target)?,
        })
    }
}

/// A weight matrix of each run, where the model has one of that name; the names are the authors'.
fn matrices(spec: &RunSpec, engine: &dyn Engine, name: &str) -> Result<Option<Vec<Array2<f64>>>> {
    let layout = Layout::of(&spec.model, spec.data.p);
    let is_matrix = layout.iter().any(|parameter| parameter.name == name && parameter.shape.len() == 2);
    if !is_matrix {
        return Ok(None);
    }
    let runs = engine.parameter(name)?.into_iter().map(|run| Ok(run.into_dimensionality::<Ix2>()?));
    runs.collect::<Result<_>>().map(Some)
}

fn norm<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}
