//! Losses in planes.

use anyhow::Result;

use super::{
    Curvature, Options, Point, TrainedLoss,
    curves::subtitle,
    draw::{Drawing, Picture},
};
use crate::{
    input_error,
    linalg::{Plane, evenly},
    logs::tell,
    plots::{Marker, Surface, SurfaceGrid},
    random::native::Key,
    record::Table,
};

const POINTS: usize = 31;
/// Margin around the three points of a plane, as a share of what they span.
const MARGIN: f64 = 0.25;

/// Through the ends of three runs, or the start of the first and the ends of two: each run's own loss, on its own data.
pub fn plane(losses: &[TrainedLoss], options: &Options) -> Result<Picture> {
    let ends = losses.iter().map(|loss| (loss.end.clone(), loss.label()));
    let start = (losses.len() == 2).then(|| (losses[0].start.clone(), format!("start, seed {}", losses[0].seed)));
    let (points, labels): (Vec<Point>, Vec<String>) = start.into_iter().chain(ends).unzip();
    let points: [Point; 3] = points.try_into().expect("the shape has been checked: three points");
    let Some(plane) = Plane::through(points) else {
        return Err(input_error!("the three points lie on one line: there is no plane through them"));
    };
    let grid = plane.grid(options.points.unwrap_or(POINTS), MARGIN);
    let markers: Vec<Marker> = plane.marked.iter().zip(labels).map(|(&(x, y), label)| Marker { x, y, label }).collect();
    let mut numbers = numbers();
    let mut panels: Vec<Surface> = vec![];
    for (i, loss) in losses.iter().enumerate() {
        if losses[..i].iter().any(|earlier| earlier.is_same_function(loss)) {
            continue;
        }
        let values = evaluate(loss, &grid, |x, y| plane.at(x, y), &mut numbers)?;
        panels.push(Surface {
            title: format!("Loss of {}", loss.label()),
            x_label: "Euclidean distance".into(),
            y_label: "Euclidean distance".into(),
            markers: markers.clone(),
            ..surface(&grid, values)
        });
    }
    let what = if losses.len() == 2 { "the start and the ends of two runs" } else { "the ends of three runs" };
    Ok(picture(format!("Loss in the plane through {what}"), panels, numbers, options, ""))
}

/// Around the end of every run, along two filter-normalised random directions.
pub fn random(losses: &[TrainedLoss], curvatures: &[Curvature], options: &Options) -> Result<Picture> {
    let mut numbers = numbers();
    let mut panels = vec![];
    let axis = evenly(-1.0, 1.0, options.points.unwrap_or(POINTS));
    let grid = [axis.clone(), axis];
    for (i, loss) in losses.iter().enumerate() {
        let mut draws = Key::from_seed(options.seed).stream();
        let [first, second] = [0, 1].map(|_| loss.coordinates.filter_normalized(&loss.end, loss.turn, &mut draws));
        let at = |x: f64, y: f64| &loss.end + &(&first * x) + &(&second * y);
        let values = evaluate(loss, &grid, at, &mut numbers)?;
        let spectrum = curvatures.get(i).map(|Curvature { extremes, .. }| {
            format!("; Hessian {} to {}", short(extremes.smallest), short(extremes.largest))
        });
        panels.push(Surface {
            title: format!("{}{}", loss.label(), spectrum.unwrap_or_default()),
            x_label: "first random direction".into(),
            y_label: "second random direction".into(),
            markers: vec![Marker { x: 0.0, y: 0.0, label: "end".into() }],
            ..surface(&grid, values)
        });
    }
    let note = "A step of 1 adds to every neuron's weights a random vector as long as they are.";
    Ok(picture("Loss around the end of training".into(), panels, numbers, options, note))
}

fn numbers() -> Table {
    Table::new(&["run", "x", "y", "loss"])
}

/// The loss on a grid, one row per y; also into the table.
fn evaluate(
    loss: &TrainedLoss,
    [xs, ys]: &[Vec<f64>; 2],
    at: impl Fn(f64, f64) -> Point,
    numbers: &mut Table,
) -> Result<Vec<Vec<f64>>> {
    let label = loss.label();
    tell(format_args!("loss of {label}: {} x {} points", xs.len(), ys.len()));
    let places: Vec<(f64, f64)> = ys.iter().flat_map(|&y| xs.iter().map(move |&x| (x, y))).collect();
    let values = loss.over(places.len(), |k| at(places[k].0, places[k].1))?;
    for ((x, y), value) in places.iter().zip(&values) {
        numbers.push(&[&label, x, y, value]);
    }
    Ok(values.chunks(xs.len()).map(<[f64]>::to_vec).collect())
}

fn surface([xs, ys]: &[Vec<f64>; 2], values: Vec<Vec<f64>>) -> Surface {
    Surface { x: xs.clone(), y: ys.clone(), values, levels: 12, ..Surface::default() }
}

fn picture(title: String, panels: Vec<Surface>, numbers: Table, options: &Options, note: &str) -> Picture {
    let columns = panels.len().min(3);
    let grid = SurfaceGrid {
        title,
        subtitle: subtitle(options),
        panels,
        columns,
        note: note.into(),
        ..SurfaceGrid::default()
    };
    Picture { drawing: Drawing::Surfaces(grid), numbers }
}

/// Three digits, and a true minus sign.
fn short(value: f64) -> String {
    let size = value.abs();
    let text = if size == 0.0 || (1e-3..1e4).contains(&size) { format!("{value:.3}") } else { format!("{value:.1e}") };
    text.replace('-', "−")
}
