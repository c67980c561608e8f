//! The shape of the loss around the parameters: values without gradients, and products with the Hessian.

use anyhow::{Context, Result, ensure};
use tch::{Kind, Tensor};

use super::AutogradEngine;
use crate::{
    engine::Views,
    models::Forward,
    nn::no_grad,
    spec::{Turn, layout::StateDict},
};

impl AutogradEngine {
    /// Loss of each member on given views.
    pub fn losses(&mut self, views: &Views, turn: Turn) -> Result<Vec<f64>> {
        let (x1, x2) = self.given(views)?;
        let keys = self.fixed_draws();
        let loss = no_grad(|| self.model.forward(&x1, &x2, turn, &keys).loss);
        Ok(Vec::try_from(loss.to_kind(Kind::Double))?)
    }

    /// The Hessian of each member's loss times its direction, with respect to the parameters that learn in this turn; a
    /// direction must name exactly these. Differentiated twice by autograd, so exact except where an activation is at
    /// its kink.
    pub fn hessian_products(&mut self, views: &Views, turn: Turn, directions: &[StateDict]) -> Result<Vec<StateDict>> {
        let (x1, x2) = self.given(views)?;
        let Forward { loss, .. } = self.model.forward(&x1, &x2, turn, &self.fixed_draws());
        let learning: Vec<_> = self.parameters.learning(turn).collect();
        let tensors: Vec<&Tensor> = learning.iter().map(|(_, tensor)| *tensor).collect();
        let gradients = Tensor::run_backward(&[loss.sum(None)], &tensors, true, true);
        let mut slope = Tensor::zeros([], (self.kind, self.device));
        for ((parameter, tensor), gradient) in learning.iter().zip(&gradients) {
            let along = direction(&parameter.name, &tensor.size(), directions)?;
            slope += (gradient * along.to_kind(self.kind).to_device(self.device)).sum(None);
            // A parameter that the slope does not depend on has a second derivative of zero, not a missing one.
            slope += tensor.sum(None) * 0.0;
        }
        let products = Tensor::run_backward(&[slope], &tensors, false, false);
        self.named(&products, turn)
    }
}

/// The directions of all runs for one parameter, in the shape of its tensor, `(R, ...)`.
fn direction(name: &str, shape: &[i64], directions: &[StateDict]) -> Result<Tensor> {
    let mut flat = Vec::new();
    for direction in directions {
        let values = direction.get(name).with_context(|| format!("the direction has no {name}"))?;
        flat.extend(values.iter().copied());
    }
    let entries: i64 = shape.iter().product();
    ensure!(flat.len() as i64 == entries, "directions of {} entries for {name}, which has {entries}", flat.len());
    Ok(Tensor::from_slice(&flat).reshape(shape))
}
