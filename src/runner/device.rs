use std::{fmt, str::FromStr};

use anyhow::Result;

use super::EngineChoice;
use crate::{
    Device,
    device::{self, cuda_status},
    fused::cuda,
    input_error,
};

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device where there is one and it is estimated to be faster, else the CPU.
    Auto,
    /// The CPU, whatever else there is.
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("`{text}` is not a device; valid: auto, cpu, cuda, cuda:N")),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl DeviceChoice {
    /// The device asked for; none where it is still to be chosen. Asking for a CUDA device that is not there, or that
    /// the engine cannot use, is an error, never a silent fall-back.
    pub fn resolve(self, engine: EngineChoice) -> Result<Option<Device>> {
        match self {
            Self::Auto => Ok(None),
            Self::Cpu => Ok(Some(Device::Cpu)),
            Self::Cuda(number) => match usable(number, engine) {
                Ok(()) => Ok(Some(Device::Cuda(number))),
                Err(reason) => Err(input_error!("--device cuda:{number}: {reason}{}", visible_devices())),
            },
        }
    }
}

/// Whether an engine of this choice computes on a CUDA device, or why none does.
pub fn usable(number: usize, engine: EngineChoice) -> Result<(), String> {
    match engine {
        EngineChoice::Fused => cuda::runs_on(number),
        EngineChoice::Autograd => libtorch_uses(number),
        EngineChoice::Auto => {
            let fused = cuda::runs_on(number);
            if fused.is_ok() || cfg!(not(feature = "torch")) { fused } else { libtorch_uses(number) }
        }
    }
}

/// Whether libtorch computes on a CUDA device, or why it does not.
pub fn libtorch_uses(number: usize) -> Result<(), String> {
    let devices = cuda_status()?;
    if number >= devices {
        return Err(format!("there are {devices} CUDA devices, numbered from 0"));
    }
    device::has_kernels(number)
}

/// What limits the devices, for messages: CUDA shows a process only the devices that `CUDA_VISIBLE_DEVICES` lists, and
/// numbers those from 0.
fn visible_devices() -> String {
    std::env::var("CUDA_VISIBLE_DEVICES").map_or(String::new(), |list| format!(" (CUDA_VISIBLE_DEVICES={list})"))
}
