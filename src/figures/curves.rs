use anyhow::{Result, bail};

use super::Series;
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
    band: Band,
    chance: Option<Chance>,
    watermark: Option<String>,
) -> Result<Figure> {
    let panels = columns.iter().map(|column| panel(column, series, chance)).collect::<Result<Vec<_>>>()?;
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

fn panel(column: &str, series: &[Series], chance: Option<Chance>) -> Result<Panel> {
    if metrics::column(column).is_none() {
        return Err(input_error!("{}", crate::spec::unknown("column", column, metrics::column_keys())));
    }
    let mut curves = Vec::new();
    for series in series {
        let Some((x, runs)) = measured(series, column) else { continue };
        curves.push(Curve { label: series.label.clone(), style: series.style, x, runs });
    }
    if curves.is_empty() {
        bail!("no run has a value in the column {column}");
    }
    let of_chance = chance.and_then(|chance| metrics::column(column)?.chance(&chance));
    Ok(Panel {
        title: String::new(),
        x_label: "epoch".into(),
        y_label: column_name(column).into(),
        y_range: metrics::column_bounds(column),
        curves,
        references: of_chance.map(|level| (level, "the span alone".to_owned())).into_iter().collect(),
        ..Panel::default()
    })
}

/// Epochs at which a run of the series has a value, and every run's values there.
fn measured(series: &Series, column: &str) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let epochs = series.runs.first()?.column("epoch")?;
    let columns: Vec<&[f64]> = series.runs.iter().filter_map(|run| run.column(column)).collect();
    let rows = columns.iter().map(|values| values.len()).chain([epochs.len()]).min()?;
    let kept: Vec<usize> = (0..rows).filter(|&row| columns.iter().any(|values| values[row].is_finite())).collect();
    let at = |values: &[f64]| kept.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    (!kept.is_empty()).then(|| (at(epochs), columns.iter().map(|values| at(values)).collect()))
}
