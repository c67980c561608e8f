//! Training whose course is known exactly: symmetries, conserved quantities and closed forms, by autograd in double
//! precision.

use std::sync::Arc;

use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::{Engine, Views},
    linalg::{orthonormal_columns, symmetric_eigenvalues},
    losses::{Invariance, Loss, LossSpec, Sides, Spectral},
    random::{Draws, native::Key},
    spec::{RunSpec, Turn, layout::StateDict, resolve},
    train::Cohort,
};
use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView2, Axis, Ix2};

fn spec(text: &str) -> Arc<RunSpec> {
    Arc::new(text.parse().unwrap_or_else(|fault| panic!("{text}: {fault:?}")))
}

fn matrix(state: &StateDict, name: &str) -> Array2<f64> {
    state[name].clone().into_dimensionality::<Ix2>().unwrap()
}

fn norm(matrix: &Array2<f64>) -> f64 {
    matrix.iter().map(|entry| entry * entry).sum::<f64>().sqrt()
}

fn gaussian(rows: usize, columns: usize) -> Array2<f64> {
    let mut draws = Key::from_seed(5).stream();
    Array2::from_shape_simple_fn((rows, columns), || draws.normal())
}

/// Losses of so many steps and the state after them, from the drawn state as `start` changes it.
fn trained(spec: &Arc<RunSpec>, steps: usize, start: impl Fn(StateDict) -> StateDict) -> (Vec<f64>, StateDict) {
    let mut cohort = Cohort::draw_from(std::slice::from_ref(spec), |_, state| start(state)).unwrap();
    let mut engine = AutogradEngine::new(cohort.members(), Device::Cpu).unwrap();
    let batches = spec.batches().len();
    let mut losses = Vec::new();
    for step in 0..steps {
        if step % batches == 0 {
            cohort.begin_epoch(step / batches);
        }
        losses.extend(engine.step(&cohort.batch(step % batches)).unwrap());
    }
    (losses, engine.state().unwrap().remove(0))
}

/// Every weight of the state, turned on the left.
fn turned(state: StateDict, q: &Array2<f64>) -> StateDict {
    let turn = |(name, _): (&String, _)| (name.clone(), q.dot(&matrix(&state, name)).into_dyn());
    state.iter().map(turn).collect()
}

/// A linear encoder under a loss of scalar products alone: a rotation of the start rotates the whole course, and changes no
/// loss. So such a loss can find the atoms' span and never the atoms.
#[test]
fn a_rotated_start_takes_the_rotated_course() {
    let q = orthonormal_columns(&gaussian(8, 8));
    for loss in LossSpec::all() {
        let model = match loss.sides() {
            Sides::Both => "family: contrastive",
            Sides::LearnerAndTeacher => "family: simsiam",
        };
        let text = format!(
            "{{method: cl, dtype: float64, data: {{samples: 60, p: 12, d: 4}}, loss: {}, \
             model: {{{model}, m: 8, activation: identity, bias: none, predictor: none}}, \
             train: {{batch_size: 20, epochs: 40, lr: 0.01, turns: joint}}}}",
            loss.kind()
        );
        let spec = spec(&text);
        let (losses, plain) = trained(&spec, 100, |state| state);
        let (others, rotated) = trained(&spec, 100, |state| turned(state, &q));
        let off = norm(&(matrix(&rotated, "Wo.weight") - q.dot(&matrix(&plain, "Wo.weight"))));
        let off = off / norm(&matrix(&plain, "Wo.weight"));
        let is_equivariant = loss.invariances().contains(&Invariance::Rotation);
        if is_equivariant {
            let moved = losses.iter().zip(&others).map(|(a, b)| (a - b).abs() / a.abs().max(1.0)).fold(0.0, f64::max);
            assert!((losses[0] - others[0]).abs() < 1e-12 * losses[0].abs().max(1.0), "{}", loss.kind());
            assert!(moved < 1e-10 && off < 1e-10, "{}: losses {moved:.1e}, weights {off:.1e}", loss.kind());
        } else {
            assert!(off > 1e-4, "{} should depend on the axes: {off:.1e}", loss.kind());
        }
    }
}

/// `W W^T - W_p^T W_p` of a linear encoder and predictor, whatever the target under stop gradient is (Tian, Chen and Ganguli
/// 2021, Theorem 1): gradient flow conserves it, and steps of length lr change it by O(lr) over the same time.
#[test]
fn a_linear_predictor_has_a_conserved_quantity() {
    let drift = |lr: f64, extra: &str| {
        let text = format!(
            "{{method: simsiam, dtype: float64, data: {{samples: 40, p: 10, d: 4}}, \
             loss: {{kind: l2, normalize: false}}, \
             model: {{m: 6, activation: identity, bias: none, batch_norm: none, projector: none, \
                      predictor: {{kind: linear, bias: false}}}}, \
             train: {{batch_size: 40, epochs: 100000, lr: {lr}{extra}}}}}"
        );
        let balance = |state: &StateDict| {
            let (w, wp) = (matrix(state, "Wo.weight"), matrix(state, "Wp.weight"));
            w.dot(&w.t()) - wp.t().dot(&wp)
        };
        let spec = spec(&text);
        let steps = (0.4 / lr).round() as usize;
        let before = balance(&Cohort::draw(std::slice::from_ref(&spec)).unwrap().members()[0].state);
        norm(&(balance(&trained(&spec, steps, |state| state).1) - before))
    };
    let [coarse, fine] = [2e-3, 2e-4].map(|lr| drift(lr, ""));
    assert!(coarse < 1e-2 && fine < 1e-3, "{coarse:e}, {fine:e}");
    assert!((7.0..14.0).contains(&(coarse / fine)), "a tenth of the step, a tenth of the drift: {coarse:e}, {fine:e}");
    let decayed = drift(2e-4, ", optimizer: {kind: sgd, weight_decay: 0.1}");
    assert!(decayed > 5.0 * fine, "weight decay does change it: {decayed:e}");
}

/// A predictor in closed form has the eigenvectors of the second moment of what it was given, and the eigenvalues asked
/// for; the gradient passes through it or, with `isotropic`, by it.
#[test]
fn a_predictor_in_closed_form_follows_the_second_moment() {
    const DECAY: f64 = 0.25;
    for (power, isotropic) in [(0.5, false), (1.0, false), (0.5, true)] {
        let text = format!(
            "{{method: simsiam, dtype: float64, data: {{samples: 40, p: 10, d: 4}}, \
             loss: {{kind: l2, normalize: false}}, \
             model: {{m: 6, activation: identity, bias: none, batch_norm: none, projector: none, \
                      predictor: {{kind: direct, decay: {DECAY}, power: {power}, epsilon: 0.2, isotropic: {isotropic}}}}}, \
             train: {{batch_size: 40, epochs: 10, lr: 0.1}}}}"
        );
        let (_, state) = trained(&spec(&text), 3, |state| state);
        let [w, weight, moment] = ["Wo.weight", "Wp.weight", "Wp.moment"].map(|name| matrix(&state, name));
        let commutator = norm(&(weight.dot(&moment) - moment.dot(&weight))) / norm(&weight.dot(&moment));
        assert!(commutator < 1e-12, "{commutator:e}");
        let [of_weight, of_moment] = [&weight, &moment].map(symmetric_eigenvalues);
        let largest = of_moment[of_moment.len() - 1];
        for (of_weight, of_moment) in of_weight.iter().zip(&of_moment) {
            let expected = (of_moment / largest).powf(power) + 0.2;
            assert!((of_weight - expected).abs() < 1e-10, "{of_weight}, not {expected}");
        }

        // At given views, by hand: the moment follows view after view, and the encoder's gradient is as the formula says.
        let [x1, x2] = [gaussian(40, 10), gaussian(40, 10) * 0.7];
        let cohort = Cohort::draw_from(&[spec(&text)], |_, _| state.clone()).unwrap();
        let mut engine = AutogradEngine::new(cohort.members(), Device::Cpu).unwrap();
        let views = Views { x1: vec![x1.clone()], x2: vec![x2.clone()] };
        let (_, gradients) = engine.gradients(&views, Turn::Joint).unwrap().remove(0);
        let [z1, z2] = [x1.dot(&w.t()), x2.dot(&w.t())]; // (B, m)
        let follow = |moment: Array2<f64>, z: &Array2<f64>| DECAY * moment + (1.0 - DECAY) / 40.0 * z.t().dot(z);
        let followed = follow(follow(moment, &z1), &z2);
        let off = norm(&(matrix(&engine.state().unwrap()[0], "Wp.moment") - &followed)) / norm(&followed);
        assert!(off < 1e-12, "{off:e}");
        let half = |z: &Array2<f64>, other: &Array2<f64>, x: &Array2<f64>| {
            let slope = (z.dot(&weight.t()) - other) / 40.0;
            if isotropic { slope.t().dot(x) } else { weight.t().dot(&slope.t()).dot(x) }
        };
        let expected = half(&z1, &z2, &x1) + half(&z2, &z1, &x2);
        let off = norm(&(matrix(&gradients, "Wo.weight") - &expected)) / norm(&expected);
        assert!(off < 1e-12, "power {power}, isotropic {isotropic}: {off:e}");
        assert!(!gradients.contains_key("Wp.weight"), "it does not learn");
    }
}

/// `|C - I|^2` with C the symmetric part of the views' cross-moments: Barlow Twins' idea on raw representations, whose
/// dynamics Simon et al. (2023) solve.
#[derive(Debug)]
struct Moments;

impl Loss for Moments {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap, Invariance::Rotation]
    }

    fn literal(&self, a: ArrayView2<f64>, b: ArrayView2<f64>) -> f64 {
        let c = a.t().dot(&b) / a.nrows() as f64;
        let symmetric = (&c + &c.t()) / 2.0 - Array2::<f64>::eye(a.ncols());
        symmetric.iter().map(|entry| entry * entry).sum()
    }

    fn tensor(&self, a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor {
        let c = a.transpose(1, 2).bmm(b) / a.size()[1] as f64; // (R, m, m)
        let symmetric = (&c + c.transpose(1, 2)) / 2.0 - tch::Tensor::eye(a.size()[2], (a.kind(), a.device()));
        symmetric.square().sum_dim_intlist([1i64, 2].as_slice(), false, None)
    }
}

/// From a small start along the eigenvectors of the data's moments `(p, p)`, each direction of a linear encoder is learnt by
/// itself: `s_j(t) = e^(4 g_j t) / sqrt(s_0^-2 + (e^(8 g_j t) - 1) g_j)`, one step after the other, at times
/// `-ln(s_0^2 g_j) / (8 g_j)`.
#[test]
fn directions_are_learnt_one_by_one_when_they_should_be() {
    const START: f64 = 0.03;
    let curves = |lr: f64, time: f64| {
        let text = format!(
            "{{method: cl, dtype: float64, data: {{samples: 50, p: 8, d: 4, strengths: {{kind: geometric, first: 3, last: 1}}, \
              latents: {{kind: symmetric, sparsity: 0.5}}}}, \
             views: {{masking_prob: 0}}, model: {{m: 4, activation: identity, bias: none}}, \
             train: {{batch_size: 50, epochs: 100000, lr: {lr}}}}}"
        );
        let spec = spec(&text);
        let drawn = Cohort::draw(std::slice::from_ref(&spec)).unwrap();
        let x = &drawn.datasets()[0].x;
        let moments = x.t().dot(x) / x.nrows() as f64;
        let eigen = DMatrix::from_fn(8, 8, |i, j| moments[[i, j]]).symmetric_eigen();
        let mut order: Vec<usize> = (0..8).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let start = Array2::from_shape_fn((4, 8), |(j, i)| START * eigen.eigenvectors[(i, order[j])]);
        let mut cohort = Cohort::draw_from(std::slice::from_ref(&spec), |_, mut state| {
            state["Wo.weight"] = start.clone().into_dyn();
            state
        })
        .unwrap();
        let mut engine = AutogradEngine::with_loss(cohort.members(), Arc::new(Moments), Device::Cpu).unwrap();
        for epoch in 0..(time / lr).round() as usize {
            cohort.begin_epoch(epoch);
            engine.step(&cohort.batch(0)).unwrap();
        }
        let w = matrix(&engine.state().unwrap()[0], "Wo.weight");
        let strength = |j: usize| (0..8).map(|i| w[[j, i]] * start[[j, i]] / START).sum::<f64>();
        let expected = |j: usize| {
            let g = eigen.eigenvalues[order[j]];
            (4.0 * g * time).exp() / (START.powi(-2) + ((8.0 * g * time).exp() - 1.0) * g).sqrt()
        };
        (0..4).map(|j| (eigen.eigenvalues[order[j]], strength(j), expected(j))).collect::<Vec<_>>()
    };
    for time in [0.1, 0.4, 1.5] {
        let (coarse, fine) = (curves(2e-3, time), curves(1e-3, time));
        for ((g, s, expected), (_, half, _)) in coarse.into_iter().zip(fine) {
            // Steps of half the length halve the error; what is left is of second order.
            let limit = 2.0 * half - s;
            assert!((half / expected - 1.0).abs() < 0.03, "{g}, {time}: {half} for {expected}");
            assert!((limit / expected - 1.0).abs() < 3e-3, "{g}, {time}: {limit} for {expected}");
            let learnt = -(START * START * g).ln() / (8.0 * g);
            assert_eq!(half > (0.5 / g).sqrt(), time > learnt, "half of the final strength at the time predicted");
        }
    }
}

/// On views of a finite number of kinds, the spectral loss's minimum is `-sum lambda_i^2` over the leading eigenvalues of the
/// views' normalised graph (HaoChen et al. 2021, Lemma 3.2), where its representations are the scaled eigenvectors. One-hot
/// samples under independent masks: a view is its sample, or nothing.
#[test]
fn the_spectral_loss_has_the_minimum_of_its_graph() {
    const P: usize = 4;
    const WIDTH: usize = 3;
    // Of the sample's one entry, both views, either, or none keep it: kind 0 is nothing.
    let views: Vec<[usize; 2]> =
        (1..=P).flat_map(|sample| [[sample, sample], [sample, 0], [0, sample], [0, 0]]).collect();
    let (kinds, pairs) = (P + 1, views.len() as f64);
    let mut graph = DMatrix::<f64>::zeros(kinds, kinds);
    for [a, b] in &views {
        graph[(*a, *b)] += 0.5 / pairs;
        graph[(*b, *a)] += 0.5 / pairs;
    }
    let weight: Vec<f64> = (0..kinds).map(|kind| graph.row(kind).sum()).collect();
    let normalised = DMatrix::from_fn(kinds, kinds, |i, j| graph[(i, j)] / (weight[i] * weight[j]).sqrt());
    let eigen = normalised.symmetric_eigen();
    let mut order: Vec<usize> = (0..kinds).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let minimum = -order[..WIDTH].iter().map(|&k| eigen.eigenvalues[k].max(0.0).powi(2)).sum::<f64>();
    let best = Array2::from_shape_fn((kinds, WIDTH), |(kind, k)| {
        let value = eigen.eigenvalues[order[k]].max(0.0);
        eigen.eigenvectors[(kind, order[k])] * value.sqrt() / weight[kind].sqrt()
    });
    // All pairs both ways; the loss leaves out a sample's own pair, the graph does not.
    let population = |of_kind: &Array2<f64>| {
        let side = |view: usize| {
            let kinds: Vec<usize> =
                views.iter().map(|pair| pair[view]).chain(views.iter().map(|pair| pair[1 - view])).collect();
            of_kind.select(Axis(0), &kinds)
        };
        let (a, b) = (side(0), side(1));
        let n = a.nrows() as f64;
        let positive: Vec<f64> = a.rows().into_iter().zip(b.rows()).map(|(a, b)| a.dot(&b)).collect();
        let pull = 2.0 * positive.iter().sum::<f64>() / n;
        let push = Spectral { mu: None }.literal(a.view(), b.view()) + pull;
        (push * n * (n - 1.0) + positive.iter().map(|s| s * s).sum::<f64>()) / (n * n) - pull
    };
    let found = population(&best);
    assert!((minimum + 1.5).abs() < 1e-12, "eigenvalues 1, 1/2 and 1/2");
    assert!((found - minimum).abs() < 1e-12, "{found} for {minimum}");
    for k in 0..20 {
        let aside = gaussian(kinds * 20, WIDTH);
        let moved = &best + &(0.05 * &aside.slice(ndarray::s![k * kinds..(k + 1) * kinds, ..]));
        assert!(population(&moved) > minimum);
    }
}

/// The same law, exactly: `W_p^T dL/dW_p = dL/dW W^T`.
#[test]
fn the_conservation_law_holds_for_gradients() {
    let text = "{method: simsiam, dtype: float64, data: {samples: 40, p: 10, d: 4}, \
                 model: {m: 6, activation: identity, bias: none, batch_norm: none, projector: none, \
                         predictor: {kind: linear, bias: false}}, train: {batch_size: 40}}";
    let spec = Arc::new(resolve(&[&serde_yaml::from_str(text).unwrap()]).unwrap());
    let cohort = Cohort::draw(std::slice::from_ref(&spec)).unwrap();
    let mut engine = AutogradEngine::new(cohort.members(), Device::Cpu).unwrap();
    let views = Views { x1: vec![gaussian(40, 10)], x2: vec![gaussian(40, 10) + 0.3] };
    let (_, gradients) = engine.gradients(&views, Turn::Joint).unwrap().remove(0);
    let state = &cohort.members()[0].state;
    let of_predictor = matrix(state, "Wp.weight").t().dot(&matrix(&gradients, "Wp.weight"));
    let of_encoder = matrix(&gradients, "Wo.weight").dot(&matrix(state, "Wo.weight").t());
    assert!(norm(&(&of_predictor - &of_encoder)) < 1e-13 && norm(&of_encoder) > 1e-3);
}
