//! A step of the kernels for GPUs against the networks and losses as literal formulas in double precision, with gradients by
//! differences: a third party, of which neither the kernels nor the CPU's engine know anything.
//!
//! The CPU's engine takes the same step beside them, so that what single precision costs is seen, too.

// The literal networks are the crate's own, which its tests hold against the CPU's engine.
#[path = "../../src/fused/reference.rs"]
mod literal;

use std::sync::Arc;

use contrastive_landscape::{
    engine::{Batch, Engine, Member, Views},
    fused::{CudaEngine, FusedEngine, cuda},
    spec::{
        BatchNorm, Family, Normalization, Optimizer, RunSpec, Turn, Turns,
        layout::{Layout, StateDict},
        resolve,
    },
    train::Cohort,
};
use ndarray::Array2;

use crate::cuda_kernels::{again, compared};

/// Every setting in a small shape, and some in one that takes two of the kernels' tiles in neurons, inputs and pairs: settings,
/// shape, and how many entries of the parameters have their derivatives taken.
fn cases() -> Vec<(String, &'static str, usize)> {
    const SMALL: &str = "{data: {samples: 30, p: 20, d: 5}, model: {m: 7}, train: {batch_size: 9}}";
    // The method that begins at the dictionary, which is the identity.
    const SQUARE: &str = "{data: {samples: 30, p: 12, d: 12}, model: {m: 12}, train: {batch_size: 9}}";
    const WIDE: &str = "{data: {samples: 80, p: 70, d: 9}, model: {m: 66}, train: {batch_size: 70}}";
    let small = compared().into_iter().map(|settings| {
        let shape = if settings.contains("ncl-fixed-bias") { SQUARE } else { SMALL };
        (settings, shape, 150)
    });
    let wide = ["ncl-two-layer", "byol", "simclr-orig", "simplified-simsiam"];
    small.chain(wide.map(|method| (format!("{{method: {method}}}"), WIDE, 12))).collect()
}

/// A family of runs, and how far the kernels may be from the formulas: the loss and the encoder's output relative to the largest
/// of them (the loss to one at least), the gradient's entries to the largest, parameters after a step likewise.
///
/// Some four times what single precision was measured to cost, by the kernels as by the CPU's engine: 5e-7 for the loss, 1e-6 for
/// the gradient, and 6e-8 for the parameters or, where contrasts make steps as large as these, 4e-7.
type Bounds = (&'static str, [f64; 3]);

const TWO_ENCODERS: Bounds = ("two encoders", [2e-6, 4e-6, 2e-7]);
const BATCH_NORM: Bounds = ("two encoders with batch norm", [2e-6, 4e-6, 2e-7]);
const CONTRAST: Bounds = ("contrast", [2e-6, 4e-6, 1e-6]);
const COLD: Bounds = ("contrast at a temperature of 0.01", [2e-6, 4e-6, 2e-6]);
const STOP_GRADIENT: Bounds = ("one encoder under stop gradient", [2e-6, 4e-6, 2e-7]);

fn bounds(settings: &str, spec: &RunSpec) -> Bounds {
    match spec.model.family {
        Family::Contrastive if settings.contains("temperature: 0.01") => COLD,
        Family::Contrastive => CONTRAST,
        Family::SimSiam => STOP_GRADIENT,
        Family::NonContrastive if spec.model.batch_norm == BatchNorm::None => TWO_ENCODERS,
        Family::NonContrastive => BATCH_NORM,
    }
}

/// A cohort of one run, its samples and parameters as single precision has them, and its first batch.
fn begin(settings: &str, shape: &str) -> (Member, Batch) {
    let layers = [shape, settings].map(|text| serde_yaml::from_str(text).unwrap());
    let spec = Arc::new(resolve(&layers.each_ref()).unwrap_or_else(|fault| panic!("{settings}: {fault:?}")));
    let mut cohort = Cohort::draw(&[spec]).unwrap();
    cohort.begin_epoch(0);
    let batch = cohort.batch(0);
    let Member { spec, x, state } = &cohort.members()[0];
    let single = |x: &f64| f64::from(*x as f32);
    let state = state.iter().map(|(name, value)| (name.clone(), value.map(single))).collect();
    (Member { spec: spec.clone(), x: Arc::new(x.map(single)), state }, batch)
}

/// What a step comes to: the loss, derivatives by some entries, and these entries after the step.
struct Step {
    loss: f64,
    gradient: Vec<f64>,
    after: Vec<f64>,
}

/// Some entries of the parameters that learn: the tensor's name and the place in it.
fn entries(spec: &RunSpec, state: &StateDict, turn: Turn, count: usize) -> Vec<(String, usize)> {
    let layout = Layout::of(&spec.model, spec.data.p);
    let learning = layout.into_iter().filter(|parameter| parameter.learns(turn));
    let all: Vec<_> = learning
        .flat_map(|parameter| (0..state[&parameter.name].len()).map(move |i| (parameter.name.clone(), i)))
        .collect();
    let every = all.len().div_ceil(count);
    all.into_iter().step_by(every).collect()
}

fn entry(state: &StateDict, (name, i): &(String, usize)) -> f64 {
    state[name].as_slice().unwrap()[*i]
}

/// The step as the formulas have it, and the encoder's output for view 1.
fn literally(
    member: &Member,
    batch: &Batch,
    views: &[Array2<f64>; 2],
    entries: &[(String, usize)],
) -> (Step, Vec<f64>) {
    let Member { spec, state, .. } = member;
    let [x1, x2] = views.each_ref().map(|x| x.outer_iter().map(|x| x.to_vec()).collect::<Vec<_>>());
    let loss = |learning: &StateDict| literal::loss(spec, learning, state, [&x1, &x2], batch.turn);
    let mut moved = state.clone();
    let mut by = |at: &(String, usize), step: f64| {
        let value = entry(state, at);
        moved.get_mut(&at.0).unwrap().as_slice_mut().unwrap()[at.1] = value + step;
        let there = loss(&moved);
        moved.get_mut(&at.0).unwrap().as_slice_mut().unwrap()[at.1] = value;
        there
    };
    const H: f64 = 1e-6;
    let gradient: Vec<f64> = entries.iter().map(|at| (by(at, H) - by(at, -H)) / (2.0 * H)).collect();
    let rate = batch.rate * spec.train.lr;
    let after = entries.iter().zip(&gradient).map(|(at, g)| entry(state, at) - rate * g).collect();
    (Step { loss: loss(state), gradient, after }, literal::encode(spec, state, &x1).concat())
}

/// The step as an engine takes it, and the encoder's output for view 1.
fn taken(
    build: &dyn Fn(&[Member]) -> Box<dyn Engine>,
    member: &Member,
    batch: &Batch,
    views: &[Array2<f64>; 2],
    entries: &[(String, usize)],
) -> (Step, Vec<f64>) {
    let [x1, x2] = views.each_ref().map(|x| vec![x.clone()]);
    let mut engine = build(std::slice::from_ref(member));
    let (loss, gradients) = engine.gradients(&Views { x1, x2 }, batch.turn).unwrap().remove(0);
    let output = engine.representations().unwrap().remove(0);
    // Another engine, since batch norm's statistics have moved in that one.
    let mut engine = build(std::slice::from_ref(member));
    assert_eq!(engine.step(batch).unwrap()[0], loss, "the batch's views are the given ones");
    let state = engine.state().unwrap().remove(0);
    let gradient = entries.iter().map(|at| entry(&gradients, at)).collect();
    (Step { loss, gradient, after: entries.iter().map(|at| entry(&state, at)).collect() }, output.into_iter().collect())
}

/// Whether the step is `w - lr g` and nothing else.
fn is_plain(spec: &RunSpec) -> bool {
    let train = &spec.train;
    matches!(train.optimizer, Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0, .. })
        && !matches!(train.turns, Turns::Ema { .. })
        && train.normalize_encoder == Normalization::None
        && train.normalize_predictor == Normalization::None
        && train.clamp_bias.is_none()
}

/// The largest difference, in units of the largest of `of`, or of `least` where all are smaller.
fn off(ours: &[f64], of: &[f64], least: f64) -> f64 {
    assert_eq!(ours.len(), of.len());
    let scale = of.iter().fold(least, |scale, x| x.abs().max(scale));
    ours.iter()
        .zip(of)
        .fold(0.0, |off: f64, (a, b)| if (a - b).is_nan() { f64::INFINITY } else { off.max((a - b).abs() / scale) })
}

#[test]
fn kernels_take_the_literal_step() {
    if let Err(reason) = cuda::runs_on(0) {
        println!("skipped: {reason}");
        return;
    }
    let mut wrong = Vec::new();
    for (settings, shape, count) in cases() {
        let (member, batch) = begin(&settings, shape);
        if cuda::covers(&member.spec).is_err() {
            continue;
        }
        let views = batch.runs[0].views(&member.x, f64::from(batch.scale as f32));
        let entries = entries(&member.spec, &member.state, batch.turn, count);
        let (truth, output) = literally(&member, &batch, &views, &entries);
        let against = |build: &dyn Fn(&[Member]) -> Box<dyn Engine>| {
            let (step, encoded) = taken(build, &member, &batch, &views, &entries);
            let loss = off(&[step.loss], &[truth.loss], 1.0).max(off(&encoded, &output, 1e-2));
            let after = if is_plain(&member.spec) { off(&step.after, &truth.after, 1e-2) } else { 0.0 };
            [loss, off(&step.gradient, &truth.gradient, 1e-6), after]
        };
        let found = against(&|members| Box::new(CudaEngine::new(members, 0).unwrap()));
        let cpu = against(&|members| Box::new(FusedEngine::new(members).unwrap()));
        let (family, bounds) = bounds(&settings, &member.spec);
        let text = |numbers: [f64; 3]| numbers.map(|number| format!("{number:.0e}")).join(" ");
        let (of_kernels, of_cpu, m) = (text(found), text(cpu), member.spec.model.m);
        let line = format!(
            "{family}: {settings}, m {m}: kernels are off by {of_kernels}, the CPU by {of_cpu}, at most {}",
            text(bounds)
        );
        println!("{line}");
        if found.iter().zip(bounds).any(|(found, bound)| *found > bound) {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn on_a_fake_gpu_kernels_take_the_literal_step() {
    let Some(report) = again("kernel_truth::kernels_take_the_literal_step", &[]) else { return };
    let stdout = String::from_utf8_lossy(&report.output.stdout);
    println!("{stdout}");
    assert!(report.output.status.success() && !stdout.contains("skipped"), "{stdout}{}", report.stderr);
    assert!(report.count("kernel_launches") >= 80, "{}", report.count("kernel_launches"));
}
