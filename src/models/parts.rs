//! Encoder and heads, shared by the families.

use tch::Tensor;

use super::{LayerNames, Parameters, predictor_name, projector_layer};
use crate::{
    nn::{self, Linear},
    spec::{Activation, BatchNorm, ModelSpec, Predictor as PredictorSpec, Projector as ProjectorSpec},
};

/// A linear map, batch norm (or none) and the activation.
#[derive(Debug)]
pub struct Layer {
    linear: Linear,
    norm: Option<nn::BatchNorm>,
    placement: BatchNorm,
    activation: Activation,
}

impl Layer {
    fn new(model: &ModelSpec, names: LayerNames, parameters: &Parameters) -> Self {
        Self {
            linear: linear(names.linear, parameters),
            norm: norm(names.norm, parameters),
            placement: model.batch_norm,
            activation: model.activation,
        }
    }

    /// `act(BN?(W a + b))` or, with batch norm after the activation, `BN(act(W a + b))`, of each view.
    ///
    /// The views take every step together, as in the authors' modules: where they share a layer, autograd then adds up
    /// its gradient in the order that PyTorch does there, and the sum is the same to the last bit.
    fn forward<const V: usize>(&mut self, views: [Tensor; V]) -> [Tensor; V] {
        let x = views.map(|a| match self.activation {
            Activation::Srelu => self.linear.forward_without_bias(&a),
            _ => self.linear.forward(&a),
        });
        match self.placement {
            BatchNorm::PreActivation => {
                let x = self.normalize(x);
                self.activate(x)
            }
            BatchNorm::PostActivation => {
                let z = self.activate(x);
                self.normalize(z)
            }
            BatchNorm::PreAndPostActivation => {
                let x = self.normalize(x);
                let z = self.activate(x);
                self.normalize(z)
            }
            BatchNorm::None | BatchNorm::Idle => self.activate(x),
        }
    }

    fn activate<const V: usize>(&self, views: [Tensor; V]) -> [Tensor; V] {
        views.map(|x| nn::activate(self.activation, &x, self.linear.bias.as_ref()))
    }

    /// Every view over its own batch, one after the other: two calls of one PyTorch module.
    fn normalize<const V: usize>(&mut self, views: [Tensor; V]) -> [Tensor; V] {
        match &mut self.norm {
            Some(norm) => views.map(|x| norm.forward(&x)),
            None => views,
        }
    }
}

/// One or two layers.
#[derive(Debug)]
pub struct Encoder(Vec<Layer>);

impl Encoder {
    pub fn new(model: &ModelSpec, layers: &[LayerNames], parameters: &Parameters) -> Self {
        Self(layers.iter().map(|&names| Layer::new(model, names, parameters)).collect())
    }

    /// Views `(R, B, p)` to representations `(R, B, m)`.
    pub fn forward<const V: usize>(&mut self, views: [&Tensor; V]) -> [Tensor; V] {
        self.0.iter_mut().fold(views.map(Tensor::shallow_clone), |views, layer| layer.forward(views))
    }
}

/// Head between encoder and loss or predictor.
#[derive(Debug)]
pub enum Projector {
    None,
    Linear(Linear),
    Hidden(Layer),
}

impl Projector {
    pub fn new(model: &ModelSpec, parameters: &Parameters) -> Self {
        match (projector_layer(model), model.projector) {
            (Some(names), ProjectorSpec::Linear) => Self::Linear(linear(names.linear, parameters)),
            (Some(names), ProjectorSpec::Hidden) => Self::Hidden(Layer::new(model, names, parameters)),
            _ => Self::None,
        }
    }

    /// `(R, B, m)` to `(R, B, m)`, of each view.
    pub fn forward<const V: usize>(&mut self, views: [&Tensor; V]) -> [Tensor; V] {
        match self {
            Self::None => views.map(Tensor::shallow_clone),
            Self::Linear(linear) => views.map(|z| linear.forward(z)),
            Self::Hidden(layer) => layer.forward(views.map(Tensor::shallow_clone)),
        }
    }
}

/// Head W^p on the side that learns; nothing follows it.
#[derive(Debug)]
pub enum Predictor {
    None,
    Linear(Linear),
    /// Scale and shift, `(R, m)`.
    Diagonal(Linear),
}

impl Predictor {
    pub fn new(model: &ModelSpec, parameters: &Parameters) -> Self {
        match (predictor_name(model), model.predictor) {
            (None, _) | (_, PredictorSpec::None | PredictorSpec::Idle { .. }) => Self::None,
            (Some(name), PredictorSpec::Diagonal) => Self::Diagonal(linear(name, parameters)),
            (Some(name), _) => Self::Linear(linear(name, parameters)),
        }
    }

    /// `(R, B, m)` to `(R, B, m)`.
    pub fn forward(&self, z: &Tensor) -> Tensor {
        match self {
            Self::None => z.shallow_clone(),
            Self::Linear(linear) => linear.forward(z),
            Self::Diagonal(Linear { weight, bias }) => {
                let scaled = z * weight.unsqueeze(1);
                bias.as_ref().map_or_else(|| scaled.shallow_clone(), |bias| &scaled + bias.unsqueeze(1))
            }
        }
    }
}

/// The layout lists every parameter of the model, so a missing weight is a fault of this crate.
fn linear(name: &str, parameters: &Parameters) -> Linear {
    let weight = parameters.get(&format!("{name}.weight")).expect("the layout names every weight");
    let constant = || parameters.get(&name.replacen('W', "b", 1));
    Linear { weight, bias: parameters.get(&format!("{name}.bias")).or_else(constant) }
}

fn norm(name: &str, parameters: &Parameters) -> Option<nn::BatchNorm> {
    let get = |field: &str| parameters.get(&format!("{name}.{field}"));
    Some(nn::BatchNorm {
        scale: get("weight")?,
        shift: get("bias")?,
        running_mean: get("running_mean")?,
        running_var: get("running_var")?,
        batches: get("num_batches_tracked")?,
    })
}
