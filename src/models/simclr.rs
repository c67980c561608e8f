use tch::Tensor;

use super::{
    Forward, Model, Parameters, Purpose, online_layers,
    parts::{Encoder, Projector},
};
use crate::{
    engine::Turn,
    losses::{asymmetric_nt_xent, nt_xent},
    spec::{LossSpec, ModelSpec},
};

/// One encoder for both views, with or without a projector, and a contrastive loss (Eq. 9).
///
/// The authors' `SimCLRModel`, `SimCLROrigModel` (with the projector) and `SimCLRAsymmetricModel`.
#[derive(Debug)]
pub struct SimClr {
    encoder: Encoder,
    projector: Projector,
    loss: LossSpec,
    purpose: Purpose,
}

impl SimClr {
    pub fn new(model: &ModelSpec, loss: LossSpec, parameters: &Parameters, purpose: Purpose) -> Self {
        Self {
            encoder: Encoder::new(model, online_layers(model), parameters),
            projector: Projector::new(model, parameters),
            loss,
            purpose,
        }
    }
}

impl Model for SimClr {
    fn forward(&mut self, x1: &Tensor, x2: &Tensor, _turn: Turn) -> Forward {
        let [z1, z2] = self.encoder.forward([x1, x2]); // (R, B, m)
        let [y1, y2] = self.projector.forward([&z1, &z2]).map(|y| self.purpose.before_unit_norm(&y));
        let loss = match self.loss {
            LossSpec::AsymmetricNtXent { temperature } => asymmetric_nt_xent(&y1, &y2, temperature),
            LossSpec::NtXent { temperature } => nt_xent(&y1, &y2, temperature),
            _ => unreachable!("validation leaves the contrastive family these two losses"),
        };
        Forward { loss, representation: z1.detach() }
    }
}
