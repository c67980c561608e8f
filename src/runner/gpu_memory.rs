//! How many runs a GPU holds.

use crate::{
    device,
    spec::{Dtype, RunSpec},
};

/// Beyond this, more runs do not keep a GPU any busier: memory traffic takes longer than the launches.
pub const MOST: usize = 512;

/// Share of the memory that a cohort may take; libtorch's allocator needs room to cut from.
const SHARE: f64 = 0.7;

/// How many runs like `spec` to train side by side on a CUDA device.
///
/// Judged by all its memory, not by what is free: libtorch rounds cohorts of different sizes differently, and the same
/// command must give the same digits whatever else the device is doing. A cohort that turns out too large is split when
/// the device runs out of memory.
pub fn cohort_limit(spec: &RunSpec, device: usize) -> usize {
    device::gpu(device).map_or(MOST, |gpu| runs_in(gpu.memory as f64, spec))
}

fn runs_in(memory: f64, spec: &RunSpec) -> usize {
    ((SHARE * memory / bytes(spec)) as usize).clamp(1, MOST)
}

/// Memory of one run at its peak, in the backward pass, in bytes.
fn bytes(spec: &RunSpec) -> f64 {
    let size = match spec.dtype {
        Dtype::Float32 => 4.0,
        Dtype::Float64 => 8.0,
    };
    let (n, p, m) = (spec.data.samples as f64, spec.data.p as f64, spec.model.m as f64);
    let pairs = spec.train.batch_size.min(spec.data.samples) * spec.views.pairs;
    let b = pairs as f64;
    // Samples; masks, which are int64 bits before they are numbers; what autograd keeps of a layer (linear map, batch
    // norm, activation and their gradients) for each view; weights and gradients.
    let layers = spec.model.layers as f64 + 2.0;
    let mut values =
        n * p + 2.0 * b * (3.0 * p + 64.0 * 8.0 / size) + layers * (2.0 * 8.0 * b * m + 4.0 * m * m.max(p));
    values += spec.loss.work(pairs, spec.model.m).kept as f64;
    size * values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::resolve;

    #[test]
    fn more_memory_holds_more_runs_and_pairs_need_much() {
        let spec = |text: &str| resolve(&[&serde_yaml::from_str(text).unwrap()]).unwrap();
        let (ncl, cl) = (spec("{method: ncl}"), spec("{method: cl}"));
        let gigabyte = 1e9;
        assert!(runs_in(2.0 * gigabyte, &ncl) > runs_in(1.0 * gigabyte, &ncl));
        assert!(runs_in(2.0 * gigabyte, &ncl) > 4 * runs_in(2.0 * gigabyte, &cl));
        assert!(runs_in(16.0 * gigabyte, &cl) > 160, "the paper's runs fit on a small GPU at once");
        assert_eq!((runs_in(1.0, &cl), runs_in(1e18, &cl)), (1, MOST));
    }
}
