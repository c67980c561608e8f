//! The networks on libtorch tensors, one file per family.

mod non_contrastive;
mod parameters;
mod parts;
mod simclr;
mod simsiam;

pub use parameters::{Parameters, unstack};

use std::sync::Arc;

use tch::Tensor;

use crate::{
    losses::{Invariance, Loss},
    random::native::Key,
    spec::{Family, ModelSpec, Turn},
};

/// The result of a forward pass.
#[derive(Debug)]
pub struct Forward {
    /// Loss of each run, `(R,)`.
    pub loss: Tensor,
    /// The online encoder's representation of view 1, `(R, B, m)`: what support recovery is measured on.
    pub representation: Tensor,
}

/// A network with its loss, on the views `x1` and `x2` of a cohort, `(R, B, p)`.
pub trait Model: Send {
    /// Representations and loss, one for each run, with the draws of its key if the loss draws. Parameters that rest in this turn get no gradient; batch norms track the
    /// batch's statistics.
    fn forward(&mut self, x1: &Tensor, x2: &Tensor, turn: Turn, keys: &[Key]) -> Forward;
}

/// What a loss is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Gradients stop at the side of the loss that teaches.
    Training,
    /// The loss is a plain function of all parameters, to be differentiated twice.
    Landscape,
}

/// A loss, and what it is needed for.
#[derive(Debug)]
struct Criterion {
    loss: Arc<dyn Loss>,
    purpose: Purpose,
}

impl Criterion {
    /// Loss of a representation that learns and one that teaches, both `(R, B, m)`, as `(R,)`.
    fn of_learner(&self, learner: &Tensor, teacher: &Tensor, keys: &[Key]) -> Tensor {
        match self.purpose {
            Purpose::Training => self.of_both(learner, &teacher.detach(), keys),
            Purpose::Landscape => self.of_both(learner, teacher, keys),
        }
    }

    /// Loss of two representations `(R, B, m)` that both learn, as `(R,)`.
    fn of_both(&self, a: &Tensor, b: &Tensor, keys: &[Key]) -> Tensor {
        if self.purpose == Purpose::Landscape && self.loss.invariances().contains(&Invariance::Scale) {
            return self.loss.tensor_drawn(&zero_as_constant(a), &zero_as_constant(b), keys);
        }
        self.loss.tensor_drawn(a, b, keys)
    }
}

/// Representations `(R, B, m)` about to be scaled to unit length. The length of one that is zero has no second derivative,
/// and autograd's NaN would spread to all parameters: it counts as a constant.
fn zero_as_constant(z: &Tensor) -> Tensor {
    z.where_self(&z.ne(0.0).any_dim(-1, true), &z.detach())
}

/// The model that the settings describe, on the given parameters.
pub fn build(model: &ModelSpec, loss: Arc<dyn Loss>, parameters: &Parameters, purpose: Purpose) -> Box<dyn Model> {
    let criterion = Criterion { loss, purpose };
    match model.family {
        Family::NonContrastive => Box::new(non_contrastive::NonContrastive::new(model, criterion, parameters)),
        Family::Contrastive => Box::new(simclr::SimClr::new(model, criterion, parameters)),
        Family::SimSiam => Box::new(simsiam::SimSiam::new(model, criterion, parameters)),
    }
}
