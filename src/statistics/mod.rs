//! What a handful of seeds says about all seeds: means with intervals, differences, shares, exact tests, and what many tests
//! at once may claim.

mod bootstrap;
mod exact;
mod multiple;
mod share;
mod student;
mod welch;

pub use bootstrap::Estimate;
pub use exact::{permutation_test, sign_flip_test};
pub use multiple::benjamini_hochberg;
pub use share::{Share, fisher_exact};
pub use student::student_t_975;
pub use welch::{Agreement, Difference, Sample, agreement, detectable_difference, welch};
