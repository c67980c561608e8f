use std::{
    ffi::{CStr, c_char, c_int},
    fmt,
    str::FromStr,
};

use libloading::{Library, Symbol};
use serde::{Deserialize, Serialize};

use super::tf32;

/// A version of CUDA: what a driver supports, or what a library was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CudaVersion {
    pub major: u32,
    pub minor: u32,
}

impl FromStr for CudaVersion {
    type Err = ();

    /// `13.0`
    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        Ok(Self { major: major.parse().map_err(drop)?, minor: minor.parse().map_err(drop)? })
    }
}

impl fmt::Display for CudaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A GPU as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// The card's name.
    pub name: String,
    /// Compute capability, such as `9.0`.
    pub capability: String,
    /// All its memory (that of a slice, on a card cut into slices), in bytes.
    pub memory: u64,
    /// The version of CUDA that the driver supports, such as `13.0`, and the driver's own where the system tells it.
    pub driver: String,
    /// Whether single-precision products may be rounded to TF32.
    #[serde(default)]
    pub tf32: bool,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gigabytes = self.memory as f64 / 1e9;
        write!(f, "{}, compute capability {}, {gigabytes:.1} GB, driver {}", self.name, self.capability, self.driver)
    }
}

/// The NVIDIA driver, through `libcuda.so.1`. Nothing asked here creates a context on a device.
#[derive(Debug)]
pub struct Driver {
    pub(super) library: Library,
    pub version: CudaVersion,
}

/// `CUdevice_attribute`
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;
const MULTIPROCESSORS: c_int = 16;

/// A function of cuda.h that returns a `CUresult`.
macro_rules! call {
    ($library:expr, $name:literal ($($argument:expr => $kind:ty),* $(,)?)) => {{
        // SAFETY: the signature is cuda.h's, and every pointer is to what outlives the call.
        let status = unsafe {
            let function: Result<libloading::Symbol<unsafe extern "C" fn($($kind),*) -> std::ffi::c_int>, _> =
                $library.get(concat!($name, "\0"));
            function.map(|function| function($($argument),*))
        };
        match status {
            Ok(0) => Ok(()),
            Ok(status) => Err($crate::device::driver::explained($library, $name, status)),
            Err(_) => Err(format!("libcuda.so.1 has no {}", $name)),
        }
    }};
}
pub(super) use call;

impl Driver {
    /// The driver of this machine, ready to be asked.
    ///
    /// # Errors
    /// There is none, or it does not start, and why.
    pub fn open() -> Result<Self, String> {
        // SAFETY: loading a library runs its initialisers; libcuda's are made for that.
        let library = unsafe { Library::new("libcuda.so.1") };
        let library = library.map_err(|_| "no NVIDIA driver (libcuda.so.1) is installed".to_string())?;
        call!(&library, "cuInit"(0 => u32))?;
        let mut version: c_int = 0;
        call!(&library, "cuDriverGetVersion"(&raw mut version => *mut c_int))?;
        let version = version.unsigned_abs();
        Ok(Self { library, version: CudaVersion { major: version / 1000, minor: version % 1000 / 10 } })
    }

    /// Devices that this process may see.
    pub fn devices(&self) -> Result<usize, String> {
        let mut count: c_int = 0;
        call!(&self.library, "cuDeviceGetCount"(&raw mut count => *mut c_int))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// The compute capability of a device, by its number.
    pub fn capability(&self, number: usize) -> Result<(u32, u32), String> {
        let attribute = |attribute| self.attribute(number, attribute).map(c_int::unsigned_abs);
        Ok((attribute(CAPABILITY_MAJOR)?, attribute(CAPABILITY_MINOR)?))
    }

    /// Multiprocessors of a device, by its number.
    pub fn multiprocessors(&self, number: usize) -> Result<usize, String> {
        Ok(usize::try_from(self.attribute(number, MULTIPROCESSORS)?).unwrap_or(1).max(1))
    }

    /// An attribute of a device, by its number.
    fn attribute(&self, number: usize, attribute: c_int) -> Result<c_int, String> {
        let (mut value, device): (c_int, c_int) = (0, self.device(number)?);
        call!(&self.library, "cuDeviceGetAttribute"(&raw mut value => *mut c_int, attribute => c_int, device => c_int))?;
        Ok(value)
    }

    /// What a device is, by its number.
    pub fn gpu(&self, number: usize) -> Result<Gpu, String> {
        let device = self.device(number)?;
        let mut name = [0 as c_char; 256];
        let length = name.len() as c_int - 1; // the last zero stays
        call!(&self.library, "cuDeviceGetName"(name.as_mut_ptr() => *mut c_char, length => c_int, device => c_int))?;
        let mut memory: usize = 0;
        call!(&self.library, "cuDeviceTotalMem_v2"(&raw mut memory => *mut usize, device => c_int))?;
        // SAFETY: the array ends with a zero.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        let (major, minor) = self.capability(number)?;
        let own = std::fs::read_to_string("/sys/module/nvidia/version").map(|own| format!(" ({})", own.trim()));
        let driver = format!("CUDA {}{}", self.version, own.unwrap_or_default());
        Ok(Gpu { name, capability: format!("{major}.{minor}"), memory: memory as u64, driver, tf32: tf32().is_some() })
    }

    /// `CUdevice` of a number.
    pub(super) fn device(&self, number: usize) -> Result<c_int, String> {
        let number = c_int::try_from(number).map_err(|_| format!("there is no device {number}"))?;
        let mut device: c_int = 0;
        call!(&self.library, "cuDeviceGet"(&raw mut device => *mut c_int, number => c_int))?;
        Ok(device)
    }
}

/// `cuInit failed with CUDA error 100 (no CUDA-capable device is detected)`
pub(super) fn explained(library: &Library, name: &str, status: c_int) -> String {
    let mut text: *const c_char = std::ptr::null();
    // SAFETY: the signature is cuda.h's; the text is the driver's own and stays as long as the library is loaded.
    let text = unsafe {
        let explain: Result<Symbol<unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int>, _> =
            library.get("cuGetErrorString\0");
        let explained = explain.is_ok_and(|explain| explain(status, &raw mut text) == 0) && !text.is_null();
        explained.then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    format!("{name} failed with CUDA error {status}{}", text.map(|text| format!(" ({text})")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<CudaVersion>().unwrap();
        assert!(version("12.10") > version("12.9") && version("13.0") > version("12.10"));
        assert_eq!(version("12.8").to_string(), "12.8");
        assert!("13".parse::<CudaVersion>().is_err() && "a.b".parse::<CudaVersion>().is_err());
    }
}
