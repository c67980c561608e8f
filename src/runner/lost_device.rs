//! A device that no longer computes.

use std::fmt;

use super::{EngineKind, Interrupted, sweep::Sweep};
use crate::Device;

/// A GPU failed for good: no process, or at least not this one, can compute on it again. No run is to blame, so none is
/// noted as failed; what has been saved goes on elsewhere.
#[derive(Clone, Debug)]
pub struct LostDevice {
    /// The device that failed.
    pub device: Device,
    /// What it says.
    pub reason: String,
    /// Runs not finished.
    pub left: usize,
    /// Whether this process has recorded or saved anything: if not, another try on the same machine may fare no better.
    pub progressed: bool,
}

impl LostDevice {
    /// `EX_PROTOCOL` of sysexits.h: nothing was achieved; run the same command again, on another machine.
    pub const NO_PROGRESS: u8 = 76;

    /// What the program exits with.
    pub fn exit_code(&self) -> u8 {
        if self.progressed { Interrupted::EXIT_CODE } else { Self::NO_PROGRESS }
    }
}

impl fmt::Display for LostDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, reason, left, .. } = self;
        let node = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
        write!(
            f,
            "{device} of {} does not compute any more ({reason}): {left} runs are left; the same command goes on from \
             their checkpoints, best on another machine",
            node.as_deref().unwrap_or("this machine"),
        )
    }
}

impl std::error::Error for LostDevice {}

impl Sweep<'_> {
    /// Why the device no longer computes, if so.
    pub fn device_fault(&self, engine: EngineKind) -> Option<String> {
        match (self.device, engine) {
            (Device::Cuda(number), EngineKind::Fused) => crate::device::copies(number).err(),
            #[cfg(feature = "torch")]
            (Device::Cuda(number), EngineKind::Autograd) => crate::device::answers(number).err(),
            _ => None,
        }
    }

    /// The device has failed with `runs` under way: nothing more is begun.
    pub fn lose_device(&self, runs: usize, reason: String) {
        self.queue.close();
        let device = self.device;
        self.note(|outcome| {
            let lost = outcome.lost.get_or_insert(LostDevice { device, reason, left: 0, progressed: false });
            lost.left += runs;
        });
    }
}
