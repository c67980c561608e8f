//! What is done to the parameters after a step: EMA target, unit rows or columns, clamped biases.

use tch::Tensor;

use crate::{
    models::Parameters,
    spec::{
        Normalization, Part, Predictor, TrainSpec, Turns,
        layout::{Kind, Site},
    },
};

/// Applies everything that the settings ask for, in the order of the authors' `alternate_train`; then a predictor in closed
/// form.
pub fn apply(train: &TrainSpec, predictor: Predictor, parameters: &Parameters) {
    if let Turns::Ema { decay } = train.turns {
        follow(parameters, decay);
    }
    for (parameter, weight) in parameters.iter().filter(|(parameter, _)| parameter.kind == Kind::Weight) {
        match parameter.site.part {
            Part::Encoder | Part::Target => normalize(weight, parameter.site.part, train.normalize_encoder),
            Part::Predictor => normalize(weight, parameter.site.part, train.normalize_predictor),
            Part::Projector => {}
        }
    }
    if let Some(limit) = train.clamp_bias {
        for (_, bias) in parameters.iter().filter(|(parameter, _)| parameter.is_encoder_bias()) {
            let _ = bias.shallow_clone().clamp_(-limit, limit);
        }
    }
    if let Predictor::Direct { power, epsilon, .. } = predictor {
        predict_directly(parameters, power, epsilon);
    }
}

/// The predictor `(R, m, m)` from the second moment of what it is given: the same eigenvectors, eigenvalues
/// `(s_j / s_1)^power + epsilon`.
fn predict_directly(parameters: &Parameters, power: f64, epsilon: f64) {
    let site = Site::first(Part::Predictor);
    let [weight, moment] = [Kind::Weight, Kind::Moment]
        .map(|kind| parameters.get(site, kind).expect("a predictor in closed form has both"));
    let (values, vectors) = moment.linalg_eigh("L"); // ascending
    let largest = values.narrow(1, values.size()[1] - 1, 1);
    let shares = (values.clamp_min(0.0) / largest.clamp_min(f64::MIN_POSITIVE)).pow_tensor_scalar(power) + epsilon;
    weight.shallow_clone().copy_(&(&vectors * shares.unsqueeze(1)).bmm(&vectors.transpose(1, 2)));
}

/// BYOL's target: `W^t <- decay W^t + (1 - decay) W^o`, and the same for the bias.
fn follow(parameters: &Parameters, decay: f64) {
    for (parameter, target) in parameters.iter() {
        if parameter.site.part == Part::Target && matches!(parameter.kind, Kind::Weight | Kind::Bias) {
            let online = parameters.get(parameter.twin(), parameter.kind).expect("the encoders are twins");
            target.shallow_clone().copy_(&(target * decay + online * (1.0 - decay)));
        }
    }
}

/// Scales the weight `(R, m, p)` in place.
fn normalize(weight: &Tensor, part: Part, by: Normalization) {
    // The authors' encoders start from a transposed array and stay transposed in memory; their predictors do not. The
    // memory layout decides the order in which libtorch adds up the squares, and so the last bit.
    let stored = match part {
        Part::Encoder | Part::Target => weight.transpose(1, 2).contiguous().transpose(1, 2),
        Part::Projector | Part::Predictor => weight.shallow_clone(),
    };
    let norm = |dim: i64| stored.norm_scalaropt_dim(2.0, [dim].as_slice(), true);
    let divisor = match by {
        Normalization::None => return,
        Normalization::Rows => norm(2),
        Normalization::Columns => norm(1),
        Normalization::CrossedColumns => norm(1).transpose(1, 2),
    };
    let _ = weight.shallow_clone().g_div_(&divisor);
}
