//! The networks once more, literally and in double precision: what the engine's tests compare with.

use crate::{
    engine::Turn,
    models::{LayerNames, StateDict, online_layers, predictor_name, projector_layer, target_layers},
    spec::{Activation, BatchNorm, Family, LossSpec, ModelSpec, Projector, RunSpec},
};

/// Samples `(B, m)`, one vector each.
type Samples = Vec<Vec<f64>>;

/// Loss of the views `x` under the learning parameters; what stands under a stop gradient is computed from the fixed.
pub fn loss(spec: &RunSpec, learning: &StateDict, fixed: &StateDict, x: [&Samples; 2], turn: Turn) -> f64 {
    let model = &spec.model;
    let branch = |state, view: usize| branch(model, state, x[view], view);
    let compare = |learner: usize| {
        let q = predict(model, learning, &branch(learning, learner));
        let t = branch(fixed, 1 - learner);
        mean(q.iter().zip(&t).map(|(q, t)| distance(spec.loss, q, t)))
    };
    let loss = match (model.family, turn) {
        (Family::Contrastive, _) => contrast(spec.loss, [branch(learning, 0), branch(learning, 1)]),
        (Family::NonContrastive, Turn::Online) => compare(0),
        (Family::NonContrastive, Turn::Target) => compare(1),
        _ => (compare(0) + compare(1)) / 2.0,
    };
    match spec.loss {
        LossSpec::L2 { weight_penalty: c, .. } | LossSpec::InnerProduct { weight_penalty: c, .. } => {
            let square = |name: &str| learning[name].iter().map(|w| w * w).sum::<f64>();
            loss + c / 2.0 * (square("Wo.weight") + square("Wt.weight"))
        }
        _ => loss,
    }
}

/// Encoder (and projector) on one view.
fn branch(model: &ModelSpec, state: &StateDict, x: &Samples, view: usize) -> Samples {
    let projector = |z: Samples| match (projector_layer(model), model.projector) {
        (Some(names), Projector::Hidden) => layer(model, state, names, &z),
        (Some(names), _) => linear(state, names.linear, &z, true),
        (None, _) => z,
    };
    projector(encode(model, state, x, view))
}

/// Encoder on one view.
pub fn encode(model: &ModelSpec, state: &StateDict, x: &Samples, view: usize) -> Samples {
    let names = match (view, target_layers(model)) {
        (1, target @ [_, ..]) => target,
        _ => online_layers(model),
    };
    names.iter().fold(x.clone(), |a, &names| layer(model, state, names, &a))
}

fn predict(model: &ModelSpec, state: &StateDict, z: &Samples) -> Samples {
    predictor_name(model).map_or_else(|| z.clone(), |name| linear(state, name, z, true))
}

fn layer(model: &ModelSpec, state: &StateDict, names: LayerNames, a: &Samples) -> Samples {
    let x = linear(state, names.linear, a, model.activation != Activation::Srelu);
    let act = |x: Samples| -> Samples {
        let b = |i: usize| bias(state, names.linear, i);
        x.iter().map(|x| x.iter().enumerate().map(|(i, &x)| activate(model.activation, x, b(i))).collect()).collect()
    };
    match model.batch_norm {
        BatchNorm::None | BatchNorm::Idle => act(x),
        BatchNorm::PreActivation => act(normalize(state, names.norm, x)),
        BatchNorm::PostActivation => normalize(state, names.norm, act(x)),
        BatchNorm::PreAndPostActivation => normalize(state, names.norm, act(normalize(state, names.norm, x))),
    }
}

fn linear(state: &StateDict, name: &str, a: &Samples, add_bias: bool) -> Samples {
    let weight = &state[&format!("{name}.weight")];
    let product = |a: &[f64], i: usize| match weight.ndim() {
        1 => weight[[i]] * a[i],
        _ => a.iter().enumerate().map(|(j, a)| weight[[i, j]] * a).sum(),
    };
    let b = |i| if add_bias { bias(state, name, i) } else { 0.0 };
    a.iter().map(|a| (0..weight.shape()[0]).map(|i| product(a, i) + b(i)).collect()).collect()
}

fn bias(state: &StateDict, name: &str, i: usize) -> f64 {
    let bias = state.get(&format!("{name}.bias")).or_else(|| state.get(&name.replacen('W', "b", 1)));
    bias.map_or(0.0, |bias| bias[[i]])
}

fn activate(activation: Activation, x: f64, b: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Srelu => (x - b).max(0.0) - (-x - b).max(0.0),
        Activation::SymRelu => x.max(0.0) - (2.0 * b - x).max(0.0),
    }
}

fn normalize(state: &StateDict, name: &str, mut x: Samples) -> Samples {
    for i in 0..x[0].len() {
        let center = mean(x.iter().map(|x| x[i]));
        let variance = mean(x.iter().map(|x| (x[i] - center).powi(2)));
        let [scale, shift] = ["weight", "bias"].map(|field| state[&format!("{name}.{field}")][[i]]);
        x.iter_mut().for_each(|x| x[i] = (x[i] - center) / (variance + 1e-5).sqrt() * scale + shift);
    }
    x
}

fn distance(loss: LossSpec, q: &[f64], t: &[f64]) -> f64 {
    let square_distance = |q: &[f64], t: &[f64]| q.iter().zip(t).map(|(q, t)| (q - t).powi(2)).sum::<f64>();
    match loss {
        LossSpec::InnerProduct { normalize: true, .. } => 2.0 - 2.0 * dot(&unit(q), &unit(t)),
        LossSpec::InnerProduct { normalize: false, .. } => 2.0 - 2.0 * dot(q, t),
        LossSpec::L2 { normalize: true, .. } => square_distance(&unit(q), &unit(t)),
        LossSpec::L2 { normalize: false, .. } => square_distance(q, t),
        _ => -dot(&unit(q), &unit(t)),
    }
}

fn contrast(loss: LossSpec, z: [Samples; 2]) -> f64 {
    let b = z[0].len();
    let u: Samples = z.iter().flatten().map(|z| unit(z)).collect();
    let (anchors, t) = match loss {
        LossSpec::NtXent { temperature } => (2 * b, temperature),
        LossSpec::AsymmetricNtXent { temperature } => (b, temperature),
        _ => unreachable!("a contrastive loss"),
    };
    let others = |i: usize| if anchors == b { b..2 * b } else { 0..2 * b }.filter(move |&j| j != i);
    let sum = |i: usize| others(i).map(|j| (dot(&u[i], &u[j]) / t).exp()).sum::<f64>();
    mean((0..anchors).map(|i| sum(i).ln() - dot(&u[i], &u[(i + b) % (2 * b)]) / t))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn unit(v: &[f64]) -> Vec<f64> {
    let length = dot(v, v).sqrt();
    v.iter().map(|v| v / length).collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}
