//! What a handful of seeds says about all seeds: means with intervals.

mod bootstrap;
mod student;

pub use bootstrap::Estimate;
pub use student::student_t_975;
