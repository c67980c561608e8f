use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{Invariance, Kernel, Loss, Sides, Work, literal};
use crate::{
    fault::{Fault, ensure},
    kernels::{Matrix, product, reduce},
    random::{Draws, native::Key},
};

/// LeJEPA's loss (Balestriero and LeCun 2025, arXiv 2511.08544): the views agree, and along random directions their
/// representations are standard Gaussian (SIGReg).
///
/// `(1 - weight) mean (a - b)^2 / 4 + weight (s(a) + s(b)) / 2`. Along each of `slices` unit directions, drawn anew at every
/// step, `s` compares the batch's characteristic function with `phi(t) = exp(-t^2 / 2)` at the knots t = 0 .. 3: `B sum_k
/// w_k ((mean cos(t_k x) - phi_k)^2 + (mean sin(t_k x))^2)`, w the trapezoid rule times phi, for both signs of t; then the
/// mean over directions. Constants are those of the authors' MINIMAL.md. The factor B makes the statistic's expectation
/// the same for Gaussian batches of any size; for others it grows with the batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sigreg {
    /// Of the regulariser; the views' distance has the rest.
    pub weight: f64,
    /// Random directions of a step.
    pub slices: usize,
}

/// Values of t, from 0 to [`LAST`].
const KNOTS: usize = 17;
const LAST: f64 = 3.0;
const STEP: f64 = LAST / (KNOTS - 1) as f64;

/// The most directions: beyond, a step takes seconds.
const MOST: usize = 1 << 16;

/// `phi(t_k)`, and its weight in the integral.
fn knot(k: usize) -> (f64, f64) {
    let t = STEP * k as f64;
    let phi = (-t * t / 2.0).exp();
    (phi, phi * STEP * if k == 0 || k == KNOTS - 1 { 1.0 } else { 2.0 })
}

impl Default for Sigreg {
    fn default() -> Self {
        Self { weight: 0.02, slices: 256 }
    }
}

impl Sigreg {
    /// Unit directions, `(m, S)`.
    pub fn directions(&self, key: Key, m: usize) -> Array2<f64> {
        let mut draws = key.stream();
        let mut directions = Array2::from_shape_simple_fn((self.slices, m), || draws.normal());
        for mut direction in directions.rows_mut() {
            let length = direction.dot(&direction).sqrt();
            direction /= length;
        }
        directions.reversed_axes()
    }

    /// How far representations `(B, m)` are from Gaussian along the directions `(m, S)`.
    pub fn statistic(z: ArrayView2<f64>, directions: &Array2<f64>) -> f64 {
        let projected = z.dot(directions); // (B, S)
        let of_slice = |x: ndarray::ArrayView1<f64>| -> f64 {
            let term = |k: usize| {
                let (phi, weight) = knot(k);
                let t = STEP * k as f64;
                let cos = literal::mean(x.iter().map(|x| (t * x).cos()));
                let sin = literal::mean(x.iter().map(|x| (t * x).sin()));
                weight * ((cos - phi).powi(2) + sin.powi(2))
            };
            (0..KNOTS).map(term).sum()
        };
        z.nrows() as f64 * literal::mean(projected.columns().into_iter().map(of_slice))
    }
}

impl Loss for Sigreg {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn check(&self) -> Result<(), Fault> {
        ensure((0.0..=1.0).contains(&self.weight), "weight", || format!("from 0 to 1, not {}", self.weight))?;
        ensure((1..=MOST).contains(&self.slices), "slices", || format!("from 1 to {MOST}, not {}", self.slices))
    }

    fn draws(&self) -> bool {
        true
    }

    fn drawn(&self, key: Key, m: usize) -> Option<Array2<f64>> {
        Some(self.directions(key, m))
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap]
    }

    fn work(&self, batch: usize, width: usize) -> Work {
        // Two views: their projections with a product there and one back, and two passes over the knots' sines and cosines.
        let projections = 2 * batch * self.slices;
        let _ = width;
        Work {
            similarities: projections,
            exponentials: 12 * projections,
            kept: 6 * KNOTS * projections,
            ..Work::default()
        }
    }

    fn literal(&self, a: ArrayView2<f64>, b: ArrayView2<f64>) -> f64 {
        self.literal_drawn(a, b, Key::from_seed(0))
    }

    fn literal_drawn(&self, a: ArrayView2<f64>, b: ArrayView2<f64>, key: Key) -> f64 {
        let directions = self.directions(key, a.ncols());
        let apart = literal::mean(a.iter().zip(b).map(|(a, b)| (a - b).powi(2))) / 4.0;
        let gaussian = (Self::statistic(a, &directions) + Self::statistic(b, &directions)) / 2.0;
        (1.0 - self.weight) * apart + self.weight * gaussian
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Slices {
            loss: *self,
            key: Key::from_seed(0),
            projected: Matrix::default(),
            waves: Waves::default(),
        }))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor {
        let keys = vec![Key::from_seed(0); a.size()[0] as usize];
        self.tensor_drawn(a, b, &keys)
    }

    #[cfg(feature = "torch")]
    fn tensor_drawn(&self, a: &tch::Tensor, b: &tch::Tensor, keys: &[Key]) -> tch::Tensor {
        use tch::{Kind, Tensor};

        let (kind, device) = (a.kind(), a.device());
        let (batch, width) = (a.size()[1], a.size()[2]);
        let directions: Vec<f64> = keys
            .iter()
            .flat_map(|key| self.directions(*key, width as usize).t().iter().copied().collect::<Vec<_>>())
            .collect();
        let directions = Tensor::from_slice(&directions).reshape([-1, self.slices as i64, width]).transpose(1, 2);
        let directions = directions.to_kind(kind).to_device(device); // (R, m, S)
        let mean = |z: Tensor, dims: &[i64]| z.mean_dim(dims, false, None::<Kind>);
        let statistic = |z: &Tensor| {
            let projected = z.bmm(&directions); // (R, B, S)
            let term = |k: usize| {
                let ((phi, weight), x) = (knot(k), &projected * (STEP * k as f64));
                let (cos, sin) = (mean(x.cos(), &[1]), mean(x.sin(), &[1])); // (R, S)
                mean((cos - phi).square() + sin.square(), &[1]) * weight
            };
            (0..KNOTS).map(term).reduce(|sum, term| sum + term).expect("there are knots") * batch as f64
        };
        let apart = mean((a - b).square(), &[1, 2]) / 4.0;
        apart * (1.0 - self.weight) + (statistic(a) + statistic(b)) * (self.weight / 2.0)
    }
}

/// The loss by hand, with the projections `(S, B)` of one view.
struct Slices {
    loss: Sigreg,
    key: Key,
    projected: Matrix,
    waves: Waves,
}

impl Kernel for Slices {
    fn draw(&mut self, key: Key) {
        self.key = key;
    }

    fn loss(&mut self, views: [&Matrix; 2], gradients: &mut [Matrix; 2]) -> f64 {
        let (m, n) = (views[0].rows(), views[0].columns());
        let Sigreg { weight, slices } = self.loss;
        let directions = self.loss.directions(self.key, m).mapv(|entry| entry as f32); // (m, S)
        let mut gaussian = 0.0;
        for (z, gradient) in views.into_iter().zip(&mut *gradients) {
            self.projected.reshape(slices, n);
            product(directions.t(), z.view(), self.projected.view_mut());
            // Of a slice's statistic in the loss; B cancels in the gradient.
            let share = weight / (2.0 * slices as f64);
            for slice in self.projected.iter_mut() {
                gaussian += share * self.waves.statistic(slice, share);
            }
            gradient.reshape(m, n);
            product(directions.view(), self.projected.view(), gradient.view_mut());
        }
        let [a, b] = views;
        let [gradient_a, gradient_b] = gradients;
        let size = (m * n) as f64;
        let pull = ((1.0 - weight) / (2.0 * size)) as f32;
        let mut squares = 0.0;
        for ((a, b), (to_a, to_b)) in a.iter().zip(b.iter()).zip(gradient_a.iter_mut().zip(gradient_b.iter_mut())) {
            squares += reduce::sum2(a, b, |a, b| (a - b) * (a - b));
            for ((&a, &b), (to_a, to_b)) in a.iter().zip(b).zip(to_a.iter_mut().zip(to_b)) {
                let force = pull * (a - b);
                *to_a += force;
                *to_b -= force;
            }
        }
        (1.0 - weight) * squares / (4.0 * size) + gaussian
    }
}

/// Cosines and sines of a slice's projections, `(B,)`: at the first knot after 0, and at the present one.
#[derive(Default)]
struct Waves {
    turn: (Vec<f32>, Vec<f32>),
    at: (Vec<f32>, Vec<f32>),
}

impl Waves {
    /// The statistic of projections `(B,)`, which are replaced by its gradient times `share`. Knots are multiples of the
    /// first: each turns the one before it by the same angle.
    fn statistic(&mut self, x: &mut [f32], share: f64) -> f64 {
        let n = x.len() as f64;
        let waves = x.iter().map(|&x| (STEP as f32 * x).sin_cos());
        (self.turn.1, self.turn.0) = waves.unzip();
        let mut errors = [(0.0, 0.0); KNOTS];
        let mut statistic = 0.0;
        self.begin(x.len());
        for (k, error) in errors.iter_mut().enumerate() {
            let (phi, weight) = knot(k);
            *error = (reduce::total(&self.at.0) / n - phi, reduce::total(&self.at.1) / n);
            statistic += weight * (error.0 * error.0 + error.1 * error.1);
            self.advance();
        }
        x.fill(0.0);
        self.begin(x.len());
        for (k, (cos, sin)) in errors.into_iter().enumerate() {
            let slope = 2.0 * share * knot(k).1 * STEP * k as f64;
            let (by_sin, by_cos) = ((-slope * cos) as f32, (slope * sin) as f32);
            for ((x, c), s) in x.iter_mut().zip(&self.at.0).zip(&self.at.1) {
                *x += by_sin * s + by_cos * c;
            }
            self.advance();
        }
        n * statistic
    }

    /// At t = 0.
    fn begin(&mut self, n: usize) {
        self.at.0.clear();
        self.at.0.resize(n, 1.0);
        self.at.1.clear();
        self.at.1.resize(n, 0.0);
    }

    fn advance(&mut self) {
        let turn = self.turn.0.iter().zip(&self.turn.1);
        for ((c, s), (&cos, &sin)) in self.at.0.iter_mut().zip(&mut self.at.1).zip(turn) {
            (*c, *s) = (*c * cos - *s * sin, *s * cos + *c * sin);
        }
    }
}
