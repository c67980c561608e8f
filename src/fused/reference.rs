//! The networks once more, literally and in double precision: what the engine's tests compare with.

use ndarray::{Array2, ArrayD};

use crate::spec::{
    Activation, BatchNorm, Family, ModelSpec, Part, Predictor, RunSpec, Turn,
    layout::{Kind, Layout, Site, StateDict},
};

/// Samples `(B, m)`, one vector each.
type Samples = Vec<Vec<f64>>;

/// A network on parameters `state`.
struct Literal<'a> {
    model: &'a ModelSpec,
    layout: Layout,
    state: &'a StateDict,
}

/// Loss of the views `x` under the learning parameters; the sides under stop gradient are computed from the fixed ones.
pub fn loss(spec: &RunSpec, learning: &StateDict, fixed: &StateDict, x: [&Samples; 2], turn: Turn) -> f64 {
    let model = &spec.model;
    let [learning, fixed] =
        [learning, fixed].map(|state| Literal { model, layout: Layout::of(model, spec.data.p), state });
    let compare = |learner: usize| {
        let q = learning.predict(&learning.branch(x[learner], learner));
        spec.loss.literal(array(&q).view(), array(&fixed.branch(x[1 - learner], 1 - learner)).view())
    };
    let loss = match (model.family, turn) {
        (Family::Contrastive, _) => {
            let [first, second] = [0, 1].map(|view| array(&learning.branch(x[view], view)));
            spec.loss.literal(first.view(), second.view())
        }
        (Family::NonContrastive, Turn::Online) => compare(0),
        (Family::NonContrastive, Turn::Target) => compare(1),
        _ => (compare(0) + compare(1)) / 2.0,
    };
    let square = |part| learning.find(Site::first(part), Kind::Weight).iter().map(|w| w * w).sum::<f64>();
    match spec.loss.weight_penalty() {
        0.0 => loss,
        c => loss + c / 2.0 * (square(Part::Encoder) + square(Part::Target)),
    }
}

/// The encoder's output for view 1.
pub fn encode(spec: &RunSpec, state: &StateDict, x: &Samples) -> Samples {
    let network = Literal { model: &spec.model, layout: Layout::of(&spec.model, spec.data.p), state };
    let sites = (0..spec.model.layers).map(|depth| Site { part: Part::Encoder, depth });
    sites.fold(x.clone(), |a, site| network.layer(site, &a))
}

impl Literal<'_> {
    fn find(&self, site: Site, kind: Kind) -> &ArrayD<f64> {
        &self.state[&self.layout.find(site, kind).expect("the layer has one").name]
    }

    fn bias(&self, site: Site, i: usize) -> f64 {
        self.layout.bias(site).map_or(0.0, |bias| self.state[&bias.name][[i]])
    }

    /// Encoder (and projector) on one view.
    fn branch(&self, x: &Samples, view: usize) -> Samples {
        self.model.branch(view).into_iter().fold(x.clone(), |a, site| self.layer(site, &a))
    }

    fn predict(&self, z: &Samples) -> Samples {
        if self.model.predictor == Predictor::None {
            z.clone()
        } else {
            self.linear(Site::first(Part::Predictor), z, true)
        }
    }

    fn layer(&self, site: Site, a: &Samples) -> Samples {
        let activation = self.model.activation;
        if !self.model.is_hidden(site) {
            return self.linear(site, a, true);
        }
        let x = self.linear(site, a, activation != Activation::Srelu);
        let act = |x: Samples| -> Samples {
            let b = |i: usize| self.bias(site, i);
            x.iter().map(|x| x.iter().enumerate().map(|(i, &x)| activate(activation, x, b(i))).collect()).collect()
        };
        match self.model.batch_norm {
            BatchNorm::None | BatchNorm::Idle => act(x),
            BatchNorm::PreActivation => act(self.normalize(site, x)),
            BatchNorm::PostActivation => self.normalize(site, act(x)),
            BatchNorm::PreAndPostActivation => self.normalize(site, act(self.normalize(site, x))),
        }
    }

    fn linear(&self, site: Site, a: &Samples, add_bias: bool) -> Samples {
        let weight = self.find(site, Kind::Weight);
        let product = |a: &[f64], i: usize| match weight.ndim() {
            1 => weight[[i]] * a[i],
            _ => a.iter().enumerate().map(|(j, a)| weight[[i, j]] * a).sum(),
        };
        let b = |i| if add_bias { self.bias(site, i) } else { 0.0 };
        a.iter().map(|a| (0..weight.shape()[0]).map(|i| product(a, i) + b(i)).collect()).collect()
    }

    fn normalize(&self, site: Site, mut x: Samples) -> Samples {
        for i in 0..x[0].len() {
            let center = mean(x.iter().map(|x| x[i]));
            let variance = mean(x.iter().map(|x| (x[i] - center).powi(2)));
            let [scale, shift] = [Kind::NormScale, Kind::NormShift].map(|kind| self.find(site, kind)[[i]]);
            x.iter_mut().for_each(|x| x[i] = (x[i] - center) / (variance + 1e-5).sqrt() * scale + shift);
        }
        x
    }
}

fn activate(activation: Activation, x: f64, b: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Srelu => (x - b).max(0.0) - (-x - b).max(0.0),
        Activation::SymRelu => x.max(0.0) - (2.0 * b - x).max(0.0),
    }
}

/// `(B, m)`
fn array(samples: &Samples) -> Array2<f64> {
    Array2::from_shape_fn((samples.len(), samples[0].len()), |(b, i)| samples[b][i])
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}
