use std::ops::Range;

use anyhow::{Context, Result, ensure};
use ndarray::ArrayD;

use crate::spec::{
    Turn,
    layout::{Kind, Layout, Parameter, Site, StateDict},
};

/// Parameters and buffers of one run, one after the other in layout order, and their gradients beside them.
#[derive(Clone, Debug)]
pub struct Parameters {
    pub values: Vec<f32>,
    /// Of the last backward pass, place by place as in `values`; zero where it did not reach.
    pub gradients: Vec<f32>,
    /// Every parameter with its place.
    pub places: Vec<(Parameter, Range<usize>)>,
}

impl Parameters {
    /// Fails where the state lacks a tensor of the layout or has it in another shape.
    pub fn new(layout: Layout, state: &StateDict) -> Result<Self> {
        let mut length = 0;
        let place = |parameter: Parameter| {
            let start = length;
            length += parameter.shape.iter().product::<usize>();
            (parameter, start..length)
        };
        let places = layout.into_iter().map(place).collect();
        let mut parameters = Self { values: vec![0.0; length], gradients: vec![0.0; length], places };
        parameters.load(state)?;
        Ok(parameters)
    }

    /// Replaces every value. Fails as [`Self::new`] does, changing nothing.
    pub fn load(&mut self, state: &StateDict) -> Result<()> {
        let mut values = Vec::with_capacity(self.values.len());
        for (Parameter { name, shape, .. }, _) in &self.places {
            let value = state.get(name).with_context(|| format!("the state has no {name}"))?;
            ensure!(value.shape() == shape, "{name} has shape {:?}, but the model needs {shape:?}", value.shape());
            values.extend(value.iter().map(|&value| value as f32));
        }
        self.values = values;
        Ok(())
    }

    /// A parameter and its place; none where the model does not have it.
    pub fn find(&self, is_wanted: impl Fn(&Parameter) -> bool) -> Option<(&Parameter, Range<usize>)> {
        let found = self.places.iter().find(|(parameter, _)| is_wanted(parameter));
        found.map(|(parameter, place)| (parameter, place.clone()))
    }

    /// Place of a parameter; none where the model does not have it.
    pub fn place(&self, site: Site, kind: Kind) -> Option<Range<usize>> {
        self.find(|parameter| parameter.site == site && parameter.kind == kind).map(|(_, place)| place)
    }

    /// Place of a layer's bias, trained or constant; none where it has none.
    pub fn bias(&self, site: Site) -> Option<Range<usize>> {
        self.find(|parameter| parameter.site == site && parameter.is_bias()).map(|(_, place)| place)
    }

    /// Parameters and buffers as they are now.
    pub fn state(&self) -> StateDict {
        let named = |(parameter, place): &(Parameter, Range<usize>)| {
            (parameter.name.clone(), array(parameter, &self.values[place.clone()]))
        };
        self.places.iter().map(named).collect()
    }

    /// One parameter as it is now.
    pub fn value(&self, name: &str) -> Result<ArrayD<f64>> {
        let found = self.find(|parameter| parameter.name == name);
        let (parameter, place) = found.with_context(|| format!("the model has no parameter {name}"))?;
        Ok(array(parameter, &self.values[place]))
    }

    /// Gradients of the parameters that learn in this turn.
    pub fn gradients(&self, turn: Turn) -> StateDict {
        self.learning(turn, &self.gradients)
    }

    /// Of `numbers`, one for every value, those of the parameters that learn in this turn.
    pub fn learning(&self, turn: Turn, numbers: &[f32]) -> StateDict {
        let learning = self.places.iter().filter(|(parameter, _)| parameter.learns(turn));
        let named = |(parameter, place): &(Parameter, Range<usize>)| {
            (parameter.name.clone(), array(parameter, &numbers[place.clone()]))
        };
        learning.map(named).collect()
    }
}

/// Values of a parameter in its shape.
pub fn array(parameter: &Parameter, values: &[f32]) -> ArrayD<f64> {
    let values = values.iter().map(|&value| f64::from(value)).collect();
    ArrayD::from_shape_vec(parameter.shape.clone(), values).expect("a place is as long as its shape says")
}
