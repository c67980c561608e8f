//! The fused engine on NVIDIA GPUs: a block of threads trains a run, through the driver alone.
//!
//! `kernels/` mirrors [`crate::kernels`] and [`crate::fused`], down to the order of their sums where that costs nothing;
//! products are taken in an order of their own. The host draws the samples' order, the kernel the masks; a launch is an
//! epoch, between launches everything stays on the device. `scripts/cuda/compile.py` makes `train.ptx`, which the driver
//! compiles for its device. Tests run the same source on the CPU (`tests/fake_cuda/`).

mod arguments;
mod engine;
mod plan;

pub use engine::CudaEngine;

use crate::{
    device::{self, CudaVersion},
    fused::FusedEngine,
    spec::{Dtype, Predictor, RunSpec, layout::Layout},
};

/// The least compute capability that runs the kernels, and the version of CUDA that compiled them.
const NEEDS: ((u32, u32), CudaVersion) = ((8, 0), CudaVersion { major: 12, minor: 4 });

/// Whether a device, by its number, runs the kernels.
///
/// # Errors
/// It does not, and why.
pub fn runs_on(number: usize) -> Result<(), String> {
    device::runs_kernels(number, NEEDS.0, NEEDS.1)
}

/// Whether the kernels train such a run.
///
/// # Errors
/// What of the settings they do not have, and what they have.
pub fn covers(spec: &RunSpec) -> Result<(), String> {
    if spec.dtype != Dtype::Float32 {
        return Err("on a GPU it trains dtype: float32".into());
    }
    if spec.random.is_authors() {
        return Err("on a GPU it draws random: native".into());
    }
    let RunSpec { data, views, model, .. } = spec;
    let ours = [
        ("model.predictor: direct", matches!(model.predictor, Predictor::Direct { .. })),
        ("data.fresh", data.fresh),
        ("data.noise_per_view", data.noise_per_view),
        ("views.noise", views.noise != 0.0),
        ("views.pattern: contiguous", !views.pattern.is_entries()),
        ("views.second_masking_prob", views.second_masking_prob.is_some()),
    ];
    if let Some((what, _)) = ours.into_iter().find(|(_, is_set)| *is_set) {
        return Err(format!("on a GPU it does not have {what}"));
    }
    if !plan::has(&spec.loss) {
        return Err(format!(
            "on a GPU it has no kernel for loss: {}, only for inner_product, l2, negative_cosine, nt_xent, \
             asymmetric_nt_xent and dcl",
            spec.loss.kind()
        ));
    }
    if !FusedEngine::supports(spec) || Layout::of(&spec.model, spec.data.p).len() > arguments::PLACES {
        return Err("it does not train idle parts of the authors' models".into());
    }
    Ok(())
}
