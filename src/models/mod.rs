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

/// What a loss is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Gradients stop at the side of the loss that teaches.
    Training,
    /// The loss is a plain function of all parameters, to be differentiated twice.
    Landscape,
}

impl Purpose {
    /// The side of a loss that teaches.
    fn teacher(self, z: &Tensor) -> Tensor {
        match self {
            Self::Training => z.detach(),
            Self::Landscape => z.shallow_clone(),
        }
    }

    /// Representations `(R, B, m)` about to be scaled to unit length. The length of one that is zero has no second
    /// derivative, and autograd's NaN would spread to all parameters: it counts as a constant.
    fn before_unit_norm(self, z: &Tensor) -> Tensor {
        match self {
            Self::Training => z.shallow_clone(),
            Self::Landscape => z.where_self(&z.ne(0.0).any_dim(-1, true), &z.detach()),
        }
    }
}

/// The model that the settings describe, on the given parameters.
pub fn build(model: &ModelSpec, loss: LossSpec, parameters: &Parameters, purpose: Purpose) -> Box<dyn Model> {
    match model.family {
        Family::NonContrastive => Box::new(non_contrastive::NonContrastive::new(model, loss, parameters, purpose)),
        Family::Contrastive => Box::new(simclr::SimClr::new(model, loss, parameters, purpose)),
        Family::SimSiam => Box::new(simsiam::SimSiam::new(model, parameters, purpose)),
    }
}
