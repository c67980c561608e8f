use anyhow::{Result, bail};

use super::{Axes, Series};
use crate::{
    input_error,
    metrics::{self, Chance, column_name},
    plots::{Band, Curve, Figure, Panel},
};

/// One panel for each column of `metrics.csv`, one curve for each series, and a dashed line at the chance level if all
/// runs share one.
pub fn figure(
    title: &str,
    subtitle: &str,
    columns: &[String],
    series: &[Series],
    (band, axes): (Band, &Axes),
    chance: Option<Chance>,
    watermark: Option<String>,
) -> Result<Figure> {
    let mut panels = columns.iter().map(|column| panel(column, series, axes, chance)).collect::<Result<Vec<_>>>()?;
    // A column that is not measured at the start begins where the others do.
    let epochs = || panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| curve.x.iter().copied());
    let range = epochs().reduce(f64::min).zip(epochs().reduce(f64::max));
    panels.iter_mut().for_each(|panel| panel.x_range = range);
    Ok(Figure {
        title: title.into(),
        subtitle: subtitle.into(),
        columns: 2,
        panels,
        band,
        watermark,
        ..Figure::default()
    })
}

fn panel(column: &str, series: &[Series], axes: &Axes, chance: Option<Chance>) -> Result<Panel> {
    if metrics::column(column).is_none() {
        return Err(input_error!("{}", crate::spec::unknown("column", column, metrics::column_keys())));
    }
    let mut curves = Vec::new();
    for series in series {
        let Some((x, runs)) = measured(series, column, axes) else { continue };
        curves.push(Curve { label: series.legend.clone(), style: series.style, x, runs });
    }
    if curves.is_empty() {
        let shown = if axes.x_range.is_some() { " at the epochs shown" } else { "" };
        bail!("no run has a value in the column {column}{shown}");
    }
    let of_chance = chance.and_then(|chance| metrics::column(column)?.chance(&chance));
    Ok(Panel {
        title: String::new(),
        x_label: "epoch".into(),
        y_label: column_name(column).into(),
        y_range: axes.y_ends(metrics::column_bounds(column)),
        x_scale: axes.x_scale(),
        y_scale: axes.y_scale(),
        curves,
        references: of_chance.map(|level| (level, "the span alone".to_owned())).into_iter().collect(),
        ..Panel::default()
    })
}

/// Epochs at which a run of the series has a value, and every run's values there.
fn measured(series: &Series, column: &str, axes: &Axes) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let epochs = series.runs.first()?.column("epoch")?;
    let columns: Vec<&[f64]> = series.runs.iter().filter_map(|run| run.column(column)).collect();
    let rows = columns.iter().map(|values| values.len()).chain([epochs.len()]).min()?;
    let kept: Vec<usize> = (0..rows)
        .filter(|&row| axes.shows(epochs[row]) && columns.iter().any(|values| values[row].is_finite()))
        .collect();
    let at = |values: &[f64]| kept.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    (!kept.is_empty()).then(|| (at(epochs), columns.iter().map(|values| at(values)).collect()))
}
