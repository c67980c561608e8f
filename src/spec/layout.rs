//! Names, shapes and roles of a network's parameters, in the order in which the authors' modules create them.
//!
//! Both engines, the initial draws, the records and the checkpoints read this one table; the names are those of the
//! authors' state dicts, so that weights can move between PyTorch and us. Code that needs a parameter asks for its
//! role, a [`Site`] and a [`Kind`], and never takes a name apart.

use std::ops::Deref;

use indexmap::IndexMap;
use ndarray::ArrayD;
use serde::Serialize;

use super::{BatchNorm, Bias, Family, ModelSpec, Part, Predictor, Projector, Turn};

/// Parameters and buffers of one run by name. Double precision holds single precision exactly.
pub type StateDict = IndexMap<String, ArrayD<f64>>;

/// What a tensor of the state dict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Weight of a linear layer, `(out, in)`; of a diagonal predictor, `(m,)`.
    Weight,
    /// Bias of a linear layer, `(out,)`.
    Bias,
    /// Bias that is a constant of the model, `(out,)`.
    ConstantBias,
    /// Batch norm's scale, `(m,)`.
    NormScale,
    /// Batch norm's shift, `(m,)`.
    NormShift,
    /// Batch norm's running mean, `(m,)`.
    RunningMean,
    /// Batch norm's running (unbiased) variance, `(m,)`.
    RunningVar,
    /// Batches that a batch norm has seen, a scalar.
    BatchCount,
    /// Second moment of what a predictor in closed form is given, `(m, m)`.
    Moment,
}

/// A layer of the network: its part, and its depth in that part, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// The part of the network that it belongs to.
    pub part: Part,
    /// Layers of the part before it.
    pub depth: usize,
}

impl Site {
    /// The first, or only, layer of a part.
    pub const fn first(part: Part) -> Self {
        Self { part, depth: 0 }
    }
}

/// One tensor of the state dict.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The authors' name, `Wo.weight`.
    pub name: String,
    /// Outputs first: `(m, p)` for the encoder's weight; empty for a scalar.
    pub shape: Vec<usize>,
    /// The layer that it belongs to.
    pub site: Site,
    /// Its role in that layer.
    pub kind: Kind,
    /// Whether the optimiser ever changes it.
    pub trained: bool,
}

impl Parameter {
    /// Whether this parameter learns in the given turn. Heads are shared by both turns.
    pub fn learns(&self, turn: Turn) -> bool {
        self.trained
            && match turn {
                Turn::Joint => true,
                Turn::Online => self.site.part != Part::Target,
                Turn::Target => self.site.part != Part::Encoder,
            }
    }

    /// Whether this is a bias, trained or constant.
    pub fn is_bias(&self) -> bool {
        matches!(self.kind, Kind::Bias | Kind::ConstantBias)
    }

    /// Whether this is a bias of the online or target encoder.
    pub fn is_encoder_bias(&self) -> bool {
        matches!(self.site.part, Part::Encoder | Part::Target) && self.is_bias()
    }

    /// The place in the online encoder that corresponds to this one in the target encoder. (The encoders are twins.)
    pub fn twin(&self) -> Site {
        Site { part: Part::Encoder, ..self.site }
    }
}

/// Every tensor of a model's state dict, in construction order.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout(Vec<Parameter>);

impl Layout {
    /// The layout of a model with inputs of dimension `p`.
    ///
    /// The order is the construction order of the authors' modules, which is also the order in which nn.Linear's initial
    /// values are drawn: linear maps first, then batch norms.
    pub fn of(model: &ModelSpec, p: usize) -> Self {
        let mut table = Table { model, p, out: Vec::new() };
        let encoders: &[Part] = if model.has_target() { &[Part::Encoder, Part::Target] } else { &[Part::Encoder] };
        // Wo, Wo_1, Wt, Wt_1: the encoders one after the other.
        for &part in encoders {
            (0..model.layers).for_each(|depth| table.encoder_layer(Site { part, depth }));
        }
        if model.projector != Projector::None {
            table.linear(Site::first(Part::Projector), model.m, Bias::Uniform);
        }
        table.predictor();
        if model.batch_norm != BatchNorm::None {
            // bno, bnt, bno_1, bnt_1: layer by layer.
            for depth in 0..model.layers {
                encoders.iter().for_each(|&part| table.norm(Site { part, depth }));
            }
            if model.projector == Projector::Hidden {
                table.norm(Site::first(Part::Projector));
            }
        }
        Self(table.out)
    }

    /// The parameter of this role, if the model has it.
    pub fn find(&self, site: Site, kind: Kind) -> Option<&Parameter> {
        self.iter().find(|parameter| parameter.site == site && parameter.kind == kind)
    }

    /// The layer's bias, trained or constant, if it has one.
    pub fn bias(&self, site: Site) -> Option<&Parameter> {
        self.iter().find(|parameter| parameter.site == site && parameter.is_bias())
    }
}

impl Deref for Layout {
    type Target = [Parameter];

    fn deref(&self) -> &[Parameter] {
        &self.0
    }
}

impl IntoIterator for Layout {
    type Item = Parameter;
    type IntoIter = std::vec::IntoIter<Parameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl ModelSpec {
    /// Whether view 2 has an encoder of its own.
    pub fn has_target(&self) -> bool {
        self.family == Family::NonContrastive
    }

    /// Layers of the branch that sees a view, projector included, in forward order.
    pub fn branch(&self, view: usize) -> Vec<Site> {
        let part = if view == 1 && self.has_target() { Part::Target } else { Part::Encoder };
        let encoder = (0..self.layers).map(|depth| Site { part, depth });
        let projector = (self.projector != Projector::None).then_some(Site::first(Part::Projector));
        encoder.chain(projector).collect()
    }

    /// Whether the layer has batch norm and activation, as the encoder's do, or is only a linear map.
    pub fn is_hidden(&self, site: Site) -> bool {
        match site.part {
            Part::Encoder | Part::Target => true,
            Part::Projector => self.projector == Projector::Hidden,
            Part::Predictor => false,
        }
    }
}

/// The authors keep an encoder's constant bias outside of the layer.
fn constant_bias_name(site: Site) -> &'static str {
    match (site.part, site.depth) {
        (Part::Target, 0) => "bt",
        (Part::Target, _) => "bt_1",
        (_, 0) => "bo",
        (_, _) => "bo_1",
    }
}

/// The authors' names of a layer's linear map and batch norm, in a network of so many layers.
fn names(family: Family, layers: usize, site: Site) -> (&'static str, &'static str) {
    let two_layers = layers == 2;
    match (site.part, family, site.depth) {
        (Part::Encoder, Family::NonContrastive, 0) => ("Wo", "bno"),
        (Part::Encoder, Family::NonContrastive, _) => ("Wo_1", "bno_1"),
        (Part::Encoder, Family::Contrastive, 0) => ("Wo", "bn1"),
        (Part::Encoder, Family::Contrastive, _) => ("Wo_1", "bn2"),
        (Part::Encoder, Family::SimSiam, 0) => ("Wo", "norm1"),
        (Part::Encoder, Family::SimSiam, _) => ("Wo_1", "norm2"),
        (Part::Target, _, 0) => ("Wt", "bnt"),
        (Part::Target, _, _) => ("Wt_1", "bnt_1"),
        // SimCLR-orig calls its projector Wp.
        (Part::Projector, Family::Contrastive, _) => ("Wp", "bn_p"),
        (Part::Projector, _, _) => ("Wproj", if two_layers { "norm3" } else { "norm2" }),
        (Part::Predictor, _, _) => ("Wp", ""),
    }
}

/// What the names of a layer's parameters begin with: `Wo` of `Wo.weight` and `Wo.bias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LayerNames {
    /// The part of the network that it belongs to.
    pub part: Part,
    /// Layers of the part before it.
    pub depth: usize,
    /// Of the linear map.
    pub linear: &'static str,
    /// Of the batch norm, where the layer can have one.
    pub norm: Option<&'static str>,
    /// The whole name of a bias that is a constant of the model, where the layer can have one.
    pub constant_bias: Option<&'static str>,
}

/// The names of every layer that a family can have with encoders of so many layers.
pub fn layer_names(family: Family, layers: usize) -> Vec<LayerNames> {
    let encoders: &[Part] = match family {
        Family::NonContrastive => &[Part::Encoder, Part::Target],
        Family::Contrastive | Family::SimSiam => &[Part::Encoder],
    };
    // The contrastive family's head before the loss is a projector, under a predictor's name.
    let heads: &[Part] = match family {
        Family::NonContrastive => &[Part::Predictor],
        Family::Contrastive => &[Part::Projector],
        Family::SimSiam => &[Part::Projector, Part::Predictor],
    };
    let encoders = encoders.iter().flat_map(|&part| (0..layers).map(move |depth| Site { part, depth }));
    let sites = encoders.chain(heads.iter().map(|&part| Site::first(part)));
    sites
        .map(|site| {
            let (linear, norm) = names(family, layers, site);
            let in_encoder = matches!(site.part, Part::Encoder | Part::Target);
            LayerNames {
                part: site.part,
                depth: site.depth,
                linear,
                norm: (!norm.is_empty()).then_some(norm),
                constant_bias: in_encoder.then(|| constant_bias_name(site)),
            }
        })
        .collect()
}

/// The layout under construction.
struct Table<'a> {
    model: &'a ModelSpec,
    p: usize,
    out: Vec<Parameter>,
}

impl Table<'_> {
    fn names(&self, site: Site) -> (&'static str, &'static str) {
        names(self.model.family, self.model.layers, site)
    }

    fn push(&mut self, name: String, shape: Vec<usize>, site: Site, kind: Kind) {
        let learns = matches!(kind, Kind::Weight | Kind::Bias | Kind::NormScale | Kind::NormShift);
        let trained = learns && !self.model.frozen.contains(&site.part) && !self.is_idle(site.part, kind);
        self.out.push(Parameter { name, shape, site, kind, trained });
    }

    /// Whether the tensor plays no part in the loss, or is set in closed form: the optimiser leaves it alone.
    fn is_idle(&self, part: Part, kind: Kind) -> bool {
        match kind {
            Kind::NormScale | Kind::NormShift => self.model.batch_norm == BatchNorm::Idle,
            _ => {
                let learns = !matches!(self.model.predictor, Predictor::Idle { .. } | Predictor::Direct { .. });
                part == Part::Predictor && !learns
            }
        }
    }

    fn encoder_layer(&mut self, site: Site) {
        let inputs = if site.depth == 0 { self.p } else { self.model.m };
        self.linear(site, inputs, self.model.bias);
    }

    fn linear(&mut self, site: Site, inputs: usize, bias: Bias) {
        let (m, name) = (self.model.m, self.names(site).0);
        self.push(format!("{name}.weight"), vec![m, inputs], site, Kind::Weight);
        match bias {
            Bias::None => {}
            Bias::Zero | Bias::Uniform => self.push(format!("{name}.bias"), vec![m], site, Kind::Bias),
            Bias::Constant { .. } => {
                self.push(constant_bias_name(site).into(), vec![m], site, Kind::ConstantBias);
            }
        }
    }

    fn predictor(&mut self) {
        let (m, site) = (self.model.m, Site::first(Part::Predictor));
        let (shape, bias) = match self.model.predictor {
            Predictor::None => return,
            Predictor::Linear { bias } | Predictor::Identity { bias } | Predictor::Idle { bias } => (vec![m, m], bias),
            Predictor::Direct { .. } => (vec![m, m], false),
            Predictor::Diagonal => (vec![m], true),
        };
        let name = self.names(site).0;
        self.push(format!("{name}.weight"), shape, site, Kind::Weight);
        if bias {
            self.push(format!("{name}.bias"), vec![m], site, Kind::Bias);
        }
        if matches!(self.model.predictor, Predictor::Direct { .. }) {
            self.push(format!("{name}.moment"), vec![m, m], site, Kind::Moment);
        }
    }

    fn norm(&mut self, site: Site) {
        let (m, name) = (self.model.m, self.names(site).1);
        self.push(format!("{name}.weight"), vec![m], site, Kind::NormScale);
        self.push(format!("{name}.bias"), vec![m], site, Kind::NormShift);
        self.push(format!("{name}.running_mean"), vec![m], site, Kind::RunningMean);
        self.push(format!("{name}.running_var"), vec![m], site, Kind::RunningVar);
        self.push(format!("{name}.num_batches_tracked"), vec![], site, Kind::BatchCount);
    }
}
