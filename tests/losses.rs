//! Every loss against a literal loop written from its formula, against finite differences, and at points where its
//! value is known in closed form.

use contrastive_landscape::losses::{asymmetric_nt_xent, inner_product, l2, negative_cosine, nt_xent};
use tch::{Device, Kind, Tensor};

type Rows = Vec<Vec<f64>>;

/// `(runs, rows, m)` of smooth pseudo-random numbers.
fn embeddings(runs: usize, rows: usize, m: usize, phase: f64) -> Vec<Rows> {
    let value = |r: usize, i: usize, k: usize| ((1 + r) as f64 * 1.7 + i as f64 * 2.3 + k as f64 * 0.9 + phase).sin();
    (0..runs).map(|r| (0..rows).map(|i| (0..m).map(|k| value(r, i, k)).collect()).collect()).collect()
}

fn tensor(runs: &[Rows]) -> Tensor {
    let flat: Vec<f64> = runs.iter().flatten().flatten().copied().collect();
    Tensor::from_slice(&flat).reshape([runs.len() as i64, runs[0].len() as i64, runs[0][0].len() as i64])
}

fn values(loss: &Tensor) -> Vec<f64> {
    Vec::try_from(loss).unwrap()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn mean(terms: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = terms.len() as f64;
    terms.sum::<f64>() / n
}

// -- the formulas, as loops --

fn literal_inner_product(q: &Rows, t: &Rows) -> f64 {
    2.0 - 2.0 * mean(q.iter().zip(t).map(|(q, t)| dot(q, t)))
}

fn literal_l2(q: &Rows, t: &Rows) -> f64 {
    mean(q.iter().zip(t).map(|(q, t)| q.iter().zip(t).map(|(q, t)| (q - t).powi(2)).sum()))
}

fn literal_negative_cosine(p: &Rows, z: &Rows) -> f64 {
    -mean(p.iter().zip(z).map(|(p, z)| cosine(p, z)))
}

fn literal_nt_xent(z1: &Rows, z2: &Rows, temperature: f64) -> f64 {
    let b = z1.len();
    let views: Vec<&Vec<f64>> = z1.iter().chain(z2).collect();
    let term = |i: usize| {
        let s = |j: usize| (cosine(views[i], views[j]) / temperature).exp();
        let others: f64 = (0..2 * b).filter(|&j| j != i).map(s).sum();
        -(s((i + b) % (2 * b)) / others).ln()
    };
    mean((0..2 * b).map(term))
}

fn literal_asymmetric(z1: &Rows, z2: &Rows, temperature: f64) -> f64 {
    let term = |i: usize| {
        let s = |j: usize| (cosine(&z1[i], &z2[j]) / temperature).exp();
        -(s(i) / (0..z2.len()).map(s).sum::<f64>()).ln()
    };
    mean((0..z1.len()).map(term))
}

type Loss = (&'static str, fn(&Tensor, &Tensor) -> Tensor, fn(&Rows, &Rows) -> f64);

fn losses() -> Vec<Loss> {
    vec![
        ("inner product", inner_product, literal_inner_product),
        ("l2", l2, literal_l2),
        ("negative cosine", negative_cosine, literal_negative_cosine),
        ("nt-xent", |a, b| nt_xent(a, b, 0.3), |a, b| literal_nt_xent(a, b, 0.3)),
        ("nt-xent at the paper's temperature", |a, b| nt_xent(a, b, 0.05), |a, b| literal_nt_xent(a, b, 0.05)),
        ("asymmetric nt-xent", |a, b| asymmetric_nt_xent(a, b, 0.3), |a, b| literal_asymmetric(a, b, 0.3)),
    ]
}

#[test]
fn values_are_those_of_the_formulas() {
    let (a, b) = (embeddings(3, 7, 5, 0.0), embeddings(3, 7, 5, 0.4));
    for (name, loss, literal) in losses() {
        let ours = values(&loss(&tensor(&a), &tensor(&b)));
        for (run, ours) in ours.iter().enumerate() {
            let expected = literal(&a[run], &b[run]);
            assert!((ours - expected).abs() < 1e-12, "{name}: {ours} but {expected}");
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    let (a, b) = (embeddings(2, 4, 3, 0.1), embeddings(2, 4, 3, 0.7));
    let h = 1e-6;
    for (name, loss, literal) in losses() {
        let (x, y) = (tensor(&a).set_requires_grad(true), tensor(&b).set_requires_grad(true));
        let total = loss(&x, &y).sum(Kind::Double);
        let gradients = Tensor::run_backward(&[total], &[&x, &y], false, false);
        let flat: Vec<Vec<f64>> = gradients.iter().map(|g| Vec::try_from(g.reshape([-1])).unwrap()).collect();
        let mut at = 0;
        for run in 0..2 {
            for row in 0..4 {
                for k in 0..3 {
                    for (side, gradient) in flat.iter().enumerate() {
                        let shifted = |by: f64| {
                            let mut views = [a[run].clone(), b[run].clone()];
                            views[side][row][k] += by;
                            literal(&views[0], &views[1])
                        };
                        let numeric = (shifted(h) - shifted(-h)) / (2.0 * h);
                        let ours = gradient[at];
                        assert!((ours - numeric).abs() < 1e-7 * (1.0 + numeric.abs()), "{name}: {ours} but {numeric}");
                    }
                    at += 1;
                }
            }
        }
    }
}

#[test]
fn closed_forms() {
    let b = 6i64;
    let unit = Tensor::eye(b, (Kind::Double, Device::Cpu)).unsqueeze(0);
    let rolled = unit.roll([1i64].as_slice(), [1i64].as_slice());
    let scalar = |loss: Tensor| values(&loss)[0];
    // Equal unit views, and orthogonal ones.
    for (loss, equal, orthogonal) in
        [(inner_product as fn(&Tensor, &Tensor) -> Tensor, 0.0, 2.0), (l2, 0.0, 2.0), (negative_cosine, -1.0, 0.0)]
    {
        assert!((scalar(loss(&unit, &unit)) - equal).abs() < 1e-15);
        assert!((scalar(loss(&unit, &rolled)) - orthogonal).abs() < 1e-15);
    }
    // Identical embeddings: every candidate is as likely as the partner.
    let same = Tensor::ones([1, b, 4], (Kind::Double, Device::Cpu));
    assert!((scalar(nt_xent(&same, &same, 0.05)) - ((2 * b - 1) as f64).ln()).abs() < 1e-12);
    assert!((scalar(asymmetric_nt_xent(&same, &same, 0.05)) - (b as f64).ln()).abs() < 1e-12);
    // Orthogonal one-hots, each equal to its partner: ln(1 + (2B - 2) e^(-1/t)), and ln(1 + (B - 1) e^(-1/t)).
    let t = 0.5f64;
    let others = (-1.0 / t).exp();
    assert!((scalar(nt_xent(&unit, &unit, t)) - (1.0 + (2 * b - 2) as f64 * others).ln()).abs() < 1e-12);
    assert!((scalar(asymmetric_nt_xent(&unit, &unit, t)) - (1.0 + (b - 1) as f64 * others).ln()).abs() < 1e-12);
}

#[test]
fn symmetric_losses_do_not_care_for_the_order_of_views() {
    let (a, b) = (tensor(&embeddings(2, 5, 4, 0.2)), tensor(&embeddings(2, 5, 4, 0.9)));
    let difference = (nt_xent(&a, &b, 0.1) - nt_xent(&b, &a, 0.1)).abs().max().double_value(&[]);
    assert!(difference < 1e-13);
}
