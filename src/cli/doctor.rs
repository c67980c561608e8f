use anyhow::Result;
#[cfg(feature = "torch")]
use anyhow::bail;

use crate::{device, fused, output::say, runner};

/// Print versions, libtorch, devices, threads and fonts, and what to do about anything missing
#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub fn execute(self) -> Result<()> {
        say!(
            "landscape   {} (commit {}{})",
            env!("CARGO_PKG_VERSION"),
            option_env!("LANDSCAPE_COMMIT").unwrap_or("unknown"),
            option_env!("LANDSCAPE_MODIFIED").map_or("", |_| ", sources edited since")
        )?;
        say!("CPU         {} cores", cores())?;
        libtorch()?;
        match runner::cuda_status() {
            Ok(devices) => say!("CUDA        {devices} devices")?,
            Err(reason) => say!("CUDA        none: {reason}")?,
        }
        for (number, gpu) in device::gpus().iter().enumerate() {
            let unusable = device::has_kernels(number).err().map(|reason| format!("; {reason}"));
            say!("cuda:{number}      {gpu}{}", unusable.unwrap_or_default())?;
            match fused::cuda::runs_on(number) {
                Ok(()) => say!("            the fused engine trains on it (never measured yet: `make gpu-check`)")?,
                Err(reason) => say!("            the fused engine does not train on it: {reason}")?,
            }
        }
        say!("fonts       embedded, none of the system's are needed")?;
        say!("all is well")
    }
}

#[cfg(not(feature = "torch"))]
fn libtorch() -> Result<()> {
    say!("libtorch    none: built without; the fused engine trains")
}

#[cfg(feature = "torch")]
fn libtorch() -> Result<()> {
    let (libtorch, path) = (env!("LANDSCAPE_LIBTORCH"), env!("LANDSCAPE_LIBTORCH_PATH"));
    say!("libtorch    {libtorch}, in {path}, with {} threads", tch::get_num_threads())?;
    if !libtorch.starts_with("2.11.0") {
        bail!("libtorch {libtorch} is not the 2.11.0 that the bindings were made for; run `make setup`");
    }
    let sum = tch::Tensor::from_slice(&[1.0f32, 2.0]).sum(tch::Kind::Float).double_value(&[]);
    if sum != 3.0 {
        bail!("libtorch does not add 1 and 2 to 3; run `make clean setup build`");
    }
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
