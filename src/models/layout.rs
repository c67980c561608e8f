//! Names, shapes and roles of a network's parameters, in the order in which the authors' modules create them.
//!
//! Both engines, the initial draws, the records and the checkpoints read this one table; the names are those of the
//! authors' state dicts, so that weights travel between PyTorch and us.

use indexmap::IndexMap;
use ndarray::ArrayD;

use crate::spec::{BatchNorm, Bias, Family, ModelSpec, Part, Predictor, Projector};

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
}

/// One tensor of the state dict.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The authors' name, `Wo.weight`.
    pub name: String,
    pub shape: Vec<usize>,
    pub part: Part,
    pub kind: Kind,
    /// Whether SGD changes it.
    pub trained: bool,
}

/// Names of one layer's modules: its linear map and, if it has one, its batch norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerNames {
    pub linear: &'static str,
    pub norm: &'static str,
}

const fn names(linear: &'static str, norm: &'static str) -> LayerNames {
    LayerNames { linear, norm }
}

/// Layers of the encoder that sees view 1.
pub fn online_layers(model: &ModelSpec) -> &'static [LayerNames] {
    const DUAL: [LayerNames; 2] = [names("Wo", "bno"), names("Wo_1", "bno_1")];
    const SIMCLR: [LayerNames; 2] = [names("Wo", "bn1"), names("Wo_1", "bn2")];
    const SIMSIAM: [LayerNames; 2] = [names("Wo", "norm1"), names("Wo_1", "norm2")];
    match model.family {
        Family::NonContrastive => &DUAL[..model.layers],
        Family::Contrastive => &SIMCLR[..model.layers],
        Family::SimSiam => &SIMSIAM[..model.layers],
    }
}

/// Layers of the target encoder; none where one encoder sees both views.
pub fn target_layers(model: &ModelSpec) -> &'static [LayerNames] {
    const DUAL: [LayerNames; 2] = [names("Wt", "bnt"), names("Wt_1", "bnt_1")];
    match model.family {
        Family::NonContrastive => &DUAL[..model.layers],
        Family::Contrastive | Family::SimSiam => &[],
    }
}

/// The projector's layer, if the model has one.
pub fn projector_layer(model: &ModelSpec) -> Option<LayerNames> {
    match (model.projector, model.family) {
        (Projector::None, _) => None,
        // SimCLR-orig calls its projector Wp.
        (_, Family::Contrastive) => Some(names("Wp", "bn_p")),
        (_, _) => Some(names("Wproj", if model.layers == 2 { "norm3" } else { "norm2" })),
    }
}

/// The predictor's name, if the model has one.
pub fn predictor_name(model: &ModelSpec) -> Option<&'static str> {
    (model.predictor != Predictor::None).then_some("Wp")
}

/// Every tensor of the model's state dict.
///
/// `p` is the input dimension. The order is the construction order of the authors' modules, which is also the order
/// in which nn.Linear's initial values are drawn: linear maps first, then batch norms.
pub fn layout(model: &ModelSpec, p: usize) -> Vec<Parameter> {
    let mut table = Table { model, p, out: Vec::new() };
    let (online, target) = (online_layers(model), target_layers(model));
    // Wo, Wo_1, Wt, Wt_1: the encoders one after the other.
    table.encoder(online, Part::Encoder);
    table.encoder(target, Part::Target);
    if let Some(projector) = projector_layer(model) {
        table.linear(projector.linear, model.m, Part::Projector, Bias::Uniform);
    }
    table.predictor();
    if model.batch_norm != BatchNorm::None {
        // bno, bnt, bno_1, bnt_1: layer by layer.
        for (depth, layer) in online.iter().enumerate() {
            table.norm(layer.norm, Part::Encoder);
            if let Some(twin) = target.get(depth) {
                table.norm(twin.norm, Part::Target);
            }
        }
        if let (Some(projector), Projector::Hidden) = (projector_layer(model), model.projector) {
            table.norm(projector.norm, Part::Projector);
        }
    }
    table.out
}

/// The layout under construction.
struct Table<'a> {
    model: &'a ModelSpec,
    p: usize,
    out: Vec<Parameter>,
}

impl Table<'_> {
    fn push(&mut self, name: String, shape: Vec<usize>, part: Part, kind: Kind) {
        let learns = matches!(kind, Kind::Weight | Kind::Bias | Kind::NormScale | Kind::NormShift);
        let trained = learns && !self.model.frozen.contains(&part) && !self.is_idle(part, kind);
        self.out.push(Parameter { name, shape, part, kind, trained });
    }

    /// Whether the tensor has no part in the loss, and so no gradient.
    fn is_idle(&self, part: Part, kind: Kind) -> bool {
        match kind {
            Kind::NormScale | Kind::NormShift => self.model.batch_norm == BatchNorm::Idle,
            _ => part == Part::Predictor && matches!(self.model.predictor, Predictor::Idle { .. }),
        }
    }

    fn encoder(&mut self, layers: &[LayerNames], part: Part) {
        for (depth, layer) in layers.iter().enumerate() {
            let inputs = if depth == 0 { self.p } else { self.model.m };
            self.linear(layer.linear, inputs, part, self.model.bias);
        }
    }

    fn linear(&mut self, name: &str, inputs: usize, part: Part, bias: Bias) {
        let m = self.model.m;
        self.push(format!("{name}.weight"), vec![m, inputs], part, Kind::Weight);
        match bias {
            Bias::None => {}
            Bias::Zero | Bias::Uniform => self.push(format!("{name}.bias"), vec![m], part, Kind::Bias),
            // The authors keep a constant bias outside the layer, as `bo` and `bt`.
            Bias::Constant { .. } => self.push(name.replacen('W', "b", 1), vec![m], part, Kind::ConstantBias),
        }
    }

    fn predictor(&mut self) {
        let Some(name) = predictor_name(self.model) else { return };
        let m = self.model.m;
        let (shape, bias) = match self.model.predictor {
            Predictor::None => return,
            Predictor::Linear { bias } | Predictor::Identity { bias } | Predictor::Idle { bias } => (vec![m, m], bias),
            Predictor::Diagonal => (vec![m], true),
        };
        self.push(format!("{name}.weight"), shape, Part::Predictor, Kind::Weight);
        if bias {
            self.push(format!("{name}.bias"), vec![m], Part::Predictor, Kind::Bias);
        }
    }

    fn norm(&mut self, name: &str, part: Part) {
        let m = self.model.m;
        self.push(format!("{name}.weight"), vec![m], part, Kind::NormScale);
        self.push(format!("{name}.bias"), vec![m], part, Kind::NormShift);
        self.push(format!("{name}.running_mean"), vec![m], part, Kind::RunningMean);
        self.push(format!("{name}.running_var"), vec![m], part, Kind::RunningVar);
        self.push(format!("{name}.num_batches_tracked"), vec![], part, Kind::BatchCount);
    }
}
