//! What the authors' scripts pickle of a run (`training_val_dict_*.pkl`), as tensors.

use std::path::Path;

use anyhow::Result;
use ndarray::{Array1, Array2, arr1};

use super::{Exported, encoder, is_what_the_run_saw, tensors::reals, write};
use crate::{
    metrics::{cosines, max_cosine},
    record::{self, StoredTensor},
    spec::{Dtype, Family, Moment, layout::StateDict},
    train::Cohort,
};

/// The file's name within the folder of the run.
pub const FILE: &str = "val_dict.safetensors";

/// Writes `val_dict.safetensors` into a recorded run's folder, with the entries of the authors' dictionary:
///
/// - `M` `(p, d)`;
/// - `init_metric` and `final_metric` `(3,)`: the largest, median and smallest max-cosine, and `init_Wo_dot_M` and
///   `final_Wo_dot_M` `(m, d)`, all cosines of `W^o` with the atoms, as their `check_sparse_coding_learning` returns them;
/// - `loss` `(1,)`, of the last batch;
/// - `model.NAME`: the trained model's state dict, in which `bo` and `bt` are the encoders' biases once more where
///   theirs names them twice.
///
/// `start` are the weights that the run was told to start from, if it was.
///
/// # Errors
/// No such run, or a broken one; data that would not be what it saw; a disk that does not suffice.
pub fn val_dict(run: &Path, start: Option<&StateDict>) -> Result<Exported> {
    let record = record::read_run(run)?;
    let cohort = Cohort::draw(&[std::sync::Arc::new(record.spec.clone())])?;
    is_what_the_run_saw(&record, &cohort)?;
    let dictionary = &cohort.datasets()[0].dictionary;
    let start = start.unwrap_or(&cohort.members()[0].state);
    let mut tensors = vec![reals("M", dictionary, Dtype::Float64)];
    for (when, state) in [("init", start), ("final", &record.state)] {
        let encoder = encoder(state, record.spec.dtype)?;
        tensors.push(reals(&format!("{when}_metric"), &metric(&encoder, dictionary), Dtype::Float64));
        tensors.push(reals(&format!("{when}_Wo_dot_M"), &cosines(&encoder, dictionary), Dtype::Float64));
    }
    let loss = record.metrics.at("loss", Moment::End).unwrap_or(f64::NAN);
    tensors.push(reals("loss", &arr1(&[loss]), record.spec.dtype));
    let mut state = record.state;
    if record.spec.model.family == Family::NonContrastive {
        add_aliases(&mut state);
    }
    let stored = record::stored(&state, record.spec.dtype).into_iter();
    tensors.extend(
        stored.map(|(name, dtype, shape, bytes)| -> StoredTensor { (format!("model.{name}"), dtype, shape, bytes) }),
    );
    write(run.join(FILE), &tensors)
}

/// Largest, median and smallest max-cosine.
fn metric(encoder: &Array2<f64>, dictionary: &Array2<f64>) -> Array1<f64> {
    let cosine = max_cosine(encoder, dictionary);
    arr1(&[cosine.max, cosine.median, cosine.min])
}

/// The forward pass of their models with two encoders sets `self.bo = self.Wo.bias`, so that a trained one has two names
/// for it.
fn add_aliases(state: &mut StateDict) {
    for (alias, name) in [("bo", "Wo.bias"), ("bt", "Wt.bias")] {
        if let (Some(bias), false) = (state.get(name).cloned(), state.contains_key(alias)) {
            state.insert(alias.into(), bias);
        }
    }
}
