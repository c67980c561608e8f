//! How a step follows from a gradient: the optimiser, and the schedule of its learning rate.

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, ensure, positive};

/// The optimiser, with the update and the defaults of `torch.optim`. The paper's is plain SGD.
///
/// A parameter that does not learn in a turn is skipped, as PyTorch skips one without a gradient: its moments and its
/// count of steps stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// `torch.optim.SGD`.
    Sgd {
        /// Share of the last step's direction that is kept.
        #[serde(default)]
        momentum: f64,
        /// Whether the gradient is taken as after the next step of the momentum.
        #[serde(default)]
        nesterov: bool,
        /// Multiple of the parameter that is added to its gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// `torch.optim.Adam`.
    Adam {
        /// Decay of the gradient's average.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the squared gradient's average.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of the second.
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// Multiple of the parameter that is added to its gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// `torch.optim.AdamW`.
    Adamw {
        /// Decay of the gradient's average.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the squared gradient's average.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of the second.
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// Share of the parameter, times the learning rate, that a step takes away.
        #[serde(default = "hundredth")]
        weight_decay: f64,
    },
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

impl Optimizer {
    /// Whether this is SGD with no extras, which remembers nothing from step to step.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Moments that are kept for every parameter.
    pub fn moments(&self) -> usize {
        match *self {
            Self::Sgd { momentum, .. } => usize::from(momentum != 0.0),
            Self::Adam { .. } | Self::Adamw { .. } => 2,
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        let share = |key: &str, value: f64| {
            let path = format!("train.optimizer.{key}");
            ensure((0.0..1.0).contains(&value), &path, || format!("at least 0 and below 1, not {value}"))
        };
        let decay = |value: f64| {
            ensure(value.is_finite() && value >= 0.0, "train.optimizer.weight_decay", || {
                format!("a number of at least 0, not {value}")
            })
        };
        match *self {
            Self::Sgd { momentum, nesterov, weight_decay } => {
                share("momentum", momentum)?;
                ensure(!nesterov || momentum > 0.0, "train.optimizer.nesterov", || "needs a momentum".into())?;
                decay(weight_decay)
            }
            Self::Adam { beta1, beta2, epsilon, weight_decay }
            | Self::Adamw { beta1, beta2, epsilon, weight_decay } => {
                share("beta1", beta1)?;
                share("beta2", beta2)?;
                positive("train.optimizer.epsilon", epsilon)?;
                decay(weight_decay)
            }
        }
    }
}

/// What an optimiser remembers of a parameter, beside the parameters in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// SGD's momentum, or Adam's average of the gradient; shaped as the parameter.
    First,
    /// Adam's average of the squared gradient; shaped as the parameter.
    Second,
    /// Steps that the parameter has taken, a scalar.
    Steps,
}

impl Memory {
    /// Its name among the tensors of a checkpoint.
    pub fn name(self, parameter: &str) -> String {
        let what = match self {
            Self::First => "first_moment",
            Self::Second => "second_moment",
            Self::Steps => "steps",
        };
        format!("optimizer.{what}.{parameter}")
    }
}

/// How the learning rate changes from epoch to epoch. Every kind may begin with a warm-up: in epoch k of the first
/// `warmup` ones, counted from 1, the rate is k/`warmup` of what it would otherwise be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// `lr` throughout (the paper).
    Constant {
        /// Epochs of warm-up.
        #[serde(default)]
        warmup: usize,
    },
    /// From `lr` after the warm-up to `floor` times `lr` at the end, along half a cosine.
    Cosine {
        /// Epochs of warm-up.
        #[serde(default)]
        warmup: usize,
        /// Share of `lr` that is left at the end.
        #[serde(default)]
        floor: f64,
    },
    /// Multiplied by `factor` every so many epochs after the warm-up.
    Steps {
        /// Epochs of warm-up.
        #[serde(default)]
        warmup: usize,
        /// Epochs between two changes.
        every: usize,
        /// What the rate is multiplied by.
        factor: f64,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant { warmup: 0 }
    }
}

impl Schedule {
    /// Whether the rate never changes.
    pub fn is_constant(&self) -> bool {
        *self == Self::default()
    }

    /// What `lr` is multiplied by in an epoch, counted from 0, of `epochs`.
    pub fn factor(&self, epoch: usize, epochs: usize) -> f64 {
        let warmup = self.warmup();
        if epoch < warmup {
            return (epoch + 1) as f64 / warmup as f64;
        }
        let since = epoch - warmup;
        match *self {
            Self::Constant { .. } => 1.0,
            Self::Cosine { floor, .. } => {
                let progress = since as f64 / (epochs - warmup) as f64;
                floor + (1.0 - floor) * (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0
            }
            Self::Steps { every, factor, .. } => factor.powi((since / every).try_into().unwrap_or(i32::MAX)),
        }
    }

    fn warmup(&self) -> usize {
        match *self {
            Self::Constant { warmup } | Self::Cosine { warmup, .. } | Self::Steps { warmup, .. } => warmup,
        }
    }

    pub(super) fn check(&self, epochs: usize) -> Result<(), Fault> {
        let warmup = self.warmup();
        ensure(warmup <= epochs, "train.schedule.warmup", || format!("at most train.epochs = {epochs}, not {warmup}"))?;
        match *self {
            Self::Constant { .. } => Ok(()),
            Self::Cosine { floor, .. } => {
                ensure((0.0..=1.0).contains(&floor), "train.schedule.floor", || format!("from 0 to 1, not {floor}"))
            }
            Self::Steps { every, factor, .. } => {
                ensure(every > 0, "train.schedule.every", || "at least 1".into())?;
                ensure(factor > 0.0 && factor <= 1.0, "train.schedule.factor", || {
                    format!("above 0 and at most 1, not {factor}")
                })
            }
        }
    }
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
}

fn hundredth() -> f64 {
    0.01
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_go_where_they_say() {
        let factors = |schedule: Schedule| -> Vec<f64> { (0..6).map(|epoch| schedule.factor(epoch, 6)).collect() };
        assert_eq!(factors(Schedule::default()), [1.0; 6]);
        assert_eq!(factors(Schedule::Constant { warmup: 2 }), [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(factors(Schedule::Steps { warmup: 0, every: 2, factor: 0.5 }), [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
        let cosine = factors(Schedule::Cosine { warmup: 2, floor: 0.2 });
        let expected = [0.5, 1.0, 1.0, 0.2 + 0.4 * (1.0 + 0.5f64.sqrt()), 0.6, 0.2 + 0.4 * (1.0 - 0.5f64.sqrt())];
        cosine.iter().zip(expected).for_each(|(found, expected)| assert!((found - expected).abs() < 1e-12));
    }
}

/// Updates recorded from `torch.optim`, for the tests of both engines.
#[cfg(test)]
pub mod recorded {
    use ndarray::ArrayD;

    use super::*;
    use crate::spec::layout::{Layout, StateDict};

    /// Steps of one weight `(2, 3)` under given gradients.
    #[derive(Deserialize)]
    pub struct Recorded {
        pub what: String,
        pub optimizer: Optimizer,
        pub lr: f64,
        pub start: Vec<f64>,
        pub gradients: Vec<Vec<f64>>,
        pub ends: Vec<f64>,
    }

    pub fn recorded() -> Vec<Recorded> {
        let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/optimizers.json"));
        serde_json::from_str(text).expect("recorded optimizers")
    }

    /// A model whose only parameter is such a weight.
    pub fn one_layer(start: &[f64]) -> (Layout, StateDict) {
        let spec: crate::RunSpec =
            "{method: cl, data: {p: 3, d: 3}, model: {m: 2, bias: none, activation: relu}}".parse().expect("a run");
        let layout = Layout::of(&spec.model, 3);
        assert_eq!(layout.len(), 1);
        let weight = ArrayD::from_shape_vec(vec![2, 3], start.to_vec()).expect("six numbers");
        (layout, StateDict::from_iter([("Wo.weight".to_string(), weight)]))
    }
}
