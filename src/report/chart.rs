//! Learning curves as SVG that follows the page's colours.
//!
//! Every measure is drawn, each in a group of its own; style.css shows one of them and script.js lets the reader choose.

use maud::{Markup, html};

use crate::{
    figures::{arm_hues, style},
    metrics::{chance, column, column_bounds, column_name},
    plots::linear_ticks,
    record::{ExperimentRecord, Metrics, RecordedRun},
};

/// The measures of a chart; the first is shown first.
pub const MEASURES: [&str; 4] = ["min_cosine", "median_cosine", "max_cosine", "loss_mean"];

/// The measure whose seeds are drawn one by one.
const SEEDED: &str = MEASURES[0];

const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 598.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 300.0;

/// Points of a curve: more than the eye can tell apart at this width would only make the page heavy.
const POINTS: usize = 48;

/// One curve of one measure.
struct Curve {
    label: String,
    /// Classes of its colour, dash and shade, and how much of a shade.
    class: String,
    shade: String,
    /// Values at the chart's epochs, one series for each seed.
    seeds: Vec<Vec<f64>>,
    mean: Vec<f64>,
    std: Vec<f64>,
}

/// Shown when hovering: epochs, and for each measure the means of each curve.
#[derive(serde::Serialize)]
struct Hover<'a> {
    left: f64,
    right: f64,
    width: f64,
    epochs: &'a [f64],
    labels: Vec<&'a str>,
    values: Vec<(&'a str, Vec<Vec<Option<f64>>>)>,
}

/// The curves of an experiment with their legend; none where nothing is recorded.
pub fn chart(entry: &ExperimentRecord) -> Option<Markup> {
    let epochs = epochs(entry)?;
    let measures: Vec<(&str, Vec<Curve>)> =
        MEASURES.iter().map(|measure| (*measure, curves(entry, measure, &epochs))).collect();
    let shown = &measures[0].1;
    let labels: Vec<&str> = shown.iter().map(|curve| curve.label.as_str()).collect();
    let rounded = |value: &f64| value.is_finite().then(|| (value * 1e4).round() / 1e4);
    let values = |curves: &[Curve]| curves.iter().map(|curve| curve.mean.iter().map(rounded).collect()).collect();
    let hover = Hover {
        left: LEFT,
        right: RIGHT,
        width: WIDTH,
        epochs: &epochs,
        labels,
        values: measures.iter().map(|(measure, curves)| (*measure, values(curves))).collect(),
    };
    let hover = serde_json::to_string(&hover).unwrap_or_default();
    let last = *epochs.last()?;
    Some(html! {
        figure.chart {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("Curves of {}", entry.experiment.title)) {
                @for (measure, curves) in &measures {
                    g class=(format!("measure {measure}")) { (plot(measure, curves, &epochs, chance_level(entry, measure))) }
                }
                @for tick in linear_ticks(0.0, last, 5) {
                    text.tick x=(short(x(tick.value, last))) y=(BOTTOM + 17.0) text-anchor="middle" { (tick.label) }
                }
                text.tick x=((LEFT + RIGHT) / 2.0) y=(BOTTOM + 36.0) text-anchor="middle" { "epoch" }
                line.cursor x1="0" x2="0" y1=(TOP) y2=(BOTTOM) {}
            }
            figcaption {
                ul.legend {
                    @for curve in shown {
                        li {
                            svg.key viewBox="0 0 30 6" { g class=(curve.class) style=(curve.shade) { path.mean d="M0 3h30" {} } }
                            " " (curve.label) " " output {}
                        }
                    }
                }
            }
            script type="application/json" class="hover" { (maud::PreEscaped(hover.replace('<', "\\u003c"))) }
        }
    })
}

/// The value of a column for a run that has found only the span, if it is known and the same for all curves.
fn chance_level(entry: &ExperimentRecord, measure: &str) -> Option<f64> {
    let shapes = || entry.curves.iter().map(|run| (run.spec.model.m, run.spec.data.atoms()));
    let (neurons, atoms) = shapes().next()?;
    let column = column(measure)?;
    if shapes().all(|shape| shape == (neurons, atoms)) { column.chance(&chance(neurons, atoms)) } else { None }
}

/// Epochs that are drawn: evenly spread over those that were measured.
fn epochs(entry: &ExperimentRecord) -> Option<Vec<f64>> {
    let run = entry.runs.values().flatten().next()?;
    let all = run.metrics.column("epoch")?;
    let points = POINTS.min(all.len());
    let at = |i: usize| all[i * (all.len() - 1) / (points - 1).max(1)];
    Some((0..points).map(at).collect())
}

fn curves(entry: &ExperimentRecord, measure: &str, epochs: &[f64]) -> Vec<Curve> {
    let (hues, points) = (arm_hues(&entry.experiment, &entry.curves), entry.experiment.points().len());
    let curve = |(label, runs): (&String, &Vec<RecordedRun>)| {
        let seeds: Vec<Vec<f64>> = runs.iter().map(|run| sampled(&run.metrics, measure, epochs)).collect();
        let column = |i: usize| seeds.iter().map(move |seed| seed[i]).filter(|value| value.is_finite());
        let mean = |i: usize| column(i).sum::<f64>() / column(i).count() as f64;
        let mean: Vec<f64> = (0..epochs.len()).map(mean).collect();
        let std = |i: usize| {
            let squares = column(i).map(|value| (value - mean[i]).powi(2)).sum::<f64>();
            (squares / (column(i).count().max(2) - 1) as f64).sqrt()
        };
        let std = (0..epochs.len()).map(std).collect();
        let plan = &runs[0].plan;
        let look = style(&hues, plan, points);
        let shade = if look.shade < 0 { "light" } else { "dark" };
        let class = format!("curve c{} d{} {shade}", look.color, look.dash as usize);
        let shade = format!("--s:{}%", look.shade.unsigned_abs());
        Curve { label: label.clone(), class, shade, seeds, mean, std }
    };
    entry.runs.iter().filter(|(_, runs)| !runs.is_empty()).map(curve).collect()
}

/// A column at the given epochs; NaN at those that this run did not measure.
fn sampled(metrics: &Metrics, measure: &str, epochs: &[f64]) -> Vec<f64> {
    let (Some(measured), Some(values)) = (metrics.column("epoch"), metrics.column(measure)) else {
        return vec![f64::NAN; epochs.len()];
    };
    let mut row = 0;
    let at = |epoch: &f64| {
        while row + 1 < measured.len() && measured[row] < *epoch {
            row += 1;
        }
        if measured.get(row) == Some(epoch) { values[row] } else { f64::NAN }
    };
    epochs.iter().map(at).collect()
}

fn plot(measure: &str, curves: &[Curve], epochs: &[f64], chance: Option<f64>) -> Markup {
    let last = epochs.last().copied().unwrap_or(1.0);
    let (low, high) = range(measure, curves);
    let y = |value: f64| BOTTOM - (value.clamp(low, high) - low) / (high - low) * (BOTTOM - TOP);
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        let placed = epochs.iter().zip(values).filter(|(_, value)| value.is_finite());
        placed.map(|(epoch, value)| (x(*epoch, last), y(*value))).collect()
    };
    let band = |curve: &Curve| {
        let edge = |sign: f64| curve.mean.iter().zip(&curve.std).map(|(m, s)| m + sign * s).collect::<Vec<_>>();
        let mut around = points(&edge(1.0));
        around.extend(points(&edge(-1.0)).into_iter().rev());
        path(&around) + "z"
    };
    html! {
        @for tick in linear_ticks(low, high, 5) {
            line.grid x1=(LEFT) x2=(RIGHT) y1=(short(y(tick.value))) y2=(short(y(tick.value))) {}
            text.tick x=(LEFT - 6.0) y=(short(y(tick.value) + 4.0)) text-anchor="end" { (tick.label) }
        }
        text.tick transform=(format!("translate(11 {}) rotate(-90)", (TOP + BOTTOM) / 2.0)) text-anchor="middle" {
            (column_name(measure))
        }
        @if let Some(level) = chance {
            line.chance x1=(LEFT) x2=(RIGHT) y1=(short(y(level))) y2=(short(y(level))) {
                title { "the span alone: m random directions in it" }
            }
        }
        @for curve in curves {
            g class=(curve.class) style=(curve.shade) transform="scale(0.1)" {
                @if curve.seeds.len() > 1 { path.band d=(band(curve)) {} }
                @if measure == SEEDED {
                    @for seed in &curve.seeds { path.seed d=(path(&points(seed))) {} }
                }
                path.mean d=(path(&points(&curve.mean))) {}
            }
        }
    }
}

fn range(measure: &str, curves: &[Curve]) -> (f64, f64) {
    if let Some(bounds) = column_bounds(measure) {
        return bounds;
    }
    let means = curves.iter().flat_map(|curve| &curve.mean).copied().filter(|value| value.is_finite());
    let (low, high) = means.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low < high { (low, high) } else { (low.min(0.0) - 1.0, high.max(0.0) + 1.0) }
}

fn x(epoch: f64, last: f64) -> f64 {
    LEFT + epoch / last.max(1.0) * (RIGHT - LEFT)
}

/// A polyline in whole tenths of a pixel, relative after its first point: most of the page are these.
fn path(points: &[(f64, f64)]) -> String {
    let tenths = |value: f64| (value * 10.0).round() as i64;
    let mut text = String::new();
    let mut previous: Option<(i64, i64)> = None;
    for &(x, y) in points {
        let (x, y) = (tenths(x), tenths(y));
        match previous {
            None => text += &format!("M{x} {y}l"),
            // A minus sign separates as well as a space does.
            Some((px, py)) => {
                for step in [x - px, y - py] {
                    let apart = step >= 0 && !text.ends_with('l');
                    text += &format!("{}{step}", if apart { " " } else { "" });
                }
            }
        }
        previous = Some((x, y));
    }
    text
}

/// A coordinate in tenths of a pixel.
pub fn short(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_and_end_where_they_should() {
        let points = [(46.0, 300.0), (50.04, 299.0), (60.0, 12.5), (61.0, 13.5)];
        assert_eq!(path(&points), "M460 3000l40-10 100-2865 10 10");
        assert_eq!(path(&[]), "");
    }
}
