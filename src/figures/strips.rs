//! What every arm of a sweep finds, and how soon: the picture of outcomes.

use super::look::label_of_arm;
use crate::{
    metrics::{Chance, column_name},
    plots::{Dash, LineStyle, Scale, Spot, SpotLook, Strips, StripsGrid},
    record::ExperimentRecord,
    spec::{Moment, OutcomesSpec, PlannedRun, short, tree},
};

/// Arms from top to bottom with a mark for each point of the grid: the minimum max-cosine at the end, and the steps until all
/// atoms were found. The vertical lines are chance and what other methods reach.
pub fn outcomes_figure(entry: &ExperimentRecord, spec: &OutcomesSpec, chance: Option<Chance>) -> StripsGrid {
    let experiment = &entry.experiment;
    let points = experiment.points();
    let place = |path: &str, point: usize| {
        let value = points[point].iter().find(|(other, _)| *other == path).map(|(_, value)| tree::plain(value));
        experiment.grid[path].iter().position(|other| Some(tree::plain(other)) == value).unwrap_or(0)
    };
    let look = |point: usize| SpotLook {
        color: place(&spec.color, point),
        open: spec.fill.as_deref().is_some_and(|fill| place(fill, point) == 1),
    };
    // Marks of one colour stand together, the filled one above the open one.
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&point| (look(point).color, look(point).open));

    let rows = |column: &str| {
        let arms = experiment.arms.keys().enumerate();
        let row = |(arm, name): (usize, &String)| {
            let spot = |&point: &usize| {
                let curve = entry.curves.iter().find(|curve| curve.arm == arm && curve.point == point);
                let value = curve.map_or(f64::NAN, |curve| median(entry, curve, column));
                Spot { value, look: look(point) }
            };
            (label_of_arm(experiment, name).to_string(), order.iter().map(spot).collect::<Vec<_>>())
        };
        arms.map(row).collect::<Vec<_>>()
    };
    let level = chance.map(|chance| (chance.min, format!("chance level, {:.2}", chance.min)));
    let others = spec.references.iter().map(|(name, value)| (*value, format!("{name}, {value:.2}")));
    let dashes = [Dash::Dotted, Dash::Dashed, Dash::DashDot, Dash::Solid];
    let line = |(place, (value, label)): (usize, (f64, String))| {
        const BLACK: usize = 6;
        (value, LineStyle { thinness: 1, ..LineStyle::new(BLACK, dashes[place % dashes.len()]) }, label)
    };
    let ends = Strips {
        title: "Where it ends".into(),
        x_label: column_name("min_cosine").into(),
        x_range: Some((0.0, 1.0)),
        rows: rows("min_cosine"),
        references: level.into_iter().chain(others).enumerate().map(line).collect(),
        looks: looks(entry, spec),
        ..Strips::default()
    };
    let soon = rows("steps_to_found");
    let mut panels = vec![ends];
    if soon.iter().flat_map(|(_, spots)| spots).any(|spot| spot.value.is_finite()) {
        panels.push(Strips {
            title: "How soon all atoms are found".into(),
            x_label: column_name("steps_to_found").into(),
            x_scale: Scale::Log,
            rows: soon,
            ..Strips::default()
        });
    }
    let least = entry.curves.iter().map(|curve| entry.runs(&curve.label).len()).min().unwrap_or(0);
    StripsGrid {
        title: experiment.title.clone(),
        columns: panels.len(),
        panels,
        note: format!(
            "A mark: the median over {least} seeds. No mark on the right: not all atoms were found. An atom is found where a \
             neuron has a max-cosine of 0.9 with it."
        ),
        ..StripsGrid::default()
    }
}

/// Median over seeds, where a value that is not reached counts as beyond all others; NaN if that is the median.
fn median(entry: &ExperimentRecord, curve: &PlannedRun, column: &str) -> f64 {
    let mut values: Vec<f64> =
        entry.values(&curve.label, column, Moment::End).iter().map(|(_, value)| *value).collect();
    values.resize(entry.runs(&curve.label).len(), f64::INFINITY);
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// `activation relu, masks dependent`: a look for each point of the grid.
fn looks(entry: &ExperimentRecord, spec: &OutcomesSpec) -> Vec<(SpotLook, String)> {
    let grid = &entry.experiment.grid;
    let fills: Vec<Option<String>> = match &spec.fill {
        Some(fill) => grid[fill].iter().map(|value| Some(format!("{} {}", short(fill), tree::plain(value)))).collect(),
        None => vec![None],
    };
    let colors = grid[&spec.color].iter().map(|value| format!("{} {}", short(&spec.color), tree::plain(value)));
    let look = |(color, name): (usize, String)| {
        let of = |(open, fill): (usize, &Option<String>)| {
            let parts: Vec<String> = [Some(name.clone()), fill.clone()].into_iter().flatten().collect();
            (SpotLook { color, open: open == 1 }, parts.join(", "))
        };
        fills.iter().enumerate().map(of).collect::<Vec<_>>()
    };
    colors.enumerate().flat_map(look).collect()
}
