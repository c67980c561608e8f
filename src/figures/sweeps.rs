//! Pictures of sweeps: main effects of a design, maps over two settings, distributions over seeds.

use super::hue::{arm_hues, style};
use crate::{
    metrics::{column_bounds, column_name},
    plots::{ColorScale, Dot, Dots, DotsGrid, Heatmap, HeatmapGrid},
    record::ExperimentRecord,
    spec::{Design, Experiment, MapSpec, Moment, PlannedRun, short, tree},
    statistics::Estimate,
};

/// Mean over seeds; NaN if there are none.
pub(super) fn mean(values: &[(u64, f64)]) -> f64 {
    Estimate::of(&values.iter().map(|(_, value)| *value).collect::<Vec<_>>()).mean
}

/// The change that one factor makes at one corner of a design.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Name of the factor, as under `design.factors`.
    pub factor: String,
    /// The corner that the factor leaves (`from`) or completes (`to`).
    pub corner: String,
    /// The final value with the factor minus that without it, for each seed that has both.
    pub changes: Vec<f64>,
    /// Of the mean of these, within the column's bounds.
    pub change: Estimate,
}

/// The effects of a design on a column at one point of the grid: every factor at both corners.
pub fn effects(entry: &ExperimentRecord, design: &Design, point: &str, column: &str) -> Vec<Effect> {
    let finals = |arm: &str| {
        let curve = entry.experiment.curves(Some(arm)).into_iter().find(|curve| curve.point == point);
        curve.map_or(Vec::new(), |curve| entry.values(&curve.label, column, Moment::End))
    };
    let change = |without: &str, with: &str| {
        let (without, with) = (finals(without), finals(with));
        let other = |seed: u64| without.iter().find(|(other, _)| *other == seed).map(|(_, value)| value);
        with.iter().filter_map(|(seed, value)| Some(value - other(*seed)?)).collect::<Vec<f64>>()
    };
    let bounds = column_bounds(column).map(|(low, high)| (low - high, high - low));
    let of = |factor: &String| {
        [
            (&design.from, change(&design.from, &design.with(factor))),
            (&design.to, change(&design.without(factor), &design.to)),
        ]
        .map(|(corner, changes)| {
            let change = Estimate::of(&changes).clipped(bounds);
            Effect { factor: factor.clone(), corner: corner.clone(), changes, change }
        })
    };
    design.factors.keys().flat_map(of).collect()
}

/// Main effects: a panel for each point of the grid.
pub fn effects_figure(entry: &ExperimentRecord, design: &Design, column: &str) -> DotsGrid {
    let Experiment { title, .. } = &entry.experiment;
    let corners = entry.experiment.curves(Some(&design.from));
    let panels = corners.iter().map(|corner| {
        let at_corner = |arm: &str| {
            let curves = entry.experiment.curves(Some(arm));
            let curve = curves.into_iter().find(|curve| curve.point == corner.point);
            curve.map_or(f64::NAN, |curve| mean(&entry.values(&curve.label, column, Moment::End)))
        };
        let dot = |effect: Effect| Dot {
            label: format!("{}, at {}", effect.factor, effect.corner),
            mean: effect.change.mean,
            // An interval of two seeds would be as wide as the page.
            interval: (effect.changes.len() > 2).then_some((effect.change.low, effect.change.high)),
            values: effect.changes,
            color: usize::from(effect.corner == design.to),
            ..Dot::default()
        };
        let comma = if corner.point.is_empty() { "" } else { ": " };
        Dots {
            title: format!(
                "{}{comma}{} {:.2}, {} {:.2}",
                corner.point,
                design.from,
                at_corner(&design.from),
                design.to,
                at_corner(&design.to)
            ),
            x_label: format!("change of the {}", column_name(column)),
            dots: effects(entry, design, &corner.point, column).into_iter().map(dot).collect(),
            ..Dots::default()
        }
    });
    DotsGrid {
        title: title.clone(),
        subtitle: format!("{} at the end: what each factor alone changes, at both ends", column_name(column)),
        columns: corners.len().min(2),
        panels: panels.collect(),
        note: "Small dots: final value with the factor minus without it, one seed each. Large dot: their mean. \
               Bar: its 95% bootstrap interval, from three seeds on."
            .into(),
        ..DotsGrid::default()
    }
}

/// Final values over two axes, each a path of the grid or the arms: a panel for each point of the rest.
pub fn map_figure(entry: &ExperimentRecord, map: &MapSpec) -> HeatmapGrid {
    let experiment = &entry.experiment;
    let texts = |axis: &str| match axis {
        MapSpec::ARM => experiment.arms.keys().cloned().collect(),
        path => experiment.grid[path].iter().map(tree::plain).collect::<Vec<String>>(),
    };
    let (xs, ys) = (texts(&map.x), texts(&map.y));
    let points = experiment.points();
    let mut panels: Vec<Heatmap> = Vec::new();
    for (index, curve) in entry.curves.iter().enumerate() {
        // What the curve is on every axis there is.
        let arm = experiment.arms.get_index(curve.arm).map(|(name, _)| (MapSpec::ARM, name.clone()));
        let point = points[index % points.len()].iter().map(|(path, value)| (*path, tree::plain(value)));
        let places: Vec<(&str, String)> = arm.into_iter().chain(point).collect();
        let place = |axis: &str, texts: &[String]| {
            let value = places.iter().find(|(other, _)| *other == axis).map(|(_, value)| value);
            texts.iter().position(|text| Some(text) == value).unwrap_or(0)
        };
        let (x, y) = (place(&map.x, &xs), place(&map.y, &ys));
        let rest = places.iter().filter(|(axis, _)| *axis != map.x && *axis != map.y);
        let named = rest.map(|(axis, value)| match *axis {
            MapSpec::ARM => value.clone(),
            path => format!("{} {value}", short(path)),
        });
        let title = named.collect::<Vec<_>>().join(", ");
        if panels.iter().all(|panel| panel.title != title) {
            panels.push(Heatmap {
                title: title.clone(),
                x_label: if map.x == MapSpec::ARM { String::new() } else { short(&map.x).into() },
                y_label: if map.y == MapSpec::ARM { String::new() } else { short(&map.y).into() },
                values: vec![vec![f64::NAN; xs.len()]; ys.len()],
                scale: ColorScale::Sequential { low: 0.0, high: 1.0 },
                row_ticks: ys.iter().rev().cloned().enumerate().collect(),
                column_ticks: xs.iter().cloned().enumerate().collect(),
                numbers: true,
            });
        }
        let values = entry.values(&curve.label, &map.measure, Moment::End);
        if let Some(panel) = panels.iter_mut().find(|panel| panel.title == title) {
            panel.values[ys.len() - 1 - y][x] = mean(&values);
        }
    }
    HeatmapGrid {
        title: experiment.title.clone(),
        subtitle: format!("{} at the end, mean over seeds", column_name(&map.measure)),
        // Four make a square rather than three and one.
        columns: if panels.len() == 4 { 2 } else { panels.len().min(3) },
        panels,
        ..HeatmapGrid::default()
    }
}

/// Final values seed by seed: a panel for each column, a row for each curve.
pub fn distribution_figure(entry: &ExperimentRecord, columns: &[String]) -> DotsGrid {
    let seeds = |curve: &PlannedRun| entry.runs(&curve.label).len();
    let same = entry.curves.iter().map(seeds).min().filter(|least| entry.curves.iter().all(|c| seeds(c) == *least));
    let hues = arm_hues(&entry.experiment, &entry.curves);
    let dots = |column: &str| {
        let dot = |curve: &PlannedRun| {
            let values: Vec<f64> = entry.values(&curve.label, column, Moment::End).iter().map(|(_, v)| *v).collect();
            let estimate = Estimate::of(&values).clipped(column_bounds(column));
            let label = match same {
                Some(_) => curve.label.clone(),
                None => format!("{} (n = {})", curve.label, seeds(curve)),
            };
            Dot {
                label,
                mean: estimate.mean,
                interval: Some((estimate.low, estimate.high)),
                values,
                color: style(&hues, curve, 1).color,
                ..Dot::default()
            }
        };
        entry.curves.iter().map(dot).collect()
    };
    let panel = |column: &String| Dots {
        x_label: column_name(column).into(),
        x_range: column.ends_with("_cosine").then_some((0.0, 1.0)),
        dots: dots(column),
        ..Dots::default()
    };
    let count = same.map_or(String::new(), |n| format!(", {n} of each"));
    DotsGrid {
        title: entry.experiment.title.clone(),
        subtitle: "final values, seed by seed".into(),
        columns: columns.len().min(2),
        panels: columns.iter().map(panel).collect(),
        note: format!(
            "Small dots: one seed each{count}. Large dot: their mean. Bar: 95% bootstrap interval of the mean."
        ),
        ..DotsGrid::default()
    }
}
