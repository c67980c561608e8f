//! The factor by which a turn shrinks the error, against the predicted one.

use anyhow::Result;
use rayon::prelude::*;

use super::{
    Check, Options, Report, Table,
    alternation::{AT_IDENTITY, Rule},
    exact,
    expectation::Source,
    options::Contraction,
};

/// The factor on the error in a late turn of a run: for every bias, for every start; and what theory says.
pub struct Rates {
    pub measured: Vec<Vec<f64>>,
    pub predicted: Vec<f64>,
}

/// Measures the factors and tabulates.
pub fn study(options: &Options, report: &mut Report) -> Result<Rates> {
    report.begin("the factor by which a turn shrinks the error");
    let Contraction { dimension: d, alpha, sparsity, noise, ref biases } = options.contraction;
    let source = Source { d, sparsity, alpha };
    let (pairs, assumed) = (exact(source, noise), options.assumptions(source, noise));
    let measure = |bias: f64, i: u64| {
        let rule = Rule { bias, rounds: 30, ..options.rule() };
        let mut step = 0;
        let mut ends = vec![];
        rule.run(&pairs, options.start(d, assumed.radius, i), |encoders| {
            if step > 0 && step % rule.turn == 0 {
                // Turns end after 1, 2, ... times their number of steps, the online encoder's first.
                ends.push(encoders.distances()[(step / rule.turn + 1) % 2]);
            }
            step += 1;
        });
        // Later ratios are rounding; earlier ones have not reached the limit.
        let late = ends.windows(2).rev().find(|pair| pair[1] > AT_IDENTITY);
        late.map_or(f64::NAN, |pair| pair[1] / pair[0])
    };
    let measured: Vec<Vec<f64>> = biases
        .iter()
        .map(|&bias| (0..options.starts as u64).into_par_iter().map(|i| measure(bias, i)).collect())
        .collect();
    let predicted: Vec<f64> = biases.iter().map(|&bias| assumed.contraction(bias)).collect();
    let mut table = Table::new(&["bias", "start", "measured", "predicted"]);
    let mut largest = 0.0f64;
    for ((bias, of_bias), predicted) in biases.iter().zip(&measured).zip(&predicted) {
        for (i, measured) in of_bias.iter().enumerate() {
            largest = largest.max((measured - predicted).abs());
            table.push(&[bias, &i, measured, predicted]);
        }
    }
    report.table("contraction", &table)?;
    report.checks.push(Check::at_most("factor per turn against the predicted one, largest difference", largest, 1e-3));
    Ok(Rates { measured, predicted })
}
