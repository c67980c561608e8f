use tch::Tensor;

use super::{
    Forward, Model, Parameters, Purpose, online_layers,
    parts::{Encoder, Predictor, Projector},
};
use crate::{engine::Turn, losses::negative_cosine, spec::ModelSpec};

/// One encoder for both views, projector and predictor, symmetrised negative cosine (Chen and He 2021).
///
/// The authors' `SimSiamModel`, its multi-layered variant and its ablations. Support is measured on the encoder's
/// output, before the projector.
#[derive(Debug)]
pub struct SimSiam {
    encoder: Encoder,
    projector: Projector,
    predictor: Predictor,
    purpose: Purpose,
}

impl SimSiam {
    pub fn new(model: &ModelSpec, parameters: &Parameters, purpose: Purpose) -> Self {
        Self {
            encoder: Encoder::new(model, online_layers(model), parameters),
            projector: Projector::new(model, parameters),
            predictor: Predictor::new(model, parameters),
            purpose,
        }
    }
}

impl Model for SimSiam {
    fn forward(&mut self, x1: &Tensor, x2: &Tensor, _turn: Turn) -> Forward {
        let [z1, z2] = self.encoder.forward([x1, x2]); // (R, B, m)
        let [y1, y2] = self.projector.forward([&z1, &z2]);
        let (p1, p2) = (self.predictor.forward(&y1), self.predictor.forward(&y2));
        let [p1, p2] = [p1, p2].map(|p| self.purpose.before_unit_norm(&p));
        let [t1, t2] = [y1, y2].map(|y| self.purpose.before_unit_norm(&self.purpose.teacher(&y)));
        let loss = (negative_cosine(&p1, &t2) + negative_cosine(&p2, &t1)) / 2.0;
        Forward { loss, representation: z1.detach() }
    }
}
