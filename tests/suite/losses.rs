//! Every loss of the table is held against its literal form: a new row is covered without a test of its own. There are
//! closed forms too, where a value is known.

use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

use contrastive_landscape::{
    engine::Engine,
    fused::FusedEngine,
    kernels::Matrix,
    losses::{AsymmetricNtXent, InnerProduct, Invariance, L2, Loss, LossSpec, NegativeCosine, NtXent, Sides, Sigreg},
    random::{Draws, native::Key},
    spec::RunSpec,
    train::{self, Cohort},
};
use ndarray::{Array2, Axis, concatenate, s};

/// `(B, m)` of smooth pseudo-random numbers.
fn embeddings(b: usize, m: usize, phase: f64) -> Array2<f64> {
    Array2::from_shape_fn((b, m), |(i, k)| (i as f64 * 2.3 + k as f64 * 0.9 + (i * k) as f64 * 0.37 + phase).sin())
}

/// Two views that resemble each other.
fn views(b: usize, m: usize) -> [Array2<f64>; 2] {
    let first = embeddings(b, m, 0.1);
    let second = &first + &(0.6 * &embeddings(b, m, 1.9));
    // Exact in single precision, so that every form sees the same numbers.
    [first, second].map(|z| z.mapv(|value| f64::from(value as f32)))
}

/// Every loss at its defaults, and in the settings that change its form.
fn losses() -> Vec<LossSpec> {
    let others = [
        LossSpec::InnerProduct(InnerProduct { normalize: false, ..Default::default() }),
        LossSpec::L2(L2 { normalize: false, ..Default::default() }),
        LossSpec::NtXent(NtXent { temperature: 0.5 }),
        LossSpec::Sigreg(Sigreg { weight: 0.7, slices: 11 }),
        LossSpec::AsymmetricNtXent(AsymmetricNtXent { temperature: 2.0 }),
    ];
    LossSpec::all().into_iter().chain(others).collect()
}

fn literal(loss: &dyn Loss, [a, b]: &[Array2<f64>; 2]) -> f64 {
    loss.literal(a.view(), b.view())
}

/// Central differences of the literal form, for each view that learns.
fn finite_differences(loss: &dyn Loss, views: &[Array2<f64>; 2]) -> Vec<Array2<f64>> {
    const STEP: f64 = 1e-6;
    let learning = if loss.sides() == Sides::Both { 2 } else { 1 };
    let slope = |view: usize, place: (usize, usize)| {
        let moved = |by: f64| {
            let mut views = views.clone();
            views[view][place] += by;
            literal(loss, &views)
        };
        (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
    };
    (0..learning).map(|view| Array2::from_shape_fn(views[0].dim(), |place| slope(view, place))).collect()
}

/// Value and gradients by the fused kernel, if the loss has one.
fn fused(loss: &dyn Loss, [a, b]: &[Array2<f64>; 2]) -> Option<(f64, Vec<Array2<f64>>)> {
    let mut gradients: [Matrix; 2] = Default::default();
    let [a, b] = [a, b].map(|z| Matrix::from_samples(z.view()));
    let value = loss.kernel()?.loss([&a, &b], &mut gradients);
    let learning = if loss.sides() == Sides::Both { 2 } else { 1 };
    Some((value, gradients.iter().take(learning).map(Matrix::to_samples).collect()))
}

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found} for {expected}");
}

#[track_caller]
fn assert_all_near(found: &Array2<f64>, expected: &Array2<f64>, tolerance: f64, what: &str) {
    // Where all samples are well separated, attraction and repulsion of about this size cancel.
    const PARTS: f64 = 0.02;
    let size = expected.iter().fold(PARTS, |size, value| size.max(value.abs()));
    let error = (found - expected).iter().fold(0.0f64, |error, value| error.max(value.abs()));
    assert!(error <= tolerance * size, "{what}: a gradient is off by {error:.1e} of {size:.1e}");
}

/// Shapes from the smallest on; the last has more than one tile of similarities.
const SHAPES: [(usize, usize); 4] = [(2, 3), (7, 5), (16, 16), (9, 20)];

#[test]
fn fused_kernels_are_the_literal_form_and_its_slopes() {
    for loss in losses() {
        for (b, m) in SHAPES {
            let (views, what) = (views(b, m), format!("{} of {b} x {m}", loss.kind()));
            let Some((value, gradients)) = fused(&*loss, &views) else { continue };
            assert_near(value, literal(&*loss, &views), 1e-5, &what);
            for (found, expected) in gradients.iter().zip(finite_differences(&*loss, &views)) {
                assert_all_near(found, &expected, 5e-5, &what);
            }
        }
    }
}

#[test]
fn the_order_of_samples_changes_nothing() {
    for loss in losses() {
        let views = views(8, 6);
        let order = [3, 1, 7, 0, 2, 6, 4, 5];
        let permuted = views.clone().map(|z| z.select(Axis(0), &order));
        assert_near(literal(&*loss, &permuted), literal(&*loss, &views), 1e-12, loss.kind());
        let Some((value, gradients)) = fused(&*loss, &views) else { continue };
        let (again, of_permuted) = fused(&*loss, &permuted).expect("it has a kernel");
        assert_near(again, value, 1e-5, loss.kind());
        for (found, expected) in of_permuted.iter().zip(&gradients) {
            assert_all_near(found, &expected.select(Axis(0), &order), 5e-5, loss.kind());
        }
    }
}

/// A product of plane rotations of R^m.
fn rotated(z: &Array2<f64>) -> Array2<f64> {
    let mut z = z.clone();
    for k in 1..z.ncols() {
        let (sin, cos) = (0.4 + k as f64).sin_cos();
        let (x, y) = (z.column(k - 1).to_owned(), z.column(k).to_owned());
        z.slice_mut(s![.., k - 1]).assign(&(cos * &x - sin * &y));
        z.slice_mut(s![.., k]).assign(&(sin * &x + cos * &y));
    }
    z
}

/// A loss is invariant under what it names, and under nothing else on the list.
#[test]
fn invariances_are_those_that_are_named() {
    for loss in losses() {
        let views = views(7, 5);
        let [a, b] = &views;
        let factors = Array2::from_shape_fn((7, 1), |(i, _)| 0.5 + i as f64 / 3.0);
        for (invariance, changed) in [
            (Invariance::Swap, [b.clone(), a.clone()]),
            (Invariance::Rotation, [rotated(a), rotated(b)]),
            (Invariance::Scale, [a * &factors, b * &factors]),
        ] {
            let change = (literal(&*loss, &changed) - literal(&*loss, &views)).abs();
            let is_named = loss.invariances().contains(&invariance);
            assert_eq!(change < 1e-12, is_named, "{}: {invariance:?} changes it by {change:.1e}", loss.kind());
        }
    }
}

/// Views of which masks left nothing, and equal ones: finite, in every form.
#[test]
fn degenerate_views_are_finite() {
    for loss in losses() {
        let mut some = views(6, 4);
        some[0].row_mut(2).fill(0.0);
        some[1].row_mut(4).fill(0.0);
        let zero = [0, 1].map(|_| Array2::zeros((6, 4)));
        let equal = [0, 1].map(|_| Array2::from_elem((6, 4), 0.5));
        for (views, what) in [(some, "a zero view"), (zero, "all zero"), (equal, "all equal")] {
            let expected = literal(&*loss, &views);
            assert!(expected.is_finite(), "{}, {what}: {expected}", loss.kind());
            let Some((value, gradients)) = fused(&*loss, &views) else { continue };
            assert_near(value, expected, 1e-5, &format!("{}, {what}", loss.kind()));
            assert!(gradients.iter().flatten().all(|g| g.is_finite()), "{}, {what}", loss.kind());
        }
    }
}

/// A temperature divides similarities: halving it has the effect of doubling them.
#[test]
fn temperature_divides() {
    let views = views(6, 4);
    let unit = views.clone().map(|z| &z / &z.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1)));
    let s = unit[0].dot(&unit[1].t()); // (B, B)
    for temperature in [0.05, 0.3, 1.0, 4.0] {
        let scaled = &s / temperature;
        let by_hand = (0..6).map(|i| scaled.row(i).mapv(f64::exp).sum().ln() - scaled[[i, i]]).sum::<f64>() / 6.0;
        assert_near(literal(&AsymmetricNtXent { temperature }, &views), by_hand, 1e-12, "asymmetric");
        let all = concatenate![Axis(0), unit[0], unit[1]];
        let scaled = all.dot(&all.t()) / temperature;
        let term = |i: usize| {
            let others = (0..12).filter(|&j| j != i).map(|j| scaled[[i, j]].exp()).sum::<f64>();
            others.ln() - scaled[[i, (i + 6) % 12]]
        };
        assert_near(literal(&NtXent { temperature }, &views), (0..12).map(term).sum::<f64>() / 12.0, 1e-12, "nt_xent");
    }
}

#[test]
fn closed_forms() {
    let b = 6;
    let unit = Array2::<f64>::eye(b);
    let rolled = Array2::from_shape_fn((b, b), |(i, k)| unit[[(i + 1) % b, k]]);
    // Equal unit views, and orthogonal ones.
    let l2: (&dyn Loss, _, _) = (&L2::default(), 0.0, 2.0);
    for (loss, equal, orthogonal) in [(&InnerProduct::default() as _, 0.0, 2.0), l2, (&NegativeCosine {}, -1.0, 0.0)] {
        assert_near(literal(loss, &[unit.clone(), unit.clone()]), equal, 1e-15, "equal");
        assert_near(literal(loss, &[unit.clone(), rolled.clone()]), orthogonal, 1e-15, "orthogonal");
    }
    // Identical embeddings: every candidate is as likely as the partner.
    let same = [0, 1].map(|_| Array2::ones((b, 4)));
    assert_near(literal(&NtXent::default(), &same), ((2 * b - 1) as f64).ln(), 1e-12, "nt_xent");
    assert_near(literal(&AsymmetricNtXent::default(), &same), (b as f64).ln(), 1e-12, "asymmetric");
    // Orthogonal one-hots, each equal to its partner: ln(1 + (2B - 2) e^(-1/t)), and ln(1 + (B - 1) e^(-1/t)).
    let temperature = 0.5f64;
    let (others, equal) = ((-1.0 / temperature).exp(), [unit.clone(), unit]);
    let expected = |candidates: usize| (1.0 + candidates as f64 * others).ln();
    assert_near(literal(&NtXent { temperature }, &equal), expected(2 * b - 2), 1e-12, "nt_xent");
    assert_near(literal(&AsymmetricNtXent { temperature }, &equal), expected(b - 1), 1e-12, "asymmetric");
}

/// Samples of a standard Gaussian have the statistic `sum_k w_k (1 - phi_k^2)` on average, whatever the batch; a collapsed
/// batch has `B sum_k w_k (1 - phi_k)^2`, and no slope leads out of it.
#[test]
fn sigreg_has_its_closed_forms() {
    let knots = |of: fn(f64) -> f64| -> f64 {
        let knot = |k: i32| {
            let t = 3.0 / 16.0 * f64::from(k);
            let phi = (-t * t / 2.0).exp();
            of(phi) * phi * 3.0 / 16.0 * if k % 16 == 0 { 1.0 } else { 2.0 }
        };
        (0..=16).map(knot).sum()
    };
    let loss = Sigreg { weight: 1.0, slices: 64 };
    let gaussian = |b: usize, seed: u64| {
        let mut draws = Key::from_seed(seed).stream();
        [0, 1].map(|_| Array2::from_shape_simple_fn((b, 6), || draws.normal()))
    };
    for b in [8, 40] {
        let values: Vec<f64> = (1..=400)
            .map(|seed| {
                let [x, y] = gaussian(b, seed);
                loss.literal_drawn(x.view(), y.view(), Key::from_seed(seed + 1000))
            })
            .collect();
        let mean = values.iter().sum::<f64>() / 400.0;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 399.0).sqrt();
        let expected = knots(|phi| 1.0 - phi * phi);
        assert!((mean - expected).abs() < 4.0 * deviation / 20.0, "{b}: {mean} for {expected}");
        let collapsed = [0, 1].map(|_| Array2::zeros((b, 6)));
        assert_near(literal(&loss, &collapsed), b as f64 * knots(|phi| (1.0 - phi).powi(2)), 1e-12, "collapsed");
        let (_, gradients) = fused(&loss, &collapsed).expect("it has a kernel");
        assert!(gradients.iter().flatten().all(|slope| slope.abs() < 1e-7), "{gradients:?}");
    }
    // Directions are of unit length, and each key has its own.
    let [first, second] = [1, 2].map(|seed| loss.directions(Key::from_seed(seed), 6));
    assert!(first.columns().into_iter().all(|direction| (direction.dot(&direction) - 1.0).abs() < 1e-12));
    assert_ne!(first, second);
}

/// What a loss draws at a step does not depend on who trains beside it.
#[test]
fn draws_of_a_loss_are_those_of_its_run_and_step() {
    let run = |seed: u64| -> Arc<RunSpec> {
        let text = format!(
            "{{method: cl, seed: {seed}, loss: {{kind: sigreg, slices: 8}}, model: {{m: 9}}, \
             data: {{samples: 60, p: 24, d: 6}}, train: {{batch_size: 20, epochs: 3}}}}"
        );
        Arc::new(text.parse().unwrap())
    };
    let train = |specs: &[Arc<RunSpec>]| {
        let mut cohort = Cohort::draw(specs).unwrap();
        let mut engine = FusedEngine::new(cohort.members()).unwrap();
        train::train(&mut cohort, &mut engine, |_, _| ControlFlow::Continue(())).unwrap();
        engine.state().unwrap()
    };
    let (alone, together) = (train(&[run(2)]), train(&[run(1), run(2)]));
    assert_eq!(alone[0], together[1]);
    let mut cohort = Cohort::draw(&[run(1), run(2)]).unwrap();
    let mut keys = Vec::new();
    for epoch in [0, 1] {
        cohort.begin_epoch(epoch);
        keys.extend((0..3).flat_map(|k| cohort.batch(k).runs.into_iter().map(|run| run.draws)));
    }
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 12, "every step of every run has its own");
    let fault = "{method: cl, random: authors, loss: sigreg}".parse::<RunSpec>().unwrap_err();
    assert!(fault.message.contains("draws at every step"), "{fault:?}");
}

/// A dead representation: PyTorch's F.normalize divides it by 1e-12, its F.cosine_similarity by 1e-8, and both pass the
/// gradient through.
#[test]
fn a_zero_sample_has_the_gradient_of_the_clamped_division() {
    let views = [Array2::zeros((1, 2)), ndarray::array![[3.0, 4.0]]];
    let (value, gradients) = fused(&InnerProduct::default(), &views).expect("it has a kernel");
    assert_eq!(value, 2.0);
    assert_all_near(&gradients[0], &ndarray::array![[-1.2e12, -1.6e12]], 1e-6, "inner product");
    let (value, gradients) = fused(&NegativeCosine {}, &views).expect("it has a kernel");
    assert_eq!(value, 0.0);
    assert_all_near(&gradients[0], &ndarray::array![[-0.6e8, -0.8e8]], 1e-6, "negative cosine");
}

/// The same losses on libtorch's tensors, a cohort of three at once.
#[cfg(feature = "torch")]
mod tensors {
    use tch::{Kind, Tensor};

    use super::*;

    /// Views of three runs as tensors `(R, B, m)`, and each run's separately.
    fn cohort(b: usize, m: usize) -> ([Tensor; 2], Vec<[Array2<f64>; 2]>) {
        let runs: Vec<_> =
            (0..3).map(|run| views(b, m).map(|z| z * (1.0 + 0.1 * f64::from(run)) + 0.01 * f64::from(run))).collect();
        let stacked = [0, 1].map(|view| {
            let flat: Vec<f64> = runs.iter().flat_map(|views| views[view].iter().copied()).collect();
            Tensor::from_slice(&flat).reshape([3, b as i64, m as i64]).set_requires_grad(true)
        });
        (stacked, runs)
    }

    #[test]
    fn are_the_literal_form_and_its_slopes() {
        for loss in losses() {
            for (b, m) in SHAPES {
                let ([x, y], runs) = cohort(b, m);
                let y = if loss.sides() == Sides::Both { y } else { y.detach() };
                let losses = loss.tensor(&x, &y);
                let learning: Vec<&Tensor> = [&x, &y].into_iter().filter(|view| view.requires_grad()).collect();
                let gradients = Tensor::run_backward(&[losses.sum(Kind::Double)], &learning, false, false);
                for (run, views) in runs.iter().enumerate() {
                    let what = format!("{} of {b} x {m}", loss.kind());
                    assert_near(losses.double_value(&[run as i64]), literal(&*loss, views), 1e-12, &what);
                    for (gradient, expected) in gradients.iter().zip(finite_differences(&*loss, views)) {
                        let flat = Vec::<f64>::try_from(gradient.get(run as i64).reshape([-1])).unwrap();
                        let found = Array2::from_shape_vec((b, m), flat).unwrap();
                        assert_all_near(&found, &expected, 1e-6, &what);
                    }
                }
            }
        }
    }

    /// Single precision against double precision, with a zero view in both.
    #[test]
    fn lose_little_in_single_precision() {
        for loss in losses() {
            let mut views = views(6, 4);
            views[0].row_mut(2).fill(0.0);
            let tensor = |z: &Array2<f64>, kind| {
                let flat: Vec<f64> = z.iter().copied().collect();
                Tensor::from_slice(&flat).reshape([1, 6, 4]).to_kind(kind)
            };
            let value = |kind| loss.tensor(&tensor(&views[0], kind), &tensor(&views[1], kind)).double_value(&[0]);
            assert_near(value(Kind::Float), value(Kind::Double), 1e-5, loss.kind());
            assert_near(value(Kind::Double), literal(&*loss, &views), 1e-12, loss.kind());
        }
    }
}

/// What the authors' own code computes, on views whose representations fall on both sides of every bound.
#[derive(serde::Deserialize)]
struct Recorded {
    batch: usize,
    width: usize,
    views: [Vec<f64>; 2],
    losses: Vec<Original>,
}

#[derive(serde::Deserialize)]
struct Original {
    loss: String,
    source: String,
    value: f64,
    gradients: [Vec<f64>; 2],
}

#[test]
fn losses_are_those_of_the_original_implementations() {
    let text = std::fs::read_to_string("tests/data/losses.json").unwrap();
    let recorded: Recorded = serde_json::from_str(&text).unwrap();
    let array = |flat: Vec<f64>| Array2::from_shape_vec((recorded.batch, recorded.width), flat).unwrap();
    let views = recorded.views.map(array);
    for Original { loss, source, value, gradients } in recorded.losses {
        let what = format!("{loss} of {source}");
        let loss: LossSpec = serde_yaml::from_str(&loss).unwrap();
        assert_near(literal(&*loss, &views), value, 1e-12, &what);
        for (found, expected) in finite_differences(&*loss, &views).iter().zip(gradients.map(array)) {
            assert_all_near(found, &expected, 1e-6, &what);
        }
    }
}
