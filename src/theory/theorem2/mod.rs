//! Theorem 2: two linear encoders never leave the span of where they started.
//!
//! Encoders without activation and bias, trained together on the linear loss (Eq. 7) with weight decay, follow a linear
//! recurrence in expectation: the sum `(W^o + W^t) M` is multiplied by `lambda + c_t` in step t and the difference by
//! `lambda - c_t`, where `c_t = 2 eta_t alpha^2 (kappa + sigma^2)`. Hence `W^o_t M = C1 W^o_0 M + C2 (W^o_0 + W^t_0) M`
//! with `C1 = prod (lambda - c_i)` and `C2 = (prod (lambda + c_i) - prod (lambda - c_i)) / 2`: whatever is learnt was
//! there at the start. (The paper prints another C2: see [`dynamics::printed_sum_coefficient`].)
//!
//! [`dynamics`] has the recurrence, its closed form and its stochastic counterpart; the studies have a file each.

mod coefficients;
mod corollary;
pub mod dynamics;
mod options;
mod population;
mod rates;
mod samples;

pub use options::Options;

use std::path::Path;

use anyhow::Result;
use ndarray::Array2;

use super::{Check, Report, columns::frobenius};
use crate::{
    plots::{Band, Figure},
    record::Table,
};
use dynamics::{Encoders, Source};

/// The parts of the study that draw numbers; the numbers enter the keys.
#[derive(Clone, Copy)]
enum Part {
    Dictionary = 1,
    Starts,
    Samples,
    Corollary,
}

/// Computes everything, writes tables to the folder `out` and figures to the folder `plots`.
///
/// # Errors
/// An error of the file system.
pub fn run(options: &Options, out: &Path, plots: &Path) -> Result<Report> {
    let mut report = Report::new("theorem2", &options.title, out, plots)?;
    let mut panels = population::study(options, &mut report)?;
    panels.push(rates::study(options, &mut report)?);
    let dynamics = Figure {
        title: "Two linear encoders follow the closed form to rounding, and never leave their start's span".into(),
        subtitle: format!(
            "population gradient descent; p = {}, d = {}, m = {}, α = {}, sparsity {}",
            options.p, options.d, options.m, options.alpha, options.sparsity
        ),
        panels,
        columns: 3,
        band: Band::MinMax,
        ..Figure::default()
    };
    report.figure("dynamics", |path| dynamics.draw(path))?;
    samples::study(options, &mut report)?;
    corollary::study(options, &mut report)?;
    report.verdicts = coefficients::study(options, &mut report);
    report.save()?;
    Ok(report)
}

/// Both encoders times the dictionary.
fn seen(encoders: &Encoders, source: &Source) -> (Array2<f64>, Array2<f64>) {
    (encoders.online.dot(&source.dictionary), encoders.target.dot(&source.dictionary))
}

fn relative_difference(found: &Array2<f64>, expected: &Array2<f64>) -> f64 {
    frobenius(&(found - expected)) / frobenius(expected)
}

/// Steps 0 to `count` as positions of a curve.
fn steps(count: usize) -> Vec<f64> {
    (0..=count).map(|step| step as f64).collect()
}
