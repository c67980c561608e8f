//! How much work a run is: for progress, balanced shards and shares of a sweep.

use crate::{
    fused::FusedEngine,
    spec::{BatchNorm, Family, Predictor, Projector, RunSpec},
};

/// Estimated seconds of a whole run on one CPU core.
///
/// A sum over the parts of a step, with the time of each fitted to 20 settings of the fused engine on one core (of an
/// AMD EPYC with AVX-512): off by 11% at most, over settings whose times span a factor of 34. Another machine is faster
/// or slower as a whole, which does not affect shares. Only sums and products of exact numbers are taken, so every
/// machine computes the same.
pub fn work(spec: &RunSpec) -> f64 {
    let epoch = train_nanoseconds(spec) + measure_nanoseconds(spec);
    spec.train.epochs as f64 * epoch * 1e-9
}

/// [`work`] in whole microseconds.
pub fn work_units(spec: &RunSpec) -> u64 {
    (work(spec) * 1e6) as u64
}

/// Estimated seconds of whole runs on this many CPU cores: of all of them together, and of the longest.
pub fn on_cores<'a>(specs: impl Iterator<Item = &'a RunSpec>, cores: usize) -> f64 {
    let (sum, longest) = specs.map(work).fold((0.0, 0.0), |(sum, longest), work| (sum + work, work.max(longest)));
    (sum / cores as f64).max(longest)
}

/// Estimated seconds of a cohort on a GPU by autograd: a step takes the time in which the host starts its kernels or, in large cohorts,
/// the time in which their numbers pass through the GPU's memory.
///
/// On paper, for a card like the H100, from the launches and the bytes of a step; none of this was measured on a GPU.
pub fn on_gpu<'a>(specs: impl Iterator<Item = &'a RunSpec>) -> f64 {
    let of = |spec: &RunSpec| {
        let epochs = spec.train.epochs as f64;
        (spec.steps() as f64 * LAUNCHES, epochs * fused_nanoseconds(spec) * 1e-9 / CORES)
    };
    let (launches, traffic) =
        specs.map(of).fold((0.0, 0.0), |(a, b), (launches, traffic)| (launches.max(a), traffic + b));
    launches.max(traffic)
}

/// Waves in which a cohort passes through a GPU whose multiprocessors have a block of threads each: a block trains one run
/// after the other.
pub fn waves(runs: usize, multiprocessors: usize) -> usize {
    runs.div_ceil(multiprocessors.max(1))
}

/// Estimated seconds of a cohort on a GPU by the fused engine's kernels, and of what `cores` measure between the epochs: a wave
/// takes the time of one run on one multiprocessor, and every epoch is a launch.
///
/// On paper, for a card like the H100, from the cycles that the kernels' loops wait for memory; none of this was measured on a
/// GPU.
pub fn on_blocks<'a>(specs: impl ExactSizeIterator<Item = &'a RunSpec>, multiprocessors: usize, cores: usize) -> f64 {
    let waves = waves(specs.len(), multiprocessors) as f64;
    let of = |spec: &RunSpec| {
        let epochs = spec.train.epochs as f64;
        (epochs * (LAUNCH + waves * BLOCK * fused_nanoseconds(spec) * 1e-9), epochs * measure_nanoseconds(spec) * 1e-9)
    };
    let (device, host) = specs.map(of).fold((0.0, 0.0), |(a, b): (f64, f64), (device, host)| (a.max(device), b + host));
    device + host / cores as f64
}

/// A multiprocessor's time for a step, relative to a core's: between batches of loads, 256 threads wait for memory.
const BLOCK: f64 = 3.0;

/// Seconds in which an epoch's rows are sent, its kernel is started and its losses are read.
const LAUNCH: f64 = 2e-4;

/// Seconds in which the 120 to 180 kernels of a step are started.
const LAUNCHES: f64 = 1e-3;

/// Cores of the kind that [`work`] counts in, whose fused engine does the steps of a large cohort in the same time.
const CORES: f64 = 25.0;

/// Autograd's time relative to the fused engine's, where the latter does not apply.
const AUTOGRAD: f64 = 7.0;

/// Nanoseconds of an epoch's steps.
fn train_nanoseconds(spec: &RunSpec) -> f64 {
    let fused = fused_nanoseconds(spec);
    if FusedEngine::supports(spec) { fused } else { AUTOGRAD * fused }
}

/// Nanoseconds of an epoch's steps by the fused engine, whether or not it has all parts of the model.
fn fused_nanoseconds(spec: &RunSpec) -> f64 {
    let (p, m, pairs) = (spec.data.p as f64, spec.model.m as f64, spec.views.pairs as f64);
    let rows = spec.samples_per_epoch() as f64 * pairs;
    let steps = spec.batch_count() as f64;
    let layers = spec.model.layers as f64;
    // A multiply-add counts as two; a branch that learns is passed forwards and backwards, in SimCLR and SimSiam both
    // branches are.
    let (first, deeper, head) = match spec.model.family {
        Family::NonContrastive => (6.0, 8.0, 6.0),
        Family::Contrastive | Family::SimSiam => (8.0, 12.0, 12.0),
    };
    let predicts = matches!(
        spec.model.predictor,
        Predictor::Linear { .. } | Predictor::Identity { .. } | Predictor::Direct { .. }
    );
    // A spectrum after every step.
    let direct = if matches!(spec.model.predictor, Predictor::Direct { .. }) { 12.0 * m.powi(3) * steps } else { 0.0 };
    let projects = spec.model.projector != Projector::None;
    let heads = f64::from(u8::from(predicts) + u8::from(projects));
    let products = rows * m * (first * p + deeper * (layers - 1.0) * m + head * heads * m);
    let normalized = if spec.model.batch_norm == BatchNorm::None { 0.0 } else { 0.95 };
    let batch = spec.train.batch_size as f64 * pairs;
    let of_loss = spec.loss.work(spec.train.batch_size * spec.views.pairs, spec.model.m);
    // Every scalar product is computed once and serves twice.
    let scalar_products = of_loss.similarities as f64 * m + of_loss.correlations as f64 * batch;
    let loss = steps * (1.12 * of_loss.exponentials as f64 + 0.076 * scalar_products);
    0.0138 * products + (0.60 + normalized) * layers * m * rows + 0.61 * p * rows + loss + direct + 3300.0 * steps
}

/// Nanoseconds of an epoch's share of the measurements.
fn measure_nanoseconds(spec: &RunSpec) -> f64 {
    let (p, m) = (spec.data.p as f64, spec.model.m as f64);
    let details = match spec.metrics.detail_every {
        0 => 0.0,
        every => 1.0 / every as f64,
    };
    19_000.0 / spec.metrics.every as f64 + 5.6 * m * p * m.min(p) * details
}

/// `16000 steps`
pub fn steps_text(spec: &RunSpec) -> String {
    format!("{} steps", spec.steps())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::resolve;

    /// A few runs take sixteen cores less time than a GPU, whose launches are the same for one run as for many; a GPU
    /// needs less time for a thousand runs, or for double precision.
    #[test]
    fn a_gpu_is_for_many_runs() {
        let spec = |text: &str| resolve(&[&serde_yaml::from_str(text).unwrap()]).unwrap();
        let faster = |text: &str, runs: usize| {
            let specs = vec![spec(text); runs];
            on_gpu(specs.iter()) < on_cores(specs.iter(), 16)
        };
        assert!(!faster("{}", 1) && !faster("{}", 15) && faster("{}", 1000));
        assert!(faster("{method: cl}", 160));
        assert!(faster("{dtype: float64}", 100));
    }

    /// The kernels train a run on each multiprocessor, more slowly than a core does: one run is the CPU's, a card full of them
    /// the GPU's, and as many cores as there are runs are never slower.
    #[test]
    fn a_gpu_of_many_blocks_is_for_many_runs() {
        let spec = |text: &str| resolve(&[&serde_yaml::from_str(text).unwrap()]).unwrap();
        let faster = |text: &str, runs: usize, cores: usize| {
            let specs = vec![spec(text); runs];
            on_blocks(specs.iter(), 132, cores) < on_cores(specs.iter(), cores)
        };
        for text in ["{}", "{method: cl}", "{method: simplified-simsiam}"] {
            assert!(!faster(text, 1, 1) && !faster(text, 16, 16), "{text}");
            assert!(faster(text, 132, 1) && faster(text, 132, 16) && faster(text, 1000, 16), "{text}");
            assert!(!faster(text, 132, 132), "{text}");
        }
        // With cores enough for what is measured between the epochs:
        let time = |runs: usize| on_blocks(vec![spec("{}"); runs].iter(), 132, 10_000);
        assert!(time(132) < 1.01 * time(1), "the first wave takes all multiprocessors");
        assert!(time(133) > 1.7 * time(132), "a second wave takes its own time");
        assert_eq!([1, 132, 133, 1000].map(|runs| waves(runs, 132)), [1, 1, 2, 8]);
    }

    /// Seconds measured on the machine of the constants, 300 epochs (fewer where said).
    #[test]
    fn estimates_are_near_what_was_measured() {
        let measured = [
            (0.091, "{}"),
            (0.107, "{model: {batch_norm: pre_activation}}"),
            (0.168, "{model: {batch_norm: pre_activation, predictor: linear}}"),
            (0.200, "{model: {batch_norm: pre_activation, layers: 2}}"),
            (0.041, "{train: {batch_size: 32, epochs: 100}}"),
            (0.312, "{model: {m: 200}}"),
            (0.304, "{data: {p: 200}}"),
            (0.362, "{views: {pairs: 4}}"),
            (0.301, "{metrics: {detail_every: 1}}"),
            (0.833, "{method: cl}"),
            (2.764, "{method: cl, model: {m: 200}}"),
            (0.477, "{method: cl, train: {batch_size: 128}}"),
            (0.432, "{method: cl, loss: asymmetric_nt_xent}"),
            (0.892, "{method: simclr-orig}"),
            (0.416, "{method: simsiam}"),
            (0.192, "{dtype: float64, train: {epochs: 100}}"),
            (1.235, "{method: cl, dtype: float64, train: {epochs: 50}}"),
            (0.879, "{method: simsiam, dtype: float64, train: {epochs: 100}}"),
        ];
        for (seconds, settings) in measured {
            let epochs = serde_yaml::from_str("{train: {epochs: 300}}").unwrap();
            let spec = resolve(&[&epochs, &serde_yaml::from_str(settings).unwrap()]).unwrap();
            let ratio = work(&spec) / seconds;
            assert!((0.7..1.3).contains(&ratio), "{settings}: the estimate is {ratio:.2} times the measured time");
        }
    }
}
