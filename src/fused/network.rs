//! A network with its loss: forward and backward through the branches that see the two views.

use std::{ops::Range, sync::Arc};

use anyhow::{Context, Result};

use super::{
    layer::{Layer, Trace},
    parameters::Parameters,
};
use crate::{
    kernels::{Matrix, reduce},
    losses::{Kernel, Loss, Sides},
    spec::{
        Family, ModelSpec, Part, Predictor, Turn,
        layout::{Kind, Site},
    },
};

/// Layers one after the other.
#[derive(Clone, Debug)]
struct Chain(Vec<Layer>);

/// The chains of a model, and the loss between their ends.
///
/// All families fit one scheme. View 1 and view 2 each run through a branch: encoder and projector. The online and the
/// target encoder are different branches; SimCLR and SimSiam use the same one twice. Either the loss takes both ends,
/// or the end of each learning branch, through the predictor, is compared with the other's under stop gradient.
#[derive(Clone, Debug)]
pub struct Network {
    branches: [Chain; 2],
    predictor: Chain,
    loss: Arc<dyn Loss>,
    family: Family,
    /// Depth of the encoder, whose end is the representation.
    layers: usize,
    /// Places of W^o and W^t, for the penalty of Eq. 7.
    penalized: Vec<Range<usize>>,
}

/// Memory of a step, shared by all runs of an engine.
pub struct Workspace {
    /// The views, `(p, B)`.
    pub views: [Matrix; 2],
    branches: [Vec<Trace>; 2],
    predictor: Vec<Trace>,
    gradients: [Matrix; 2],
    spare: Matrix,
    /// Of the loss.
    pub kernel: Box<dyn Kernel>,
}

impl Network {
    /// The model that the settings describe, on parameters of its layout.
    pub fn new(model: &ModelSpec, loss: Arc<dyn Loss>, parameters: &Parameters) -> Self {
        let chain =
            |sites: Vec<Site>| Chain(sites.into_iter().map(|site| Layer::new(model, site, parameters)).collect());
        let predictor = (model.predictor != Predictor::None).then_some(Site::first(Part::Predictor));
        let penalized = [Part::Encoder, Part::Target].map(Site::first);
        let penalized = penalized.into_iter().filter_map(|site| parameters.place(site, Kind::Weight)).collect();
        Self {
            branches: [0, 1].map(|view| chain(model.branch(view))),
            predictor: chain(predictor.into_iter().collect()),
            loss,
            family: model.family,
            layers: model.layers,
            penalized,
        }
    }

    /// Fails where the loss has no kernel.
    pub fn workspace(&self) -> Result<Workspace> {
        Ok(Workspace {
            views: Default::default(),
            branches: self.branches.each_ref().map(Chain::traces),
            predictor: self.predictor.traces(),
            gradients: Default::default(),
            spare: Matrix::default(),
            kernel: self.loss.kernel().context("this loss has no fused kernel; use autograd")?,
        })
    }

    /// Loss of the views in `work`; its gradient replaces that in `parameters`, and batch norm's statistics move.
    ///
    /// Parameters that do not learn in this turn may be left without a gradient.
    pub fn backpropagate(&self, parameters: &mut Parameters, turn: Turn, work: &mut Workspace) -> f64 {
        let Workspace { views, branches: traces, predictor, gradients, spare, kernel } = work;
        let (values, sums) = (&mut parameters.values, &mut parameters.gradients);
        sums.fill(0.0);
        for view in [0, 1] {
            self.branches[view].forward(values, &views[view], &mut traces[view]);
        }
        let traces = &*traces;
        let ends = [0, 1].map(|view| end(&views[view], &traces[view]));
        if self.loss.sides() == Sides::Both {
            let loss = kernel.loss(ends, gradients);
            for view in [0, 1] {
                let passed = (&views[view], traces[view].as_slice());
                self.branches[view].backward(values, sums, passed, (&mut gradients[view], spare), false);
            }
            return loss;
        }
        let learners: &[usize] = match (self.family, turn) {
            (Family::NonContrastive, Turn::Online) => &[0],
            (Family::NonContrastive, Turn::Target) => &[1],
            _ => &[0, 1],
        };
        let share = 1.0 / learners.len() as f64;
        let mut loss = 0.0;
        for &learner in learners {
            self.predictor.forward(values, ends[learner], predictor);
            loss += share * kernel.loss([end(ends[learner], predictor), ends[1 - learner]], gradients);
            let gradient = &mut gradients[0];
            if share != 1.0 {
                gradient.as_mut_slice().iter_mut().for_each(|gradient| *gradient *= share as f32);
            }
            self.predictor.backward(values, sums, (ends[learner], predictor), (gradient, spare), true);
            let passed = (&views[learner], traces[learner].as_slice());
            self.branches[learner].backward(values, sums, passed, (gradient, spare), false);
        }
        loss + self.penalize(values, sums)
    }

    /// The encoder's output for view 1 at the last [`Self::backpropagate`], `(m, B)`.
    pub fn representation<'a>(&self, work: &'a mut Workspace) -> &'a mut Matrix {
        &mut work.branches[0][self.layers - 1].output
    }

    /// `c/2 (|W^o|^2 + |W^t|^2)` of Eq. 7 and 13, its gradient added.
    fn penalize(&self, values: &[f32], sums: &mut [f32]) -> f64 {
        let c = self.loss.weight_penalty();
        if c == 0.0 {
            return 0.0;
        }
        let mut squares = 0.0;
        for range in &self.penalized {
            let weight = &values[range.clone()];
            squares += reduce::dot(weight, weight);
            sums[range.clone()].iter_mut().zip(weight).for_each(|(sum, w)| *sum += c as f32 * w);
        }
        c / 2.0 * squares
    }
}

impl Chain {
    /// Room for the layers' traces.
    fn traces(&self) -> Vec<Trace> {
        vec![Trace::default(); self.0.len()]
    }

    fn forward(&self, values: &mut [f32], input: &Matrix, traces: &mut [Trace]) {
        let mut input = input;
        for (layer, trace) in self.0.iter().zip(traces) {
            layer.forward(values, input, trace);
            input = &trace.output;
        }
    }

    /// Takes `gradient` from the chain's end back to its input or, unless that is wanted, to the first linear map.
    fn backward(
        &self,
        values: &[f32],
        sums: &mut [f32],
        (input, traces): (&Matrix, &[Trace]),
        (gradient, spare): (&mut Matrix, &mut Matrix),
        to_input: bool,
    ) {
        for (k, layer) in self.0.iter().enumerate().rev() {
            let input = end(input, &traces[..k]);
            if k > 0 || to_input {
                layer.backward(values, sums, (input, &traces[k]), gradient, Some(&mut *spare));
                std::mem::swap(gradient, spare);
            } else {
                layer.backward(values, sums, (input, &traces[k]), gradient, None);
            }
        }
    }
}

/// A chain's output for its input: the last layer's output, or the input itself where there is no layer.
fn end<'a>(input: &'a Matrix, traces: &'a [Trace]) -> &'a Matrix {
    traces.last().map_or(input, |trace| &trace.output)
}
