use std::sync::Arc;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use ndarray::{Array2, Ix2};

use super::{Coordinates, Point};
use crate::{
    Device,
    autograd::AutogradEngine,
    engine::{Engine, Member, Views},
    linalg::{Extremes, extreme_eigenvalues},
    metrics::max_cosine,
    random::native::Key,
    record::RunRecord,
    runner::{self, EngineKind},
    spec::{Dtype, Turn, Turns, layout::StateDict},
    train::Cohort,
};

/// Points whose losses are computed side by side.
const SIDE_BY_SIDE: usize = 16;

/// The loss of a finished run as a function of its parameters.
pub struct TrainedLoss {
    /// Name of the run in a legend: its label, or its method where that is empty.
    pub name: String,
    /// Seed of the run.
    pub seed: u64,
    /// Where in a point each of the network's parameters lies.
    pub coordinates: Coordinates,
    /// The parameters before training, drawn again, and after it, as recorded.
    pub start: Point,
    /// The recorded parameters.
    pub end: Point,
    /// What is minimised: the loss of both encoders' turns together, or of the online one's where the target is an
    /// average.
    pub turn: Turn,
    member: Member,
    dictionary: Array2<f64>,
    /// Both views of every batch, `(B, p)`.
    batches: Vec<[Array2<f64>; 2]>,
}

/// The loss around the end of a run.
#[derive(Clone, Copy, Debug)]
pub struct Curvature {
    /// The loss there.
    pub loss: f64,
    /// Norm of the gradient with respect to the parameters that learn.
    pub gradient: f64,
    /// Of the Hessian with respect to the same.
    pub extremes: Extremes,
    /// How many parameters learn.
    pub parameters: usize,
}

impl TrainedLoss {
    /// Redraws a run's data and start, and the batches of its first `epochs` epochs.
    pub fn of(record: &RunRecord, epochs: usize) -> Result<Self> {
        let mut spec = record.spec.clone();
        spec.dtype = Dtype::Float64;
        // Both views of every batch are kept, for each of the points that are computed side by side.
        let sizes = [epochs, spec.samples_per_epoch(), spec.views.pairs, spec.data.p, 16 * SIDE_BY_SIDE];
        let views: f64 = sizes.iter().map(|&size| size as f64).product();
        let run = SIDE_BY_SIDE as f64 * runner::memory_needed(&spec, EngineKind::Autograd);
        runner::ensure_memory("the loss surface of such a run", run + views)?;
        let coordinates = Coordinates::of(&spec);
        let mut cohort = Cohort::draw(&[Arc::new(spec)])?;
        let member = cohort.members()[0].clone();
        let spec = &member.spec;
        let mut batches = Vec::new();
        for epoch in 0..epochs {
            cohort.begin_epoch(epoch);
            for k in 0..spec.batches().len() {
                let batch = cohort.batch(k);
                batches.push(batch.runs[0].views(&member.x, batch.scale));
            }
        }
        let turn = match spec.train.turns {
            Turns::Ema { .. } => Turn::Online,
            Turns::Alternating | Turns::Joint => Turn::Joint,
        };
        let summary = &record.summary;
        Ok(Self {
            name: if summary.label.is_empty() { summary.method.clone() } else { summary.label.clone() },
            seed: spec.seed,
            start: coordinates.flatten(&member.state)?,
            end: coordinates.flatten(&record.state)?,
            turn,
            dictionary: cohort.datasets()[0].dictionary.clone(),
            batches,
            coordinates,
            member,
        })
    }

    /// The run by name and seed.
    pub fn label(&self) -> String {
        format!("{}, seed {}", self.name, self.seed)
    }

    /// Whether both losses have the same formula, so that their values compare.
    pub fn compares_with(&self, other: &Self) -> bool {
        self.member.spec.loss == other.member.spec.loss
    }

    /// Whether both are the same function of the parameters.
    pub fn is_same_function(&self, other: &Self) -> bool {
        let models = self.member.spec.model == other.member.spec.model;
        models && self.compares_with(other) && self.turn == other.turn && self.batches == other.batches
    }

    /// The loss at points 0 to `count`, `at` each: the mean over the batches, as `loss_mean` in training.
    pub fn over(&self, count: usize, at: impl Fn(usize) -> Point) -> Result<Vec<f64>> {
        let side_by_side = SIDE_BY_SIDE.min(count);
        let mut engine = self.engine(side_by_side)?;
        let views: Vec<Views> = self.batches.iter().map(|views| repeated(views, side_by_side)).collect();
        let progress = ProgressBar::new(count as u64);
        let mut losses = Vec::with_capacity(count);
        for first in (0..count).step_by(side_by_side) {
            // The last point fills the places that the last chunk leaves empty.
            let chunk = first..first + side_by_side;
            engine.load(&chunk.map(|k| self.state(&at(k.min(count - 1)))).collect::<Vec<_>>())?;
            let mut sums = vec![0.0; side_by_side];
            for views in &views {
                let of_batch = engine.losses(views, self.turn)?;
                sums.iter_mut().zip(of_batch).for_each(|(sum, loss)| *sum += loss / self.batches.len() as f64);
            }
            losses.extend_from_slice(&sums);
            progress.inc(side_by_side as u64);
        }
        progress.finish_and_clear();
        losses.truncate(count);
        Ok(losses)
    }

    /// Minimum max-cosine of the online encoder at a point (Eq. 12).
    pub fn min_cosine(&self, point: &Point) -> Result<f64> {
        let weight = self.state(point).get("Wo.weight").cloned().context("the run has no encoder weight W^o")?;
        Ok(max_cosine(&weight.into_dimensionality::<Ix2>()?, &self.dictionary).min)
    }

    /// Loss, gradient and the ends of the Hessian's spectrum at a point, by this many steps of Lanczos' method.
    pub fn curvature(&self, point: &Point, lanczos: usize, seed: u64) -> Result<Curvature> {
        let mut near = Near::new(self, point)?;
        let (loss, gradient) = near.gradient()?;
        let mut failure = None;
        let apply = |v: &[f64]| match near.hessian_product(&Point::from(v.to_vec())) {
            Ok(product) => product.to_vec(),
            Err(error) => {
                failure.get_or_insert(error);
                vec![f64::NAN; v.len()] // ends the search
            }
        };
        let parameters = gradient.len();
        let extremes = extreme_eigenvalues(parameters, lanczos, Key::from_seed(seed), apply);
        if let Some(error) = failure {
            return Err(error);
        }
        let extremes = extremes.with_context(|| format!("{}: the loss has no finite curvature there", self.label()))?;
        Ok(Curvature { loss, gradient: gradient.dot(&gradient).sqrt(), extremes, parameters })
    }

    /// The whole Hessian, with respect to the parameters that learn, at a point.
    pub fn hessian(&self, point: &Point) -> Result<Array2<f64>> {
        let mut near = Near::new(self, point)?;
        let n = near.learning.len();
        let mut hessian = Array2::zeros((n, n));
        for (k, mut row) in hessian.rows_mut().into_iter().enumerate() {
            let axis = Point::from_shape_fn(n, |i| f64::from(u8::from(i == k)));
            row.assign(&near.hessian_product(&axis)?);
        }
        Ok(hessian)
    }

    fn engine(&self, points: usize) -> Result<AutogradEngine> {
        AutogradEngine::landscape(&vec![self.member.clone(); points], Device::Cpu)
    }

    fn state(&self, point: &Point) -> StateDict {
        let mut state = self.member.state.clone();
        self.coordinates.unflatten(point, &mut state);
        state
    }
}

/// The same views for every point.
fn repeated([x1, x2]: &[Array2<f64>; 2], points: usize) -> Views {
    Views { x1: vec![x1.clone(); points], x2: vec![x2.clone(); points] }
}

/// An engine at one point, and the directions in which the loss is differentiated there.
struct Near {
    engine: AutogradEngine,
    turn: Turn,
    learning: Coordinates,
    views: Vec<Views>,
}

impl Near {
    fn new(loss: &TrainedLoss, point: &Point) -> Result<Self> {
        let mut engine = loss.engine(1)?;
        engine.load(&[loss.state(point)])?;
        let views = loss.batches.iter().map(|views| repeated(views, 1)).collect();
        Ok(Self { engine, turn: loss.turn, learning: loss.coordinates.learning(loss.turn), views })
    }

    /// Loss and gradient, means over the batches.
    fn gradient(&mut self) -> Result<(f64, Point)> {
        let share = 1.0 / self.views.len() as f64;
        let (mut loss, mut gradient) = (0.0, Point::zeros(self.learning.len()));
        for views in &self.views {
            let (value, slopes) = self.engine.gradients(views, self.turn)?.remove(0);
            loss += share * value;
            gradient.scaled_add(share, &self.learning.flatten(&slopes)?);
        }
        Ok((loss, gradient))
    }

    /// The Hessian times a direction, mean over the batches.
    fn hessian_product(&mut self, direction: &Point) -> Result<Point> {
        let mut named = StateDict::new();
        self.learning.unflatten(direction, &mut named);
        let share = 1.0 / self.views.len() as f64;
        let mut product = Point::zeros(direction.len());
        for views in &self.views {
            let of_batch = self.engine.hessian_products(views, self.turn, std::slice::from_ref(&named))?.remove(0);
            product.scaled_add(share, &self.learning.flatten(&of_batch)?);
        }
        Ok(product)
    }
}
