//! Figures: learning curves with bands, heat maps, dot plots and filled maps, drawn from plain numbers.
//!
//! This room knows neither tensors nor files of results. A figure is a plain value ([`Figure`], [`HeatmapGrid`],
//! [`DotsGrid`], [`SurfaceGrid`]) with one method, `draw(path)`, which writes a PNG, an SVG or a PDF by the file's extension,
//! whole or not at all. The font is embedded, so every machine draws the same picture.
//!
//! How it works: the plots lay themselves out on a page (`page.rs`) as a list of marks in final pixels (`canvas.rs`);
//! only the canvas and its painter draw with plotters, and `pdf.rs` writes the same marks as a page. The look of every figure is decided in
//! `style.rs`.
//!
//! ```
//! use contrastive_landscape::plots::{Curve, Figure, Panel};
//!
//! let curve = Curve {
//!     label: "minimum max-cosine".into(),
//!     x: vec![0.0, 1.0, 2.0],
//!     runs: vec![vec![0.3, 0.5, 0.9], vec![0.2, 0.6, 0.8]], // two seeds
//!     ..Curve::default()
//! };
//! let panel = Panel { x_label: "epoch".into(), curves: vec![curve], ..Panel::default() };
//! let figure = Figure { title: "Recovery".into(), panels: vec![panel], columns: 1, ..Figure::default() };
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("recovery.svg");
//! figure.draw(&path)?; // PNG, SVG or PDF, by the extension
//! # Ok::<(), anyhow::Error>(())
//! ```

mod axis;
mod canvas;
mod categories;
mod curves;
mod dots;
mod figure;
mod format;
mod frame;
mod heatmap;
mod legend;
mod page;
mod painter;
mod pdf;
mod size;
mod stats;
mod strips;
mod style;
mod surface;
mod text;

pub use axis::{Scale, Tick, linear_ticks};
pub use curves::{Curve, Panel};
pub use dots::{Dot, Dots};
pub use figure::{DotsGrid, Figure, Grid, HeatmapGrid, StripsGrid, SurfaceGrid};
pub use format::FileFormat;
pub use heatmap::Heatmap;
pub use size::Size;
pub use stats::{Band, Summary, summarize};
pub use strips::{Spot, SpotLook, Strips};
pub use style::{COLORS, ColorScale, Dash, LineStyle};
pub use surface::{Marker, Surface};
