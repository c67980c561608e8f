//! Which of the two engines trains a run, and how it is built.

use std::{fmt, str::FromStr, sync::Arc};

use anyhow::{Result, ensure};

use crate::{
    Device,
    engine::{Engine, Member},
    fused::{CudaEngine, FusedEngine, cuda},
    input_error,
    losses::Loss,
    spec::RunSpec,
};

/// What computes the gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// The fused engine where it applies, else autograd.
    Auto,
    /// libtorch's autograd, the reference.
    Autograd,
    /// Hand-written kernels.
    Fused,
}

impl EngineChoice {
    /// The choices with their names on the command line.
    pub const NAMES: [(Self, &'static str); 3] =
        [(Self::Auto, "auto"), (Self::Autograd, "autograd"), (Self::Fused, "fused")];
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "autograd" => Ok(Self::Autograd),
            "fused" => Ok(Self::Fused),
            _ => Err(format!("`{text}` is not an engine; valid: auto, autograd, fused")),
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Autograd => "autograd",
            Self::Fused => "fused",
        })
    }
}

/// One of the two engines, as chosen for a run on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// libtorch's autograd.
    Autograd,
    /// Hand-written kernels.
    Fused,
}

impl EngineKind {
    /// `autograd` or `fused`, as records have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Autograd => "autograd",
            Self::Fused => "fused",
        }
    }
}

/// What the fused engine is for.
const FUSED: &str = "the fused engine trains float32, with a loss that has a kernel and without idle parts of the \
                     authors' models";

const NEEDS_TORCH: &str = "a build with libtorch is needed: run `make build TORCH=lean`";

/// Whether the fused engine trains a run on a device, or why not.
fn fused(spec: &RunSpec, device: Device) -> Result<(), String> {
    match device {
        Device::Cpu if FusedEngine::supports(spec) => Ok(()),
        Device::Cpu => Err(FUSED.into()),
        Device::Cuda(number) => {
            cuda::covers(spec).map_err(|reason| format!("{FUSED}; {reason}"))?;
            cuda::runs_on(number)
        }
    }
}

/// Whether libtorch trains on a device, or why not.
fn autograd(device: Device) -> Result<(), String> {
    match device {
        Device::Cpu if cfg!(feature = "torch") => Ok(()),
        Device::Cpu => Err(NEEDS_TORCH.into()),
        Device::Cuda(number) => super::device::libtorch_uses(number),
    }
}

impl EngineChoice {
    /// The engine for a run on a device; asking for one where it does not apply is an error.
    pub fn choose(self, spec: &RunSpec, device: Device) -> Result<EngineKind> {
        if cfg!(not(feature = "torch")) && spec.random.is_authors() {
            return Err(input_error!("random: authors needs dictionaries to LAPACK's last bit: {NEEDS_TORCH}"));
        }
        match (self, fused(spec, device)) {
            (Self::Auto | Self::Fused, Ok(())) => Ok(EngineKind::Fused),
            (Self::Fused, Err(reason)) => {
                let instead = match autograd(device) {
                    Ok(()) => "use autograd".to_string(),
                    Err(reason) => format!("and autograd cannot on {device}: {reason}"),
                };
                Err(input_error!("--engine fused cannot train these runs on {device} ({reason}); {instead}"))
            }
            (Self::Auto, Err(fused)) => match autograd(device) {
                Ok(()) => Ok(EngineKind::Autograd),
                Err(reason) => Err(input_error!("these runs need autograd ({fused}): {reason}")),
            },
            (Self::Autograd, _) => match autograd(device) {
                Ok(()) => Ok(EngineKind::Autograd),
                Err(reason) => Err(input_error!("these runs need autograd: {reason}")),
            },
        }
    }
}

/// Builds the engine for the members of a cohort.
pub fn build(kind: EngineKind, members: &[Member], device: Device) -> Result<Box<dyn Engine>> {
    ensure!(!members.is_empty(), "a cohort has at least one run");
    if let (EngineKind::Fused, Device::Cuda(number)) = (kind, device) {
        return Ok(Box::new(CudaEngine::new(members, number)?));
    }
    build_with_loss(kind, members, members[0].spec.loss.shared(), device)
}

/// The same with the caller's loss instead of the settings'.
pub fn build_with_loss(
    kind: EngineKind,
    members: &[Member],
    loss: Arc<dyn Loss>,
    device: Device,
) -> Result<Box<dyn Engine>> {
    match kind {
        #[cfg(feature = "torch")]
        EngineKind::Autograd => Ok(Box::new(crate::autograd::AutogradEngine::with_loss(members, loss, device)?)),
        #[cfg(not(feature = "torch"))]
        EngineKind::Autograd => Err(input_error!("autograd on {device}: {NEEDS_TORCH}")),
        EngineKind::Fused => {
            ensure!(device == Device::Cpu, "the kernels for GPUs do not know a loss of one's own; use autograd");
            Ok(Box::new(FusedEngine::with_loss(members, loss)?))
        }
    }
}
