//! The networks: one file per family, and one table that names every method (`methods.yaml`).

mod layout;
mod methods;
mod non_contrastive;
mod parameters;
mod parts;
mod simclr;
mod simsiam;

pub use layout::*;
pub use methods::{Method, methods};
pub use parameters::{Parameters, unstack};

use tch::Tensor;

use crate::{
    engine::Turn,
    spec::{Family, LossSpec, ModelSpec},
};

/// What a forward pass leaves behind.
#[derive(Debug)]
pub struct Forward {
    /// Loss of each run, `(R,)`.
    pub loss: Tensor,
    /// The online encoder's representation of view 1, `(R, B, m)`: what support recovery is measured on.
    pub representation: Tensor,
}

/// A network with its loss, on the views `x1` and `x2` of a cohort, `(R, B, p)`.
pub trait Model: Send {
    fn forward(&mut self, x1: &Tensor, x2: &Tensor, turn: Turn) -> Forward;
}

/// The model that the settings describe, on the given parameters.
pub fn build(model: &ModelSpec, loss: LossSpec, parameters: &Parameters) -> Box<dyn Model> {
    match model.family {
        Family::NonContrastive => Box::new(non_contrastive::NonContrastive::new(model, loss, parameters)),
        Family::Contrastive => Box::new(simclr::SimClr::new(model, loss, parameters)),
        Family::SimSiam => Box::new(simsiam::SimSiam::new(model, parameters)),
    }
}
