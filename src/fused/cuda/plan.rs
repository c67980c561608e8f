//! The network of a cohort as the kernel takes it: places of parameters, and of what a step leaves, in memory.

use super::arguments::{Batch, Chain, Layer, NONE, Network, PLACES, Place};
use crate::{
    engine,
    fused::parameters::Parameters,
    kernels::unit_norm,
    losses::LossSpec,
    spec::{
        Activation, BatchNorm, Family, Masks, ModelSpec, Normalization, Optimizer, Part, Predictor, RunSpec, Turn,
        Turns,
        layout::{Kind, Parameter, Site},
    },
};

/// A network, and the floats of workspace that a block needs to train it.
pub struct Plan {
    pub network: Network,
    pub workspace: usize,
}

/// Hands out places in the workspace.
struct Workspace(usize);

impl Workspace {
    /// Room for so many floats, aligned so that neighbouring threads read whole lines.
    fn take(&mut self, floats: usize) -> u32 {
        let at = self.0;
        self.0 += floats.next_multiple_of(32);
        place(at) as u32
    }
}

/// A place or a size as the kernel takes it. (What exceeds it would not fit on a device.)
fn place(at: usize) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}

/// What the kernel calls a turn.
pub fn turn(turn: Turn) -> i32 {
    match turn {
        Turn::Joint => 0,
        Turn::Online => 1,
        Turn::Target => 2,
    }
}

/// The kernel's description of a batch whose rows begin at `first`.
pub fn batch(batch: &engine::Batch, first: usize) -> Batch {
    let counter = match batch.runs.first().map(|run| &run.masks) {
        Some(engine::MaskBits::Native(masks)) => masks.counter,
        _ => 0,
    };
    let pairs = batch.runs.first().map_or(0, |run| run.rows.len());
    Batch {
        counter,
        rate: batch.rate,
        first: place(first),
        pairs: place(pairs),
        turn: turn(batch.turn),
        scale: batch.scale as f32,
    }
}

impl Plan {
    /// The plan for batches of at most `pairs` pairs of views.
    pub fn new(spec: &RunSpec, parameters: &Parameters, pairs: usize) -> Self {
        let model = &spec.model;
        let (m, p) = (model.m, spec.data.p);
        // Double sums of two numbers a neuron, or one an embedding, stand first, where they are aligned.
        let mut workspace = Workspace(0);
        workspace.take(4 * m.max(pairs));
        let mut network = Network {
            places: places(spec, parameters),
            place_count: place(parameters.places.len()),
            values: place(parameters.values.len()),
            layers: place(model.layers),
            learners: learners(model.family),
            p: place(p),
            samples: place(spec.data.samples),
            words: place(p.div_ceil(64)),
            masks: match spec.views.masks {
                Masks::Independent => 0,
                Masks::Dependent => 1,
                Masks::Shared => 2,
            },
            penalty: spec.loss.weight_penalty(),
            clamp: spec.train.clamp_bias.unwrap_or(0.0) as f32,
            ..Network::default()
        };
        objective(&spec.loss, &mut network);
        optimizer(spec.train.optimizer, &mut network);
        if let Turns::Ema { decay } = spec.train.turns {
            (network.target_kept, network.target_moved) = (decay as f32, (1.0 - decay) as f32);
        }
        let mut chain = |sites: Vec<Site>| {
            let mut chain = Chain { length: place(sites.len()), ..Chain::default() };
            for (to, site) in chain.layers.iter_mut().zip(sites) {
                *to = layer(model, site, parameters, pairs, &mut workspace);
            }
            chain
        };
        network.branches = [0, 1].map(|view| chain(model.branch(view)));
        let predictor = (model.predictor != Predictor::None).then_some(Site::first(Part::Predictor));
        network.predictor = chain(predictor.into_iter().collect());
        network.views = [0, 1].map(|_| workspace.take(p * pairs));
        network.gradients = [0, 1].map(|_| workspace.take(m * pairs));
        network.spare = workspace.take(m * pairs);
        // Seven numbers a pair for a contrastive loss, or one for every column of a weight.
        network.numbers = workspace.take((7 * pairs).max(m).max(p));
        if network.objective == CONTRAST {
            [network.unit, network.unit_gradient] = [0, 1].map(|_| workspace.take(2 * m * pairs));
        }
        Self { network, workspace: workspace.0 }
    }
}

const CONTRAST: i32 = 3;

/// Which branches learn in the turns joint, online and target.
fn learners(family: Family) -> [[i32; 2]; 3] {
    match family {
        Family::NonContrastive => [[0, 1], [0, NONE], [1, NONE]],
        Family::Contrastive | Family::SimSiam => [[0, 1]; 3],
    }
}

/// Whether the kernel has a loss.
pub fn has(loss: &LossSpec) -> bool {
    !matches!(
        loss,
        LossSpec::BarlowTwins(_)
            | LossSpec::Vicreg(_)
            | LossSpec::Siglip(_)
            | LossSpec::Spectral(_)
            | LossSpec::AlignmentUniformity(_)
    )
}

/// The loss, as `kernels/losses.cuh` and `kernels/contrast.cuh` take it.
fn objective(loss: &LossSpec, network: &mut Network) {
    network.floor = unit_norm::EPSILON;
    let mut contrast = |temperature: f64| {
        (network.objective, network.temperature) = (CONTRAST, temperature as f32);
        // Cosines differ by 2 at most. Relative to one, no sum comes near the end of the range unless this is small.
        network.shifts_by_largest = i32::from(2.0 / temperature > 57.0);
    };
    match *loss {
        LossSpec::NtXent(loss) => contrast(loss.temperature),
        LossSpec::AsymmetricNtXent(loss) => {
            contrast(loss.temperature);
            network.anchors_are_first_view = 1;
        }
        LossSpec::Dcl(loss) => {
            contrast(loss.temperature);
            network.leaves_out_partner = 1;
        }
        LossSpec::L2(loss) => (network.objective, network.normalizes) = (1, i32::from(loss.normalize)),
        LossSpec::InnerProduct(loss) => (network.objective, network.normalizes) = (0, i32::from(loss.normalize)),
        LossSpec::NegativeCosine(_) => {
            (network.objective, network.normalizes, network.floor) = (2, 1, crate::losses::COSINE_FLOOR);
        }
        _ => {}
    }
}

fn optimizer(optimizer: Optimizer, network: &mut Network) {
    match optimizer {
        Optimizer::Sgd { momentum, nesterov, weight_decay } => {
            network.has_momentum = i32::from(momentum != 0.0);
            network.is_nesterov = i32::from(nesterov);
            (network.momentum, network.decay_of_weights) = (momentum as f32, weight_decay as f32);
        }
        Optimizer::Adam { beta1, beta2, epsilon, weight_decay }
        | Optimizer::Adamw { beta1, beta2, epsilon, weight_decay } => {
            network.rule = 1;
            (network.beta1, network.beta2, network.epsilon) = (beta1 as f32, beta2 as f32, epsilon as f32);
            (network.rest1, network.rest2) = ((1.0 - beta1) as f32, (1.0 - beta2) as f32);
            if matches!(optimizer, Optimizer::Adamw { .. }) {
                (network.is_decoupled, network.weight_decay) = (1, weight_decay);
            } else {
                network.decay_of_weights = weight_decay as f32;
            }
        }
    }
}

fn places(spec: &RunSpec, parameters: &Parameters) -> [Place; PLACES] {
    let mut places = [Place::default(); PLACES];
    for (to, (parameter, range)) in places.iter_mut().zip(&parameters.places) {
        let Parameter { site, kind, shape, .. } = parameter;
        let (rows, columns) = match shape[..] {
            [rows, columns] => (rows, columns),
            _ => (range.len(), 1),
        };
        let is_encoder = matches!(site.part, Part::Encoder | Part::Target);
        let follows = matches!(spec.train.turns, Turns::Ema { .. }) && site.part == Part::Target;
        let twin = (follows && matches!(kind, Kind::Weight | Kind::Bias))
            .then(|| parameters.place(parameter.twin(), *kind))
            .flatten();
        let normalization = match site.part {
            _ if *kind != Kind::Weight || shape.len() != 2 => Normalization::None,
            Part::Encoder | Part::Target => spec.train.normalize_encoder,
            Part::Predictor => spec.train.normalize_predictor,
            Part::Projector => Normalization::None,
        };
        let is_penalized = *kind == Kind::Weight && is_encoder && site.depth == 0;
        *to = Place {
            start: place(range.start),
            length: place(range.len()),
            rows: place(rows),
            columns: place(columns),
            learns: [Turn::Joint, Turn::Online, Turn::Target].map(|turn| i32::from(parameter.learns(turn))),
            normalization: match normalization {
                Normalization::None => 0,
                Normalization::Rows => 1,
                Normalization::Columns => 2,
                Normalization::CrossedColumns => 3,
            },
            is_clamped: i32::from(spec.train.clamp_bias.is_some() && parameter.is_encoder_bias()),
            twin: twin.map_or(NONE, |twin| place(twin.start)),
            is_penalized: i32::from(is_penalized),
        };
    }
    places
}

/// The layer of a site, with room in the workspace for what its forward pass leaves.
fn layer(model: &ModelSpec, site: Site, parameters: &Parameters, pairs: usize, workspace: &mut Workspace) -> Layer {
    let of = |kind: Kind| parameters.place(site, kind).map_or(NONE, |range| place(range.start));
    let bias = parameters.bias(site).map_or(NONE, |range| place(range.start));
    let weight = parameters.find(|parameter| parameter.site == site && parameter.kind == Kind::Weight);
    let (parameter, range) = weight.expect("the layout has every layer's weight");
    let (rows, inputs, is_diagonal) = match parameter.shape[..] {
        [rows, inputs] => (rows, inputs, 0),
        _ => (range.len(), range.len(), 1),
    };
    let activation = if model.is_hidden(site) { model.activation } else { Activation::Identity };
    // The paper's activation reads the bias as its threshold; it is not added before (Eq. 14).
    let adds_bias = bias != NONE && activation != Activation::Srelu;
    Layer {
        rows: place(rows),
        inputs: place(inputs),
        weight: place(range.start),
        bias,
        scale: of(Kind::NormScale),
        shift: of(Kind::NormShift),
        running_mean: of(Kind::RunningMean),
        running_var: of(Kind::RunningVar),
        batches: of(Kind::BatchCount),
        is_diagonal,
        is_trained: i32::from(parameter.trained),
        adds_bias: i32::from(adds_bias),
        activation: match activation {
            Activation::Identity => 0,
            Activation::Relu => 1,
            Activation::Srelu => 2,
            Activation::SymRelu => 3,
        },
        follows_activation: i32::from(model.batch_norm == BatchNorm::PostActivation),
        pre_activation: workspace.take(rows * pairs),
        normalized: workspace.take(rows * pairs),
        inverse_deviation: workspace.take(rows),
        output: workspace.take(rows * pairs),
    }
}
