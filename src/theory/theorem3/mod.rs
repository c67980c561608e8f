//! Theorem 3: from a warm start, alternating optimisation with symmetric ReLU finds the dictionary.
//!
//! With M = I, encoders `SReLU_b(W a)` with a fixed bias (Eq. 14), warm starts `I + Delta` with
//! `|Delta_ij| < 1 / (10 d)`, noise below Delta and a bias in the interval of Assumption 4, the theorem lets the online
//! encoder descend the loss (Eq. 15) to convergence, rows scaled to unit length after every step, then the target, and so
//! on: both converge to the identity. They do if also `alpha^2 beta < 1 - b`, which the theorem does not ask for.
//!
//! [`expectation`] has the loss in expectation over latents, noise and masks, exactly or on samples; [`alternation`] the
//! optimisation, its assumptions and the rate at which the error shrinks; the studies have a file each.

pub mod alternation;
mod contraction;
mod convergence;
pub mod expectation;
mod hypothesis;
mod inside;
mod options;
mod samples;
mod sweeps;

pub use options::Options;

use std::path::Path;

use anyhow::Result;

use super::{Check, Report};
use crate::record::Table;
use expectation::{Noise, Pairs, Source};

/// The parts of the study that draw numbers; the numbers enter the keys.
#[derive(Clone, Copy)]
enum Part {
    Starts = 1,
    Samples,
}

/// Computes everything, writes tables to the folder `out` and figures to the folder `plots`.
///
/// # Errors
/// An error of the file system.
pub fn run(options: &Options, out: &Path, plots: &Path) -> Result<Report> {
    let mut report = Report::new("theorem3", &options.title, out, plots)?;
    inside::study(options, &mut report);
    report.verdicts = vec![hypothesis::study(options, &mut report)?];
    convergence::study(options, &mut report)?;
    sweeps::study(options, &mut report)?;
    samples::study(options, &mut report)?;
    report.save()?;
    Ok(report)
}

/// The pairs of views for noise with finitely many values.
fn exact(source: Source, sigma: f64) -> Pairs {
    let noise = if sigma == 0.0 { Noise::None } else { Noise::TwoPoint(sigma) };
    source.pairs(noise).expect("finitely many views")
}
