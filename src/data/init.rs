use ndarray::{Array2, ArrayD, IxDyn};

use super::RunStreams;
use crate::{
    random::{Draws, native::Purpose},
    spec::{
        Bias, Init, Part, Predictor, RunSpec,
        layout::{Kind, Layout, Parameter, StateDict},
    },
};

/// Draws the initial parameters of a run, given its dictionary `(p, d)`.
///
/// In the authors' order: first the encoders' weights from the data's stream (W^o, W^t, then the second layers), then
/// nn.Linear's values for every linear map in construction order; those for the encoders' weights go unused.
pub fn initial_state(spec: &RunSpec, dictionary: &Array2<f64>, streams: &mut RunStreams) -> StateDict {
    let layout = Layout::of(&spec.model, spec.data.p);
    let encoder_weights = encoder_weights(spec, &layout, dictionary, streams);
    let mut state = StateDict::new();
    let mut modules = 0;
    for parameter in layout.iter() {
        let shape = IxDyn(&parameter.shape);
        let value = match parameter.kind {
            Kind::Weight => {
                let (weight, bias) = linear_values(spec, parameter, &layout, modules, streams);
                modules += 1;
                if let Some(bias) = bias {
                    let name = &layout.bias(parameter.site).expect("a bias was drawn where there is one").name;
                    state.insert(name.clone(), array(&[spec.model.m], bias));
                }
                match encoder_weights.get(&parameter.name) {
                    Some(weight) => weight.clone().into_dyn(),
                    None => array(&parameter.shape, weight),
                }
            }
            // Drawn with its weight.
            Kind::Bias => continue,
            Kind::ConstantBias => match spec.model.bias {
                Bias::Constant { value } => ArrayD::from_elem(shape, value),
                _ => ArrayD::zeros(shape),
            },
            Kind::NormScale | Kind::RunningVar => ArrayD::ones(shape),
            Kind::NormShift | Kind::RunningMean | Kind::BatchCount | Kind::Moment => ArrayD::zeros(shape),
        };
        state.insert(parameter.name.clone(), value);
    }
    // Biases were inserted before their weights; restore the layout order.
    layout.iter().filter_map(|parameter| state.shift_remove_entry(&parameter.name)).collect()
}

/// The encoders' weights by name, each layer `(m, inputs)`: depth by depth, online before target.
fn encoder_weights(
    spec: &RunSpec,
    layout: &Layout,
    dictionary: &Array2<f64>,
    streams: &mut RunStreams,
) -> indexmap::IndexMap<String, Array2<f64>> {
    let of = |part: Part| {
        layout.iter().filter(move |parameter| parameter.site.part == part && parameter.kind == Kind::Weight)
    };
    let (online, target): (Vec<_>, Vec<_>) = (of(Part::Encoder).collect(), of(Part::Target).collect());
    let mut weights = indexmap::IndexMap::new();
    for (depth, layer) in online.iter().enumerate() {
        let twins = [(Some(*layer), Purpose::OnlineInit), (target.get(depth).copied(), Purpose::TargetInit)];
        for (parameter, purpose) in twins {
            let Some(parameter) = parameter else { continue };
            let draws = &mut *streams.draws(purpose, depth as u64);
            let weight = encoder_weight(draws, spec.model.init, dictionary, parameter.shape[1], spec.model.m);
            weights.insert(parameter.name.clone(), weight);
        }
    }
    weights
}

/// One encoder weight, `(m, inputs)`: Gaussian, or atoms of the dictionary with Gaussian noise.
///
/// With more neurons than atoms, the neurons' atoms are picked first, even where a random start has no use for them, as
/// the authors do.
fn encoder_weight(draws: &mut dyn Draws, init: Init, dictionary: &Array2<f64>, inputs: usize, m: usize) -> Array2<f64> {
    let d = dictionary.ncols();
    let atoms: Vec<usize> = if m > d { (0..m).map(|_| draws.below(d)).collect() } else { (0..d).collect() };
    let mut gaussian = |sigma: f64| {
        let values: Vec<f64> = (0..inputs * m).map(|_| sigma * draws.normal()).collect();
        Array2::from_shape_vec((inputs, m), values).expect("m values for each input")
    };
    let columns = match init {
        Init::Random { scale } => gaussian(scale * (1.0 / (inputs * d) as f64).sqrt()),
        Init::Warm { closeness } => {
            let atoms = dictionary.select(ndarray::Axis(1), &atoms); // (p, m)
            match closeness {
                c if c > 0.0 => atoms + gaussian(1.0 / (inputs as f64).powf(c / 2.0)),
                _ => atoms,
            }
        }
    };
    columns.t().as_standard_layout().into_owned()
}

/// nn.Linear's draws for the module whose weight is `parameter`: weight and, if the module has one, bias.
fn linear_values(
    spec: &RunSpec,
    parameter: &Parameter,
    layout: &Layout,
    module: u64,
    streams: &mut RunStreams,
) -> (Vec<f64>, Option<Vec<f64>>) {
    let m = spec.model.m;
    if parameter.site.part == Part::Predictor && spec.model.predictor == Predictor::Diagonal {
        return (streams.diagonal(module, m), Some(vec![0.0; m]));
    }
    let has_bias = layout.find(parameter.site, Kind::Bias).is_some();
    let (mut weight, mut bias) = streams.linear(module, parameter.shape[1], m, has_bias);
    match parameter.site.part {
        Part::Encoder | Part::Target if spec.model.bias == Bias::Zero => {
            bias.iter_mut().for_each(|bias| bias.fill(0.0));
        }
        Part::Predictor if matches!(spec.model.predictor, Predictor::Identity { .. } | Predictor::Direct { .. }) => {
            weight = Array2::eye(m).into_raw_vec_and_offset().0;
        }
        _ => {}
    }
    (weight, bias)
}

fn array(shape: &[usize], values: Vec<f64>) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), values).expect("as many values as the shape says")
}
