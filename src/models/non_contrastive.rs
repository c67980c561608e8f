use tch::Tensor;

use super::{
    Forward, Model, Parameters, Purpose, online_layers,
    parts::{Encoder, Predictor},
    target_layers,
};
use crate::{
    engine::Turn,
    losses::{inner_product, l2},
    nn::unit_norm,
    spec::{LossSpec, ModelSpec},
};

/// Two encoders, online on view 1 and target on view 2, with or without a predictor (Eq. 4-8, 15).
///
/// The authors' `SparseContrastiveModel`, its `Reduced`, `NoAlter` and `MultiLayered` variants: what differs between
/// them is which parts the settings ask for, which branch learns at a step, and the loss.
#[derive(Debug)]
pub struct NonContrastive {
    online: Encoder,
    target: Encoder,
    predictor: Predictor,
    loss: LossSpec,
    /// First-layer weights W^o and W^t, for the penalty of Eq. 7.
    weights: [Tensor; 2],
    purpose: Purpose,
}

impl NonContrastive {
    pub fn new(model: &ModelSpec, loss: LossSpec, parameters: &Parameters, purpose: Purpose) -> Self {
        let weight = |name| parameters.get(name).expect("both encoders have a weight");
        Self {
            online: Encoder::new(model, online_layers(model), parameters),
            target: Encoder::new(model, target_layers(model), parameters),
            predictor: Predictor::new(model, parameters),
            loss,
            weights: [weight("Wo.weight"), weight("Wt.weight")],
            purpose,
        }
    }

    /// Distance of the prediction from `learner` to the fixed `teacher`, both `(R, B, m)`; the predictor is shared by
    /// both turns.
    fn distance(&self, learner: &Tensor, teacher: &Tensor) -> Tensor {
        let (q, t) = (self.predictor.forward(learner), self.purpose.teacher(teacher));
        let unit = |z: &Tensor| unit_norm(&self.purpose.before_unit_norm(z));
        match self.loss {
            LossSpec::L2 { normalize: true, .. } => l2(&unit(&q), &unit(&t)),
            LossSpec::L2 { .. } => l2(&q, &t),
            LossSpec::InnerProduct { normalize: true, .. } => inner_product(&unit(&q), &unit(&t)),
            _ => inner_product(&q, &t),
        }
    }

    /// `c/2 (|W^o|^2 + |W^t|^2)` of Eq. 7 and 13, `(R,)`.
    fn penalty(&self) -> Option<Tensor> {
        let (LossSpec::L2 { weight_penalty, .. } | LossSpec::InnerProduct { weight_penalty, .. }) = self.loss else {
            return None;
        };
        let square = |w: &Tensor| w.square().sum_dim_intlist([1i64, 2].as_slice(), false, None);
        (weight_penalty != 0.0).then(|| (square(&self.weights[0]) + square(&self.weights[1])) * (weight_penalty / 2.0))
    }
}

impl Model for NonContrastive {
    fn forward(&mut self, x1: &Tensor, x2: &Tensor, turn: Turn) -> Forward {
        let [zo] = self.online.forward([x1]); // (R, B, m)
        let [zt] = self.target.forward([x2]); // (R, B, m)
        let loss = match turn {
            Turn::Online => self.distance(&zo, &zt),
            Turn::Target => self.distance(&zt, &zo),
            Turn::Joint => (self.distance(&zo, &zt) + self.distance(&zt, &zo)) / 2.0,
        };
        let loss = match self.penalty() {
            Some(penalty) => loss + penalty,
            None => loss,
        };
        Forward { loss, representation: zo.detach() }
    }
}
