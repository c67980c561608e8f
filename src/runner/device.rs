use std::{fmt, str::FromStr, sync::LazyLock};

use anyhow::Result;

use crate::{Device, input_error};

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device if there is one, else the CPU.
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
    /// The device itself. Asking for a CUDA device that is not there is an error, never a silent fall-back.
    pub fn resolve(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(if cuda_status().is_ok() { Device::Cuda(0) } else { Device::Cpu }),
            Self::Cuda(number) => match cuda_status() {
                Ok(devices) if number < devices => Ok(Device::Cuda(number)),
                Ok(devices) => Err(input_error!(
                    "--device cuda:{number}: there are {devices} CUDA devices{}, numbered from 0",
                    visible_devices()
                )),
                Err(reason) => Err(input_error!("--device cuda: {reason}{}", visible_devices())),
            },
        }
    }
}

/// What narrows the devices down, for messages: CUDA shows a process the devices that `CUDA_VISIBLE_DEVICES` lists, and
/// numbers those from 0.
fn visible_devices() -> String {
    std::env::var("CUDA_VISIBLE_DEVICES").map_or(String::new(), |list| format!(" (CUDA_VISIBLE_DEVICES={list})"))
}

/// Number of CUDA devices that this process may see, or why there are none.
///
/// The linker drops libtorch's CUDA half, which nothing refers to by name; it is loaded here, and only where an NVIDIA
/// driver is present.
pub fn cuda_status() -> Result<usize, String> {
    static STATUS: LazyLock<Result<usize, String>> = LazyLock::new(|| {
        // SAFETY: loading a library runs its initialisers; libcuda's are made for that.
        unsafe {
            libloading::Library::new("libcuda.so.1").map_err(|_| "no NVIDIA driver (libcuda.so.1) is installed")?;
        }
        devices()
    });
    STATUS.clone()
}

#[cfg(not(feature = "torch"))]
fn devices() -> Result<usize, String> {
    Err("this program was built without libtorch, which computes on GPUs; `make build TORCH=full`".into())
}

#[cfg(feature = "torch")]
fn devices() -> Result<usize, String> {
    // SAFETY: loading a library runs its initialisers; libtorch_cuda's are made for that.
    unsafe {
        let library = libloading::Library::new("libtorch_cuda.so")
            .map_err(|error| format!("libtorch's CUDA library does not load ({error}); `make setup TORCH=full`"))?;
        std::mem::forget(library);
    }
    match tch::Cuda::device_count() {
        count if count > 0 && tch::Cuda::is_available() => Ok(count as usize),
        _ => Err("libtorch finds no CUDA device".into()),
    }
}
