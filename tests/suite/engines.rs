//! The fused engine against autograd in double precision: every method, on shapes that fit no tile.

use std::sync::Arc;

use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::{Engine, Member},
    fused::FusedEngine,
    spec::{RunSpec, layout::StateDict, methods, resolve},
    train::Cohort,
};

/// Samples, p, d, m, batch: odd ones, wide ones, more than one word, a batch that does not divide the samples.
///
/// Every p is large enough that no view is masked out wholly. There the authors' SymReLU gives a representation of
/// zero, unit norm divides by 1e-12, and two parts of the bias's gradient with opposite signs swallow the rest of it in
/// single precision (in PyTorch too: `tests/suite/step_truth.rs` has such a case) but not in double.
const SHAPES: [[usize; 5]; 4] =
    [[41, 17, 5, 9, 17], [100, 70, 10, 33, 50], [60, 24, 24, 24, 30], [300, 50, 10, 50, 128]];

fn specs(dtype: &str) -> Vec<Arc<RunSpec>> {
    let mut specs = Vec::new();
    for method in methods() {
        for [n, p, d, m, batch] in SHAPES {
            let identity = method.name == "ncl-fixed-bias";
            let (p, m) = if identity { (d, d) } else { (p, m) };
            for activation in ["", ", activation: srelu", ", activation: relu"] {
                if !activation.is_empty() && method.settings.get("model").is_some_and(|m| m.get("bias").is_some()) {
                    continue; // the method fixes both
                }
                let text = format!(
                    "{{method: {}, dtype: {dtype}, data: {{samples: {n}, p: {p}, d: {d}}}, \
                     model: {{m: {m}{activation}}}, train: {{batch_size: {batch}, epochs: 3}}}}",
                    method.name
                );
                let layer = serde_yaml::from_str(&text).unwrap();
                specs.push(Arc::new(resolve(&[&layer]).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))));
            }
        }
    }
    specs
}

/// Losses of every step of three epochs, and the state after them.
fn trained(spec: &Arc<RunSpec>, build: impl Fn(&[Member]) -> Box<dyn Engine>) -> (Vec<f64>, StateDict) {
    let mut cohort = Cohort::draw(std::slice::from_ref(spec)).unwrap();
    let mut engine = build(cohort.members());
    let mut losses = Vec::new();
    for epoch in 0..spec.train.epochs {
        cohort.begin_epoch(epoch);
        for k in 0..spec.batches().len() {
            losses.extend(engine.step(&cohort.batch(k)).unwrap());
        }
    }
    (losses, engine.state().unwrap().remove(0))
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn fused_steps_are_autograd_steps() {
    for (single, double) in specs("float32").iter().zip(specs("float64")) {
        let name = format!("{} at p {}, m {}", single.method, single.data.p, single.model.m);
        let (ours, state) = trained(single, |members| Box::new(FusedEngine::new(members).unwrap()));
        let (losses, reference) =
            trained(&double, |members| Box::new(AutogradEngine::new(members, Device::Cpu).unwrap()));
        for (ours, loss) in ours.iter().zip(&losses) {
            assert!(
                (ours - loss).abs() < 2e-6 * loss.abs().max(1.0),
                "{name}: loss {ours}, in double precision {loss}"
            );
        }
        for (parameter, value) in &reference {
            // The gradient of a bias before batch norm is pure rounding: next to zero, weights of order one set the
            // scale.
            let off = norm((&state[parameter] - value).into_iter()) / norm(value.iter().copied()).max(1e-2);
            assert!(off < 2e-5, "{name}: {parameter} is off by {off:e}");
        }
    }
}

/// Every kind of data and views that is made by the batch.
#[test]
fn both_engines_train_on_what_batches_bring() {
    let views = [
        "data: {noise_per_view: true}, views: {masks: dependent}",
        "data: {fresh: true}, views: {noise: 0.2, pairs: 2}",
        "views: {pattern: contiguous, masking_prob: 0.3, second_masking_prob: 0.6}",
        "data: {p: 10, d: 24, dictionary: gaussian}, views: {masking_prob: 0.2, second_masking_prob: 0.5}",
    ];
    for views in views {
        for method in ["ncl", "cl"] {
            let spec = |dtype: &str| -> Arc<RunSpec> {
                let base = format!(
                    "{{method: {method}, dtype: {dtype}, data: {{samples: 60, p: 24, d: 6}}, model: {{m: 9}}, \
                     train: {{batch_size: 20, epochs: 3}}}}"
                );
                let [base, views] = [base, format!("{{{views}}}")].map(|text| serde_yaml::from_str(&text).unwrap());
                Arc::new(resolve(&[&base, &views]).unwrap_or_else(|fault| panic!("{fault:?}")))
            };
            let (double, state) =
                trained(&spec("float64"), |members| Box::new(AutogradEngine::new(members, Device::Cpu).unwrap()));
            let (single, ours) = trained(&spec("float32"), |members| Box::new(FusedEngine::new(members).unwrap()));
            for (ours, theirs) in single.iter().zip(&double) {
                assert!((ours - theirs).abs() < 2e-5 * theirs.abs().max(1.0), "{method}, {views}: {ours}, {theirs}");
            }
            let off =
                norm((&ours["Wo.weight"] - &state["Wo.weight"]).into_iter()) / norm(state["Wo.weight"].iter().copied());
            assert!(off < 2e-5, "{method}, {views}: {off:e}");
        }
    }
}

/// Predictors in closed form, by both engines, in three turns: their spectra are taken in double precision by either.
#[test]
fn predictors_in_closed_form_agree() {
    for predictor in
        ["{kind: direct}", "{kind: direct, power: 1, epsilon: 0.3, decay: 0.9}", "{kind: direct, isotropic: true}"]
    {
        for method in ["ncl-predictor", "simsiam"] {
            let spec = |dtype: &str| -> Arc<RunSpec> {
                let text = format!(
                    "{{method: {method}, dtype: {dtype}, data: {{samples: 60, p: 24, d: 6}}, \
                     model: {{m: 9, predictor: {predictor}}}, train: {{batch_size: 20, epochs: 3}}}}"
                );
                Arc::new(text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}")))
            };
            let (double, state) =
                trained(&spec("float64"), |members| Box::new(AutogradEngine::new(members, Device::Cpu).unwrap()));
            let (single, ours) = trained(&spec("float32"), |members| Box::new(FusedEngine::new(members).unwrap()));
            for (ours, theirs) in single.iter().zip(&double) {
                assert!(
                    (ours - theirs).abs() < 2e-6 * theirs.abs().max(1.0),
                    "{method}, {predictor}: {ours}, {theirs}"
                );
            }
            for name in ["Wo.weight", "Wp.weight", "Wp.moment"] {
                let off = norm((&ours[name] - &state[name]).into_iter()) / norm(state[name].iter().copied());
                assert!(off < 2e-5, "{method}, {predictor}: {name} is off by {off:e}");
            }
            assert!(state["Wp.weight"].iter().any(|&w| w != 0.0 && w.abs() < 0.1), "it is no multiple of the identity");
        }
    }
}

/// Most views are wholly masked.
const WHOLLY_MASKED: &str = "{method: ncl, dtype: DTYPE, data: {samples: 64, p: 10, d: 10}, \
                             views: {masking_prob: 0.95}, train: {batch_size: 32, epochs: 5}}";

#[test]
fn wholly_masked_views_cost_autograd_no_digits() {
    for seed in 1..=3 {
        let [double, single] = ["float64", "float32"].map(|dtype| {
            let mut spec: RunSpec = WHOLLY_MASKED.replace("DTYPE", dtype).parse().unwrap();
            spec.seed = seed;
            trained(&Arc::new(spec), |members| Box::new(AutogradEngine::new(members, Device::Cpu).unwrap())).0
        });
        let off = double.iter().zip(&single).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 2e-6, "seed {seed}: losses differ by {off:.1e}");
    }
}

/// Every optimiser under a schedule, the fused engine beside autograd in double precision.
#[test]
fn optimisers_and_schedules_agree() {
    let settings = [
        "optimizer: {kind: sgd, momentum: 0.9, weight_decay: 0.01}, schedule: {kind: steps, every: 2, factor: 0.5}",
        "optimizer: {kind: adam, epsilon: 0.001}, lr: 0.005, schedule: {kind: constant, warmup: 3}",
        "optimizer: {kind: adamw, epsilon: 0.001}, lr: 0.005, schedule: {kind: cosine, floor: 0.1}",
    ];
    for train in settings {
        for method in ["ncl-predictor", "cl", "simsiam"] {
            let spec = |dtype: &str| -> Arc<RunSpec> {
                let text = format!(
                    "{{method: {method}, dtype: {dtype}, data: {{samples: 60, p: 24, d: 6}}, model: {{m: 9}}, \
                     train: {{batch_size: 20, epochs: 5, {train}}}}}"
                );
                Arc::new(text.parse().unwrap_or_else(|fault| panic!("{text}: {fault:?}")))
            };
            let (double, _) =
                trained(&spec("float64"), |members| Box::new(AutogradEngine::new(members, Device::Cpu).unwrap()));
            let (single, _) = trained(&spec("float32"), |members| Box::new(FusedEngine::new(members).unwrap()));
            for (ours, theirs) in single.iter().zip(&double) {
                assert!((ours - theirs).abs() < 2e-4 * theirs.abs().max(1.0), "{method}, {train}: {ours}, {theirs}");
            }
        }
    }
}
