use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use ndarray::ArrayD;
use tch::{Device, Kind, Tensor};

use crate::{
    nn::no_grad,
    spec::{
        Turn,
        layout::{self, Layout, Parameter, Site, StateDict},
    },
};

/// The parameters and buffers of a cohort as libtorch tensors, `(R, ...)`, in layout order.
#[derive(Debug)]
pub struct Parameters {
    entries: IndexMap<String, (Parameter, Tensor)>,
    runs: usize,
}

impl Parameters {
    /// Stacks the runs' states. Fails where a state lacks a tensor of the layout or has it in another shape.
    pub fn stack(layout: Layout, states: &[StateDict], kind: Kind, device: Device) -> Result<Self> {
        let mut entries = IndexMap::new();
        for parameter in layout {
            let tensor = stack(&parameter, states)?.to_kind(kind).to_device(device);
            let tensor = tensor.set_requires_grad(parameter.trained);
            entries.insert(parameter.name.clone(), (parameter, tensor));
        }
        Ok(Self { entries, runs: states.len() })
    }

    /// The tensor itself, sharing storage; `None` where the model has no such parameter.
    pub fn get(&self, site: Site, kind: layout::Kind) -> Option<Tensor> {
        self.find(|parameter| parameter.site == site && parameter.kind == kind)
    }

    /// The layer's bias, trained or constant.
    pub fn bias(&self, site: Site) -> Option<Tensor> {
        self.find(|parameter| parameter.site == site && parameter.is_bias())
    }

    fn find(&self, is_wanted: impl Fn(&Parameter) -> bool) -> Option<Tensor> {
        let found = self.entries.values().find(|(parameter, _)| is_wanted(parameter));
        found.map(|(_, tensor)| tensor.shallow_clone())
    }

    /// Parameters that learn in this turn.
    pub fn learning(&self, turn: Turn) -> impl Iterator<Item = (&Parameter, &Tensor)> {
        self.entries.values().filter(move |(parameter, _)| parameter.learns(turn)).map(|(p, t)| (p, t))
    }

    /// All parameters and buffers.
    pub fn iter(&self) -> impl Iterator<Item = (&Parameter, &Tensor)> {
        self.entries.values().map(|(p, t)| (p, t))
    }

    /// One tensor of each run.
    pub fn values(&self, name: &str) -> Result<Vec<ArrayD<f64>>> {
        let (_, tensor) = self.entries.get(name).with_context(|| format!("the model has no parameter {name}"))?;
        unstack(tensor)
    }

    /// The state of each run.
    pub fn states(&self) -> Result<Vec<StateDict>> {
        let mut states = vec![StateDict::new(); self.runs];
        for (name, (_, tensor)) in &self.entries {
            for (state, value) in states.iter_mut().zip(unstack(tensor)?) {
                state.insert(name.clone(), value);
            }
        }
        Ok(states)
    }

    /// Overwrites every tensor in place.
    pub fn load(&mut self, states: &[StateDict]) -> Result<()> {
        ensure!(states.len() == self.runs, "{} states for {} runs", states.len(), self.runs);
        for (parameter, tensor) in self.entries.values() {
            let value = stack(parameter, states)?;
            no_grad(|| tensor.shallow_clone().copy_(&value));
        }
        Ok(())
    }
}

fn stack(parameter: &Parameter, states: &[StateDict]) -> Result<Tensor> {
    let name = &parameter.name;
    let mut rows = Vec::with_capacity(states.len());
    for state in states {
        let value = state.get(name).with_context(|| format!("the state has no {name}"))?;
        ensure!(
            value.shape() == parameter.shape,
            "{name} has shape {:?}, but the model needs {:?}",
            value.shape(),
            parameter.shape
        );
        rows.push(Tensor::try_from(value.as_standard_layout().into_owned())?);
    }
    Ok(Tensor::stack(&rows, 0))
}

/// One array for each run of `(R, ...)`.
pub fn unstack(tensor: &Tensor) -> Result<Vec<ArrayD<f64>>> {
    let host = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double);
    let all: ArrayD<f64> = (&host).try_into()?;
    Ok(all.outer_iter().map(|run| run.to_owned()).collect())
}
