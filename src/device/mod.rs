//! Where a cohort is trained, and what can be known of a GPU.

mod context;
mod cuda;
mod driver;
mod tf32;

use std::fmt;

pub use context::{Buffer, Context, Kernel, Plain, copies, runs_kernels};
#[cfg(feature = "torch")]
pub use cuda::answers;
pub use cuda::{cuda_status, gpu, gpus, has_kernels, multiprocessors};
pub use driver::{CudaVersion, Gpu};
pub use tf32::{forbid_tf32, tf32};

/// Where a cohort is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor: one thread for each cohort that is trained.
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
}

impl Device {
    /// Whether it is a GPU.
    pub fn is_cuda(self) -> bool {
        matches!(self, Self::Cuda(_))
    }
}

/// `cpu` or `cuda:0`, as in records and flags.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

#[cfg(feature = "torch")]
impl From<Device> for tch::Device {
    fn from(device: Device) -> Self {
        match device {
            Device::Cpu => Self::Cpu,
            Device::Cuda(number) => Self::Cuda(number),
        }
    }
}
