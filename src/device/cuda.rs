use std::sync::LazyLock;

use super::driver::{CudaVersion, Driver, Gpu};

/// The driver, or why there is none.
pub(super) fn driver() -> Result<&'static Driver, String> {
    static DRIVER: LazyLock<Result<Driver, String>> = LazyLock::new(Driver::open);
    DRIVER.as_ref().map_err(Clone::clone)
}

/// What a CUDA device is, by its number.
///
/// # Errors
/// There is no driver or no such device.
pub fn gpu(number: usize) -> Result<Gpu, String> {
    driver()?.gpu(number)
}

/// All CUDA devices that the driver shows to this process, whether or not libtorch can use them; none without a driver.
pub fn gpus() -> Vec<Gpu> {
    let Ok(driver) = driver() else { return Vec::new() };
    (0..driver.devices().unwrap_or(0)).filter_map(|number| driver.gpu(number).ok()).collect()
}

/// Multiprocessors of a CUDA device, by its number: each runs a few blocks of threads at a time.
///
/// # Errors
/// There is no driver or no such device.
pub fn multiprocessors(number: usize) -> Result<usize, String> {
    driver()?.multiprocessors(number)
}

/// Number of CUDA devices that this process may see and libtorch can use, or why there are none.
///
/// The linker drops libtorch's CUDA half, since nothing refers to it by name; it is loaded here, and only where an
/// NVIDIA driver is present that is new enough for it.
pub fn cuda_status() -> Result<usize, String> {
    static STATUS: LazyLock<Result<usize, String>> = LazyLock::new(|| usable(driver()?));
    STATUS.clone()
}

#[cfg(not(feature = "torch"))]
fn usable(_: &Driver) -> Result<usize, String> {
    Err("this program was built without libtorch (`make build TORCH=full`): on GPUs, the fused engine alone trains"
        .into())
}

#[cfg(feature = "torch")]
fn usable(driver: &Driver) -> Result<usize, String> {
    libtorch_cuda().map_or(Ok(()), |built| suits(driver.version, built))?;
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

/// Whether a driver runs what was built with this version of CUDA: it runs the same major version and older ones.
#[cfg(feature = "torch")]
fn suits(driver: CudaVersion, built: CudaVersion) -> Result<(), String> {
    if driver.major >= built.major {
        return Ok(());
    }
    let advice = match builds(driver) {
        Some(build) => format!("`make setup build TORCH=full TORCH_CUDA={build}`, or update the driver"),
        None => "update the driver".into(),
    };
    Err(format!("the NVIDIA driver is for CUDA {driver}, older than the CUDA {built} of this libtorch; {advice}"))
}

/// The newest of PyTorch's builds that a driver runs.
#[cfg(feature = "torch")]
fn builds(driver: CudaVersion) -> Option<&'static str> {
    match (driver.major, driver.minor) {
        (13.., _) => Some("cu130"),
        (12, 8..) => Some("cu128"),
        (12, _) => Some("cu126"),
        _ => None,
    }
}

/// Whether libtorch has kernels for a device: PyTorch's builds with CUDA 13 begin at compute capability 7.5.
///
/// # Errors
/// It has none; which build has.
pub fn has_kernels(number: usize) -> Result<(), String> {
    let Some(built) = libtorch_cuda() else { return Ok(()) };
    let driver = driver()?;
    let (major, minor) = driver.capability(number)?;
    if built.major < 13 || (major, minor) >= (7, 5) {
        return Ok(());
    }
    let name = driver.gpu(number).map_or_else(|_| format!("device {number}"), |gpu| gpu.name);
    Err(format!(
        "{name} has compute capability {major}.{minor}, and libtorch with CUDA {built} has kernels from 7.5 on; \
         `make setup build TORCH=full TORCH_CUDA=cu126`"
    ))
}

/// The version of CUDA that libtorch was built with, where its folder says so.
fn libtorch_cuda() -> Option<CudaVersion> {
    option_env!("LANDSCAPE_LIBTORCH_CUDA")?.parse().ok()
}

/// Whether a CUDA device still computes. After some errors, such as one of its memory, it never will again in this
/// process.
///
/// # Errors
/// It does not; the first line of its error.
#[cfg(feature = "torch")]
pub fn answers(number: usize) -> Result<(), String> {
    use tch::{Device, Kind, TchError, Tensor};

    let asked = Tensor::f_ones([1], (Kind::Float, Device::Cuda(number))).and_then(|one| one.f_double_value(&[0]));
    match asked {
        Ok(1.0) => Ok(()),
        Ok(other) => Err(format!("it takes 1 for {other}")),
        Err(TchError::Torch(text)) => Err(text.lines().next().unwrap_or("no reason given").to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(all(test, feature = "torch"))]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_is_too_old_is_told_which_libtorch_it_runs() {
        let suits = |driver: &str, built: &str| suits(driver.parse().unwrap(), built.parse().unwrap());
        assert_eq!(suits("13.0", "13.0"), Ok(()));
        assert_eq!(suits("12.0", "12.6"), Ok(()), "any driver of the same major number");
        assert_eq!(suits("13.1", "12.6"), Ok(()));
        assert!(suits("12.4", "13.0").unwrap_err().contains("TORCH_CUDA=cu126"));
        assert!(suits("12.9", "13.0").unwrap_err().contains("TORCH_CUDA=cu128"));
        assert!(suits("11.8", "12.6").unwrap_err().ends_with("update the driver"));
    }
}
