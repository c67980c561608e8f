//! What is measured on a run: recovery of the dictionary, support, spectrum, collapse; and what the numbers mean.
//!
//! Plain functions on plain arrays, in double precision; they know neither engines nor files.

mod chance;
mod collapse;
mod columns;
mod cosine;
mod decoding;
mod finding;
mod recovery;
mod row;
mod spectrum;
mod support;

pub use chance::{Atoms, Chance, chance, coherent, random_atoms};
pub use collapse::{Collapse, collapse};
pub use columns::{COLUMNS, Cells, Column, column, column_bounds, column_keys, column_name, measured};
pub use cosine::{FOUND, MaxCosine, cosines, max_cosine};
pub use decoding::latent_r2;
pub use finding::Finding;
pub use recovery::{Recovery, recovery};
pub use row::{Detail, Row};
pub use spectrum::{Spectrum, spectrum};
pub use support::{Support, support};
