//! What types cannot express: settings that do not fit together.

use super::{
    Activation, BatchNorm, Bias, Dtype, Family, Init, LossSpec, Normalization, Predictor, Projector, Random, RunSpec,
    Turns, check_data,
};
use crate::fault::{Fault, ensure, positive};

/// Checks ranges and combinations; the fault names the key to change and what would be valid.
pub fn validate(spec: &RunSpec) -> Result<(), Fault> {
    ensure(spec.random == Random::Native || u32::try_from(spec.seed).is_ok(), "seed", || {
        format!("NumPy's generator takes seeds below 2^32, not {}", spec.seed)
    })?;
    check_data::check(spec)?;
    sizes(spec)?;
    model(spec)?;
    loss(spec)?;
    train(spec)?;
    if spec.dtype == Dtype::Float32 { single_precision(spec) } else { Ok(()) }
}

/// Numbers that steps are computed with are numbers in the precision of the steps. (Of the learning rate, the steps' lengths
/// tell: a run with too large a one diverges.)
fn single_precision(spec: &RunSpec) -> Result<(), Fault> {
    let mut train = serde_json::to_value(&spec.train).unwrap_or_default();
    if let Some(train) = train.as_object_mut() {
        train.remove("lr");
    }
    let blocks = [
        ("model.bias", serde_json::to_value(spec.model.bias).unwrap_or_default()),
        ("loss", serde_json::to_value(spec.loss).unwrap_or_default()),
        ("train", train),
    ];
    blocks.iter().try_for_each(|(path, block)| representable(path, block))
}

fn representable(path: &str, value: &serde_json::Value) -> Result<(), Fault> {
    match value {
        serde_json::Value::Number(number) => {
            let fits = number.as_f64().is_none_or(|number| (number as f32).is_finite());
            ensure(fits, path, || format!("{number} is infinite in float32; choose a smaller one, or dtype: float64"))
        }
        serde_json::Value::Object(block) => {
            block.iter().try_for_each(|(key, value)| representable(&format!("{path}.{key}"), value))
        }
        serde_json::Value::Array(items) => items.iter().try_for_each(|item| representable(path, item)),
        _ => Ok(()),
    }
}

/// The most numbers in one array: 512 GiB of them. Beyond this a size is a slip, and products of sizes might overflow.
const MOST: usize = 1 << 36;

/// Views of one kind in a batch, at most: the square of this can be counted, as losses over pairs of views do.
const MOST_ROWS: usize = 1 << 29;

/// Epochs, at most: a billion, which takes the smallest run a week.
const MOST_EPOCHS: usize = 1_000_000_000;

fn sizes(spec: &RunSpec) -> Result<(), Fault> {
    let (p, m, widest) = (spec.data.p, spec.model.m, spec.data.p.max(spec.model.m));
    let products = [
        ("data.samples", "samples times p", [spec.data.samples, p, 1]),
        ("data.p", "p times p", [p, p, 1]),
        ("data.d", "samples times d", [spec.data.samples, spec.data.d, 1]),
        ("data.d", "d times the wider of m and p", [spec.data.d, widest, 1]),
        ("model.m", "m times the wider of m and p", [m, widest, 1]),
        (
            "views.pairs",
            "batch_size times pairs times the wider of m and p",
            [spec.train.batch_size, spec.views.pairs, widest],
        ),
    ];
    for (path, what, factors) in products {
        let product = factors.into_iter().try_fold(1, usize::checked_mul);
        ensure(product.is_some_and(|product| product <= MOST), path, || {
            format!("{what} is more than the {MOST} numbers that an array may hold")
        })?;
    }
    let rows = spec.train.batch_size.checked_mul(spec.views.pairs);
    ensure(rows.is_some_and(|rows| rows <= MOST_ROWS), "views.pairs", || {
        format!("batch_size times pairs is more than {MOST_ROWS}")
    })
}

pub(super) fn at_least_one(path: &str, value: usize) -> Result<(), Fault> {
    ensure(value >= 1, path, || "must be at least 1".into())
}

fn model(spec: &RunSpec) -> Result<(), Fault> {
    let model = &spec.model;
    at_least_one("model.m", model.m)?;
    ensure(matches!(model.layers, 1 | 2), "model.layers", || format!("1 or 2, not {}", model.layers))?;
    if matches!(model.activation, Activation::Srelu | Activation::SymRelu) {
        ensure(model.bias != Bias::None, "model.bias", || {
            "a symmetric ReLU takes the bias as its threshold; use zero, uniform or constant, or another activation"
                .into()
        })?;
    }
    if let Init::Random { scale } = model.init {
        ensure(scale.is_finite() && scale >= 0.0, "model.init.scale", || format!("at least 0, not {scale}"))?;
        ensure(scale == 1.0 || spec.random == Random::Native, "model.init.scale", || {
            "the authors' scripts have no such setting; use random: native".into()
        })?;
    }
    if let Init::Warm { closeness } = model.init {
        ensure(closeness.is_finite(), "model.init.closeness", || format!("a number, not {closeness}"))?;
        ensure(model.m >= spec.data.d, "model.m", || {
            format!("a warm start needs a neuron for every atom: m >= d = {}", spec.data.d)
        })?;
        ensure(model.layers == 1 || model.m == spec.data.p, "model.m", || {
            format!("a warm start of two layers takes atoms for both, which needs m = p = {}", spec.data.p)
        })?;
    }
    ensure(model.projector != Projector::Hidden || model.family == Family::SimSiam, "model.projector", || {
        "a hidden projector belongs to the simsiam family; use none or linear".into()
    })?;
    ensure(model.projector == Projector::None || model.family != Family::NonContrastive, "model.projector", || {
        "the non_contrastive family has no projector".into()
    })?;
    ensure(model.predictor == Predictor::None || model.family != Family::Contrastive, "model.predictor", || {
        "the contrastive family has no predictor (its head is model.projector)".into()
    })?;
    if let Predictor::Direct { decay, power, epsilon, .. } = model.predictor {
        ensure((0.0..1.0).contains(&decay), "model.predictor.decay", || format!("from 0 to less than 1, not {decay}"))?;
        positive("model.predictor.power", power)?;
        ensure(epsilon.is_finite() && epsilon >= 0.0, "model.predictor.epsilon", || {
            format!("at least 0, not {epsilon}")
        })?;
        ensure(spec.random == Random::Native, "model.predictor", || {
            "the authors' scripts have no predictor in closed form; use random: native".into()
        })?;
    }
    Ok(())
}

fn loss(spec: &RunSpec) -> Result<(), Fault> {
    let needed = spec.model.family.sides();
    let fitting = || LossSpec::all().into_iter().filter(|loss| loss.sides() == needed).map(|loss| loss.kind());
    ensure(spec.loss.sides() == needed, "loss.kind", || {
        format!("with this model.family, one of {}; not {}", fitting().collect::<Vec<_>>().join(", "), spec.loss.kind())
    })?;
    ensure(!spec.loss.draws() || spec.random == Random::Native, "loss.kind", || {
        format!("{} draws at every step, which the authors' scripts do not; use random: native", spec.loss.kind())
    })?;
    let penalized = spec.loss.weight_penalty() != 0.0;
    ensure(!penalized || spec.model.family == Family::NonContrastive, "loss.weight_penalty", || {
        "only the non_contrastive family has the two encoders that it is for".into()
    })?;
    spec.loss
        .check()
        .map_err(|fault| Fault { path: format!("loss.{}", fault.path), message: format!("loss.{}", fault.message) })
}

fn train(spec: &RunSpec) -> Result<(), Fault> {
    let train = &spec.train;
    at_least_one("train.epochs", train.epochs)?;
    ensure(train.epochs <= MOST_EPOCHS, "train.epochs", || format!("at most {MOST_EPOCHS}, not {}", train.epochs))?;
    at_least_one("train.batch_size", train.batch_size)?;
    let n = spec.data.samples;
    ensure(train.batch_size <= n, "train.batch_size", || {
        format!("a batch of {} does not fit into data.samples = {n}", train.batch_size)
    })?;
    let smallest = spec.smallest_batch().saturating_mul(spec.views.pairs);
    let normalizes = !matches!(spec.model.batch_norm, BatchNorm::None | BatchNorm::Idle);
    ensure(!normalizes || smallest > 1, "train.batch_size", || {
        "batch norm needs more than one sample in every batch".into()
    })?;
    positive("train.lr", train.lr)?;
    train.optimizer.check()?;
    train.schedule.check(train.epochs)?;
    ensure(train.turns == Turns::Joint || spec.model.family == Family::NonContrastive, "train.turns", || {
        "only the non_contrastive family has two encoders to take turns; use joint".into()
    })?;
    if let Turns::Ema { decay } = train.turns {
        ensure((0.0..=1.0).contains(&decay), "train.turns.decay", || format!("from 0 to 1, not {decay}"))?;
    }
    ensure(train.normalize_encoder != Normalization::CrossedColumns, "train.normalize_encoder", || {
        "crossed_columns is for square predictors; use none, rows or columns".into()
    })?;
    ensure(
        train.normalize_predictor == Normalization::None
            || matches!(
                spec.model.predictor,
                Predictor::Linear { .. } | Predictor::Identity { .. } | Predictor::Idle { .. }
            ),
        "train.normalize_predictor",
        || "there is no linear predictor to normalise".into(),
    )?;
    if let Some(limit) = train.clamp_bias {
        positive("train.clamp_bias", limit)?;
    }
    at_least_one("metrics.every", spec.metrics.every)
}
