//! Encoder and heads, shared by the families.

use tch::Tensor;

use super::Parameters;
use crate::{
    nn::{self, Linear},
    spec::{
        Activation, BatchNorm, ModelSpec, Part, Predictor as PredictorSpec, Projector as ProjectorSpec,
        layout::{Kind, Site},
    },
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
    fn new(model: &ModelSpec, site: Site, parameters: &Parameters) -> Self {
        Self {
            linear: linear(site, parameters),
            norm: norm(site, parameters),
            placement: model.batch_norm,
            activation: model.activation,
        }
    }

    /// `act(BN?(W a + b))` or, with batch norm after the activation, `BN(act(W a + b))`, of each view.
    ///
    /// The views take every step together, as in the authors' modules: where they share a layer, autograd then adds up
    /// its gradient in PyTorch's order, and the sum is the same to the last bit.
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
    /// The online (or only) encoder, or the target.
    pub fn new(model: &ModelSpec, part: Part, parameters: &Parameters) -> Self {
        Self((0..model.layers).map(|depth| Layer::new(model, Site { part, depth }, parameters)).collect())
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
        let site = Site::first(Part::Projector);
        match model.projector {
            ProjectorSpec::None => Self::None,
            ProjectorSpec::Linear => Self::Linear(linear(site, parameters)),
            ProjectorSpec::Hidden => Self::Hidden(Layer::new(model, site, parameters)),
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
    /// In closed form, from the second moment `(R, m, m)` of what it is given.
    Direct {
        linear: Linear,
        moment: Tensor,
        decay: f64,
        isotropic: bool,
    },
}

impl Predictor {
    pub fn new(model: &ModelSpec, parameters: &Parameters) -> Self {
        let site = Site::first(Part::Predictor);
        match model.predictor {
            PredictorSpec::None | PredictorSpec::Idle { .. } => Self::None,
            PredictorSpec::Diagonal => Self::Diagonal(linear(site, parameters)),
            PredictorSpec::Linear { .. } | PredictorSpec::Identity { .. } => Self::Linear(linear(site, parameters)),
            PredictorSpec::Direct { decay, isotropic, .. } => {
                let moment = parameters.get(site, Kind::Moment).expect("the layout has the predictor's moment");
                Self::Direct { linear: linear(site, parameters), moment, decay, isotropic }
            }
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
            Self::Direct { linear, moment, decay, isotropic } => {
                nn::no_grad(|| {
                    let of_batch = z.transpose(1, 2).bmm(z) / z.size()[1] as f64; // (R, m, m)
                    moment.shallow_clone().copy_(&(moment * *decay + of_batch * (1.0 - decay)));
                });
                let prediction = linear.forward(z);
                match isotropic {
                    true => z + (prediction - z).detach(),
                    false => prediction,
                }
            }
        }
    }
}

/// The layout lists every parameter of the model, so a missing weight is a fault of this crate.
fn linear(site: Site, parameters: &Parameters) -> Linear {
    let weight = parameters.get(site, Kind::Weight).expect("the layout has every layer's weight");
    Linear { weight, bias: parameters.bias(site) }
}

fn norm(site: Site, parameters: &Parameters) -> Option<nn::BatchNorm> {
    Some(nn::BatchNorm {
        scale: parameters.get(site, Kind::NormScale)?,
        shift: parameters.get(site, Kind::NormShift)?,
        running_mean: parameters.get(site, Kind::RunningMean)?,
        running_var: parameters.get(site, Kind::RunningVar)?,
        batches: parameters.get(site, Kind::BatchCount)?,
    })
}
