//! Running many runs: which are still to do, how they are grouped, on which device, and what the user sees meanwhile.

mod cost;
mod device;
mod engine;
mod progress;
mod work;

pub use cost::{steps_text, work};
pub use device::{DeviceChoice, cuda_status};
pub use engine::EngineChoice;
pub use progress::human_time;
pub use work::{Failure, Options, Outcome, run};
