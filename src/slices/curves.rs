//! Losses along lines.

use anyhow::Result;

use super::{
    Options, Point, TrainedLoss,
    draw::{Drawing, Picture},
};
use crate::{
    input_error,
    linalg::evenly,
    logs::tell,
    plots::{Band, Curve, Figure, LineStyle, Panel},
    record::Table,
};

/// Positions of a line, a quarter beyond both ends.
const BEYOND: (f64, f64) = (-0.25, 1.25);
const POINTS: usize = 61;

/// A run's loss and recovery along its line.
struct Along<'a> {
    of: &'a TrainedLoss,
    /// Name of its curve; curves of one name are seeds of one setting.
    name: String,
    loss: Vec<f64>,
    min_cosine: Vec<f64>,
}

/// From the start to the end of every run.
pub fn path(losses: &[TrainedLoss], options: &Options) -> Result<Picture> {
    let x = positions(options);
    let along = losses
        .iter()
        .map(|loss| {
            tell(format_args!("{}: {} points from start to end", loss.label(), x.len()));
            Along::follow(loss, loss.name.clone(), [&loss.start, &loss.end], &x)
        })
        .collect::<Result<Vec<_>>>()?;
    let figure = Figure {
        title: "Loss from the start of training to its end, in a straight line".into(),
        ..figure(&along, &x, "start (0) to end (1)", options)
    };
    Ok(picture(figure, &along, &x))
}

/// Through the ends of two runs: each run's own loss, on its own data.
pub fn line(losses: &[TrainedLoss], options: &Options) -> Result<Picture> {
    let [first, second] = losses else { unreachable!("the shape has been checked: two runs") };
    if first.end == second.end {
        return Err(input_error!("both runs end at the same parameters: there is no line between them"));
    }
    let x = positions(options);
    let distinct = if first.is_same_function(second) { &losses[..1] } else { losses };
    let along = distinct
        .iter()
        .map(|loss| {
            tell(format_args!("loss of {}: {} points", loss.label(), x.len()));
            Along::follow(loss, format!("loss of {}", loss.label()), [&first.end, &second.end], &x)
        })
        .collect::<Result<Vec<_>>>()?;
    let figure = Figure {
        title: "Loss on the line through the ends of two runs".into(),
        ..figure(&along, &x, &format!("{} (0) to {} (1)", first.label(), second.label()), options)
    };
    Ok(picture(figure, &along, &x))
}

fn positions(options: &Options) -> Vec<f64> {
    evenly(BEYOND.0, BEYOND.1, options.points.unwrap_or(POINTS))
}

impl<'a> Along<'a> {
    fn follow(of: &'a TrainedLoss, name: String, [from, to]: [&Point; 2], x: &[f64]) -> Result<Self> {
        let points: Vec<Point> = x.iter().map(|x| from + &((to - from) * *x)).collect();
        let loss = of.over(points.len(), |k| points[k].clone())?;
        let min_cosine = points.iter().map(|point| of.min_cosine(point)).collect::<Result<_>>()?;
        Ok(Self { of, name, loss, min_cosine })
    }
}

/// A panel for each formula of the loss, then the recovery of the dictionary.
fn figure(along: &[Along], x: &[f64], x_label: &str, options: &Options) -> Figure {
    let mut names: Vec<&str> = vec![];
    for a in along {
        if !names.contains(&a.name.as_str()) {
            names.push(&a.name);
        }
    }
    let curves = |of: &[&Along], value: fn(&Along) -> Vec<f64>| -> Vec<Curve> {
        let curve = |(i, name): (usize, &&str)| {
            let runs: Vec<_> = of.iter().filter(|a| a.name == **name).map(|a| value(a)).collect();
            let style = LineStyle::dashed(i, i);
            (!runs.is_empty()).then(|| Curve { label: name.to_string(), style, x: x.to_vec(), runs })
        };
        names.iter().enumerate().filter_map(curve).collect()
    };
    let mut formulas: Vec<Vec<&Along>> = vec![];
    for a in along {
        match formulas.iter_mut().find(|formula| formula[0].of.compares_with(a.of)) {
            Some(formula) => formula.push(a),
            None => formulas.push(vec![a]),
        }
    }
    let panel = |title: &str, y_label: &str, curves| Panel {
        title: title.into(),
        x_label: x_label.into(),
        y_label: y_label.into(),
        curves,
        ..Panel::default()
    };
    let all: Vec<&Along> = along.iter().collect();
    let mut panels: Vec<Panel> =
        formulas.iter().map(|formula| panel("Loss", "loss", curves(formula, |a| a.loss.clone()))).collect();
    panels.push(Panel {
        y_range: Some((0.0, 1.03)),
        ..panel("Recovery of the worst atom", "minimum max-cosine", curves(&all, |a| a.min_cosine.clone()))
    });
    Figure {
        subtitle: subtitle(options),
        columns: panels.len().min(3),
        panels,
        band: Band::MinMax,
        ..Figure::default()
    }
}

/// What a loss is averaged over.
pub fn subtitle(options: &Options) -> String {
    let epochs = if options.epochs == 1 { "an epoch".into() } else { format!("{} epochs", options.epochs) };
    format!("each run's loss on its own data, mean over the batches of {epochs}; all parameters move")
}

fn picture(figure: Figure, along: &[Along], x: &[f64]) -> Picture {
    let mut numbers = Table::new(&["run", "position", "loss", "min_max_cosine"]);
    for a in along {
        let label = a.of.label();
        for (k, x) in x.iter().enumerate() {
            numbers.push(&[&label, x, &a.loss[k], &a.min_cosine[k]]);
        }
    }
    Picture { drawing: Drawing::Curves(figure), numbers }
}
