//! How many runs a GPU holds.

use anyhow::{Context, Result, ensure};

use crate::spec::{Dtype, RunSpec};

/// Beyond this, more runs keep a GPU no busier.
const MOST: usize = 4096;

/// Share of the free memory that a cohort may take; libtorch's allocator needs room to cut from.
const SHARE: f64 = 0.7;

/// Runs like `spec` to train side by side on a CUDA device, by the memory that is free on it now.
///
/// Where the driver does not say how much that is, a cautious number. (A cohort that is too large all the same is split
/// when the device runs out of memory.)
pub fn cohort_limit(spec: &RunSpec, device: usize) -> usize {
    const CAUTIOUS: usize = 256;
    free_memory(device).map_or(CAUTIOUS, |free| runs_in(free as f64, spec))
}

fn runs_in(free: f64, spec: &RunSpec) -> usize {
    ((SHARE * free / bytes(spec)) as usize).clamp(1, MOST)
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
    // Samples; masks as int64 bits before they are numbers; what autograd keeps of a layer (linear map, batch norm,
    // activation and their gradients) for each view; weights and gradients.
    let layers = spec.model.layers as f64 + 2.0;
    let mut values =
        n * p + 2.0 * b * (3.0 * p + 64.0 * 8.0 / size) + layers * (2.0 * 8.0 * b * m + 4.0 * m * m.max(p));
    values += spec.loss.work(pairs, spec.model.m).kept as f64;
    size * values
}

/// Free memory of a CUDA device in bytes, from the driver.
fn free_memory(device: usize) -> Result<usize> {
    type Status = i32;
    type Handle = *mut std::ffi::c_void;
    // SAFETY: the signatures are those of cuda.h; the device's primary context, which libtorch uses too, is retained,
    // current and released again in turn, and every pointer is to a local that outlives its call.
    unsafe {
        let cuda = libloading::Library::new("libcuda.so.1")?;
        let call = |name: &str, status: Status| -> Result<()> {
            ensure!(status == 0, "{name} failed with CUDA error {status}");
            Ok(())
        };
        let init: libloading::Symbol<unsafe extern "C" fn(u32) -> Status> = cuda.get(b"cuInit\0")?;
        let retain: libloading::Symbol<unsafe extern "C" fn(*mut Handle, i32) -> Status> =
            cuda.get(b"cuDevicePrimaryCtxRetain\0")?;
        let release: libloading::Symbol<unsafe extern "C" fn(i32) -> Status> =
            cuda.get(b"cuDevicePrimaryCtxRelease_v2\0")?;
        let push: libloading::Symbol<unsafe extern "C" fn(Handle) -> Status> = cuda.get(b"cuCtxPushCurrent_v2\0")?;
        let pop: libloading::Symbol<unsafe extern "C" fn(*mut Handle) -> Status> = cuda.get(b"cuCtxPopCurrent_v2\0")?;
        let memory: libloading::Symbol<unsafe extern "C" fn(*mut usize, *mut usize) -> Status> =
            cuda.get(b"cuMemGetInfo_v2\0")?;
        let device = i32::try_from(device).context("the number of a device")?;
        let (mut context, mut free, mut total) = (std::ptr::null_mut(), 0, 0);
        call("cuInit", init(0))?;
        call("cuDevicePrimaryCtxRetain", retain(&mut context, device))?;
        let asked = call("cuCtxPushCurrent", push(context)).and_then(|()| {
            let status = memory(&mut free, &mut total);
            call("cuCtxPopCurrent", pop(&mut context))?;
            call("cuMemGetInfo", status)
        });
        call("cuDevicePrimaryCtxRelease", release(device))?;
        asked.map(|()| free)
    }
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
        assert!(runs_in(20.0 * gigabyte, &ncl) > runs_in(4.0 * gigabyte, &ncl));
        assert!(runs_in(20.0 * gigabyte, &ncl) > 4 * runs_in(20.0 * gigabyte, &cl));
        assert!(runs_in(140.0 * gigabyte, &cl) > 136, "the paper's runs fit on a large GPU at once");
        assert_eq!((runs_in(1.0, &cl), runs_in(1e18, &cl)), (1, MOST));
    }

    #[test]
    fn without_a_driver_the_number_is_cautious() {
        if free_memory(0).is_err() {
            let ncl = resolve(&[&serde_yaml::from_str("{method: ncl}").unwrap()]).unwrap();
            assert_eq!(cohort_limit(&ncl, 0), 256);
        }
    }
}
