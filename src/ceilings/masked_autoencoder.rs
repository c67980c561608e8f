//! A masked autoencoder: from the entries of a sample that are visible, predict those that are masked (as in He et al.,
//! CVPR 2022, with a layer for each of encoder and decoder, and masks drawn as the views' are).

use ndarray::{Array2, Axis, Zip};

use super::gradient::{Loss, Parameters, descend};
use crate::random::Draws;

/// `|(1 - D) (x - f V - c)|^2 / 2` on average over samples and masks D, with `f = SReLU_b(W D x)` (Eq. 14): latents have
/// signs, and so has the activation.
struct MaskedAutoencoder {
    masking_prob: f64,
}

impl Loss for MaskedAutoencoder {
    fn gradient(
        &mut self,
        [encoder, decoder, threshold, offset]: &Parameters,
        batch: &Array2<f64>,
        draws: &mut dyn Draws,
    ) -> (f64, Parameters) {
        let n = batch.nrows() as f64;
        let masked = Array2::from_shape_simple_fn(batch.dim(), || f64::from(draws.uniform() < self.masking_prob));
        let visible = Zip::from(batch).and(&masked).map_collect(|x, masked| x * (1.0 - masked));
        let before = visible.dot(&encoder.t()); // (B, m)
        let above = |threshold: f64| move |value: f64| f64::from(value > threshold);
        let codes = Zip::from(&before)
            .and_broadcast(threshold)
            .map_collect(|&value, &b| (value - b).max(0.0) - (-value - b).max(0.0));
        let error = (codes.dot(decoder) + offset - batch) * &masked;
        let value = (&error * &error).sum() / 2.0 / n;

        let of_codes = error.dot(&decoder.t()) / n;
        let mut of_before = of_codes.clone();
        let mut of_threshold = of_codes;
        Zip::from(&mut of_before).and(&mut of_threshold).and(&before).and_broadcast(threshold).for_each(
            |slope, of_threshold, &value, &b| {
                let (up, down) = (above(b)(value), above(b)(-value));
                *slope *= up + down;
                *of_threshold *= down - up;
            },
        );
        let sum = |matrix: &Array2<f64>| matrix.sum_axis(Axis(0)).insert_axis(Axis(0));
        (value, [of_before.t().dot(&visible), codes.t().dot(&error) / n, sum(&of_threshold), sum(&error) / n])
    }
}

/// Learns `m` atoms, `(m, p)`, from samples `(n, p)`: the rows of the decoder.
pub fn learn(samples: &Array2<f64>, m: usize, masking_prob: f64, draws: &mut dyn Draws) -> Array2<f64> {
    let mut parameters = start(samples.ncols(), m, draws);
    descend(&mut MaskedAutoencoder { masking_prob }, &mut parameters, samples, draws);
    let [_, atoms, ..] = parameters;
    atoms
}

fn start(p: usize, m: usize, draws: &mut dyn Draws) -> Parameters {
    let mut gaussian = |inputs: usize| Array2::from_shape_simple_fn((m, p), || draws.normal() / (inputs as f64).sqrt());
    [gaussian(p), gaussian(m), Array2::zeros((1, m)), Array2::zeros((1, p))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceilings::{
        gradient::testing::assert_gradient,
        testing::{draws, sparse},
    };

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (samples, _) = sparse(9, 5, 3, 1);
        let mut draws_of = draws(2);
        let parameters = start(5, 4, &mut draws_of).map(|start| start.mapv(|w| w + 0.1 * draws_of.normal()));
        assert_gradient(&mut MaskedAutoencoder { masking_prob: 0.4 }, &parameters, &samples, || draws(3));
    }

    #[test]
    fn visible_entries_are_no_part_of_the_loss() {
        let parameters = start(3, 2, &mut draws(1));
        let sample = ndarray::array![[1.0, -2.0, 3.0]];
        let value = |masking_prob| MaskedAutoencoder { masking_prob }.gradient(&parameters, &sample, &mut draws(2)).0;
        assert_eq!(value(0.0), 0.0);
        assert!((value(1.0) - 7.0).abs() < 1e-12, "all masked: the square of the sample over two");
    }

    #[test]
    fn the_loss_falls() {
        let (samples, _) = sparse(500, 12, 4, 4);
        let mut draws = draws(5);
        let mut parameters = start(12, 8, &mut draws);
        let losses = descend(&mut MaskedAutoencoder { masking_prob: 0.3 }, &mut parameters, &samples, &mut draws);
        assert!(losses[losses.len() - 1] < 0.5 * losses[0], "{} {}", losses[0], losses[losses.len() - 1]);
    }
}
