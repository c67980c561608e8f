//! A sweep of one's own, drawn as a heat map: how masking and temperature decide what the contrastive loss finds.
//!
//! `cargo run --release --example heat_map` writes `heat_map.png`. Half a minute.

use std::path::Path;

use contrastive_landscape::{
    RunSpec,
    plots::{ColorScale, Heatmap, HeatmapGrid},
    train,
};
use rayon::prelude::*;

const MASKING: [f64; 4] = [0.1, 0.25, 0.5, 0.75];
const TEMPERATURES: [f64; 4] = [0.05, 0.1, 0.2, 0.5];

/// Median max-cosine after some epochs.
fn recovery(masking: f64, temperature: f64) -> anyhow::Result<f64> {
    let spec: RunSpec = format!(
        "{{method: cl, data: {{samples: 512}}, views: {{masks: dependent, masking_prob: {masking}}}, \
          loss: {{kind: nt_xent, temperature: {temperature}}}, train: {{epochs: 150}}, metrics: {{every: 150}}}}"
    )
    .parse()?;
    Ok(train(&spec)?.rows.last().map_or(f64::NAN, |row| row.cosine.median))
}

fn main() -> anyhow::Result<()> {
    let cells: Vec<(f64, f64)> = TEMPERATURES.iter().flat_map(|&t| MASKING.map(|masking| (masking, t))).collect();
    let values: Vec<f64> = cells.into_par_iter().map(|(masking, t)| recovery(masking, t)).collect::<Result<_, _>>()?;
    let ticks = |values: &[f64]| values.iter().map(f64::to_string).enumerate().collect();
    let map = Heatmap {
        x_label: "masking probability".into(),
        y_label: "temperature".into(),
        values: values.chunks(MASKING.len()).map(<[f64]>::to_vec).collect(),
        scale: ColorScale::Sequential { low: 0.0, high: 1.0 },
        row_ticks: ticks(&TEMPERATURES),
        column_ticks: ticks(&MASKING),
        numbers: true,
        ..Heatmap::default()
    };
    let grid = HeatmapGrid {
        title: "Median max-cosine of the contrastive loss".into(),
        subtitle: "dependent masks, n = 512, 150 epochs, one seed".into(),
        panels: vec![map],
        columns: 1,
        ..HeatmapGrid::default()
    };
    let path = Path::new("heat_map.png");
    grid.draw(path)?;
    println!("wrote {}", path.display());
    Ok(())
}
