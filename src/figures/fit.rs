//! Which value of a setting comes nearest to a published table.

use super::sweeps::mean;
use crate::{
    metrics::column_name,
    plots::{Dot, Dots, DotsGrid},
    record::ExperimentRecord,
    spec::{Candidate, FitSpec, Moment},
};

/// A candidate's final values beside the published ones.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The curves, and the rows of the table that they are compared with.
    pub candidate: Candidate,
    /// Root mean square distance of its means over seeds from the published means; NaN while a curve has no run.
    pub distance: f64,
    /// The same of each seed that all of its curves have.
    pub seeds: Vec<f64>,
    /// Mean over seeds and published mean of each cell, row by row.
    pub cells: Vec<Vec<(f64, f64)>>,
}

/// Every candidate of a fit, in the order of the plan.
pub fn fits(entry: &ExperimentRecord, fit: &FitSpec) -> Vec<Fit> {
    let Some(table) = &fit.table else { return Vec::new() };
    let of = |candidate: Candidate| {
        let published = |row: &str| table.published.get(row).into_iter().flatten().map(|[mean, _]| *mean);
        // Final values of a curve: one list of (seed, value) for each column.
        let finals =
            |curve: &str| table.columns.iter().map(|column| entry.values(curve, column, Moment::End)).collect();
        let measured: Vec<Vec<Vec<(u64, f64)>>> = candidate.rows.iter().map(|(curve, _)| finals(curve)).collect();
        let cells: Vec<Vec<(f64, f64)>> = measured
            .iter()
            .zip(&candidate.rows)
            .map(|(columns, (_, row))| columns.iter().map(|values| mean(values)).zip(published(row)).collect())
            .collect();
        let all: Vec<&Vec<(u64, f64)>> = measured.iter().flatten().collect();
        let targets: Vec<f64> = cells.iter().flatten().map(|(_, published)| *published).collect();
        let at_seed = |seed: u64| -> Option<f64> {
            let value = |values: &&Vec<(u64, f64)>| Some(values.iter().find(|(other, _)| *other == seed)?.1);
            let values: Vec<f64> = all.iter().map(value).collect::<Option<_>>()?;
            Some(distance(values.into_iter().zip(targets.iter().copied())))
        };
        let seeds = all.first().into_iter().flat_map(|values| values.iter()).filter_map(|(seed, _)| at_seed(*seed));
        Fit { distance: distance(cells.iter().flatten().copied()), seeds: seeds.collect(), cells, candidate }
    };
    fit.candidates(&entry.experiment).into_iter().map(of).collect()
}

/// Root mean square of the differences.
fn distance(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (count, sum) = pairs.fold((0, 0.0), |(count, sum), (a, b)| (count + 1, sum + (a - b).powi(2)));
    (sum / f64::from(count)).sqrt()
}

/// Distances from the table: a panel for each arm, a row for each value.
pub fn fit_figure(entry: &ExperimentRecord, fit: &FitSpec) -> DotsGrid {
    let mut panels: Vec<Dots> = Vec::new();
    for Fit { candidate, distance, seeds, .. } in fits(entry, fit) {
        let dot = Dot { label: candidate.value, mean: distance, values: seeds, ..Dot::default() };
        match panels.iter_mut().find(|panel| panel.title == candidate.arm) {
            Some(panel) => panel.dots.push(dot),
            None => panels.push(Dots {
                title: candidate.arm,
                x_label: "root mean square distance from the published values".into(),
                dots: vec![dot],
                ..Dots::default()
            }),
        }
    }
    let farthest = panels.iter().filter_map(Dots::range).map(|(_, high)| high).fold(0.0, f64::max);
    panels.iter_mut().for_each(|panel| panel.x_range = Some((0.0, farthest)));
    let columns = fit.table.iter().flat_map(|table| &table.columns).map(|column| column_name(column));
    DotsGrid {
        title: entry.experiment.title.clone(),
        subtitle: format!("distance from the published {}", columns.collect::<Vec<_>>().join(", ")),
        columns: panels.len().min(2),
        panels,
        note: "Large dot: of the means over seeds. Small dots: of one seed each.".into(),
        ..DotsGrid::default()
    }
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn the_distance_is_a_root_mean_square() {
        assert!((distance([(0.9, 0.6), (0.1, 0.5)].into_iter()) - 0.353_553_390_593).abs() < 1e-12);
        assert!(distance([(0.9, f64::NAN)].into_iter()).is_nan());
    }
}
