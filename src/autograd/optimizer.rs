//! The optimiser's step on the tensors of a cohort, in the order of operations of `torch.optim`.

use anyhow::Result;
use ndarray::ArrayD;
use tch::{Kind, Tensor};

use crate::{
    engine::Member,
    models::{Parameters, unstack},
    spec::{
        Memory, Optimizer, Turn,
        layout::{Parameter, StateDict},
    },
};

/// The optimiser of a cohort, with what it remembers of every parameter.
pub struct Descent {
    optimizer: Optimizer,
    /// Learning rates and their negatives, `(R,)`.
    lr: [Tensor; 2],
    /// One for each parameter, in layout order.
    memory: Vec<Remembered>,
}

/// What is remembered of one parameter. The runs of a cohort take the same turns, hence the same number of steps.
#[derive(Default)]
struct Remembered {
    /// Momentum, or Adam's average of the gradient, `(R, ...)`.
    first: Option<Tensor>,
    /// Adam's average of the squared gradient, `(R, ...)`.
    second: Option<Tensor>,
    steps: u32,
}

impl Descent {
    /// The optimiser at its start or, where the members' states say how far it had come, from there.
    pub fn new(members: &[Member], parameters: &Parameters, kind: Kind, device: tch::Device) -> Result<Self> {
        let optimizer = members[0].spec.train.optimizer;
        let lr: Vec<f64> = members.iter().map(|member| member.spec.train.lr).collect();
        let saved = |memory: Memory, parameter: &Parameter| -> Result<Option<Tensor>> {
            let name = memory.name(&parameter.name);
            let runs: Option<Vec<&ArrayD<f64>>> = members.iter().map(|member| member.state.get(&name)).collect();
            let Some(runs) = runs else { return Ok(None) };
            let tensor = |run: &ArrayD<f64>| Tensor::try_from(run.as_standard_layout().into_owned());
            let tensors: Vec<Tensor> = runs.into_iter().map(tensor).collect::<Result<_, _>>()?;
            Ok(Some(Tensor::stack(&tensors, 0).to_kind(kind).to_device(device)))
        };
        let remembered = |(parameter, _): (&Parameter, &Tensor)| {
            let steps = members[0].state.get(&Memory::Steps.name(&parameter.name));
            Ok(Remembered {
                first: saved(Memory::First, parameter)?,
                second: saved(Memory::Second, parameter)?,
                steps: steps.map_or(0, |steps| steps.sum() as u32),
            })
        };
        Ok(Self {
            optimizer,
            lr: [1.0, -1.0].map(|sign| (Tensor::from_slice(&lr) * sign).to_kind(kind).to_device(device)),
            memory: parameters.iter().map(remembered).collect::<Result<_>>()?,
        })
    }

    /// One step of every parameter that learns in this turn, given their gradients; `rate` multiplies the learning rates.
    pub fn step(&mut self, parameters: &Parameters, gradients: &[Tensor], turn: Turn, rate: f64) {
        let scaled = self.lr.each_ref().map(|lr| if rate == 1.0 { lr.shallow_clone() } else { lr * rate });
        let learning = parameters.iter().zip(&mut self.memory).filter(|((parameter, _), _)| parameter.learns(turn));
        for (((_, w), memory), gradient) in learning.zip(gradients) {
            let mut shape = vec![1; gradient.dim()];
            shape[0] = -1;
            memory.step(self.optimizer, w, gradient, scaled.each_ref().map(|lr| lr.reshape(&shape)));
        }
    }

    /// Adds what is remembered to the runs' states.
    pub fn remember(&self, parameters: &Parameters, states: &mut [StateDict]) -> Result<()> {
        for ((parameter, _), Remembered { first, second, steps }) in parameters.iter().zip(&self.memory) {
            for (memory, moments) in [(Memory::First, first), (Memory::Second, second)] {
                let Some(moments) = moments else { continue };
                for (state, value) in states.iter_mut().zip(unstack(moments)?) {
                    state.insert(memory.name(&parameter.name), value);
                }
            }
            if first.is_some() {
                let steps = ndarray::arr0(f64::from(*steps)).into_dyn();
                states
                    .iter_mut()
                    .for_each(|state| _ = state.insert(Memory::Steps.name(&parameter.name), steps.clone()));
            }
        }
        Ok(())
    }
}

impl Remembered {
    /// One step of one parameter `w`, with learning rates and their negatives, `(R, 1, ...)`.
    fn step(&mut self, optimizer: Optimizer, w: &Tensor, gradient: &Tensor, [lr, negative]: [Tensor; 2]) {
        self.steps = self.steps.saturating_add(1);
        // In place, rounded once, as PyTorch's `add_(g, alpha=-lr)`.
        let descend = |by: &Tensor| _ = w.shallow_clone().addcmul_(by, &negative);
        match optimizer {
            Optimizer::Sgd { momentum, nesterov, weight_decay } => {
                let gradient = decayed(gradient, w, weight_decay);
                if momentum == 0.0 {
                    return descend(&gradient);
                }
                let v = match self.first.take() {
                    Some(v) => v * momentum + &gradient,
                    None => gradient.copy(),
                };
                if nesterov {
                    descend(&(&gradient + &v * momentum))
                } else {
                    descend(&v)
                }
                self.first = Some(v);
            }
            Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => {
                self.adam(w, &decayed(gradient, w, weight_decay), &lr, [beta1, beta2, epsilon]);
            }
            Optimizer::Adamw { beta1, beta2, epsilon, weight_decay } => {
                let kept: Tensor = 1.0 - &lr * weight_decay;
                let _ = w.shallow_clone().g_mul_(&kept);
                self.adam(w, gradient, &lr, [beta1, beta2, epsilon]);
            }
        }
    }

    fn adam(&mut self, w: &Tensor, gradient: &Tensor, lr: &Tensor, [beta1, beta2, epsilon]: [f64; 3]) {
        let bias = |beta: f64| 1.0 - beta.powf(f64::from(self.steps));
        let average = |old: Option<Tensor>, new: Tensor, beta: f64| match old {
            Some(old) => old * beta + new * (1.0 - beta),
            None => new * (1.0 - beta),
        };
        let first = average(self.first.take(), gradient.copy(), beta1);
        let second = average(self.second.take(), gradient.square(), beta2);
        let root = second.sqrt() / bias(beta2).sqrt() + epsilon;
        let _ = w.shallow_clone().g_sub_(&(lr / bias(beta1) * &first / root));
        (self.first, self.second) = (Some(first), Some(second));
    }
}

/// The gradient with the contribution of weight decay.
fn decayed(gradient: &Tensor, w: &Tensor, weight_decay: f64) -> Tensor {
    if weight_decay == 0.0 { gradient.shallow_clone() } else { gradient + w * weight_decay }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;

    use super::*;
    use crate::spec::optimizer_tests::{Recorded, one_layer, recorded};

    #[test]
    fn steps_are_those_of_torch() {
        for Recorded { optimizer, lr, start, gradients, ends, what } in recorded() {
            let (layout, mut state) = one_layer(&start);
            let mut spec: crate::RunSpec = "{method: ncl, dtype: float64}".parse().unwrap();
            (spec.train.optimizer, spec.train.lr) = (optimizer, lr);
            let build = |state: &StateDict| {
                let parameters =
                    Parameters::stack(layout.clone(), std::slice::from_ref(state), Kind::Double, tch::Device::Cpu)
                        .unwrap();
                let member =
                    Member { spec: Arc::new(spec.clone()), x: Arc::new(Array2::zeros((1, 1))), state: state.clone() };
                let descent = Descent::new(&[member], &parameters, Kind::Double, tch::Device::Cpu).unwrap();
                (parameters, descent)
            };
            let (mut parameters, mut descent) = build(&state);
            for (k, gradient) in gradients.iter().enumerate() {
                if k == gradients.len() / 2 {
                    // Interrupted, and resumed.
                    let mut states = parameters.states().unwrap();
                    descent.remember(&parameters, &mut states).unwrap();
                    state = states.remove(0);
                    (parameters, descent) = build(&state);
                }
                let gradients: Vec<Tensor> = parameters
                    .iter()
                    .filter(|(parameter, _)| parameter.learns(Turn::Joint))
                    .map(|(_, w)| Tensor::from_slice(&gradient[..w.numel().min(gradient.len())]).reshape_as(w))
                    .collect();
                crate::nn::no_grad(|| descent.step(&parameters, &gradients, Turn::Joint, 1.0));
            }
            let found = parameters.states().unwrap().remove(0);
            for (found, end) in found[0].iter().zip(ends) {
                assert!((found - end).abs() < 1e-12, "{what}: {found} for {end}");
            }
        }
    }
}
