//! The trained loss of finished runs as a surface: along lines, in planes, around the end of training; and its curvature.
//!
//! A run's loss is seen as a plain function of all its parameters, on its own data, redrawn from its settings, with no
//! stop gradients: stop gradients decide how training walks, not how the ground is shaped. Everything is in double
//! precision, whatever the run was trained in.

mod coordinates;
mod curves;
mod draw;
mod loss;
mod planes;
mod shape;

pub use coordinates::{Coordinates, Point};
pub use draw::{Drawn, draw};
pub use loss::{Curvature, TrainedLoss};
pub use shape::Shape;

/// What to draw, and how finely.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which part of the surface; chosen by the number of runs if not given: see [`Shape::of`].
    pub shape: Option<Shape>,
    /// Points of a line, or along either axis of a plane.
    pub points: Option<usize>,
    /// Epochs of batches that a loss is averaged over: more of them average over more masks.
    pub epochs: usize,
    /// Steps of Lanczos' method for the Hessian at the end of each run; 0 for none.
    pub lanczos: usize,
    /// Seed of random directions.
    pub seed: u64,
}
