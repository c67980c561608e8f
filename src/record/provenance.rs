use std::{fs, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{
    Device,
    device::{self, Gpu},
};

/// Where and with what a run was computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// `autograd` or `fused`.
    pub engine: String,
    /// `cpu`, or `cuda:0` by number.
    pub device: String,
    /// Name of the processor, and its widest vector instructions: both engines use what it has, and round accordingly.
    #[serde(default)]
    pub processor: String,
    /// The card, its driver and the precision of its products, where the device is a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
    /// Version of the program.
    pub version: String,
    /// Version of libtorch that the program was built with; `none` without it.
    pub libtorch: String,
    /// Commit of the source, if the program was built from a checkout.
    pub commit: Option<String>,
    /// Whether the sources had been edited since that commit.
    #[serde(default)]
    pub modified: bool,
    /// Hash of the sources that decide a run's numbers (`build.rs` lists them); empty in older records.
    #[serde(default)]
    pub sources: String,
}

impl Provenance {
    /// Of this program on this machine.
    pub fn here(engine: &str, device: Device) -> Self {
        let gpu = match device {
            Device::Cpu => None,
            Device::Cuda(number) => device::gpu(number).ok(),
        };
        Self {
            engine: engine.into(),
            device: device.to_string(),
            processor: processor().into(),
            gpu,
            version: env!("CARGO_PKG_VERSION").into(),
            libtorch: option_env!("LANDSCAPE_LIBTORCH").unwrap_or("none").into(),
            commit: option_env!("LANDSCAPE_COMMIT").map(Into::into),
            modified: option_env!("LANDSCAPE_MODIFIED").is_some(),
            sources: env!("LANDSCAPE_SOURCES").into(),
        }
    }

    /// Whether both compute the same last digits, as far as can be told: another commit with the same sources does, as
    /// does another card of the same kind.
    pub fn computes_like(&self, other: &Self) -> bool {
        let kind = |device: &'_ str| device.split(':').next().unwrap_or_default().to_string();
        let card = |p: &Self| p.gpu.as_ref().map(|gpu| (gpu.name.clone(), gpu.tf32));
        let decides =
            |p: &Self| (p.engine.clone(), kind(&p.device), p.processor.clone(), p.libtorch.clone(), p.sources.clone());
        decides(self) == decides(other) && card(self) == card(other)
    }

    /// Whether the sources were those of this program. Older records do not say, and are judged by their commit.
    pub fn is_of_this_code(&self) -> bool {
        let here = Self::here(&self.engine, Device::Cpu);
        match self.sources.as_str() {
            "" => self.commit.is_some() && self.commit == here.commit && !here.modified,
            sources => sources == here.sources,
        }
    }
}

/// `AMD EPYC 9B14 96-Core Processor, AVX-512`
fn processor() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let line = info.lines().find(|line| line.starts_with("model name"));
        let name = line.and_then(|line| line.split_once(':')).map_or(std::env::consts::ARCH, |(_, name)| name.trim());
        format!("{name}{}", vectors())
    });
    &NAME
}

fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return ", AVX-512";
        } else if is_x86_feature_detected!("avx2") {
            return ", AVX2";
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_the_last_digits() {
        let here = Provenance::here("fused", Device::Cpu);
        assert!(here.computes_like(&here) && here.is_of_this_code());
        assert!(here.computes_like(&Provenance { commit: None, modified: true, ..here.clone() }));
        let gpu = Provenance { device: "cuda:0".into(), ..here.clone() };
        assert!(gpu.computes_like(&Provenance { device: "cuda:1".into(), ..here.clone() }));
        let card = |name: &str| {
            let (name, capability, driver) = (name.into(), "9.0".into(), "CUDA 13.0".into());
            Provenance { gpu: Some(Gpu { name, capability, driver, memory: 1, tf32: false }), ..gpu.clone() }
        };
        assert!(card("H100").computes_like(&card("H100")) && !card("H100").computes_like(&card("A100")));
        for other in [
            gpu,
            Provenance { engine: "autograd".into(), ..here.clone() },
            Provenance { processor: "abacus".into(), ..here.clone() },
            Provenance { libtorch: "1.0".into(), ..here.clone() },
            Provenance { sources: "0".into(), ..here.clone() },
        ] {
            assert!(!other.computes_like(&here), "{other:?}");
        }
        let older = |commit: Option<&str>| Provenance {
            sources: String::new(),
            commit: commit.map(Into::into),
            ..here.clone()
        };
        assert!(!older(None).is_of_this_code() && !older(Some("0123456789ab")).is_of_this_code());
        assert!(!Provenance { sources: "0".into(), ..here.clone() }.is_of_this_code());
    }
}
