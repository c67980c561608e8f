use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Invariance, Kernel, Loss, Sides, Work, literal};
use crate::{
    fault::{Fault, positive},
    kernels::{Matrix, accumulate_row_products, product, reduce, view},
};

/// The spectral contrastive loss (HaoChen et al. 2021, Eq. 6): `-2 E <a, b> + E <a_i, b_j>^2` over i != j, whose minimisers
/// span the leading eigenvectors of the views' graph.
///
/// With `mu`, as in the authors' `models/spectral.py`, longer representations are first scaled to length `sqrt(mu)` and the
/// loss is divided by mu (1 for CIFAR, 10 for ImageNet there); without it, the formula as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spectral {
    /// Square of the greatest length; none leaves lengths alone.
    pub mu: Option<f64>,
}

impl Spectral {
    /// What a representation of squared length `square` is multiplied by.
    fn factor(mu: f64, square: f64) -> f64 {
        if square > mu { (mu / square).sqrt() } else { 1.0 }
    }
}

impl Loss for Spectral {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn check(&self) -> Result<(), Fault> {
        self.mu.map_or(Ok(()), |mu| positive("mu", mu))
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap, Invariance::Rotation]
    }

    fn work(&self, batch: usize, width: usize) -> Work {
        Work { correlations: 2 * width * width, kept: 2 * batch * batch, ..Work::default() }
    }

    fn literal(&self, a: ArrayView2<f64>, b: ArrayView2<f64>) -> f64 {
        let short = |z: ArrayView2<f64>| -> Vec<Vec<f64>> {
            let cut = |row: Vec<f64>| {
                let factor = self.mu.map_or(1.0, |mu| Self::factor(mu, literal::dot(&row, &row)));
                row.iter().map(|z| factor * z).collect()
            };
            z.rows().into_iter().map(|row| cut(row.to_vec())).collect()
        };
        let (a, b) = (short(a), short(b));
        let n = a.len();
        let pull = literal::mean((0..n).map(|i| literal::dot(&a[i], &b[i])));
        let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|(i, j)| i != j);
        let push = pairs.map(|(i, j)| literal::dot(&a[i], &b[j]).powi(2)).sum::<f64>() / (n * (n - 1)).max(1) as f64;
        (push - 2.0 * pull) / self.mu.unwrap_or(1.0)
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Moments { mu: self.mu, ..Moments::default() }))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor {
        let [a, b] = [a, b].map(|z| match self.mu {
            None => z.shallow_clone(),
            Some(mu) => {
                let square = z.square().sum_dim_intlist([2i64].as_slice(), true, None); // (R, B, 1)
                z * (square.clamp_min(mu).reciprocal() * mu).sqrt()
            }
        });
        let n = a.size()[1];
        let similarity = a.bmm(&b.transpose(1, 2)); // (R, B, B)
        let positive = similarity.diagonal(0, 1, 2); // (R, B)
        let sum = |z: tch::Tensor, dims: &[i64]| z.sum_dim_intlist(dims, false, None);
        let push = (sum(similarity.square(), &[1, 2]) - sum(positive.square(), &[1])) / (n * (n - 1)).max(1) as f64;
        (push - positive.mean_dim([1i64].as_slice(), false, None) * 2.0) / self.mu.unwrap_or(1.0)
    }
}

/// The loss by hand. The squared similarities of all pairs sum to the scalar product of the views' second moments, `(m,
/// m)`: for batches larger than m, that is less work than the similarities.
#[derive(Default)]
struct Moments {
    mu: Option<f64>,
    /// Views whose representations are no longer than `sqrt(mu)`, `(m, B)`.
    short: [Matrix; 2],
    /// Their second moments, sums over the batch, `(m, m)`.
    moments: [Vec<f32>; 2],
}

impl Kernel for Moments {
    fn loss(&mut self, views: [&Matrix; 2], gradients: &mut [Matrix; 2]) -> f64 {
        let (m, n) = (views[0].rows(), views[0].columns());
        let factors = [0, 1].map(|side| self.shorten(side, views[side]));
        for (z, moment) in self.short.iter().zip(&mut self.moments) {
            moment.clear();
            moment.resize(m * m, 0.0);
            accumulate_row_products(z, z, moment);
        }
        let mut positive = vec![0.0f64; n];
        for (a, b) in self.short[0].iter().zip(self.short[1].iter()) {
            positive.iter_mut().zip(a).zip(b).for_each(|((s, &a), &b)| *s += f64::from(a) * f64::from(b));
        }
        let all = reduce::dot(&self.moments[0], &self.moments[1]);
        let own: f64 = positive.iter().map(|s| s * s).sum();
        let (pairs, mu) = ((n * (n - 1)).max(1) as f64, self.mu.unwrap_or(1.0));
        let loss = ((all - own) / pairs - 2.0 * positive.iter().sum::<f64>() / n as f64) / mu;

        // d/da_i = 2 / pairs (sum_j <a_i, b_j> b_j - <a_i, b_i> b_i) - 2 / n b_i, and all over mu.
        let on_partner: Vec<f32> = positive.iter().map(|s| ((-2.0 * s / pairs - 2.0 / n as f64) / mu) as f32).collect();
        let on_moment = (2.0 / pairs / mu) as f32;
        for side in [0, 1] {
            let (own, other) = (&self.short[side], &self.short[1 - side]);
            let gradient = &mut gradients[side];
            gradient.reshape(m, n);
            product(view(&self.moments[1 - side], m, m), own.view(), gradient.view_mut());
            for (gradient, z) in gradient.iter_mut().zip(other.iter()) {
                for ((gradient, &z), &on_partner) in gradient.iter_mut().zip(z).zip(&on_partner) {
                    *gradient = on_moment * *gradient + on_partner * z;
                }
            }
            if self.mu.is_some() {
                through_length(own, &factors[side], mu as f32, gradient);
            }
        }
        loss
    }
}

impl Moments {
    /// Fills the short form of a view. Returns what its representations were multiplied by, `(B,)`.
    fn shorten(&mut self, side: usize, z: &Matrix) -> Vec<f32> {
        let short = &mut self.short[side];
        short.clone_from(z);
        let Some(mu) = self.mu else { return vec![1.0; z.columns()] };
        let mut squares = vec![0.0f64; z.columns()];
        for row in z.iter() {
            squares.iter_mut().zip(row).for_each(|(square, &z)| *square += f64::from(z) * f64::from(z));
        }
        let factors: Vec<f32> = squares.into_iter().map(|square| Spectral::factor(mu, square) as f32).collect();
        for row in short.iter_mut() {
            row.iter_mut().zip(&factors).for_each(|(z, factor)| *z *= factor);
        }
        factors
    }
}

/// Turns the gradient with respect to the short views into that with respect to the views, in place: where a representation
/// was cut to length `sqrt(mu)`, what lies along it is lost.
fn through_length(short: &Matrix, factors: &[f32], mu: f32, gradient: &mut Matrix) {
    let mut along = vec![0.0f32; factors.len()];
    for (z, g) in short.iter().zip(gradient.iter()) {
        along.iter_mut().zip(z).zip(g).for_each(|((along, z), g)| *along += z * g);
    }
    for (z, g) in short.iter().zip(gradient.iter_mut()) {
        for (((g, &z), &factor), &along) in g.iter_mut().zip(z).zip(factors).zip(&along) {
            if factor < 1.0 {
                *g = factor * (*g - z * along / mu);
            }
        }
    }
}
