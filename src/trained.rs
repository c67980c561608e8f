use std::{ops::ControlFlow, sync::Arc};

use anyhow::{Result, ensure};

use crate::{
    Device,
    engine::{Engine, Member},
    fused::FusedEngine,
    losses::Loss,
    metrics::Row,
    runner::{self, EngineChoice, EngineKind},
    spec::{RunSpec, layout::StateDict},
    train::{self, Cohort},
};

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Trained {
    /// One row for each measurement, from the initial state (epoch 0) to the last epoch; `metrics.every` says how often.
    pub rows: Vec<Row>,
    /// Parameters and buffers under PyTorch's names, weights `(m, p)`: what `final.safetensors` holds.
    pub state: StateDict,
}

/// Trains one run in memory on the CPU: by the fused engine where it applies, else by autograd. The same numbers as
/// `landscape run` writes for these settings.
///
/// ```
/// use contrastive_landscape::{RunSpec, train};
///
/// let spec: RunSpec = "{method: ncl, data: {samples: 64}, train: {epochs: 2, batch_size: 32}}".parse()?;
/// let run = train(&spec)?;
/// assert_eq!(run.rows.len(), 3); // the start and two epochs
/// assert_eq!(run.state["Wo.weight"].shape(), [spec.model.m, spec.data.p]);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Errors
/// Settings that need libtorch in a build without it.
pub fn train(spec: &RunSpec) -> Result<Trained> {
    let engine = EngineChoice::Auto.choose(spec, Device::Cpu)?;
    trained(spec, |members| runner::build(engine, members, Device::Cpu))
}

/// As [`train()`], with the caller's own loss in place of `spec.loss`: see `examples/own_loss.rs`. A loss with a
/// [kernel](Loss::kernel) is trained by the fused engine where that applies, any other by autograd.
///
/// # Errors
/// Settings of the loss that make no sense, a loss whose [sides](Loss::sides) do not fit the model's family, or
/// anything that needs libtorch in a build without it.
pub fn train_with_loss(spec: &RunSpec, loss: Arc<dyn Loss>) -> Result<Trained> {
    loss.check()?;
    let (needed, sides) = (spec.model.family.sides(), loss.sides());
    ensure!(needed == sides, "this model.family trains a loss of {needed:?}; yours has {sides:?}");
    let fused = loss.kernel().is_some() && FusedEngine::supports_network(spec);
    let engine = if fused { EngineKind::Fused } else { EngineKind::Autograd };
    trained(spec, |members| runner::build_with_loss(engine, members, loss, Device::Cpu))
}

fn trained(spec: &RunSpec, build: impl FnOnce(&[Member]) -> Result<Box<dyn Engine>>) -> Result<Trained> {
    let mut cohort = Cohort::draw(&[Arc::new(spec.clone())])?;
    let mut engine = build(cohort.members())?;
    let mut rows = Vec::new();
    train::train(&mut cohort, &mut *engine, |_, measured| {
        rows.extend(measured);
        ControlFlow::Continue(())
    })?;
    let state = engine.state()?.remove(0);
    Ok(Trained { rows, state })
}
