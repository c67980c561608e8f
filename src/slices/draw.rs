use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Curvature, Options, Shape, TrainedLoss, curves, planes};
use crate::{
    input_error,
    logs::tell,
    plots::{Figure, SurfaceGrid},
    record::{Table, read_run},
};

/// The outcome of drawing runs.
pub struct Drawn {
    /// The picture, and its numbers as CSV.
    pub files: Vec<PathBuf>,
    /// Runs by label, with the loss around their ends.
    pub curvatures: Vec<(String, Curvature)>,
}

/// A picture of any kind, with its numbers.
pub(super) struct Picture {
    pub drawing: Drawing,
    pub numbers: Table,
}

/// See [`Picture`].
pub(super) enum Drawing {
    Curves(Figure),
    Surfaces(SurfaceGrid),
}

/// Draws the losses of recorded runs into `out`, or into the first run's folder, as `slice-<shape>.png`. The numbers
/// lie beside the picture under the same name as CSV, and the ends of the Hessians' spectra with `-hessian` added.
///
/// # Errors
/// [`InputError`](crate::spec::InputError) for a number of runs, or for runs, that do not fit the shape; an error
/// otherwise if a run cannot be read or a file cannot be written.
pub fn draw(folders: &[PathBuf], options: &Options, out: Option<&Path>) -> Result<Drawn> {
    let shape = Shape::of(options.shape, folders.len())?;
    let losses: Vec<TrainedLoss> =
        folders.iter().map(|folder| TrainedLoss::of(&read_run(folder)?, options.epochs)).collect::<Result<_>>()?;
    if matches!(shape, Shape::Line | Shape::Plane) {
        check_shared(folders, &losses)?;
    }
    let mut curvatures = vec![];
    if options.lanczos > 0 {
        for loss in &losses {
            tell(format_args!("{}: curvature at the end", loss.label()));
            curvatures.push(loss.curvature(&loss.end, options.lanczos, options.seed)?);
        }
    }
    let picture = match shape {
        Shape::Path => curves::path(&losses, options)?,
        Shape::Line => curves::line(&losses, options)?,
        Shape::Plane => planes::plane(&losses, options)?,
        Shape::Random => planes::random(&losses, &curvatures, options)?,
    };
    let path = out.map_or_else(|| folders[0].join(format!("slice-{}.png", shape.name())), Path::to_path_buf);
    match &picture.drawing {
        Drawing::Curves(figure) => figure.draw(&path)?,
        Drawing::Surfaces(grid) => grid.draw(&path)?,
    }
    let mut files = vec![path.clone(), path.with_extension("csv")];
    picture.numbers.save(&files[1])?;
    let curvatures: Vec<(String, Curvature)> = losses.iter().map(TrainedLoss::label).zip(curvatures).collect();
    if !curvatures.is_empty() {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!("{stem}-hessian.csv"));
        hessian_table(&curvatures).save(&beside)?;
        files.push(beside);
    }
    Ok(Drawn { files, curvatures })
}

/// Points of one space: runs with the same parameters.
fn check_shared(folders: &[PathBuf], losses: &[TrainedLoss]) -> Result<()> {
    for (folder, loss) in folders.iter().zip(losses) {
        if loss.coordinates != losses[0].coordinates {
            return Err(input_error!(
                "{} has other parameters than {}: lines and planes need runs of one architecture; --shape random and \
                 path draw any",
                folder.display(),
                folders[0].display()
            ));
        }
    }
    Ok(())
}

fn hessian_table(curvatures: &[(String, Curvature)]) -> Table {
    let mut table = Table::new(&[
        "run",
        "parameters",
        "loss",
        "gradient_norm",
        "smallest_eigenvalue",
        "largest_eigenvalue",
        "eigenvalue_error",
    ]);
    for (run, Curvature { loss, gradient, extremes, parameters }) in curvatures {
        table.push(&[run, parameters, loss, gradient, &extremes.smallest, &extremes.largest, &extremes.residual]);
    }
    table
}
