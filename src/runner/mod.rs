//! Running many runs: which are still to do, how they are grouped, on which device, and what the user sees meanwhile.
//!
//! [`run`] divides a sweep into groups of runs (`cohorts`) and puts them into a `queue`, which takes account of other
//! processes in the same folder. Each worker takes a group, trains it as a cohort (`training`), saves it now and then,
//! and records finished runs. `faults` handles what goes wrong, `interrupt` signals.

mod auto;
mod cohorts;
mod cost;
mod device;
mod engine;
mod faults;
mod gpu_memory;
mod interrupt;
mod lost_device;
mod memory;
mod progress;
mod queue;
mod recording;
mod shard;
mod slurm_task;
mod status;
mod sweep;
mod training;

pub use crate::device::cuda_status;
pub use cost::{steps_text, work, work_units};
pub use device::DeviceChoice;
pub use engine::{EngineChoice, EngineKind, build, build_with_loss};
pub use interrupt::{Interrupt, Interrupted, Signals, survive_large_files};
pub use lost_device::LostDevice;
pub use memory::{bytes as memory_needed, ensure as ensure_memory};
pub use progress::{ProgressMode, human_seconds, human_time};
pub use shard::{IndexChoice, Pieces, Shard, ShardChoice, Share, deal, whole_plan};
pub use status::{RunState, SweepStatus, plan};
pub use sweep::{Build, Failure, Options, Outcome, check, run, run_with};

fn lock<T: ?Sized>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
