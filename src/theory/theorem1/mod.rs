//! Theorem 1: where the losses have their minima.
//!
//! In the theorem's setting m = d = p, M = I, there is no noise, latents are uniform on the standard basis, the encoder
//! is `h(a) = ReLU(W a)` without bias, and W lies in U, the matrices with unit columns. The theorem says that (a) every
//! W without negative entries minimises the non-contrastive loss, whereas (b) the minimisers of the contrastive loss
//! are exactly the permutations. The first is true; the second depends on what "the contrastive loss" is in
//! expectation: see [`loss`].
//!
//! The mathematics: [`loss`] has both losses with exact expectations over the masks ([`expectation`]) and gradients,
//! [`descent`] minimises, [`surroundings`] certifies the end of a descent, [`hessian`] has the curvature on the
//! non-negative part of U. The studies: one file for each, with its table and its picture.

mod arcs;
mod curvatures;
pub mod descent;
pub mod expectation;
pub mod hessian;
mod limit;
pub mod loss;
mod minima;
mod optima;
mod options;
mod paths;
mod plane;
mod printed;
pub mod surroundings;
mod witnesses;

pub use options::Options;

use std::path::Path;

use anyhow::Result;

use super::{Check, Report};
use crate::record::Table;

/// The parts of the study that draw numbers; the numbers enter the keys.
#[derive(Clone, Copy)]
enum Part {
    Witnesses = 1,
    Optima,
    Descents,
    Neurons,
    Spectra,
    Paths,
    Slice,
    Limit,
}

/// Computes everything, writes tables to the folder `out` and figures to the folder `plots`.
///
/// # Errors
/// An error of the file system.
pub fn run(options: &Options, out: &Path, plots: &Path) -> Result<Report> {
    let mut report = Report::new("theorem1", &options.title, out, plots)?;
    witnesses::study(options, &mut report);
    optima::study(options, &mut report)?;
    minima::study(options, &mut report)?;
    let limit = limit::study(options, &mut report)?;
    arcs::study(options, &mut report)?;
    curvatures::study(options, &mut report)?;
    paths::study(options, &mut report)?;
    plane::study(options, &mut report)?;
    report.verdicts = printed::verdicts(options, &report, &limit);
    report.save()?;
    Ok(report)
}
