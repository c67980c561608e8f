use std::{fmt, str::FromStr};

use anyhow::Result;
use tch::Device;

use crate::{
    autograd::AutogradEngine,
    engine::{Engine, Member},
    fused::FusedEngine,
    input_error,
    spec::RunSpec,
};

/// What computes the gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// The fused engine where it applies (single precision on the CPU), else autograd.
    Auto,
    /// libtorch's autograd, the reference.
    Autograd,
    /// Hand-written kernels.
    Fused,
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

/// An engine, chosen for a run and a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chosen {
    Autograd,
    Fused,
}

impl Chosen {
    pub fn name(self) -> &'static str {
        match self {
            Self::Autograd => "autograd",
            Self::Fused => "fused",
        }
    }
}

impl EngineChoice {
    /// The engine for a run on a device; asking for the fused one where it does not apply is an error.
    pub fn choose(self, spec: &RunSpec, device: Device) -> Result<Chosen> {
        let fused = device == Device::Cpu && FusedEngine::supports(spec);
        match self {
            Self::Auto if fused => Ok(Chosen::Fused),
            Self::Autograd | Self::Auto => Ok(Chosen::Autograd),
            Self::Fused if fused => Ok(Chosen::Fused),
            Self::Fused => Err(input_error!(
                "--engine fused computes in float32 on the CPU, without the idle parts of the authors' models; use autograd"
            )),
        }
    }
}

/// Builds the engine for the members of a cohort.
pub fn build(chosen: Chosen, members: &[Member], device: Device) -> Result<Box<dyn Engine>> {
    match chosen {
        Chosen::Autograd => Ok(Box::new(AutogradEngine::new(members, device)?)),
        Chosen::Fused => Ok(Box::new(FusedEngine::new(members)?)),
    }
}
