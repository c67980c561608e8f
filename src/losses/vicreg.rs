use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{Invariance, Kernel, Loss, Sides, Work, literal};
use crate::{
    fault::{Fault, ensure},
    kernels::{Matrix, accumulate_row_products, product, reduce, view},
};

/// VICReg (Bardes, Ponce and LeCun 2022, Eq. 1 to 6): the views agree (invariance), no neuron goes quiet (variance), and no
/// two say the same (covariance).
///
/// `invariance mean (a - b)^2 + variance (v(a) + v(b)) / 2 + covariance (c(a) + c(b))`, with `v` the mean over neurons of
/// `max(0, 1 - sqrt(Var + 1e-4))` and `c` the sum of squared covariances of unequal neurons, over m. Constants and the
/// half before `v` are those of the authors' `main_vicreg.py`; Eq. 6 of the paper has no half. Both variances are unbiased.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vicreg {
    /// Weight of the distance between the views.
    pub invariance: f64,
    /// Weight of the deviations that fall short of 1.
    pub variance: f64,
    /// Weight of the covariances.
    pub covariance: f64,
}

/// Keeps the slope of the deviation finite.
const EPSILON: f64 = 1e-4;

impl Default for Vicreg {
    fn default() -> Self {
        Self { invariance: 25.0, variance: 25.0, covariance: 1.0 }
    }
}

impl Loss for Vicreg {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn check(&self) -> Result<(), Fault> {
        let weights = [("invariance", self.invariance), ("variance", self.variance), ("covariance", self.covariance)];
        weights.into_iter().try_for_each(|(name, weight)| {
            ensure(weight.is_finite() && weight >= 0.0, name, || format!("a weight of at least 0, not {weight}"))
        })
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap]
    }

    fn work(&self, batch: usize, width: usize) -> Work {
        // Of each view: its covariance matrix, and what is centred and squared on the way.
        Work { correlations: 2 * width * width, kept: 4 * batch * width + 4 * width * width, ..Work::default() }
    }

    fn literal(&self, a: ArrayView2<f64>, b: ArrayView2<f64>) -> f64 {
        let squares = literal::mean(a.iter().zip(b).map(|(a, b)| (a - b).powi(2)));
        let [(quiet_a, shared_a), (quiet_b, shared_b)] = [redundancy(a), redundancy(b)];
        self.invariance * squares + self.variance * (quiet_a + quiet_b) / 2.0 + self.covariance * (shared_a + shared_b)
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Covariances { loss: *self, centered: Matrix::default(), c: Vec::new() }))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor {
        let (batch, width) = (a.size()[1], a.size()[2]);
        let squares = (a - b).square().mean_dim([1i64, 2].as_slice(), false, None);
        let [(quiet_a, shared_a), (quiet_b, shared_b)] = [a, b].map(|z| {
            let z = z - z.mean_dim([1i64].as_slice(), true, None);
            let covariance = z.transpose(1, 2).bmm(&z) / (batch - 1).max(1) as f64; // (R, m, m)
            let variance = covariance.diagonal(0, 1, 2); // (R, m)
            let short: tch::Tensor = 1.0 - (&variance + EPSILON).sqrt();
            let quiet = short.relu().mean_dim([1i64].as_slice(), false, None);
            let shared = covariance.square().sum_dim_intlist([1i64, 2].as_slice(), false, None)
                - variance.square().sum_dim_intlist([1i64].as_slice(), false, None);
            (quiet, shared / width as f64)
        });
        squares * self.invariance
            + (quiet_a + quiet_b) * (self.variance / 2.0)
            + (shared_a + shared_b) * self.covariance
    }
}

/// The loss by hand, with one view's centred neurons, `(m, B)`, and their covariances, `(m, m)`.
struct Covariances {
    loss: Vicreg,
    centered: Matrix,
    c: Vec<f32>,
}

impl Kernel for Covariances {
    fn loss(&mut self, views: [&Matrix; 2], gradients: &mut [Matrix; 2]) -> f64 {
        let redundancies: f64 =
            views.iter().zip(&mut *gradients).map(|(z, gradient)| self.redundancy(z, gradient)).sum();
        let [a, b] = views;
        let [gradient_a, gradient_b] = gradients;
        let size = (a.rows() * a.columns()) as f64;
        let pull = (2.0 * self.loss.invariance / size) as f32;
        let mut squares = 0.0;
        for ((a, b), (to_a, to_b)) in a.iter().zip(b.iter()).zip(gradient_a.iter_mut().zip(gradient_b.iter_mut())) {
            squares += reduce::sum2(a, b, |a, b| (a - b) * (a - b));
            for ((&a, &b), (to_a, to_b)) in a.iter().zip(b).zip(to_a.iter_mut().zip(to_b)) {
                let force = pull * (a - b);
                *to_a += force;
                *to_b -= force;
            }
        }
        self.loss.invariance * squares / size + redundancies
    }
}

impl Covariances {
    /// The variance and covariance terms of a view; their gradient replaces the contents of `gradient`.
    fn redundancy(&mut self, z: &Matrix, gradient: &mut Matrix) -> f64 {
        let (m, n) = (z.rows(), z.columns());
        let Vicreg { variance, covariance, .. } = self.loss;
        self.centered.clone_from(z);
        for row in self.centered.iter_mut() {
            let mean = (reduce::total(row) / n as f64) as f32;
            row.iter_mut().for_each(|z| *z -= mean);
        }
        self.c.clear();
        self.c.resize(m * m, 0.0);
        accumulate_row_products(&self.centered, &self.centered, &mut self.c);

        // C becomes the gradient's factor on the centred neurons; centring it once more would change nothing.
        let degrees = (n - 1).max(1) as f64;
        let (mut quiet, mut shared) = (0.0, 0.0);
        for (place, c) in self.c.iter_mut().enumerate() {
            let value = f64::from(*c) / degrees;
            if place % (m + 1) == 0 {
                let deviation = (value + EPSILON).sqrt();
                quiet += (1.0 - deviation).max(0.0);
                let slope = if deviation < 1.0 { -variance / (2.0 * m as f64 * deviation * degrees) } else { 0.0 };
                *c = slope as f32;
            } else {
                shared += value * value;
                *c = (4.0 * covariance * value / (m as f64 * degrees)) as f32;
            }
        }
        gradient.reshape(m, n);
        product(view(&self.c, m, m), self.centered.view(), gradient.view_mut());
        (variance * quiet / 2.0 + covariance * shared) / m as f64
    }
}

/// How far the neurons of a view `(B, m)` fall short in variance, and how much they duplicate each other: `(v, c)`.
fn redundancy(z: ArrayView2<f64>) -> (f64, f64) {
    let (batch, m) = z.dim();
    let centered = &z - &z.sum_axis(Axis(0)).mapv(|total| total / batch as f64);
    let covariance = |i: usize, j: usize| centered.column(i).dot(&centered.column(j)) / (batch - 1).max(1) as f64;
    let quiet = literal::mean((0..m).map(|i| (1.0 - (covariance(i, i) + EPSILON).sqrt()).max(0.0)));
    let pairs = (0..m).flat_map(|i| (0..m).map(move |j| (i, j))).filter(|(i, j)| i != j);
    (quiet, pairs.map(|(i, j)| covariance(i, j).powi(2)).sum::<f64>() / m as f64)
}
