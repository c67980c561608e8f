//! Whole figures: panels of curves, and grids of the other plots.

use std::path::Path;

use anyhow::Result;

use super::canvas::Canvas;
use super::curves::{Panel, PanelCell};
use super::dots::Dots;
use super::heatmap::Heatmap;
use super::page::{Cell, Page};
use super::size::Size;
use super::stats::Band;
use super::strips::Strips;
use super::surface::Surface;
use crate::input_error;

/// Panels of curves over seeds.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// Text above all panels.
    pub title: String,
    /// The settings, in one line.
    pub subtitle: String,
    /// The plots, row by row.
    pub panels: Vec<Panel>,
    /// Panels side by side.
    pub columns: usize,
    /// What the band around a mean shows.
    pub band: Band,
    /// A warning shown in the picture, such as that the run was cut short.
    pub watermark: Option<String>,
    /// A remark below the panels, in place of the explanation of lines and bands.
    pub note: String,
    /// Width and height of the picture; as the panels need, if not given. Text stays of its size.
    pub size: Option<Size>,
}

/// The lowest plot that is still one, in pixels.
const LOWEST: u32 = 130;

impl Figure {
    /// Writes the figure as PNG, SVG or PDF, by the extension of `path`, whole or not at all.
    ///
    /// # Errors
    /// A panel without curves, a curve without points or with series of different lengths, an axis range that fits no
    /// value, a size that has no room for all of it, another extension, or a file that cannot be written.
    pub fn draw(&self, path: &Path) -> Result<()> {
        self.canvas()?.save(path)
    }

    pub(super) fn canvas(&self) -> Result<Canvas> {
        let Some(Size { width, height }) = self.size else { return self.laid_out(None, None) };
        let (width, height) = (Some(f64::from(width)), f64::from(height));
        // The highest plots with which everything fits: what is beside them depends on their height.
        let fits = |plot: u32| -> Result<bool> { Ok(self.laid_out(width, Some(plot.into()))?.height <= height) };
        let least = self.laid_out(width, Some(LOWEST.into()))?.height;
        if least > height {
            return Err(input_error!(
                "--size: at this width, the picture needs {least} pixels of height: make it higher or wider, or draw fewer panels"
            ));
        }
        let (mut low, mut high) = (LOWEST, height as u32);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if fits(middle)? { low = middle } else { high = middle }
        }
        Ok(Canvas { height, ..self.laid_out(width, Some(low.into()))? })
    }

    /// With plots of a given height, on a page of a given width.
    fn laid_out(&self, width: Option<f64>, height: Option<f64>) -> Result<Canvas> {
        let mut seeds: Vec<usize> = self.panels.iter().flat_map(|p| &p.curves).map(|c| c.seeds()).collect();
        seeds.retain(|n| *n > 0);
        seeds.sort_unstable();
        seeds.dedup();
        let mut cells: Vec<_> = self
            .panels
            .iter()
            .map(|panel| PanelCell { panel, band: self.band, name_seeds: seeds.len() > 1, own_legend: true, height })
            .collect();
        let legends: Vec<_> = cells.iter().map(Cell::entries).collect();
        let shared = legends.len() > 1 && legends.windows(2).all(|pair| pair[0] == pair[1]);
        for cell in &mut cells {
            cell.own_legend = !shared;
        }
        let legend = legends.into_iter().next().filter(|_| shared).unwrap_or_default();
        let note = self.note(&seeds);
        let page = Page {
            title: &self.title,
            subtitle: &self.subtitle,
            watermark: self.watermark.as_deref(),
            columns: self.columns,
            width,
            cells: cells.iter().map(|cell| cell as &dyn Cell).collect(),
            legend,
            note: &note,
        };
        page.canvas()
    }

    /// What the lines and bands are.
    fn note(&self, seeds: &[usize]) -> String {
        if !self.note.is_empty() {
            return self.note.clone();
        }
        let over = match seeds {
            [] => return String::new(),
            [1] => return "One seed.".into(),
            [n] => format!("n = {n} seeds"),
            _ => "n seeds".into(),
        };
        match self.band.describe() {
            Some(band) => format!("Line: mean over {over}. Band: {band}."),
            None => format!("Line: mean over {over}."),
        }
    }
}

/// Plots of one kind side by side.
#[derive(Clone, Debug, Default)]
pub struct Grid<P> {
    /// Text above all plots.
    pub title: String,
    /// The settings, in one line.
    pub subtitle: String,
    /// The plots, row by row.
    pub panels: Vec<P>,
    /// Panels side by side.
    pub columns: usize,
    /// A warning shown in the picture, such as that the run was cut short.
    pub watermark: Option<String>,
    /// A remark below the panels, such as what the intervals are.
    pub note: String,
}

/// Matrices as colours, such as the weights of both encoders.
pub type HeatmapGrid = Grid<Heatmap>;
/// Values with intervals by category, such as main effects or checked claims.
pub type DotsGrid = Grid<Dots>;
/// Marks of several settings by category, such as what methods find.
pub type StripsGrid = Grid<Strips>;
/// Functions of two variables, such as loss landscapes.
pub type SurfaceGrid = Grid<Surface>;

impl<P: Cell> Grid<P> {
    /// Writes the figure as PNG, SVG or PDF, by the extension of `path`, whole or not at all.
    ///
    /// # Errors
    /// No panels, a panel without values or with rows of different lengths, another extension, or a file that cannot be
    /// written.
    pub fn draw(&self, path: &Path) -> Result<()> {
        self.canvas()?.save(path)
    }

    pub(super) fn canvas(&self) -> Result<Canvas> {
        let mut legend = vec![];
        for entry in self.panels.iter().flat_map(Cell::entries) {
            if !legend.contains(&entry) {
                legend.push(entry);
            }
        }
        let page = Page {
            title: &self.title,
            subtitle: &self.subtitle,
            watermark: self.watermark.as_deref(),
            columns: self.columns,
            width: None,
            cells: self.panels.iter().map(|panel| panel as &dyn Cell).collect(),
            legend,
            note: &self.note,
        };
        page.canvas()
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Scale;
    use super::super::canvas::{Mark, Rect};
    use super::super::curves::Curve;
    use super::super::dots::Dot;
    use super::super::style::{ColorScale, Dash, LineStyle};
    use super::super::surface::Marker;
    use super::*;

    /// Every mark lies on the picture and no two texts on each other.
    fn assert_legible(name: &str, canvas: &Canvas) {
        let page = Rect::new(0.0, 0.0, canvas.width, canvas.height);
        let texts: Vec<_> = canvas.marks.iter().filter(|mark| matches!(mark, Mark::Text { .. })).collect();
        for mark in &canvas.marks {
            let Rect { left, top, right, bottom } = mark.bounds();
            assert!(page.contains((left, top)) && page.contains((right, bottom)), "{name}: cut off: {mark:?}");
        }
        for (i, a) in texts.iter().enumerate() {
            for b in &texts[i + 1..] {
                let (p, q) = (a.bounds(), b.bounds());
                let apart = p.right <= q.left || q.right <= p.left || p.bottom <= q.top || q.bottom <= p.top;
                assert!(apart, "{name}: {a:?} overlaps {b:?}");
            }
        }
    }

    fn curves(count: usize, seeds: usize, epochs: usize) -> Vec<Curve> {
        let x: Vec<f64> = (0..epochs).map(|e| e as f64).collect();
        let run = |i: usize, s: usize| {
            let value = |e: &f64| 0.9 - (0.1 * i as f64) * (-e / 900.0).exp() + 0.01 * s as f64 * (e / 50.0).sin();
            x.iter().map(value).collect()
        };
        (0..count)
            .map(|i| Curve {
                label: format!("setting number {i}"),
                style: LineStyle::new(i, Dash::Dashed),
                x: x.clone(),
                runs: (0..seeds).map(|s| run(i, s)).collect(),
            })
            .collect()
    }

    fn panel(count: usize) -> Panel {
        Panel {
            title: "A title that is so long that it cannot possibly stand above its panel in a single line".into(),
            x_label: "epoch".into(),
            y_label: "a label of the vertical axis that is longer than the axis itself, and by far, as one can see"
                .into(),
            y_range: None,
            curves: curves(count, 3, 500),
            references: vec![(0.9, "published".into()), (0.901, "a longer label of another line".into())],
            ..Panel::default()
        }
    }

    fn figure(panels: Vec<Panel>, columns: usize) -> Figure {
        Figure {
            title: "Minimum max-cosine ".repeat(8),
            subtitle: "p = 50, d = 10, m = 50 ".repeat(12),
            panels,
            columns,
            band: Band::Std,
            watermark: Some("quick run: 200 of 8000 epochs; ".repeat(5)),
            note: String::new(),
            size: None,
        }
    }

    #[test]
    fn nothing_is_cut_off_and_no_text_covers_another() {
        for columns in 1..=4 {
            for count in [1, 2, 5, 7, 20] {
                let panels = vec![panel(count), panel(count), panel(2), panel(count)];
                assert_legible("own legends", &figure(panels, columns).canvas().unwrap());
                assert_legible("one legend", &figure(vec![panel(count); 3], columns).canvas().unwrap());
            }
        }
        for (x_scale, y_scale) in [(Scale::Log, Scale::Log), (Scale::LogFromZero, Scale::Linear)] {
            for size in [1e-9, 1.0, 1e7] {
                let mut panel = Panel { x_scale, y_scale, ..panel(3) };
                panel.references.clear();
                panel.curves.iter_mut().flat_map(|c| &mut c.runs).flatten().for_each(|v| *v *= size);
                assert_legible("scales", &figure(vec![panel; 3], 3).canvas().unwrap());
            }
        }
    }

    #[test]
    fn pictures_have_the_size_that_is_asked_for() {
        let small =
            |count: usize| Panel { title: String::new(), y_label: "loss".into(), references: vec![], ..panel(count) };
        for (width, height) in [(1600, 1400), (1040, 2000), (700, 1900)] {
            for columns in 1..=2 {
                let figure = Figure {
                    title: "Size".into(),
                    panels: vec![small(2), small(3)],
                    columns,
                    size: Some(Size { width, height }),
                    ..Figure::default()
                };
                let canvas = figure.canvas().unwrap();
                assert_eq!((canvas.width, canvas.height), (f64::from(width), f64::from(height)));
                assert_legible("size", &canvas);
                // The room is used: the last mark is not far from the end.
                let bottom = canvas.marks.iter().map(|mark| mark.bounds().bottom).fold(0.0, f64::max);
                assert!(bottom > 0.9 * f64::from(height) - 40.0, "{bottom} of {height}");
            }
        }
        let figure =
            Figure { panels: vec![small(2); 6], columns: 1, size: "800x400".parse().ok(), ..Figure::default() };
        let error = figure.canvas().unwrap_err().to_string();
        assert!(error.contains("--size: at this width, the picture needs"), "{error}");
    }

    #[test]
    fn grids_are_legible_too() {
        let heatmap = |rows: usize, columns: usize, size: f64| Heatmap {
            title: "|cos(Wᵒ, M)|".into(),
            x_label: "atom".into(),
            y_label: "neuron, of which there are many".into(),
            values: (0..rows).map(|i| (0..columns).map(|j| size * ((i * j) as f64).sin()).collect()).collect(),
            ..Heatmap::default()
        };
        let names = (0..10).map(|i| (i, format!("atom number {i}"))).collect();
        let named = Heatmap { column_ticks: names, ..heatmap(10, 10, 1.0) };
        let panels = vec![heatmap(50, 50, 1e-7), heatmap(50, 10, 3.0), heatmap(1, 1, 0.0), heatmap(3, 200, 1e5), named];
        for columns in 1..=4 {
            let grid = Grid { title: "W".into(), panels: panels.clone(), columns, ..Grid::default() };
            assert_legible("heat maps", &grid.canvas().unwrap());
        }

        let dot = |i: usize| Dot {
            label: format!("claim {i}: {}", "contrastive learning recovers the dictionary ".repeat(i)),
            mean: if i == 2 { f64::NAN } else { i as f64 / 3.0 },
            interval: Some((i as f64 / 3.0 - 0.2, i as f64 / 3.0 + 0.1)),
            reference: Some(0.5),
            color: i,
            ..Dot::default()
        };
        let dots = Dots {
            x_label: "minimum max-cosine".into(),
            dots: (0..5).map(dot).collect(),
            value_label: "this reproduction".into(),
            reference_label: "published".into(),
            ..Dots::default()
        };
        for columns in 1..=3 {
            let grid = Grid { panels: vec![dots.clone(); 3], columns, note: "note ".repeat(90), ..Grid::default() };
            let canvas = grid.canvas().unwrap();
            assert_legible("dots", &canvas);
            let published = |m: &&Mark| matches!(m, Mark::Text { text, .. } if text == "published");
            assert_eq!(canvas.marks.iter().filter(published).count(), 1, "one legend for all panels");
        }

        let axis: Vec<f64> = (0..30).map(|i| f64::from(i) / 10.0 - 1.5).collect();
        let surface = Surface {
            x: axis.clone(),
            y: axis.clone(),
            values: axis.iter().map(|y| axis.iter().map(|x| x * x + y).collect()).collect(),
            scale: ColorScale::Diverging { limit: None },
            markers: vec![Marker { x: 1.4, y: 1.4, label: "the end of the path".into() }],
            ..Surface::default()
        };
        for columns in 1..=3 {
            let grid = Grid { panels: vec![surface.clone(); 3], columns, ..Grid::default() };
            assert_legible("surfaces", &grid.canvas().unwrap());
        }
    }

    #[test]
    fn odd_values_draw() {
        let (nan, infinity) = (f64::NAN, f64::INFINITY);
        let values = [
            vec![vec![0.5]],
            vec![vec![0.5, 0.5, 0.5]; 2],
            vec![vec![nan, 0.3, nan], vec![nan, nan, 0.7]],
            vec![vec![0.1, infinity, -infinity], vec![0.2, 0.3, nan]],
            vec![vec![1e300, -1e300, 0.5], vec![-1e300, 1e308, 0.5]],
            vec![vec![0.0, -1.0, 2.0]; 3],
        ];
        let curve = |runs: &Vec<Vec<f64>>| Curve {
            label: "odd".into(),
            x: (0..runs[0].len()).map(|e| e as f64).collect(),
            runs: runs.clone(),
            ..Curve::default()
        };
        let missing =
            Curve { label: "missing".into(), x: vec![0.0, 1.0], runs: vec![vec![nan; 2]; 2], ..Curve::default() };
        let path = std::env::temp_dir().join(format!("odd-{}.svg", std::process::id()));
        for scale in [Scale::Linear, Scale::Log, Scale::LogFromZero] {
            for (y_range, band) in [(None, Band::Std), (Some((0.1, 0.9)), Band::MinMax), (Some((5.0, 6.0)), Band::Ci95)]
            {
                let panel = |curves| Panel { y_range, y_scale: scale, x_scale: scale, curves, ..Panel::default() };
                let panels = values.iter().filter(|runs| scale != Scale::Log || runs[0].len() > 1);
                let panels = panels.map(|runs| panel(vec![curve(runs), missing.clone()])).collect();
                let figure = Figure { panels, columns: 3, band, ..Figure::default() };
                assert_legible("odd", &figure.canvas().unwrap());
                figure.draw(&path).unwrap();
            }
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_figure_of_full_length_is_of_readme_size() {
        let panel = Panel { curves: curves(6, 5, 8000), x_label: "epoch".into(), ..Panel::default() };
        let figure = Figure { title: "Figure 2".into(), panels: vec![panel; 2], columns: 2, ..Figure::default() };
        let folder = std::env::temp_dir().join(format!("figure-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        figure.draw(&folder.join("figure.png")).unwrap();
        figure.draw(&folder.join("figure.svg")).unwrap();
        let png = std::fs::read(folder.join("figure.png")).unwrap();
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!(number(16), 1600);
        assert!((550..700).contains(&number(20)), "{} pixels high", number(20));
        let svg = std::fs::metadata(folder.join("figure.svg")).unwrap().len();
        assert!(svg < 250_000, "{svg} bytes");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_note_says_what_lines_and_bands_are() {
        let note = |seeds: &[usize], band| Figure { band, ..Figure::default() }.note(seeds);
        assert_eq!(note(&[5], Band::Std), "Line: mean over n = 5 seeds. Band: ± 1 standard deviation.");
        assert_eq!(note(&[3, 5], Band::None), "Line: mean over n seeds.");
        assert_eq!(note(&[1], Band::Std), "One seed.");
        let mut mixed = Figure { panels: vec![panel(2)], ..Figure::default() };
        mixed.panels[0].curves[1].runs.pop();
        let labels: Vec<_> = mixed.canvas().unwrap().marks.into_iter().collect();
        let has = |label: &str| labels.iter().any(|m| matches!(m, Mark::Text { text, .. } if text.contains(label)));
        assert!(has("setting number 0 (n = 3)") && has("setting number 1 (n = 2)"));
    }

    #[test]
    fn the_warning_is_in_the_picture_and_an_empty_figure_is_an_error() {
        let mut figure = Figure { panels: vec![panel(1)], ..Figure::default() };
        let shows = |figure: &Figure| {
            let marks = figure.canvas().unwrap().marks;
            marks.iter().any(|m| matches!(m, Mark::Text { text, .. } if text.contains("200 of 8000 epochs")))
        };
        assert!(!shows(&figure));
        figure.watermark = Some("quick run: 200 of 8000 epochs".into());
        assert!(shows(&figure));
        let error =
            Figure { title: "Figure 9".into(), ..Figure::default() }.draw(Path::new("nowhere.png")).unwrap_err();
        assert_eq!(error.to_string(), "the figure `Figure 9` has no panels");
    }
}
