use std::path::Path;

use anyhow::{Context, Result};
use ndarray::{Array2, Ix2};

use crate::{
    data::{Dataset, RunStreams},
    metrics::cosines,
    plots::{ColorScale, Heatmap, HeatmapGrid},
    record::{RunRecord, read_run},
    spec::{
        Part,
        layout::{Kind, Layout, Parameter, Site},
    },
};

/// Heat maps of a finished run: W^o, W^t, W^p and the projector, and |cos(W^o, M)| with the neurons ordered so that
/// those that match the atoms best stand on the diagonal.
pub fn weights(folder: &Path) -> Result<HeatmapGrid> {
    let record = read_run(folder)?;
    let mut panels = Vec::new();
    let layout = Layout::of(&record.spec.model, record.spec.data.p);
    let weights = layout.iter().filter(|parameter| parameter.kind == Kind::Weight);
    for Parameter { name, site, .. } in weights {
        if let Some(weight) = matrix(&record, name) {
            let title = title(*site);
            panels.push(heatmap(&title, "input", "neuron", &weight, ColorScale::Diverging { limit: None }));
        }
    }
    let online = online(&record)?;
    let matched = ordered(&cosines(&online, &dictionary(&record)).mapv(f64::abs));
    let scale = ColorScale::Sequential { low: 0.0, high: 1.0 };
    panels.push(heatmap("|cos(Wᵒ, M)|", "atom", "neuron, best matches first", &matched, scale));
    let summary = &record.summary;
    Ok(HeatmapGrid {
        title: format!("{}, seed {}, after {} epochs", summary.label, summary.seed, summary.epochs),
        subtitle: format!("{}/{}", summary.experiment, summary.run),
        columns: if panels.len() > 3 { 2 } else { panels.len() },
        panels,
        ..HeatmapGrid::default()
    })
}

/// The title of a layer's weight.
fn title(Site { part, depth }: Site) -> String {
    let name = match part {
        Part::Encoder => "online encoder Wᵒ",
        Part::Target => "target encoder Wᵗ",
        Part::Projector => "projector",
        Part::Predictor => "predictor Wᵖ",
    };
    if depth == 0 { name.into() } else { format!("{name}, layer {}", depth + 1) }
}

/// The first layer of the online encoder, `(m, p)`.
pub(super) fn online(record: &RunRecord) -> Result<Array2<f64>> {
    let layout = Layout::of(&record.spec.model, record.spec.data.p);
    let weight = layout.find(Site::first(Part::Encoder), Kind::Weight);
    weight.and_then(|weight| matrix(record, &weight.name)).context("the run has no encoder weight W^o")
}

/// The dictionary, `(p, d)`: a pure function of the run's settings, drawn again rather than stored.
pub(super) fn dictionary(record: &RunRecord) -> Array2<f64> {
    let mut streams = RunStreams::new(record.spec.random, record.spec.seed);
    Dataset::dictionary(&record.spec.data, &mut streams)
}

fn matrix(record: &RunRecord, name: &str) -> Option<Array2<f64>> {
    record.state.get(name)?.clone().into_dimensionality::<Ix2>().ok()
}

/// Rows reordered: first, atom by atom, the best neuron left for it, then the others.
fn ordered(cosines: &Array2<f64>) -> Array2<f64> {
    let mut order: Vec<usize> = Vec::new();
    for atom in cosines.columns() {
        let left = (0..cosines.nrows()).filter(|neuron| !order.contains(neuron));
        if let Some(best) = left.max_by(|&a, &b| atom[a].total_cmp(&atom[b])) {
            order.push(best);
        }
    }
    let rest: Vec<usize> = (0..cosines.nrows()).filter(|neuron| !order.contains(neuron)).collect();
    order.extend(rest);
    cosines.select(ndarray::Axis(0), &order)
}

fn heatmap(title: &str, x: &str, y: &str, values: &Array2<f64>, scale: ColorScale) -> Heatmap {
    Heatmap {
        title: title.into(),
        x_label: x.into(),
        y_label: y.into(),
        values: values.outer_iter().map(|row| row.to_vec()).collect(),
        scale,
        ..Heatmap::default()
    }
}
