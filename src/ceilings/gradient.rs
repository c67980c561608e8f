//! Descent for the autoencoders: Adam on a few matrices, by batches of shuffled samples.

use ndarray::{Array2, Axis, Zip};

use crate::random::{Draws, shuffle};

/// Samples of a batch, or all of them if there are fewer.
const BATCH: usize = 250;

/// Steps: many more than the losses need to level off.
const STEPS: usize = 16_000;

/// Adam's learning rate and constants, as in Kingma and Ba (ICLR 2015).
const RATE: f64 = 1e-3;
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// What autoencoders consist of: encoder and decoder `(m, p)`, bias or threshold `(1, m)`, offset `(1, p)`.
pub type Parameters = [Array2<f64>; 4];

/// A loss to descend.
pub trait Loss {
    /// Value and gradient on a batch `(B, p)`.
    fn gradient(&mut self, parameters: &Parameters, batch: &Array2<f64>, draws: &mut dyn Draws) -> (f64, Parameters);

    /// What becomes of a gradient before its step.
    fn project(&self, _: &Parameters, _: &mut Parameters) {}

    /// What becomes of the parameters after every step.
    fn constrain(&self, _: &mut Parameters) {}
}

/// Descends a loss over samples `(n, p)`; the mean loss of each epoch.
pub fn descend(
    loss: &mut impl Loss,
    parameters: &mut Parameters,
    samples: &Array2<f64>,
    draws: &mut dyn Draws,
) -> Vec<f64> {
    let batch_size = BATCH.min(samples.nrows());
    let batches = samples.nrows() / batch_size;
    let mut order: Vec<usize> = (0..samples.nrows()).collect();
    let mut adam = Adam::new(parameters);
    let mut losses = Vec::new();
    for _ in 0..STEPS.div_ceil(batches) {
        shuffle(draws, &mut order);
        let mut sum = 0.0;
        for rows in order.chunks_exact(batch_size) {
            let (value, mut gradients) = loss.gradient(parameters, &samples.select(Axis(0), rows), draws);
            loss.project(parameters, &mut gradients);
            adam.step(parameters, &gradients);
            loss.constrain(parameters);
            sum += value;
        }
        losses.push(sum / batches as f64);
    }
    losses
}

/// Adam's memory.
struct Adam {
    first: Parameters,
    second: Parameters,
    steps: i32,
}

impl Adam {
    fn new(parameters: &Parameters) -> Self {
        let zeros = || parameters.each_ref().map(|parameter| Array2::zeros(parameter.dim()));
        Self { first: zeros(), second: zeros(), steps: 0 }
    }

    fn step(&mut self, parameters: &mut Parameters, gradients: &Parameters) {
        self.steps += 1;
        let [first, second] = [BETA1, BETA2].map(|beta| 1.0 - beta.powi(self.steps));
        let memory = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, gradient), (mean, square)) in parameters.iter_mut().zip(gradients).zip(memory) {
            Zip::from(parameter).and(gradient).and(mean).and(square).for_each(|w, g, mean, square| {
                *mean = BETA1 * *mean + (1.0 - BETA1) * g;
                *square = BETA2 * *square + (1.0 - BETA2) * g * g;
                *w -= RATE * (*mean / first) / ((*square / second).sqrt() + EPSILON);
            });
        }
    }
}

#[cfg(test)]
pub mod testing {
    use super::*;

    /// Compares a loss's gradient with finite differences of its value, at every parameter. The loss must see the same
    /// draws at each call, so it gets fresh ones from a seed.
    #[track_caller]
    pub fn assert_gradient<D: Draws>(
        loss: &mut impl Loss,
        parameters: &Parameters,
        batch: &Array2<f64>,
        draws: impl Fn() -> D,
    ) {
        const STEP: f64 = 1e-6;
        let (_, gradients) = loss.gradient(parameters, batch, &mut draws());
        let mut largest: f64 = 0.0;
        for (which, gradient) in gradients.iter().enumerate() {
            for ((i, j), &claimed) in gradient.indexed_iter() {
                let [ahead, behind] = [STEP, -STEP].map(|step| {
                    let mut moved = parameters.clone();
                    moved[which][[i, j]] += step;
                    loss.gradient(&moved, batch, &mut draws()).0
                });
                let measured = (ahead - behind) / (2.0 * STEP);
                assert!((claimed - measured).abs() < 1e-7, "parameter {which} at ({i}, {j}): {claimed}, {measured}");
                largest = largest.max(claimed.abs());
            }
            assert!(largest > 1e-3, "nothing learns");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceilings::testing::draws;

    /// `|w - target|^2 / 2`, whatever the batch.
    struct Bowl(Parameters);

    impl Loss for Bowl {
        fn gradient(&mut self, parameters: &Parameters, _: &Array2<f64>, _: &mut dyn Draws) -> (f64, Parameters) {
            let gradients = std::array::from_fn(|i| &parameters[i] - &self.0[i]);
            let value = gradients.iter().map(|gradient: &Array2<f64>| (gradient * gradient).sum() / 2.0).sum();
            (value, gradients)
        }
    }

    #[test]
    fn the_first_step_is_as_long_as_the_rate_and_the_last_is_at_the_bottom() {
        let target: Parameters = std::array::from_fn(|i| Array2::from_elem((1, 2), 0.5 * i as f64 - 0.7));
        let mut parameters: Parameters = std::array::from_fn(|_| Array2::zeros((1, 2)));
        let (value, gradients) = Bowl(target.clone()).gradient(&parameters, &Array2::zeros((0, 0)), &mut draws(1));
        let mut moved = parameters.clone();
        Adam::new(&moved).step(&mut moved, &gradients);
        assert!(moved.iter().flatten().all(|w| (w.abs() - RATE).abs() < 1e-9));

        let losses = descend(&mut Bowl(target.clone()), &mut parameters, &Array2::zeros((500, 1)), &mut draws(1));
        assert_eq!(losses.len(), STEPS / 2);
        assert!(losses[0] < value && losses[STEPS / 2 - 1] < 1e-9, "{losses:?}");
    }
}
