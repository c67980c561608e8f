//! The fully resolved settings of one training run.
//!
//! A [`RunSpec`] leaves nothing open: every default and every method preset has been written out, so that the
//! `spec.yaml` beside a result says all there is to know about it, and its hash names the run.
//! Where the paper and the authors' code disagree, both readings are values of a field here.

use serde::{Deserialize, Serialize};

pub use super::data::*;
use super::{Optimizer, Schedule, data::one};
pub use crate::losses::LossSpec;
use crate::losses::Sides;

/// One training run: what is drawn, which network learns it, by which loss, for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The preset of `landscape methods` that the settings started from. A name only: the settings decide.
    pub method: String,
    /// Seed of every draw of the run.
    pub seed: u64,
    /// Which random streams the draws come from.
    pub random: Random,
    /// Precision of parameters, views and losses. Data are always drawn in double precision.
    pub dtype: Dtype,
    /// What is seen: samples, dictionary, latents and noise.
    pub data: DataSpec,
    /// How two views are made of a sample.
    pub views: ViewSpec,
    /// The network.
    pub model: ModelSpec,
    /// What is minimised.
    pub loss: LossSpec,
    /// How long and by which steps.
    pub train: TrainSpec,
    /// What is measured, and how often.
    pub metrics: MetricsSpec,
}

/// Source of the random draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Random {
    /// Counter-based streams of our own: the same draws whatever the batching, threads, shard or device.
    Native,
    /// NumPy's legacy generator and PyTorch's CPU generator, consumed in the order of the authors' scripts.
    Authors,
    /// The same under PyTorch 1.7 and 1.8, whose loaders permute by another generator: what the scripts' requirements pin.
    #[serde(rename = "authors_torch_1_7")]
    AuthorsTorch17,
}

impl Random {
    /// Whether the draws are those of the authors' scripts, under whichever PyTorch.
    pub fn is_authors(self) -> bool {
        self != Self::Native
    }
}

/// Floating-point type of the training itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// Single precision, as the authors train.
    Float32,
    /// Double precision; by the autograd engine alone.
    Float64,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Which networks see which view.
    pub family: Family,
    /// Number of neurons: width of the encoder and of every head.
    pub m: usize,
    /// Layers of the encoder, 1 or 2 (Fig. 3).
    pub layers: usize,
    /// The elementwise non-linearity of every encoder layer.
    pub activation: Activation,
    /// Where batch norm stands in every encoder layer.
    pub batch_norm: BatchNorm,
    /// The encoder's bias.
    pub bias: Bias,
    /// Head before the loss or the predictor.
    pub projector: Projector,
    /// Head on the branch that learns.
    pub predictor: Predictor,
    /// Parts that keep their initial parameters.
    pub frozen: Vec<Part>,
    /// Start of the encoders' weights.
    pub init: Init,
}

/// Which networks see which view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// An online and a target encoder, initialised independently (the authors' `simplified*`).
    NonContrastive,
    /// One encoder for both views, negatives in the loss (the authors' `simclr*`).
    Contrastive,
    /// One encoder for both views, stop gradient on one side at a time (the authors' `simsiam*`).
    #[serde(rename = "simsiam")]
    SimSiam,
}

/// The encoder's elementwise non-linearity; `b` is the layer's bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `W a + b`: a linear encoder.
    Identity,
    /// `ReLU(W a + b)`.
    Relu,
    /// `SReLU_b(W a) = ReLU(W a - b) - ReLU(-W a - b)` (Eq. 14): the bias is a threshold and is not added.
    Srelu,
    /// `ReLU(x) - ReLU(-x + 2 b)` with `x = W a + b` (the authors' `SymReLU`); without batch norm it is `Srelu` with
    /// threshold `-b`.
    SymRelu,
}

/// Where BatchNorm1d stands in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNorm {
    /// Nowhere.
    None,
    /// Between the linear map and the activation.
    PreActivation,
    /// After the activation.
    PostActivation,
    /// One module before and after: what the authors' SimSiam does when told both `--use_bn` and
    /// `encoder_post_activation`.
    PreAndPostActivation,
    /// In the state dict, and never applied (the authors' models with `--use_bn False`).
    Idle,
}

/// The encoder's bias: its start and whether it learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Bias {
    /// No such parameter; not with the symmetric ReLUs, whose threshold it is.
    None,
    /// Starts at zero and learns (the paper).
    Zero,
    /// Starts at `U(-1/sqrt(fan_in), 1/sqrt(fan_in))` and learns (nn.Linear's default; the authors' code).
    Uniform,
    /// The same constant for every neuron, never trained (Eq. 15; the authors' `--const_bias`).
    Constant {
        /// Of every neuron: the threshold b of Eq. 15.
        value: f64,
    },
}

/// Head between encoder and loss (SimCLR) or between encoder and predictor (SimSiam).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projector {
    /// The loss sees representations as they are.
    None,
    /// A linear map with bias.
    Linear,
    /// A linear map, then batch norm and activation as in the encoder.
    Hidden,
}

/// Head `W^p` on the branch that learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Predictor {
    /// Both branches alike.
    None,
    /// A linear map starting at nn.Linear's default (Eq. 5, 8).
    Linear {
        /// Whether it has a trained bias `(m,)`.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// A linear map starting at the identity, its bias at nn.Linear's default.
    Identity {
        /// Whether it has a trained bias `(m,)`.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// Drawn, recorded and normalised as the linear one, but no part of the loss (the authors'
    /// `simplified-noalt-pred` without `--use_pred`).
    Idle {
        /// Whether it has a trained bias `(m,)`.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// A linear map that does not learn: it follows the second moment F of what it is given, averaged over batches. After
    /// every step it has F's eigenvectors, with eigenvalues `(s_j / s_1)^power + epsilon`; it starts at the identity.
    /// DirectPred (Tian et al. 2021) with power 1/2, DirectCopy (Wang et al. 2021) with power 1.
    Direct {
        /// Weight of the average so far: `F <- decay F + (1 - decay) mean(f f^T)`.
        #[serde(default = "direct_decay")]
        decay: f64,
        /// Of the eigenvalues, relative to the largest.
        #[serde(default = "one_half")]
        power: f64,
        /// Added to every eigenvalue.
        #[serde(default = "direct_epsilon")]
        epsilon: f64,
        /// Whether the gradient passes it by: the loss's slope at the prediction moves the representation as it is, so
        /// that no direction learns more slowly for a small eigenvalue (IsoLoss, Halvagal et al. 2023).
        #[serde(default)]
        isotropic: bool,
    },
    /// An elementwise scale, starting at `U(-1/sqrt(m), 1/sqrt(m))`, and shift, starting at zero.
    Diagonal,
}

/// A part of the network, for `model.frozen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The online (or only) encoder.
    Encoder,
    /// The target encoder of the non-contrastive family.
    Target,
    /// The head of [`Projector`].
    Projector,
    /// The head of [`Predictor`].
    Predictor,
}

/// Start of the encoders' weights. Biases and heads follow their own keys.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// Entries `N(0, scale^2 / (p d))`.
    Random {
        /// Factor on the weights: below 1 for a small start.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        scale: f64,
    },
    /// Rows are atoms of M (random ones; in order when m = d) plus `N(0, sigma^2)`, `sigma = p^(-closeness/2)`. A
    /// closeness of 0 or less takes the atoms unchanged.
    Warm {
        /// `p^(-closeness/2)` is the noise's standard deviation: larger is nearer to the atoms.
        closeness: f64,
    },
}

/// How long and by which steps, and what is done around a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSpec {
    /// Passes over the samples.
    pub epochs: usize,
    /// Samples of a batch, from each of which `views.pairs` pairs are made.
    pub batch_size: usize,
    /// Leave out the last batch of an epoch when it is not full.
    pub drop_last: bool,
    /// Learning rate, where the schedule is at its height.
    pub lr: f64,
    // Keys added after the first release are left out of files where they have no effect: runs keep their hashes.
    /// The rule of a step.
    #[serde(default, skip_serializing_if = "Optimizer::is_plain")]
    pub optimizer: Optimizer,
    /// Learning rate over the epochs, as a factor on `lr`.
    #[serde(default, skip_serializing_if = "Schedule::is_constant")]
    pub schedule: Schedule,
    /// Who learns at which step.
    pub turns: Turns,
    /// Scaling of the encoders' weights after every step.
    pub normalize_encoder: Normalization,
    /// Scaling of the predictor's weight after every step.
    pub normalize_predictor: Normalization,
    /// After every step, clamp the encoders' biases to [-c, c].
    pub clamp_bias: Option<f64>,
}

/// Whose turn it is to learn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Turns {
    /// Online, target, online, ...; every epoch starts at online.
    Alternating,
    /// Everything at every batch.
    Joint,
    /// Online at every batch; then `W^t <- decay W^t + (1 - decay) W^o`, and the same for the bias (BYOL).
    Ema {
        /// Share of the old target that each step keeps, 0.99 in BYOL's row of methods.
        decay: f64,
    },
}

/// Which branch learns at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The online encoder (and the predictor), target under stop gradient.
    Online,
    /// The target encoder (and the predictor), online under stop gradient.
    Target,
    /// Everything that is not frozen.
    Joint,
}

/// Scaling of a weight matrix `(m, p)` to unit norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Weights stay as the step leaves them.
    None,
    /// Every neuron's weights.
    Rows,
    /// Every input's weights.
    Columns,
    /// Entry (j, i) divided by the norm of column j: what the authors' code does to a predictor `(m, m)` where it means
    /// to normalise columns. For `normalize_predictor` only.
    CrossedColumns,
}

/// What is measured, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSpec {
    /// Epochs between two rows of `metrics.csv`; the last epoch always has one.
    pub every: usize,
    /// Epochs between two measurements of the costly columns (support, spectrum, collapse); 0 for never.
    pub detail_every: usize,
    /// Which encoder the `wt_*_singular_value` columns are computed from. The authors' log takes the online one.
    pub target_spectrum: SpectrumSource,
}

/// See [`MetricsSpec::target_spectrum`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpectrumSource {
    /// W^t.
    Target,
    /// W^o, in the `wt_*` columns as in the `wo_*` ones.
    Online,
}

impl Family {
    /// The sides that a loss must have to train such a network.
    pub fn sides(self) -> Sides {
        match self {
            Self::Contrastive => Sides::Both,
            Self::NonContrastive | Self::SimSiam => Sides::LearnerAndTeacher,
        }
    }
}

impl RunSpec {
    /// Every setting as plain data, also what files leave out since it is as it always was.
    pub fn tree(&self) -> serde_json::Value {
        let json = |value: serde_json::Result<serde_json::Value>| value.expect("settings are plain data");
        let mut tree = json(serde_json::to_value(self));
        tree["train"]["optimizer"] = json(serde_json::to_value(self.train.optimizer));
        tree["train"]["schedule"] = json(serde_json::to_value(self.train.schedule));
        tree["data"]["coherence"] = self.data.coherence.into();
        tree["data"]["correlation"] = self.data.correlation.into();
        tree["data"]["strengths"] = json(serde_json::to_value(&self.data.strengths));
        tree["data"]["noise_per_view"] = self.data.noise_per_view.into();
        tree["data"]["fresh"] = self.data.fresh.into();
        tree["views"]["second_masking_prob"] = json(serde_json::to_value(self.views.second_masking_prob));
        tree["views"]["pattern"] = json(serde_json::to_value(self.views.pattern));
        tree["views"]["noise"] = self.views.noise.into();
        if let Init::Random { scale } = self.model.init {
            tree["model"]["init"]["scale"] = scale.into();
        }
        tree
    }

    /// Samples of each batch of an epoch, as ranges of positions in the epoch's order.
    pub fn batches(&self) -> Vec<std::ops::Range<usize>> {
        let (n, b) = (self.data.samples, self.train.batch_size);
        let full = (0..n / b).map(|k| k * b..(k + 1) * b);
        let rest = (n % b != 0 && !self.train.drop_last).then_some(n - n % b..n);
        full.chain(rest).collect()
    }

    /// Samples of the smallest batch.
    pub fn smallest_batch(&self) -> usize {
        let rest = self.data.samples % self.train.batch_size;
        if rest == 0 || self.train.drop_last { self.train.batch_size } else { rest }
    }

    /// Number of batches of an epoch.
    pub fn batch_count(&self) -> usize {
        let (n, b) = (self.data.samples, self.train.batch_size);
        if self.train.drop_last { n / b } else { n.div_ceil(b) }
    }

    /// Samples that an epoch goes through: all, or those of its full batches.
    pub fn samples_per_epoch(&self) -> usize {
        let (n, b) = (self.data.samples, self.train.batch_size);
        if self.train.drop_last { n - n % b } else { n }
    }

    /// Optimiser steps of the whole run.
    pub fn steps(&self) -> usize {
        self.train.epochs.saturating_mul(self.batch_count())
    }
}

// Defaults of a variant's fields where a file names only the variant.

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

fn yes() -> bool {
    true
}

fn one_half() -> f64 {
    0.5
}

/// As in DirectPred's published runs.
fn direct_decay() -> f64 {
    0.3
}

/// Likewise.
fn direct_epsilon() -> f64 {
    0.1
}
