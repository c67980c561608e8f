use tch::Tensor;

use super::{
    Criterion, Forward, Model, Parameters,
    parts::{Encoder, Predictor, Projector},
};
use crate::{
    random::native::Key,
    spec::{ModelSpec, Part, Turn},
};

/// One encoder for both views, projector and predictor, symmetrised negative cosine (Chen and He 2021).
///
/// The authors' `SimSiamModel`, its multi-layered variant and its ablations. Support is measured on the encoder's
/// output, before the projector.
#[derive(Debug)]
pub struct SimSiam {
    encoder: Encoder,
    projector: Projector,
    predictor: Predictor,
    criterion: Criterion,
}

impl SimSiam {
    pub fn new(model: &ModelSpec, criterion: Criterion, parameters: &Parameters) -> Self {
        Self {
            encoder: Encoder::new(model, Part::Encoder, parameters),
            projector: Projector::new(model, parameters),
            predictor: Predictor::new(model, parameters),
            criterion,
        }
    }
}

impl Model for SimSiam {
    fn forward(&mut self, x1: &Tensor, x2: &Tensor, _turn: Turn, keys: &[Key]) -> Forward {
        let [z1, z2] = self.encoder.forward([x1, x2]); // (R, B, m)
        let [y1, y2] = self.projector.forward([&z1, &z2]);
        let (p1, p2) = (self.predictor.forward(&y1), self.predictor.forward(&y2));
        let loss = (self.criterion.of_learner(&p1, &y2, keys) + self.criterion.of_learner(&p2, &y1, keys)) / 2.0;
        Forward { loss, representation: z1.detach() }
    }
}
