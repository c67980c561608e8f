//! The same on samples: how far from the identity it ends.

use anyhow::Result;
use rayon::prelude::*;

use super::{
    Check, Options, Part, Report, Table,
    alternation::{Assumptions, Rule},
    expectation::Noise,
    options::Samples,
};
use crate::{
    linalg::slope,
    plots::{Band, Curve, Figure, Panel, Scale},
    theory::style,
};

/// Final distances of the online encoder from the identity on samples, along an axis: by place on it, by start.
struct OnSamples {
    label: String,
    distances: Vec<Vec<f64>>,
}

/// Distances by size of the sample, a curve for every noise; and by noise, a curve for every size.
struct Sampled {
    by_size: Vec<OnSamples>,
    by_noise: Vec<OnSamples>,
}

/// Optimises on samples, fits the slopes, tabulates and draws.
pub fn study(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("optimisation on samples");
    let Samples { dimension: d, sizes, starts, rounds, noises, levels, sizes_of_levels } = &options.samples;
    let rule = Rule { rounds: *rounds, ..options.rule() };
    let end = |size: usize, sigma: f64, i: u64| {
        let mut draws = options.key(Part::Samples, *d, i).derive(size as u64).stream();
        let pairs = options.source(*d).sample(Noise::Gaussian(sigma), size, &mut draws);
        rule.run(&pairs, options.start(*d, Assumptions::largest_radius(*d), i), |_| {}).distances()[0]
    };
    let ends = |size: usize, sigma: f64| (0..*starts as u64).into_par_iter().map(|i| end(size, sigma, i)).collect();
    let mut table = Table::new(&["noise", "samples", "start", "online_distance"]);
    let mut record = |sigma: f64, size: usize, distances: &Vec<f64>| {
        distances.iter().enumerate().for_each(|(i, distance)| table.push(&[&sigma, &size, &i, distance]));
    };
    let mut found = Sampled { by_size: vec![], by_noise: vec![] };
    for &sigma in noises {
        let distances: Vec<Vec<f64>> = sizes.iter().map(|&size| ends(size, sigma)).collect();
        sizes.iter().zip(&distances).for_each(|(&size, of_size)| record(sigma, size, of_size));
        let mean = |of_size: &Vec<f64>| of_size.iter().sum::<f64>() / of_size.len() as f64;
        let points = sizes.iter().zip(&distances).map(|(size, of_size)| ((*size as f64).ln(), mean(of_size).ln()));
        let slope = slope(&points.collect::<Vec<_>>());
        let name = format!("slope of the final distance against the samples, noise {sigma}");
        report.checks.push(Check::near(name, slope, -0.5, 0.1));
        let label = format!("noise σ = {sigma}: slope {slope:.2}").replace('-', "−");
        found.by_size.push(OnSamples { label, distances });
    }
    for &size in sizes_of_levels {
        let distances: Vec<Vec<f64>> = levels.iter().map(|&sigma| ends(size, sigma)).collect();
        levels.iter().zip(&distances).for_each(|(&sigma, of_level)| record(sigma, size, of_level));
        found.by_noise.push(OnSamples { label: format!("n = {size}"), distances });
    }
    report.table("samples", &table)?;
    report.figure("samples", |path| figure(options, &found).draw(path))
}

fn figure(options: &Options, found: &Sampled) -> Figure {
    let settings = &options.samples;
    let panel = |title: &str, x_label: &str, x_scale, x: Vec<f64>, curves: &[OnSamples]| {
        let curve = |(i, curve): (usize, &OnSamples)| Curve {
            label: curve.label.clone(),
            style: style(i),
            x: x.clone(),
            runs: (0..settings.starts).map(|start| curve.distances.iter().map(|at| at[start]).collect()).collect(),
        };
        Panel {
            title: title.into(),
            x_label: x_label.into(),
            y_label: "Frobenius distance from I at the end".into(),
            x_scale,
            y_scale: Scale::Log,
            curves: curves.iter().enumerate().map(curve).collect(),
            ..Panel::default()
        }
    };
    let sizes = settings.sizes.iter().map(|&size| size as f64).collect();
    Figure {
        title: "On samples the limit misses the identity, by an error that falls with the square root of their number"
            .into(),
        subtitle: format!(
            "online encoder, Gaussian noise, one pair of masks a sample; d = {}, α = {}, sparsity {}, bias {}",
            settings.dimension, options.alpha, options.sparsity, options.bias
        ),
        panels: vec![
            panel("More samples", "samples n", Scale::Log, sizes, &found.by_size),
            panel("More noise", "noise σ", Scale::Linear, settings.levels.clone(), &found.by_noise),
        ],
        columns: 2,
        band: Band::MinMax,
        watermark: None,
        ..Figure::default()
    }
}
