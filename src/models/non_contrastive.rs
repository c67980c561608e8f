use tch::Tensor;

use super::{
    Criterion, Forward, Model, Parameters,
    parts::{Encoder, Predictor},
};
use crate::{
    random::native::Key,
    spec::{
        ModelSpec, Part, Turn,
        layout::{Kind, Site},
    },
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
    criterion: Criterion,
    /// First-layer weights W^o and W^t, for the penalty of Eq. 7.
    weights: [Tensor; 2],
}

impl NonContrastive {
    pub fn new(model: &ModelSpec, criterion: Criterion, parameters: &Parameters) -> Self {
        let weight = |part| parameters.get(Site::first(part), Kind::Weight).expect("both encoders have a weight");
        Self {
            online: Encoder::new(model, Part::Encoder, parameters),
            target: Encoder::new(model, Part::Target, parameters),
            predictor: Predictor::new(model, parameters),
            criterion,
            weights: [Part::Encoder, Part::Target].map(weight),
        }
    }

    /// Loss of the prediction from `learner` to the fixed `teacher`, both `(R, B, m)`; the predictor is shared by both
    /// turns.
    fn distance(&self, learner: &Tensor, teacher: &Tensor, keys: &[Key]) -> Tensor {
        self.criterion.of_learner(&self.predictor.forward(learner), teacher, keys)
    }

    /// `c/2 (|W^o|^2 + |W^t|^2)` of Eq. 7 and 13, `(R,)`.
    fn penalty(&self) -> Option<Tensor> {
        let c = self.criterion.loss.weight_penalty();
        let square = |w: &Tensor| w.square().sum_dim_intlist([1i64, 2].as_slice(), false, None);
        (c != 0.0).then(|| (square(&self.weights[0]) + square(&self.weights[1])) * (c / 2.0))
    }
}

impl Model for NonContrastive {
    fn forward(&mut self, x1: &Tensor, x2: &Tensor, turn: Turn, keys: &[Key]) -> Forward {
        let [zo] = self.online.forward([x1]); // (R, B, m)
        let [zt] = self.target.forward([x2]); // (R, B, m)
        let loss = match turn {
            Turn::Online => self.distance(&zo, &zt, keys),
            Turn::Target => self.distance(&zt, &zo, keys),
            Turn::Joint => (self.distance(&zo, &zt, keys) + self.distance(&zt, &zo, keys)) / 2.0,
        };
        let loss = match self.penalty() {
            Some(penalty) => loss + penalty,
            None => loss,
        };
        Forward { loss, representation: zo.detach() }
    }
}
