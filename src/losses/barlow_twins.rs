use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Invariance, Kernel, Loss, Sides, Work, literal};
use crate::{
    fault::{Fault, ensure, positive},
    kernels::{
        Matrix, accumulate_row_products,
        batch_norm::{self, Statistics},
        product, reduce, view,
    },
};

/// Barlow Twins (Zbontar et al. 2021, Eq. 1): `sum_i (1 - C_ii)^2 + lambda sum_(i != j) C_ij^2`, where C is the
/// cross-correlation of the views' neurons over the batch.
///
/// Neurons are centred and scaled as by batch norm without parameters (biased variance plus 1e-5), as in the authors'
/// `main.py`; lambda is theirs. For `a = b` the diagonal of C is 1; a collapsed neuron adds 1 to the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BarlowTwins {
    /// Weight of the entries off the diagonal.
    pub lambda: f64,
    /// Factor on the loss. (Their research code had 0.024.)
    pub scale: f64,
}

impl Default for BarlowTwins {
    fn default() -> Self {
        Self { lambda: 0.0051, scale: 1.0 }
    }
}

impl Loss for BarlowTwins {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn check(&self) -> Result<(), Fault> {
        ensure(self.lambda.is_finite() && self.lambda >= 0.0, "lambda", || {
            format!("a weight of at least 0, not {}", self.lambda)
        })?;
        positive("scale", self.scale)
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap]
    }

    fn work(&self, batch: usize, width: usize) -> Work {
        // Both views normalised, and the gradients of these; C and its gradient.
        Work { correlations: width * width, kept: 4 * batch * width + 3 * width * width, ..Work::default() }
    }

    fn literal(&self, a: ArrayView2<f64>, b: ArrayView2<f64>) -> f64 {
        let (a, b) = (standard_columns(a, 1e-5), standard_columns(b, 1e-5));
        let term = |(i, j): (usize, usize)| {
            let c = literal::dot(&a[i], &b[j]) / a[i].len() as f64;
            if i == j { (1.0 - c).powi(2) } else { self.lambda * c.powi(2) }
        };
        let m = a.len();
        self.scale * (0..m).flat_map(|i| (0..m).map(move |j| (i, j))).map(term).sum::<f64>()
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Correlation { loss: *self, normalized: Default::default(), c: Vec::new() }))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor {
        let batch = a.size()[1];
        let [a, b] = [a, b].map(|z| {
            let (variance, mean) = z.var_mean_dim([1i64].as_slice(), false, true);
            (z - mean) / (variance + 1e-5).sqrt()
        });
        let c = a.transpose(1, 2).bmm(&b) / batch as f64; // (R, m, m)
        let diagonal = c.diagonal(0, 1, 2); // (R, m)
        let off_diagonal = &c - c.diagonal(0, 1, 2).diag_embed(0, 1, 2);
        let on = (diagonal - 1.0).square().sum_dim_intlist([1i64].as_slice(), false, None);
        let off = off_diagonal.square().sum_dim_intlist([1i64, 2].as_slice(), false, None);
        (on + off * self.lambda) * self.scale
    }
}

/// The loss by hand, with the normalised views, `(m, B)`, and C, `(m, m)`.
struct Correlation {
    loss: BarlowTwins,
    normalized: [Matrix; 2],
    c: Vec<f32>,
}

impl Kernel for Correlation {
    fn loss(&mut self, views: [&Matrix; 2], gradients: &mut [Matrix; 2]) -> f64 {
        let (m, batch) = (views[0].rows(), views[0].columns());
        let statistics = [0, 1].map(|view| normalize(views[view], &mut self.normalized[view]));
        let [a, b] = &self.normalized;
        self.c.clear();
        self.c.resize(m * m, 0.0);
        accumulate_row_products(a, b, &mut self.c);

        // C becomes the gradient with respect to A B^T = B C.
        let BarlowTwins { lambda, scale } = self.loss;
        let (mut on, mut off) = (0.0, 0.0);
        let factor = 2.0 * scale / batch as f64;
        for (place, c) in self.c.iter_mut().enumerate() {
            let correlation = f64::from(*c) / batch as f64;
            if place % (m + 1) == 0 {
                on += (correlation - 1.0).powi(2);
                *c = (factor * (correlation - 1.0)) as f32;
            } else {
                off += correlation.powi(2);
                *c = (factor * lambda * correlation) as f32;
            }
        }
        let c = view(&self.c, m, m);
        gradients.iter_mut().for_each(|gradient| gradient.reshape(m, batch));
        product(c, b.view(), gradients[0].view_mut());
        product(c.t(), a.view(), gradients[1].view_mut());
        for ((gradient, z), statistics) in gradients.iter_mut().zip(views).zip(statistics) {
            for ((gradient, z), statistics) in gradient.iter_mut().zip(z.iter()).zip(statistics) {
                through_normalization(z, statistics, gradient);
            }
        }
        scale * (on + lambda * off)
    }
}

/// Turns a neuron's gradient after normalisation into that before, in place. Subtracting mean and deviation can leave
/// almost nothing (of two samples, only epsilon's part), hence all in double precision.
fn through_normalization(z: &[f32], statistics: Statistics, gradient: &mut [f32]) {
    let n = gradient.len() as f64;
    let inverse_deviation = statistics.inverse_deviation();
    let normalized = |z: f32| (f64::from(z) - statistics.mean) * inverse_deviation;
    let along = z.iter().zip(&*gradient).map(|(&z, &g)| normalized(z) * f64::from(g)).sum::<f64>() / n;
    let mean = reduce::total(gradient) / n;
    for (gradient, &z) in gradient.iter_mut().zip(z) {
        *gradient = (inverse_deviation * (f64::from(*gradient) - mean - normalized(z) * along)) as f32;
    }
}

/// Centres and scales every neuron of `z`, `(m, B)`, into `normalized`. Returns the neurons' statistics, `(m,)`.
fn normalize(z: &Matrix, normalized: &mut Matrix) -> Vec<Statistics> {
    normalized.reshape(z.rows(), z.columns());
    let mut spare = vec![0.0; z.columns()];
    let rows = z.iter().zip(normalized.iter_mut());
    rows.map(|(z, normalized)| {
        let statistics = Statistics::of(z);
        spare.copy_from_slice(z);
        batch_norm::forward(&mut spare, statistics, 1.0, 0.0, normalized);
        statistics
    })
    .collect()
}

/// Columns of `(B, m)`, centred and divided by the root of their biased variance plus `epsilon`.
fn standard_columns(z: ArrayView2<f64>, epsilon: f64) -> Vec<Vec<f64>> {
    let standard = |column: Vec<f64>| -> Vec<f64> {
        let center = literal::mean(column.iter().copied());
        let deviation = (literal::mean(column.iter().map(|z| (z - center).powi(2))) + epsilon).sqrt();
        column.iter().map(|z| (z - center) / deviation).collect()
    };
    z.columns().into_iter().map(|column| standard(column.to_vec())).collect()
}
