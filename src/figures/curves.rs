use anyhow::{Result, bail};

use super::{Axes, Series};
use crate::{
    input_error,
    metrics::{self, Chance, column_name},
    plots::{Band, Curve, Dash, Figure, LineStyle, Panel},
    spec::PanelSpec,
};

/// The panels with a curve for each series and column, and dashed lines at the chance levels if all runs share them.
pub fn figure(
    title: &str,
    subtitle: &str,
    panels: &[PanelSpec],
    series: &[Series],
    (band, axes): (Band, &Axes),
    chance: Option<Chance>,
    watermark: Option<String>,
) -> Result<Figure> {
    let mut panels = panels.iter().map(|spec| panel(spec, series, axes, chance)).collect::<Result<Vec<_>>>()?;
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
        size: axes.size,
        ..Figure::default()
    })
}

fn panel(spec: &PanelSpec, series: &[Series], axes: &Axes, chance: Option<Chance>) -> Result<Panel> {
    let names: Vec<&str> = spec.columns.iter().map(|column| column_name(column)).collect();
    let (heads, shared) = told_apart(&names);
    // What tells columns apart is the dash, unless that tells points of the grid apart.
    let is_solid = series.iter().all(|series| series.style.dash == Dash::Solid);
    let styled = |style: LineStyle, place: usize| match is_solid {
        true => LineStyle { dash: LineStyle::dashed(style.color, place).dash, ..style },
        false => LineStyle { thinness: place as u8, ..style },
    };
    let (mut curves, mut references) = (Vec::new(), Vec::new());
    for (place, (column, head)) in spec.columns.iter().zip(&heads).enumerate() {
        let Some(known) = metrics::column(column) else {
            return Err(input_error!("{}", crate::spec::unknown("column", column, metrics::column_keys())));
        };
        for series in series {
            let Some((x, runs)) = measured(series, column, axes) else { continue };
            let label = [series.legend.as_str(), head].into_iter().filter(|part| !part.is_empty());
            let label = label.collect::<Vec<_>>().join(": ");
            curves.push(Curve { label, style: styled(series.style, place), x, runs });
        }
        let label = ["the span alone", head].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        references.extend(chance.and_then(|chance| known.chance(&chance)).map(|level| (level, label)));
    }
    if curves.is_empty() {
        let shown = if axes.x_range.is_some() { " at the epochs shown" } else { "" };
        bail!("no run has a value in the column {}{shown}", spec.columns.join(" or "));
    }
    let mut bounds = spec.columns.iter().map(|column| metrics::column_bounds(column));
    let first = bounds.next().flatten();
    Ok(Panel {
        title: String::new(),
        x_label: "epoch".into(),
        y_label: if shared.is_empty() { names.join(", ") } else { shared },
        y_range: axes.y_ends(first.filter(|_| bounds.all(|other| other == first))),
        x_scale: axes.x_scale(),
        y_scale: axes.y_scale(),
        curves,
        references,
        ..Panel::default()
    })
}

/// What tells names apart, and the words that they all end with: `minimum` and `maximum` of `max-cosine`. A name alone needs
/// no telling.
fn told_apart(names: &[&str]) -> (Vec<String>, String) {
    let words: Vec<Vec<&str>> = names.iter().map(|name| name.split(' ').collect()).collect();
    let [first, others @ ..] = &words[..] else { return (vec![], String::new()) };
    if others.is_empty() {
        return (vec![String::new()], names[0].into());
    }
    let shortest = words.iter().map(Vec::len).min().unwrap_or(1) - 1;
    let same = |back: usize| others.iter().all(|other| other[other.len() - back] == first[first.len() - back]);
    let shared = (1..=shortest).take_while(|back| same(*back)).count();
    let heads = words.iter().map(|words| words[..words.len() - shared].join(" ")).collect();
    (heads, first[first.len() - shared..].join(" "))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_their_beginnings() {
        let apart = |names: &[&str]| told_apart(names);
        let heads = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        assert_eq!(
            apart(&["minimum max-cosine", "maximum max-cosine"]),
            (heads(&["minimum", "maximum"]), "max-cosine".into())
        );
        assert_eq!(apart(&["loss", "mean loss"]), (heads(&["loss", "mean loss"]), String::new()));
        assert_eq!(apart(&["a b", "a b"]), (heads(&["a", "a"]), "b".into()));
        assert_eq!(apart(&["norm of W"]), (heads(&[""]), "norm of W".into()));
    }
}
