//! Functions of two variables as filled maps with iso-lines, such as loss landscapes.

use anyhow::{Result, ensure};

use super::axis::{Scale, linear_ticks};
use super::canvas::{Align, Canvas, Point, Rect};
use super::frame::{Frame, Range};
use super::heatmap::ColorBar;
use super::page::Cell;
use super::style::{BLACK, ColorScale, LINE_HEIGHT, NOTE, WHITE};
use super::text::Font;

/// A marked point of a surface.
#[derive(Clone, Debug, Default)]
pub struct Marker {
    /// Position along the x axis, in its values.
    pub x: f64,
    /// Position along the y axis, in its values.
    pub y: f64,
    /// Text beside the mark.
    pub label: String,
}

/// Values of a function on a grid.
#[derive(Clone, Debug)]
pub struct Surface {
    /// Text above the plot.
    pub title: String,
    /// Text below the x axis.
    pub x_label: String,
    /// Text beside the y axis.
    pub y_label: String,
    /// Strictly increasing positions of the columns, at least two.
    pub x: Vec<f64>,
    /// Strictly increasing positions of the rows, at least two.
    pub y: Vec<f64>,
    /// One row per `y`, one value per `x`; NaN is grey.
    pub values: Vec<Vec<f64>>,
    /// How values become colours.
    pub scale: ColorScale,
    /// About how many iso-lines, at round values.
    pub levels: usize,
    /// Points to mark, such as the ends of runs.
    pub markers: Vec<Marker>,
}

impl Default for Surface {
    fn default() -> Self {
        Self {
            title: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            x: vec![],
            y: vec![],
            values: vec![],
            scale: ColorScale::SequentialAuto,
            levels: 10,
            markers: vec![],
        }
    }
}

impl Surface {
    fn color_bar(&self, width: f64) -> ColorBar {
        ColorBar::new(self.scale.resolve(self.values.iter().flatten().copied()), self.body_height(width) - 60.0)
    }
}

/// Edges of the cells around grid positions: half way between neighbours, and at the outermost positions themselves.
fn edges(positions: &[f64]) -> Vec<f64> {
    let between = positions.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    let ends = (positions.first().copied(), positions.last().copied());
    ends.0.into_iter().chain(between).chain(ends.1).collect()
}

impl Cell for Surface {
    fn title(&self) -> &str {
        &self.title
    }

    fn check(&self) -> Result<()> {
        let title = &self.title;
        for (name, positions) in [("x", &self.x), ("y", &self.y)] {
            ensure!(positions.len() > 1, "the surface `{title}` needs at least two {name} positions");
            let increasing =
                positions.windows(2).all(|pair| pair[0] < pair[1]) && positions.iter().all(|v| v.is_finite());
            ensure!(increasing, "the {name} positions of the surface `{title}` do not increase");
        }
        let fits = self.values.len() == self.y.len() && self.values.iter().all(|row| row.len() == self.x.len());
        ensure!(fits, "the surface `{title}` needs {} rows of {} values", self.y.len(), self.x.len());
        Ok(())
    }

    fn body_height(&self, width: f64) -> f64 {
        (0.8 * width).clamp(330.0, 560.0)
    }

    fn draw(&self, canvas: &mut Canvas, body: Rect) {
        let bar = self.color_bar(body.width());
        let range = |v: &[f64]| Range { scale: Scale::Linear, low: v[0], high: v[v.len() - 1] };
        let frame = Frame::new(body, range(&self.x), range(&self.y), &self.x_label, &self.y_label, bar.width());

        let columns: Vec<f64> = edges(&self.x).into_iter().map(|x| frame.x.pixel(x).round()).collect();
        let rows: Vec<f64> = edges(&self.y).into_iter().map(|y| frame.y.pixel(y).round()).collect();
        for (row, y) in self.values.iter().zip(rows.windows(2)) {
            for (value, x) in row.iter().zip(columns.windows(2)) {
                canvas.fill(Rect::new(x[0], y[1], x[1], y[0]), bar.range.color(*value));
            }
        }
        for level in linear_ticks(bar.range.low, bar.range.high, self.levels.max(1)).iter().filter(|_| self.levels > 0)
        {
            let under = bar.range.color(level.value);
            let dark = u32::from(under.0) + 2 * u32::from(under.1) + u32::from(under.2) < 400;
            for (a, b) in iso_lines(&self.x, &self.y, &self.values, level.value) {
                let line = vec![frame.at(a.0, a.1), frame.at(b.0, b.1)];
                canvas.line(line, 1.5, if dark { WHITE } else { BLACK });
            }
        }
        frame.labels(canvas);
        bar.draw(canvas, frame.plot);
        for marker in &self.markers {
            marker.draw(canvas, &frame);
        }
    }
}

impl Marker {
    fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        let (x, y) = frame.at(self.x, self.y);
        if !frame.plot.contains((x, y)) {
            return;
        }
        canvas.disc((x, y), 9.0, BLACK);
        canvas.disc((x, y), 6.0, WHITE);
        let font = Font::regular(NOTE);
        let width = font.width(&self.label);
        if width > 0.0 {
            let Rect { left, top, right, bottom } = frame.plot;
            let start = if x + 18.0 + width < right { x + 14.0 } else { (x - 18.0 - width).max(left + 4.0) };
            let half = LINE_HEIGHT * NOTE / 2.0;
            let middle = y.clamp(top + half, bottom - half);
            canvas.fill(Rect::new(start - 4.0, middle - half, start + width + 4.0, middle + half), WHITE);
            canvas.text(&self.label, (start, middle + 0.5 * Font::ASCENT * NOTE), Align::Left, font, BLACK);
        }
    }
}

/// Segments along which the function, linear between grid points, takes the value `level` (marching squares). Cells with
/// a missing corner have none.
fn iso_lines(x: &[f64], y: &[f64], values: &[Vec<f64>], level: f64) -> Vec<(Point, Point)> {
    let mut segments = vec![];
    for (i, ys) in y.windows(2).enumerate() {
        for (j, xs) in x.windows(2).enumerate() {
            // Corners counter-clockwise from the lowest of both axes.
            let corners = [(xs[0], ys[0]), (xs[1], ys[0]), (xs[1], ys[1]), (xs[0], ys[1])];
            let heights = [values[i][j], values[i][j + 1], values[i + 1][j + 1], values[i + 1][j]];
            if heights.iter().any(|h| !h.is_finite()) {
                continue;
            }
            let above = heights.map(|h| h > level);
            let crossings: Vec<Point> = (0..4)
                .map(|a| (a, (a + 1) % 4))
                .filter(|&(a, b)| above[a] != above[b])
                .map(|(a, b)| {
                    let share = (level - heights[a]) / (heights[b] - heights[a]);
                    let between = |from: f64, to: f64| from + share * (to - from);
                    (between(corners[a].0, corners[b].0), between(corners[a].1, corners[b].1))
                })
                .collect();
            match crossings[..] {
                [a, b] => segments.push((a, b)),
                // A saddle: the mean of the corners says whether the first corner's side joins across the middle.
                [a, b, c, d] if (heights.iter().sum::<f64>() / 4.0 > level) == above[0] => {
                    segments.extend([(a, b), (c, d)]);
                }
                [a, b, c, d] => segments.extend([(d, a), (b, c)]),
                _ => {}
            }
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_lines_of_a_cone_lie_on_a_circle() {
        let axis: Vec<f64> = (-20..=20).map(|i| f64::from(i) / 10.0).collect();
        let values: Vec<Vec<f64>> = axis.iter().map(|y| axis.iter().map(|x| x.hypot(*y)).collect()).collect();
        let segments = iso_lines(&axis, &axis, &values, 1.0);
        let length: f64 = segments.iter().map(|(a, b)| (b.0 - a.0).hypot(b.1 - a.1)).sum();
        assert!((length - std::f64::consts::TAU).abs() < 0.02, "{length}");
        assert!(segments.iter().all(|(a, _)| (a.0.hypot(a.1) - 1.0).abs() < 0.01));
    }

    #[test]
    fn saddles_join_the_sides_of_their_middle() {
        let grid = [0.0, 1.0];
        // High at two opposite corners and in the mean: the low corners are cut off.
        let high = iso_lines(&grid, &grid, &[vec![1.0, 0.0], vec![0.0, 1.0]], 0.4);
        assert_eq!(high.len(), 2);
        let cuts_a_low_corner = |(a, b): &(Point, Point)| {
            let middle = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
            (middle.0 > 0.5) != (middle.1 > 0.5)
        };
        assert!(high.iter().all(cuts_a_low_corner), "{high:?}");
        let low = iso_lines(&grid, &grid, &[vec![1.0, 0.0], vec![0.0, 1.0]], 0.6);
        assert!(!low.iter().any(cuts_a_low_corner), "{low:?}");
        assert!(iso_lines(&grid, &grid, &[vec![1.0, f64::NAN], vec![0.0, 1.0]], 0.6).is_empty());
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let error = |surface: Surface| surface.check().unwrap_err().to_string();
        let grid = || Surface { title: "loss".into(), x: vec![0.0, 1.0], y: vec![0.0, 1.0], ..Surface::default() };
        assert_eq!(error(grid()), "the surface `loss` needs 2 rows of 2 values");
        assert!(error(Surface { x: vec![0.0], ..grid() }).contains("two x positions"));
        assert!(error(Surface { y: vec![1.0, 0.0], ..grid() }).contains("y positions"));
    }
}
