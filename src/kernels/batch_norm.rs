//! BatchNorm1d in training mode, on one neuron's samples.

use super::reduce::{dot, sum, total};

/// Added to the variance (PyTorch's default).
const EPSILON: f64 = 1e-5;

/// Weight of the newest batch in the running statistics (PyTorch's default).
const MOMENTUM: f64 = 0.1;

/// Mean and biased variance of one neuron over a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Mean over the batch.
    pub mean: f64,
    /// Mean square deviation: divided by n, not by n - 1.
    pub variance: f64,
}

impl Statistics {
    /// Of one neuron's samples, `(B,)`, summed in double precision.
    #[inline(always)]
    pub fn of(x: &[f32]) -> Self {
        let n = x.len() as f64;
        let mean = total(x) / n;
        let (center, rest) = split(mean);
        let variance = sum(x, |x| (x - center) * (x - center)) / n - rest * rest;
        Self { mean, variance }
    }

    /// `1 / sqrt(variance + 1e-5)`
    #[inline(always)]
    pub fn inverse_deviation(self) -> f64 {
        1.0 / (self.variance + EPSILON).sqrt()
    }

    /// Moves the running mean towards the batch's.
    #[inline(always)]
    pub fn track_mean(self, running: &mut f32) {
        *running = towards(*running, self.mean);
    }

    /// Moves the running variance towards the unbiased variance of the batch's `n` samples.
    #[inline(always)]
    pub fn track_variance(self, n: usize, running: &mut f32) {
        *running = towards(*running, self.variance * (n as f64 / (n as f64 - 1.0)));
    }
}

#[inline(always)]
fn towards(running: f32, batch: f64) -> f32 {
    let running = f64::from(running);
    (running + MOMENTUM * (batch - running)) as f32
}

/// Replaces `x` by `scale x' + shift`, where `x' = (x - mean) / sqrt(variance + 1e-5)` goes to `normalized`.
#[inline(always)]
pub fn forward(x: &mut [f32], statistics: Statistics, scale: f32, shift: f32, normalized: &mut [f32]) {
    let ((center, rest), factor) = (split(statistics.mean), statistics.inverse_deviation() as f32);
    for (x, normalized) in x.iter_mut().zip(normalized) {
        *normalized = (*x - center - rest as f32) * factor;
        *x = *normalized * scale + shift;
    }
}

/// A number in single precision, and the remainder: without it, all samples would be off by the same rounding.
#[inline(always)]
fn split(mean: f64) -> (f32, f64) {
    (mean as f32, mean - f64::from(mean as f32))
}

/// Turns the gradient with respect to the output, in place, into that with respect to the input.
///
/// Returns the gradients with respect to scale and shift. `normalized` and `inverse_deviation` are the forward pass's.
#[inline(always)]
pub fn backward(normalized: &[f32], inverse_deviation: f32, scale: f32, gradient: &mut [f32]) -> (f64, f64) {
    let n = gradient.len() as f64;
    let (gradient_scale, gradient_shift) = (dot(gradient, normalized), total(gradient));
    // Mean and variance are functions of x too: the gradient loses its mean and its component along x'.
    let (mean, along) = ((gradient_shift / n) as f32, (gradient_scale / n) as f32);
    let factor = scale * inverse_deviation;
    for (gradient, &normalized) in gradient.iter_mut().zip(normalized) {
        *gradient = factor * (*gradient - mean - normalized * along);
    }
    (gradient_scale, gradient_shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{Draws, assert_close, finite_differences, widen};

    /// The definition, at `(x, scale, shift)`.
    fn reference(x: &[f64], scale: f64, shift: f64) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        x.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt() * scale + shift).collect()
    }

    #[test]
    fn values_and_gradients() {
        let mut draws = Draws::new(3);
        for (n, scale, shift) in [(2, 1.0, 0.0), (37, -0.75, 0.5), (512, 1.5, -2.0)] {
            let (input, weight) = (draws.values(n), draws.values(n));
            let (mut x, mut normalized) = (input.clone(), vec![0.0; n]);
            let statistics = Statistics::of(&x);
            forward(&mut x, statistics, scale, shift, &mut normalized);
            let (s, t) = (f64::from(scale), f64::from(shift));
            assert_close(&x, &reference(&widen(&input), s, t), 1e-6);

            let mut gradient = weight.clone();
            let inverse_deviation = statistics.inverse_deviation() as f32;
            let (gradient_scale, gradient_shift) = backward(&normalized, inverse_deviation, scale, &mut gradient);
            gradient.extend([gradient_scale as f32, gradient_shift as f32]);
            let mut at = widen(&input);
            at.extend([s, t]);
            let expected = finite_differences(&at, |at| {
                let (x, affine) = at.split_at(n);
                reference(x, affine[0], affine[1]).iter().zip(&weight).map(|(y, &w)| y * f64::from(w)).sum()
            });
            assert_close(&gradient, &expected, 2e-6);
        }
    }

    #[test]
    fn a_large_mean_leaves_the_variance_exact() {
        let x: Vec<f32> = (0..512).map(|i| 4096.0 + (i % 2) as f32).collect();
        assert_eq!(Statistics::of(&x), Statistics { mean: 4096.5, variance: 0.25 });
    }

    /// bn = torch.nn.BatchNorm1d(1); bn(torch.tensor([[1.], [2.], [4.], [5.]])); bn.running_mean, bn.running_var
    #[test]
    fn running_statistics() {
        let (mut mean, mut variance) = (0.0, 1.0);
        let statistics = Statistics::of(&[1.0, 2.0, 4.0, 5.0]);
        statistics.track_mean(&mut mean);
        statistics.track_variance(4, &mut variance);
        assert_close([mean, variance], &[0.3, 0.9 + 0.1 * 10.0 / 3.0], 1e-7);
    }
}
