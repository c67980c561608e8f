//! A sparse autoencoder, as it is trained on the activations of language models (Bricken et al., "Towards monosemanticity",
//! 2023; Cunningham et al., ICLR 2024): ReLU codes, atoms of unit length, an L1 penalty.

use ndarray::{Array2, Axis, Zip};

use super::{
    gradient::{Loss, Parameters, descend},
    normalize_rows, penalty,
};
use crate::{metrics::random_atoms, random::Draws};

/// `|x - f D - c|^2 / 2 + penalty |f|_1` on average, with codes `f = ReLU(W (x - c) + b)`: the objective of dictionary
/// learning, with codes that a layer computes.
struct SparseAutoencoder {
    penalty: f64,
}

impl Loss for SparseAutoencoder {
    fn gradient(
        &mut self,
        [encoder, decoder, bias, offset]: &Parameters,
        batch: &Array2<f64>,
        _: &mut dyn Draws,
    ) -> (f64, Parameters) {
        let n = batch.nrows() as f64;
        let x = batch - offset; // (B, p)
        let codes = (x.dot(&encoder.t()) + bias).mapv_into(|value| value.max(0.0)); // (B, m)
        let error = codes.dot(decoder) - &x;
        let value = ((&error * &error).sum() / 2.0 + self.penalty * codes.sum()) / n;

        let mut of_codes = error.dot(&decoder.t()) + self.penalty;
        Zip::from(&mut of_codes)
            .and(&codes)
            .for_each(|slope, &code| *slope = if code > 0.0 { *slope / n } else { 0.0 });
        let of_bias = of_codes.sum_axis(Axis(0)).insert_axis(Axis(0));
        let of_offset = error.sum_axis(Axis(0)).insert_axis(Axis(0)) / n - of_bias.dot(encoder);
        (value, [of_codes.t().dot(&x), codes.t().dot(&error) / n, of_bias, of_offset])
    }

    /// Leaves out what would change the lengths of atoms: Adam, which scales entry by entry, would turn them by it.
    fn project(&self, [_, decoder, ..]: &Parameters, [_, gradient, ..]: &mut Parameters) {
        let along = (&*gradient * decoder).sum_axis(Axis(1)).insert_axis(Axis(1));
        *gradient -= &(decoder * &along);
    }

    fn constrain(&self, [_, decoder, ..]: &mut Parameters) {
        normalize_rows(decoder);
    }
}

/// Learns `m` atoms, `(m, p)`, from samples `(n, p)`: the rows of the decoder.
pub fn learn(samples: &Array2<f64>, m: usize, draws: &mut dyn Draws) -> Array2<f64> {
    let mut parameters = start(samples.ncols(), m, draws);
    descend(&mut SparseAutoencoder { penalty: penalty(samples) }, &mut parameters, samples, draws);
    let [_, atoms, ..] = parameters;
    atoms
}

/// Random atoms, which the encoder starts at, too.
fn start(p: usize, m: usize, draws: &mut dyn Draws) -> Parameters {
    let atoms = random_atoms(draws, p, m).t().as_standard_layout().into_owned();
    [atoms.clone(), atoms, Array2::zeros((1, m)), Array2::zeros((1, p))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ceilings::{
            gradient::testing::assert_gradient,
            testing::{draws, sparse},
        },
        metrics::max_cosine,
    };

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (samples, _) = sparse(9, 5, 3, 1);
        let mut draws_of = draws(2);
        let parameters = start(5, 4, &mut draws_of).map(|start| start.mapv(|w| w + 0.3 * draws_of.normal()));
        assert_gradient(&mut SparseAutoencoder { penalty: 0.2 }, &parameters, &samples, || draws(3));
    }

    #[test]
    fn the_loss_falls_and_atoms_are_found() {
        let (samples, dictionary) = sparse(500, 8, 4, 4);
        let mut draws = draws(5);
        let mut parameters = start(8, 10, &mut draws);
        let losses =
            descend(&mut SparseAutoencoder { penalty: penalty(&samples) }, &mut parameters, &samples, &mut draws);
        assert!(losses[losses.len() - 1] < 0.5 * losses[0], "{} {}", losses[0], losses[losses.len() - 1]);
        let found = max_cosine(&parameters[1], &dictionary);
        assert!(found.min > 0.95, "{found:?}");
    }

    #[test]
    fn atoms_turn_and_keep_their_lengths() {
        let mut draws = draws(6);
        let parameters = start(5, 4, &mut draws);
        let mut gradients = parameters.each_ref().map(|parameter| parameter.mapv(|_| draws.normal()));
        let before = gradients.clone();
        SparseAutoencoder { penalty: 0.1 }.project(&parameters, &mut gradients);
        assert!((&gradients[1] * &parameters[1]).sum_axis(Axis(1)).iter().all(|along| along.abs() < 1e-12));
        assert_ne!(gradients[1], before[1]);
        assert_eq!((&gradients[0], &gradients[2..]), (&before[0], &before[2..]));
    }
}
