//! Slurm: a sweep as a job array, and a job that draws its figures when the array has ended.

mod copies;
mod job;
mod limits;
mod quote;
mod submit;
mod time_limit;

pub use job::{Files, Gpus, Job, Program};
pub use submit::{Submitted, submit};
pub use time_limit::TimeLimit;
