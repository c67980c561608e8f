use tch::Tensor;

use super::{
    Criterion, Forward, Model, Parameters,
    parts::{Encoder, Projector},
};
use crate::{
    random::native::Key,
    spec::{ModelSpec, Part, Turn},
};

/// One encoder for both views, with or without a projector, and a loss from which both views learn (Eq. 9).
///
/// The authors' `SimCLRModel`, `SimCLROrigModel` (with the projector) and `SimCLRAsymmetricModel`.
#[derive(Debug)]
pub struct SimClr {
    encoder: Encoder,
    projector: Projector,
    criterion: Criterion,
}

impl SimClr {
    pub fn new(model: &ModelSpec, criterion: Criterion, parameters: &Parameters) -> Self {
        Self {
            encoder: Encoder::new(model, Part::Encoder, parameters),
            projector: Projector::new(model, parameters),
            criterion,
        }
    }
}

impl Model for SimClr {
    fn forward(&mut self, x1: &Tensor, x2: &Tensor, _turn: Turn, keys: &[Key]) -> Forward {
        let [z1, z2] = self.encoder.forward([x1, x2]); // (R, B, m)
        let [y1, y2] = self.projector.forward([&z1, &z2]);
        let loss = self.criterion.of_both(&y1, &y2, keys);
        Forward { loss, representation: z1.detach() }
    }
}
