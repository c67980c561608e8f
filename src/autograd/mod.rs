//! The reference engine: the authors' PyTorch modules on libtorch tensors, gradients by autograd.
//!
//! ```
//! use std::sync::Arc;
//! use contrastive_landscape::{Device, RunSpec, autograd::AutogradEngine, engine::Engine, train::Cohort};
//!
//! let spec: RunSpec = "{method: cl, dtype: float64, data: {samples: 64}, train: {batch_size: 32}}".parse()?;
//! let mut cohort = Cohort::draw(&[Arc::new(spec)])?;
//! let mut engine = AutogradEngine::new(cohort.members(), Device::Cpu)?;
//! cohort.begin_epoch(0);
//! let losses = engine.step(&cohort.batch(0))?; // one for each run
//! assert!(losses[0].is_finite());
//! # Ok::<(), anyhow::Error>(())
//! ```

mod constraints;
mod curvature;
mod masks;
mod optimizer;

use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use ndarray::{Array2, ArrayD, Ix2};
use tch::{Kind, Tensor};

use self::{masks::MaskDrawer, optimizer::Descent};
use crate::{
    Device,
    device::{cuda_status, tf32},
    engine::{Batch, Engine, MaskBits, Member, Views},
    losses::Loss,
    models::{self, Forward, Model, Parameters, Purpose},
    nn::no_grad,
    random::native::Key,
    spec::{
        Dtype, Predictor, TrainSpec, Turn,
        layout::{Layout, StateDict},
    },
};

/// Trains a cohort on one device with libtorch's autograd.
pub struct AutogradEngine {
    model: Box<dyn Model>,
    parameters: Parameters,
    train: TrainSpec,
    predictor: Predictor,
    /// Samples of all runs, `(R n, p)`.
    x: Tensor,
    runs: usize,
    descent: Descent,
    masks: MaskDrawer,
    /// Of the bits of a word, `(64,)`.
    positions: Tensor,
    /// Of the last batch, `(R, B, m)`.
    representation: Option<Tensor>,
    kind: Kind,
    device: tch::Device,
}

impl AutogradEngine {
    /// An engine for the members of a cohort. Fails if a member's state does not fit its model.
    pub fn new(members: &[Member], device: Device) -> Result<Self> {
        ensure!(!members.is_empty(), "a cohort has at least one run");
        Self::with_loss(members, members[0].spec.loss.shared(), device)
    }

    /// The same with a loss of the caller's instead of the settings'.
    pub fn with_loss(members: &[Member], loss: Arc<dyn Loss>, device: Device) -> Result<Self> {
        Self::with(members, loss, device, Purpose::Training)
    }

    /// An engine that sees the loss as a plain function of all parameters: for studying its shape, not for training.
    pub fn landscape(members: &[Member], device: Device) -> Result<Self> {
        ensure!(!members.is_empty(), "a cohort has at least one run");
        Self::with(members, members[0].spec.loss.shared(), device, Purpose::Landscape)
    }

    fn with(members: &[Member], loss: Arc<dyn Loss>, device: Device, purpose: Purpose) -> Result<Self> {
        ensure!(!members.is_empty(), "a cohort has at least one run");
        if device.is_cuda() {
            // Before any work on the CPU: libtorch's backward pass counts the devices only once.
            cuda_status().map_err(|reason| anyhow!("{device}: {reason}"))?;
            ensure!(tf32().is_none(), "the environment's {} must be 0", tf32().unwrap_or_default());
        }
        let device = tch::Device::from(device);
        let spec = &members[0].spec;
        let kind = match spec.dtype {
            Dtype::Float32 => Kind::Float,
            Dtype::Float64 => Kind::Double,
        };
        let states: Vec<_> = members.iter().map(|member| member.state.clone()).collect();
        let layout = Layout::of(&spec.model, spec.data.p);
        let parameters = Parameters::stack(layout, &states, kind, device)?;
        let samples: Vec<_> = members.iter().map(|member| &*member.x).collect();
        Ok(Self {
            model: models::build(&spec.model, loss, &parameters, purpose),
            descent: Descent::new(members, &parameters, kind, device)?,
            parameters,
            train: spec.train.clone(),
            predictor: spec.model.predictor,
            x: on_device(&samples, kind, device)?,
            runs: members.len(),
            masks: MaskDrawer::new(device),
            positions: Tensor::arange(64, (Kind::Int64, device)),
            representation: None,
            kind,
            device,
        })
    }

    /// Both views of a batch, `(R, B, p)`: the kept entries of the samples, times the scale.
    ///
    /// The samples' places and the masks' inputs travel to the device together, and nothing comes back.
    fn views(&mut self, batch: &Batch) -> (Tensor, Tensor) {
        let (r, p) = (self.runs as i64, self.x.size()[1]);
        let samples = self.x.size()[0] / r;
        let offsets = (0..r).map(|run| run * samples);
        let rows = batch
            .runs
            .iter()
            .zip(offsets)
            .flat_map(|(run, offset)| run.rows.iter().map(move |&row| offset + i64::from(row)));
        let mut numbers: Vec<i64> = rows.collect();
        let (places, pairs) = (numbers.len() as i64, numbers.len() as i64 / r);
        let bits: Vec<&MaskBits> = batch.runs.iter().map(|run| &run.masks).collect();
        numbers.extend(self.masks.numbers(&bits));
        let numbers = self.upload(&numbers);
        let samples = self.x.index_select(0, &numbers.narrow(0, 0, places)).reshape([r, pairs, p]) * batch.scale;
        let words = self.masks.words(&bits, &numbers.narrow(0, places, numbers.size()[0] - places), pairs);
        let kept = self.expand_bits(&words, p);
        let view = |view: usize| {
            let masked = &samples * kept.get(view as i64);
            match self.noise(batch, view) {
                Some(noise) => masked + noise,
                None => masked,
            }
        };
        (view(0), view(1))
    }

    /// What is added to a view, `(R, B, p)`, if anything.
    fn noise(&self, batch: &Batch, view: usize) -> Option<Tensor> {
        let of_runs: Option<Vec<_>> =
            batch.runs.iter().map(|run| run.noise.as_ref().map(|noise| &noise[view])).collect();
        let noise = stack(&of_runs?).expect("the noise of all runs has the shape of a view");
        Some(noise.to_kind(self.kind).to_device(self.device))
    }

    /// Numbers on the engine's device. A GPU fetches them when it gets there; the host does not wait.
    fn upload(&self, values: &[i64]) -> Tensor {
        let host = Tensor::from_slice(values);
        match self.device {
            tch::Device::Cuda(_) => {
                host.internal_pin_memory(self.device).to_device_(self.device, Kind::Int64, true, false)
            }
            _ => host,
        }
    }

    /// Mask words `(2, R, B, ceil(p / 64))` as zeros and ones `(2, R, B, p)`.
    fn expand_bits(&self, words: &Tensor, p: i64) -> Tensor {
        let bits = words.unsqueeze(4).bitwise_right_shift(&self.positions).bitwise_and_(1); // (2, R, B, words, 64)
        bits.flatten(3, 4).narrow(3, 0, p).to_kind(self.kind)
    }

    /// Explicit views as tensors, `(R, B, p)`.
    fn given(&self, views: &Views) -> Result<(Tensor, Tensor)> {
        let tensor = |x: &[Array2<f64>]| -> Result<Tensor> {
            Ok(stack(&x.iter().collect::<Vec<_>>())?.to_kind(self.kind).to_device(self.device))
        };
        Ok((tensor(&views.x1)?, tensor(&views.x2)?))
    }

    /// One tensor for every parameter that learns in this turn, by run and name.
    fn named(&self, tensors: &[Tensor], turn: Turn) -> Result<Vec<StateDict>> {
        let mut runs = vec![StateDict::new(); self.runs];
        for ((parameter, _), tensor) in self.parameters.learning(turn).zip(tensors) {
            for (run, value) in runs.iter_mut().zip(models::unstack(tensor)?) {
                run.insert(parameter.name.clone(), value);
            }
        }
        Ok(runs)
    }

    /// Losses `(R,)` and the gradient of every parameter that learns in this turn.
    ///
    /// The loss of a cohort is the sum over runs, so each run's gradient is its own.
    fn backward(&mut self, x1: &Tensor, x2: &Tensor, turn: Turn, keys: &[Key]) -> (Tensor, Vec<Tensor>) {
        let Forward { loss, representation } = self.model.forward(x1, x2, turn, keys);
        self.representation = Some(representation);
        let learning: Vec<&Tensor> = self.parameters.learning(turn).map(|(_, tensor)| tensor).collect();
        // Everything that would learn in this turn may be frozen.
        let gradients = match learning.is_empty() {
            true => Vec::new(),
            false => Tensor::run_backward(&[loss.sum(None)], &learning, false, false),
        };
        (loss.detach(), gradients)
    }

    /// Where nothing is said about a loss's draws.
    fn fixed_draws(&self) -> Vec<Key> {
        vec![Key::from_seed(0); self.runs]
    }

    /// One step. The losses, `(R,)`, stay on the device.
    fn advance(&mut self, batch: &Batch) -> Tensor {
        if let Some(samples) = &batch.samples {
            let samples: Vec<_> = samples.iter().map(|x| &**x).collect();
            self.x = on_device(&samples, self.kind, self.device).expect("the samples of all runs have one shape");
        }
        let (x1, x2) = no_grad(|| self.views(batch));
        let keys: Vec<Key> = batch.runs.iter().map(|run| run.draws).collect();
        let (loss, gradients) = self.backward(&x1, &x2, batch.turn, &keys);
        no_grad(|| {
            self.descent.step(&self.parameters, &gradients, batch.turn, batch.rate);
            constraints::apply(&self.train, self.predictor, &self.parameters);
        });
        loss
    }
}

impl Engine for AutogradEngine {
    fn step(&mut self, batch: &Batch) -> Result<Vec<f64>> {
        Ok(Vec::try_from(self.advance(batch).to_kind(Kind::Double))?)
    }

    fn steps(&mut self, batches: &mut dyn Iterator<Item = Batch>) -> Result<Vec<Vec<f64>>> {
        let losses: Vec<Tensor> = batches.map(|batch| self.advance(&batch)).collect();
        Ok(Vec::try_from(Tensor::stack(&losses, 0).to_kind(Kind::Double))?) // (batches, R)
    }

    fn gradients(&mut self, views: &Views, turn: Turn) -> Result<Vec<(f64, StateDict)>> {
        let (x1, x2) = self.given(views)?;
        let (loss, gradients) = self.backward(&x1, &x2, turn, &self.fixed_draws());
        let losses = Vec::<f64>::try_from(loss.to_kind(Kind::Double))?;
        Ok(losses.into_iter().zip(self.named(&gradients, turn)?).collect())
    }

    fn state(&self) -> Result<Vec<StateDict>> {
        self.parameters.states()
    }

    fn snapshot(&self) -> Result<Vec<StateDict>> {
        let mut states = self.parameters.states()?;
        self.descent.remember(&self.parameters, &mut states)?;
        Ok(states)
    }

    fn parameter(&self, name: &str) -> Result<Vec<ArrayD<f64>>> {
        self.parameters.values(name)
    }

    fn load(&mut self, states: &[StateDict]) -> Result<()> {
        self.parameters.load(states)
    }

    fn representations(&self) -> Result<Vec<Array2<f64>>> {
        let Some(representation) = &self.representation else { return Ok(Vec::new()) };
        models::unstack(representation)?.into_iter().map(|run| Ok(run.into_dimensionality::<Ix2>()?)).collect()
    }
}

/// Samples of all runs, `(R n, p)`.
fn on_device(samples: &[&Array2<f64>], kind: Kind, device: tch::Device) -> Result<Tensor> {
    Ok(stack(samples)?.to_kind(kind).to_device(device).flatten(0, 1))
}

/// `(R, rows, columns)`
fn stack(runs: &[&Array2<f64>]) -> Result<Tensor> {
    let tensors: Vec<Tensor> =
        runs.iter().map(|x| Tensor::try_from(x.as_standard_layout().into_owned())).collect::<Result<_, _>>()?;
    Ok(Tensor::stack(&tensors, 0))
}
