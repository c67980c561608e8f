//! Values with intervals by category, and maps, as SVG that follows the page's colours.

use maud::{Markup, html};

use super::chart::short;
use crate::plots::{COLORS, Dots, DotsGrid, Heatmap, HeatmapGrid, linear_ticks};

const WIDTH: f64 = 620.0;
const ROW: f64 = 22.0;
const LABELS: f64 = 250.0;

/// Every panel of a dot plot.
pub fn dots(grid: &DotsGrid) -> Markup {
    html! {
        @for panel in &grid.panels {
            @if let Some((low, high)) = panel.range() { (dots_panel(panel, low, high)) }
        }
        p.note { (grid.note) }
    }
}

fn dots_panel(panel: &Dots, low: f64, high: f64) -> Markup {
    let bottom = ROW * panel.dots.len() as f64 + 6.0;
    let x = |value: f64| short(LABELS + (value - low) / (high - low) * (WIDTH - LABELS - 16.0));
    html! {
        figure.chart {
            figcaption { b { (panel.title) } }
            svg viewBox=(format!("0 0 {WIDTH} {}", bottom + 40.0)) role="img" aria-label=(panel.title) {
                @for tick in linear_ticks(low, high, 5) {
                    line class=(if tick.value == 0.0 { "zero" } else { "grid" })
                        x1=(x(tick.value)) x2=(x(tick.value)) y1="0" y2=(bottom) {}
                    text.tick x=(x(tick.value)) y=(bottom + 16.0) text-anchor="middle" { (tick.label) }
                }
                text.tick x=((LABELS + WIDTH) / 2.0) y=(bottom + 34.0) text-anchor="middle" { (panel.x_label) }
                @for (place, dot) in panel.dots.iter().enumerate() {
                    @let y = ROW * place as f64 + ROW / 2.0 + 3.0;
                    g class=(format!("curve c{}", dot.color % COLORS)) {
                        text.tick x=(LABELS - 10.0) y=(y + 4.0) text-anchor="end" { (dot.label) }
                        @for (i, value) in dot.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                            circle.seed-dot cx=(x(*value)) cy=(short(y + ((i as f64 * 0.618_034).fract() - 0.5) * 14.0)) r="1.6" {}
                        }
                        @if let Some((from, to)) = dot.interval.filter(|(from, to)| from.is_finite() && to.is_finite()) {
                            line.bar x1=(x(from.max(low))) x2=(x(to.min(high))) y1=(y) y2=(y) {}
                        }
                        @if dot.mean.is_finite() {
                            circle.dot cx=(x(dot.mean)) cy=(y) r="4.5" { title { (format!("{}: {:.3}", dot.label, dot.mean)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Every panel of a map, with numbers in its cells.
pub fn maps(grid: &HeatmapGrid) -> Markup {
    html! { div.maps { @for panel in &grid.panels { (map(panel)) } } }
}

fn map(panel: &Heatmap) -> Markup {
    const CELL: (f64, f64) = (46.0, 30.0);
    // Room for the labels of rows, at seven pixels a letter, and for the axis' name.
    let longest = panel.row_ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
    let margin = 30.0 + 7.0 * longest as f64;
    let (rows, columns) = (panel.values.len() as f64, panel.values.first().map_or(0, Vec::len) as f64);
    let (width, height) = (margin + CELL.0 * columns + 6.0, CELL.1 * rows + 44.0);
    html! {
        figure.chart.map {
            figcaption { b { (panel.title) } }
            svg viewBox=(format!("0 0 {width} {height}")) style=(format!("max-width:{width}px")) role="img" aria-label=(panel.title) {
                @for (i, row) in panel.values.iter().enumerate() {
                    @for (j, value) in row.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                        @let (left, top) = (margin + CELL.0 * j as f64, CELL.1 * i as f64);
                        rect.cell x=(left) y=(top) width=(CELL.0) height=(CELL.1) fill-opacity=(short(value.clamp(0.0, 1.0).powi(2))) {}
                        text.number x=(left + CELL.0 / 2.0) y=(top + 19.0) text-anchor="middle" { (format!("{value:.2}")) }
                    }
                }
                @for (i, label) in &panel.row_ticks {
                    text.tick x=(margin - 6.0) y=(CELL.1 * *i as f64 + 19.0) text-anchor="end" { (label) }
                }
                @for (j, label) in &panel.column_ticks {
                    text.tick x=(margin + CELL.0 * (*j as f64 + 0.5)) y=(CELL.1 * rows + 16.0) text-anchor="middle" { (label) }
                }
                text.tick x=(margin + CELL.0 * columns / 2.0) y=(CELL.1 * rows + 35.0) text-anchor="middle" { (panel.x_label) }
                text.tick transform=(format!("translate(11 {}) rotate(-90)", CELL.1 * rows / 2.0)) text-anchor="middle" { (panel.y_label) }
            }
        }
    }
}
