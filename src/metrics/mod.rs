//! What is measured on a run: recovery of the dictionary, support, spectrum, collapse.
//!
//! Plain functions on plain arrays, in double precision; they know neither engines nor files.

mod collapse;
mod cosine;
mod row;
mod spectrum;
mod support;

pub use collapse::{Collapse, collapse};
pub use cosine::{MaxCosine, cosines, max_cosine};
pub use row::{COLUMNS, Detail, Row, column_bounds, column_name};
pub use spectrum::{Spectrum, spectrum};
pub use support::{Support, support};
