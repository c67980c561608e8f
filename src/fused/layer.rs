//! One layer, forward and backward: a linear map, batch norm (or none) and the activation.

use std::ops::Range;

use multiversion::multiversion;

use super::{activation, parameters::Parameters};
use crate::{
    kernels::{
        Matrix, accumulate_row_products, batch_norm, product,
        reduce::{dot, total},
        view,
    },
    spec::{
        Activation, BatchNorm, ModelSpec, Predictor,
        layout::{Kind, Site},
    },
};

/// A layer's places in the parameters, and what it does with them.
#[derive(Clone, Debug)]
pub struct Layer {
    map: Map,
    bias: Option<Range<usize>>,
    norm: Option<Norm>,
    activation: Activation,
    direct: Option<Direct>,
}

/// What a predictor in closed form does beside its map.
#[derive(Clone, Debug)]
struct Direct {
    /// Place of the second moment of what it is given, `(m, m)`.
    moment: Range<usize>,
    /// Weight of the average so far.
    decay: f32,
    /// Whether the gradient passes it by.
    isotropic: bool,
}

/// The linear map, without its bias.
#[derive(Clone, Debug)]
enum Map {
    /// `W a` with a weight `(m, inputs)`.
    Dense { weight: Range<usize>, m: usize, inputs: usize, trained: bool },
    /// A factor for each neuron.
    Diagonal { weight: Range<usize> },
}

/// Batch norm's places in the parameters.
#[derive(Clone, Debug)]
struct Norm {
    scale: Range<usize>,
    shift: Range<usize>,
    running_mean: Range<usize>,
    running_var: Range<usize>,
    batches: Range<usize>,
    follows_activation: bool,
}

/// What a forward pass leaves for the backward pass.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What the activation was applied to, `(m, B)`.
    pre_activation: Matrix,
    /// Batch norm's output before scale and shift, `(m, B)`.
    normalized: Matrix,
    /// Batch norm's `1 / sqrt(variance + eps)`, `(m,)`.
    inverse_deviation: Vec<f32>,
    /// `(m, B)`
    pub output: Matrix,
}

impl Layer {
    /// The layer of this place: a linear (or diagonal) map with its bias, if it has one, and what follows it.
    pub fn new(model: &ModelSpec, site: Site, parameters: &Parameters) -> Self {
        let found = parameters.find(|parameter| parameter.site == site && parameter.kind == Kind::Weight);
        let (parameter, weight) = found.expect("the layout has every layer's weight");
        let map = match parameter.shape[..] {
            [m, inputs] => Map::Dense { weight, m, inputs, trained: parameter.trained },
            _ => Map::Diagonal { weight },
        };
        let activation = if model.is_hidden(site) { model.activation } else { Activation::Identity };
        let norm = Norm::find(model.batch_norm, site, parameters);
        Self { map, bias: parameters.bias(site), norm, activation, direct: Direct::find(model, site, parameters) }
    }

    /// `act(BN?(W a + b))` or, with batch norm after the activation, `BN(act(W a + b))`, of `input` `(inputs, B)`.
    ///
    /// Batch norm's running statistics in `values` move, and the moment that a predictor in closed form follows.
    pub fn forward(&self, values: &mut [f32], input: &Matrix, trace: &mut Trace) {
        if let Some(direct) = &self.direct {
            direct.follow(values, input);
        }
        let x = &mut trace.pre_activation;
        match &self.map {
            Map::Dense { weight, m, inputs, .. } => {
                x.reshape(*m, input.columns());
                product(view(&values[weight.clone()], *m, *inputs), input.view(), x.view_mut());
            }
            Map::Diagonal { weight } => scale_rows(input, &values[weight.clone()], x),
        }
        trace.output.reshape(trace.pre_activation.rows(), input.columns());
        if let Some(norm) = &self.norm {
            trace.normalized.reshape(trace.output.rows(), input.columns());
            trace.inverse_deviation.resize(trace.output.rows(), 0.0);
            values[norm.batches.start] += 1.0;
        }
        forward_rows(self, values, trace);
    }

    /// Takes `gradient` from the output `(m, B)` back to the linear map, adds the parameters' gradients to `gradients`
    /// and, if asked for, writes that of the input `(inputs, B)`.
    pub fn backward(
        &self,
        values: &[f32],
        gradients: &mut [f32],
        (input, trace): (&Matrix, &Trace),
        gradient: &mut Matrix,
        mut gradient_input: Option<&mut Matrix>,
    ) {
        backward_rows(self, values, gradients, trace, gradient);
        if let (Some(Direct { isotropic: true, .. }), Some(out)) = (&self.direct, gradient_input.as_deref_mut()) {
            out.clone_from(gradient);
            return;
        }
        match &self.map {
            Map::Dense { weight, m, inputs, trained } => {
                if *trained {
                    accumulate_row_products(gradient, input, &mut gradients[weight.clone()]);
                }
                if let Some(out) = gradient_input {
                    out.reshape(*inputs, input.columns());
                    let weight = view(&values[weight.clone()], *m, *inputs);
                    product(weight.t(), gradient.view(), out.view_mut());
                }
            }
            Map::Diagonal { weight } => {
                let rows = gradient.iter().zip(input.iter());
                for ((gradient, input), gradient_weight) in rows.zip(&mut gradients[weight.clone()]) {
                    *gradient_weight += dot(gradient, input) as f32;
                }
                if let Some(out) = gradient_input {
                    scale_rows(gradient, &values[weight.clone()], out);
                }
            }
        }
    }

    /// Bias of neuron `i`, zero where the layer has none.
    #[inline(always)]
    fn bias(&self, values: &[f32], i: usize) -> f32 {
        self.bias.as_ref().map_or(0.0, |bias| values[bias.start + i])
    }

    /// The paper's activation reads the bias as its threshold; it is not added before (Eq. 14).
    fn adds_bias(&self) -> bool {
        self.bias.is_some() && self.activation != Activation::Srelu
    }
}

impl Direct {
    /// None where the layer is no predictor in closed form.
    fn find(model: &ModelSpec, site: Site, parameters: &Parameters) -> Option<Self> {
        let Predictor::Direct { decay, isotropic, .. } = model.predictor else { return None };
        let moment = parameters.place(site, Kind::Moment)?;
        Some(Self { moment, decay: decay as f32, isotropic })
    }

    /// `F <- decay F + (1 - decay) mean(f f^T)`, over the batch f `(m, B)`.
    fn follow(&self, values: &mut [f32], f: &Matrix) {
        let moment = &mut values[self.moment.clone()];
        let mut products = vec![0.0; moment.len()];
        accumulate_row_products(f, f, &mut products);
        let share = (1.0 - self.decay) / f.columns() as f32;
        moment.iter_mut().zip(products).for_each(|(moment, product)| *moment = self.decay * *moment + share * product);
    }
}

impl Norm {
    /// None where the layer has no batch norm.
    fn find(placement: BatchNorm, site: Site, parameters: &Parameters) -> Option<Self> {
        Some(Self {
            scale: parameters.place(site, Kind::NormScale)?,
            shift: parameters.place(site, Kind::NormShift)?,
            running_mean: parameters.place(site, Kind::RunningMean)?,
            running_var: parameters.place(site, Kind::RunningVar)?,
            batches: parameters.place(site, Kind::BatchCount)?,
            follows_activation: placement == BatchNorm::PostActivation,
        })
    }

    /// Normalises the samples `x` of neuron `i` in place. Returns the inverse deviation.
    #[inline(always)]
    fn forward(&self, values: &mut [f32], i: usize, x: &mut [f32], normalized: &mut [f32]) -> f32 {
        let statistics = batch_norm::Statistics::of(x);
        batch_norm::forward(x, statistics, values[self.scale.start + i], values[self.shift.start + i], normalized);
        statistics.track_mean(&mut values[self.running_mean.start + i]);
        statistics.track_variance(x.len(), &mut values[self.running_var.start + i]);
        statistics.inverse_deviation() as f32
    }

    /// Takes the gradient of neuron `i` from the output back to the input, in place.
    #[inline(always)]
    fn backward(&self, values: &[f32], gradients: &mut [f32], i: usize, trace: &Trace, gradient: &mut [f32]) {
        let (normalized, scale) = (trace.normalized.row(i), values[self.scale.start + i]);
        let (of_scale, of_shift) = batch_norm::backward(normalized, trace.inverse_deviation[i], scale, gradient);
        gradients[self.scale.start + i] += of_scale as f32;
        gradients[self.shift.start + i] += of_shift as f32;
    }
}

/// Everything that follows the linear map, neuron by neuron.
#[multiversion(targets("x86_64+avx2+fma"))]
fn forward_rows(layer: &Layer, values: &mut [f32], trace: &mut Trace) {
    for i in 0..trace.output.rows() {
        let b = layer.bias(values, i);
        let (x, output) = (trace.pre_activation.row_mut(i), trace.output.row_mut(i));
        if layer.adds_bias() {
            x.iter_mut().for_each(|x| *x += b);
        }
        match &layer.norm {
            None => activation::forward(layer.activation, x, b, output),
            Some(norm) if norm.follows_activation => {
                activation::forward(layer.activation, x, b, output);
                trace.inverse_deviation[i] = norm.forward(values, i, output, trace.normalized.row_mut(i));
            }
            Some(norm) => {
                trace.inverse_deviation[i] = norm.forward(values, i, x, trace.normalized.row_mut(i));
                activation::forward(layer.activation, x, b, output);
            }
        }
    }
}

/// The same backwards: turns the output's gradient into the linear map's, in place.
#[multiversion(targets("x86_64+avx2+fma"))]
fn backward_rows(layer: &Layer, values: &[f32], gradients: &mut [f32], trace: &Trace, gradient: &mut Matrix) {
    for i in 0..gradient.rows() {
        let (x, b, gradient) = (trace.pre_activation.row(i), layer.bias(values, i), gradient.row_mut(i));
        let threshold = match &layer.norm {
            None => activation::backward(layer.activation, x, b, gradient),
            Some(norm) if norm.follows_activation => {
                norm.backward(values, gradients, i, trace, gradient);
                activation::backward(layer.activation, x, b, gradient)
            }
            Some(norm) => {
                let threshold = activation::backward(layer.activation, x, b, gradient);
                norm.backward(values, gradients, i, trace, gradient);
                threshold
            }
        };
        if let Some(bias) = &layer.bias {
            // Two parts, each rounded to single precision as in PyTorch: the gradient of a dead sample, divided by a
            // length of 1e-12, may have opposite signs in them and then has to cancel.
            let gradient_bias = &mut gradients[bias.start + i];
            *gradient_bias += threshold as f32;
            if layer.adds_bias() {
                *gradient_bias += total(gradient) as f32;
            }
        }
    }
}

/// `out = diag(factors) a`
fn scale_rows(a: &Matrix, factors: &[f32], out: &mut Matrix) {
    out.reshape(a.rows(), a.columns());
    for ((out, a), factor) in out.iter_mut().zip(a.iter()).zip(factors) {
        out.iter_mut().zip(a).for_each(|(out, a)| *out = factor * a);
    }
}
