//! Trains one run of the non-contrastive loss and prints how much of the dictionary it has found.
//!
//! `cargo run --release --example train_one_run`, or without libtorch: `--no-default-features`. A second or two.

use contrastive_landscape::{RunSpec, train};

fn main() -> anyhow::Result<()> {
    // Settings not given are the paper's; `landscape methods` lists the methods, docs/experiments.md every setting.
    let spec: RunSpec = "
        method: ncl
        seed: 1
        data: {samples: 512}
        model: {init: {kind: warm, closeness: 1.0}}
        train: {epochs: 200, lr: 0.025}
        metrics: {every: 20}
    "
    .parse()?;
    let run = train(&spec)?;
    println!("{:>6}  {:>8}  {:>8}  {:>8}  {:>8}", "epoch", "loss", "minimum", "median", "maximum");
    for row in &run.rows {
        let loss = row.loss_mean.map_or_else(|| "-".into(), |loss| format!("{loss:.4}"));
        let cosine = row.cosine;
        println!("{:>6}  {loss:>8}  {:>8.3}  {:>8.3}  {:>8.3}", row.epoch, cosine.min, cosine.median, cosine.max);
    }
    Ok(())
}
