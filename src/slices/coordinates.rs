use anyhow::{Context, Result};
use ndarray::{Array1, ArrayD, ArrayViewMut1, IxDyn, s};

use crate::{
    random::Draws,
    spec::{
        RunSpec, Turn,
        layout::{Kind, Layout, Parameter, StateDict},
    },
};

/// All parameters of a network as one vector.
pub type Point = Array1<f64>;

/// Where in a [`Point`] every parameter lies, in layout order. Batch norm's buffers have no place: in training the loss
/// does not depend on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinates(Vec<Parameter>);

impl Coordinates {
    /// The parameters of a run's network.
    pub fn of(spec: &RunSpec) -> Self {
        let is_buffer = |kind| matches!(kind, Kind::RunningMean | Kind::RunningVar | Kind::BatchCount | Kind::Moment);
        let all = Layout::of(&spec.model, spec.data.p);
        Self(all.into_iter().filter(|parameter| !is_buffer(parameter.kind)).collect())
    }

    /// Only those that learn in a turn.
    pub fn learning(&self, turn: Turn) -> Self {
        Self(self.0.iter().filter(|parameter| parameter.learns(turn)).cloned().collect())
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(size).sum()
    }

    /// Whether nothing is left, as where nothing learns in a turn.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parameters as a vector.
    pub fn flatten(&self, state: &StateDict) -> Result<Point> {
        let mut point = Vec::with_capacity(self.len());
        for parameter in &self.0 {
            let name = &parameter.name;
            point.extend(state.get(name).with_context(|| format!("the state has no {name}"))?.iter().copied());
        }
        Ok(Point::from(point))
    }

    /// Writes the parameters of a vector into a state, beside what else it holds.
    pub fn unflatten(&self, point: &Point, state: &mut StateDict) {
        let mut from = 0;
        for parameter in &self.0 {
            let values = point.slice(s![from..from + size(parameter)]).to_vec();
            let value =
                ArrayD::from_shape_vec(IxDyn(&parameter.shape), values).expect("as many values as the shape says");
            state.insert(parameter.name.clone(), value);
            from += size(parameter);
        }
    }

    /// A random direction in which the weights of every neuron are as long as at `point`; whatever is not a weight, or
    /// does not learn in this turn, stays fixed (Li et al. 2018, "filter normalisation").
    pub fn filter_normalized(&self, point: &Point, turn: Turn, draws: &mut impl Draws) -> Point {
        let mut direction = Point::zeros(point.len());
        let mut from = 0;
        for parameter in &self.0 {
            let to = from + size(parameter);
            if parameter.kind == Kind::Weight && parameter.learns(turn) {
                let filters = if parameter.shape.len() == 2 { parameter.shape[0] } else { 1 };
                let length = size(parameter) / filters;
                for at in (from..to).step_by(length) {
                    let filter = point.slice(s![at..at + length]);
                    let random = direction.slice_mut(s![at..at + length]);
                    fill(random, filter.dot(&filter).sqrt(), draws);
                }
            }
            from = to;
        }
        direction
    }
}

fn size(parameter: &Parameter) -> usize {
    parameter.shape.iter().product()
}

/// Normal entries, scaled to a length.
fn fill(mut filter: ArrayViewMut1<f64>, length: f64, draws: &mut impl Draws) {
    filter.mapv_inplace(|_| draws.normal());
    let drawn = filter.dot(&filter).sqrt();
    filter *= length / drawn;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{Dataset, RunStreams, initial_state},
        random::native::Key,
        spec::resolve,
    };

    fn spec(settings: &str) -> RunSpec {
        resolve(&[&serde_yaml::from_str(settings).unwrap()]).unwrap()
    }

    fn state(spec: &RunSpec) -> StateDict {
        let mut streams = RunStreams::new(spec.random, spec.seed);
        let dictionary = Dataset::draw(&spec.data, &mut streams).dictionary;
        initial_state(spec, &dictionary, &mut streams)
    }

    const SMALL: &str =
        "{method: ncl-predictor, data: {p: 4, d: 3, samples: 20}, model: {m: 5}, train: {batch_size: 10}}";

    #[test]
    fn a_state_survives_as_a_vector() {
        let spec = spec(SMALL);
        let (coordinates, state) = (Coordinates::of(&spec), state(&spec));
        let point = coordinates.flatten(&state).unwrap();
        assert_eq!(point.len(), coordinates.len());
        let mut again = state.clone();
        coordinates.unflatten(&(&point + 1.0), &mut again);
        assert_eq!(again["Wo.weight"], &state["Wo.weight"] + 1.0);
        assert_eq!(again["bno.running_var"], state["bno.running_var"]);
        coordinates.unflatten(&point, &mut again);
        assert_eq!(again, state);
    }

    #[test]
    fn random_directions_are_as_long_as_the_filters() {
        let spec = spec(SMALL);
        let (coordinates, state) = (Coordinates::of(&spec), state(&spec));
        let point = coordinates.flatten(&state).unwrap();
        let random = coordinates.filter_normalized(&point, Turn::Online, &mut Key::from_seed(1).stream());
        let mut direction = state.clone();
        coordinates.unflatten(&random, &mut direction);
        for weight in ["Wo.weight", "Wp.weight"] {
            for (random, own) in direction[weight].outer_iter().zip(state[weight].outer_iter()) {
                let square = |filter: ndarray::ArrayViewD<f64>| filter.iter().map(|entry| entry * entry).sum::<f64>();
                assert!((square(random) / square(own) - 1.0).abs() < 1e-12, "{weight}");
            }
        }
        for still in ["Wt.weight", "Wp.bias", "bno.weight"] {
            assert!(direction[still].iter().all(|&entry| entry == 0.0), "{still}");
        }
    }
}
