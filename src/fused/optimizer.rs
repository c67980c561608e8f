//! The optimiser's step, in single precision.

use super::parameters::{Parameters, array};
use crate::spec::{Memory, Optimizer, Turn, layout::StateDict};

/// The optimiser of one run, with what it remembers of every parameter, place by place as in [`Parameters::values`].
#[derive(Clone, Debug)]
pub struct Descent {
    optimizer: Optimizer,
    /// Momentum, or Adam's average of the gradient; empty where the optimiser has none.
    pub(super) first: Vec<f32>,
    /// Adam's average of the squared gradient; empty likewise.
    pub(super) second: Vec<f32>,
    /// Steps that each parameter has taken.
    steps: Vec<u32>,
}

impl Descent {
    /// The optimiser at its start or, where the state says how far it had come, from there.
    pub fn new(optimizer: Optimizer, parameters: &Parameters, state: &StateDict) -> Self {
        let length = |moment: usize| if optimizer.moments() >= moment { parameters.values.len() } else { 0 };
        let (mut first, mut second) = (vec![0.0; length(1)], vec![0.0; length(2)]);
        let mut steps = vec![0; parameters.places.len()];
        for ((parameter, place), steps) in parameters.places.iter().zip(&mut steps) {
            for (memory, moments) in [(Memory::First, &mut first), (Memory::Second, &mut second)] {
                let saved = state.get(&memory.name(&parameter.name)).filter(|_| !moments.is_empty());
                if let Some(saved) = saved {
                    moments[place.clone()].iter_mut().zip(saved).for_each(|(moment, &saved)| *moment = saved as f32);
                }
            }
            *steps = state.get(&Memory::Steps.name(&parameter.name)).map_or(0, |saved| saved.sum() as u32);
        }
        Self { optimizer, first, second, steps }
    }

    /// One step of every parameter that learns in this turn.
    pub fn step(&mut self, parameters: &mut Parameters, turn: Turn, lr: f64) {
        let Parameters { values, gradients, places } = parameters;
        let learning = places.iter().zip(&mut self.steps).filter(|((parameter, _), _)| parameter.learns(turn));
        for ((_, place), steps) in learning {
            *steps = steps.saturating_add(1);
            let (w, g) = (&mut values[place.clone()], &gradients[place.clone()]);
            match self.optimizer {
                Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0, .. } => plain(w, g, lr as f32),
                Optimizer::Sgd { momentum: 0.0, weight_decay, .. } => decayed(w, g, lr as f32, weight_decay as f32),
                Optimizer::Sgd { momentum, nesterov, weight_decay } => {
                    // The first step takes the gradient as it is.
                    let kept = if *steps == 1 { 0.0 } else { momentum as f32 };
                    let ahead = nesterov.then_some(momentum as f32);
                    heavy(w, g, &mut self.first[place.clone()], (kept, ahead), lr as f32, weight_decay as f32);
                }
                Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => {
                    let rule = Adam { beta1, beta2, epsilon, lr, steps: *steps };
                    let moments = (&mut self.first[place.clone()], &mut self.second[place.clone()]);
                    rule.step(w, g, moments, weight_decay as f32);
                }
                Optimizer::Adamw { beta1, beta2, epsilon, weight_decay } => {
                    let rule = Adam { beta1, beta2, epsilon, lr, steps: *steps };
                    let kept = (1.0 - lr * weight_decay) as f32;
                    w.iter_mut().for_each(|w| *w *= kept);
                    let moments = (&mut self.first[place.clone()], &mut self.second[place.clone()]);
                    rule.step(w, g, moments, 0.0);
                }
            }
        }
    }

    /// Counts a step that is taken elsewhere, of every parameter that learns in this turn.
    pub fn count(&mut self, parameters: &Parameters, turn: Turn) {
        let learning =
            parameters.places.iter().zip(&mut self.steps).filter(|((parameter, _), _)| parameter.learns(turn));
        learning.for_each(|(_, steps)| *steps = steps.saturating_add(1));
    }

    /// What the number of steps of the parameter at a place makes of its next: Adam's `1 - beta^steps` of both moments,
    /// or the number itself.
    pub fn corrections(&self, place: usize) -> [f64; 2] {
        let steps = f64::from(self.steps[place]);
        match self.optimizer {
            Optimizer::Sgd { .. } => [steps; 2],
            Optimizer::Adam { beta1, beta2, .. } | Optimizer::Adamw { beta1, beta2, .. } => {
                [beta1, beta2].map(|beta| 1.0 - beta.powf(steps))
            }
        }
    }

    /// Adds what is remembered to a state.
    pub fn remember(&self, parameters: &Parameters, state: &mut StateDict) {
        if self.optimizer.moments() == 0 {
            return;
        }
        for ((parameter, place), &steps) in parameters.places.iter().zip(&self.steps).filter(|(_, steps)| **steps > 0) {
            for (memory, moments) in [(Memory::First, &self.first), (Memory::Second, &self.second)] {
                if !moments.is_empty() {
                    state.insert(memory.name(&parameter.name), array(parameter, &moments[place.clone()]));
                }
            }
            state.insert(Memory::Steps.name(&parameter.name), ndarray::arr0(f64::from(steps)).into_dyn());
        }
    }
}

/// `w <- w - lr g`
fn plain(w: &mut [f32], gradient: &[f32], lr: f32) {
    for (w, g) in w.iter_mut().zip(gradient) {
        *w -= lr * g;
    }
}

/// `w <- w - lr (g + decay w)`
fn decayed(w: &mut [f32], gradient: &[f32], lr: f32, decay: f32) {
    for (w, g) in w.iter_mut().zip(gradient) {
        *w -= lr * (g + decay * *w);
    }
}

/// SGD with momentum: `v <- kept v + g`, then `w <- w - lr v` or, with Nesterov's, `w <- w - lr (g + ahead v)`.
fn heavy(w: &mut [f32], gradient: &[f32], v: &mut [f32], (kept, ahead): (f32, Option<f32>), lr: f32, decay: f32) {
    for ((w, g), v) in w.iter_mut().zip(gradient).zip(v) {
        let g = g + decay * *w;
        *v = kept * *v + g;
        *w -= lr * ahead.map_or(*v, |ahead| g + ahead * *v);
    }
}

/// Adam at one step of one parameter.
struct Adam {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    lr: f64,
    /// Steps of the parameter, this one included.
    steps: u32,
}

impl Adam {
    fn step(&self, w: &mut [f32], gradient: &[f32], (first, second): (&mut [f32], &mut [f32]), decay: f32) {
        let bias = |beta: f64| 1.0 - beta.powf(f64::from(self.steps));
        let size = (self.lr / bias(self.beta1)) as f32;
        let root = bias(self.beta2).sqrt() as f32;
        let (beta1, beta2, epsilon) = (self.beta1 as f32, self.beta2 as f32, self.epsilon as f32);
        let (rest1, rest2) = ((1.0 - self.beta1) as f32, (1.0 - self.beta2) as f32);
        for (((w, g), m), v) in w.iter_mut().zip(gradient).zip(first).zip(second) {
            let g = g + decay * *w;
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *w -= size * *m / (v.sqrt() / root + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::optimizer_tests::{Recorded, recorded};

    #[test]
    fn steps_are_those_of_torch() {
        for Recorded { optimizer, lr, start, gradients, ends, what } in recorded() {
            let (layout, mut state) = crate::spec::optimizer_tests::one_layer(&start);
            let mut parameters = Parameters::new(layout.clone(), &state).unwrap();
            let mut descent = Descent::new(optimizer, &parameters, &state);
            for (k, gradient) in gradients.iter().enumerate() {
                if k == gradients.len() / 2 {
                    // Interrupted, and resumed.
                    state = parameters.state();
                    descent.remember(&parameters, &mut state);
                    parameters = Parameters::new(layout.clone(), &state).unwrap();
                    descent = Descent::new(optimizer, &parameters, &state);
                }
                let weights = parameters.places[0].1.clone();
                parameters.gradients[weights].iter_mut().zip(gradient).for_each(|(to, &g)| *to = g as f32);
                descent.step(&mut parameters, Turn::Joint, lr);
            }
            for (found, end) in parameters.values.iter().zip(ends) {
                assert!((f64::from(*found) - end).abs() < 2e-6, "{what}: {found} for {end}");
            }
        }
    }
}
