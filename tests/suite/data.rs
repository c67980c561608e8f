//! What a run is drawn from: dictionary, noise, views, starts, and the independence of streams.

use std::sync::Arc;

use contrastive_landscape::{
    data::{BatchSource, Dataset, RunStreams, initial_state},
    engine::RunBatch,
    spec::{RunSpec, resolve},
    train::Cohort,
};
use ndarray::{Array2, Axis};

fn spec(text: &str) -> Arc<RunSpec> {
    Arc::new(resolve(&[&serde_yaml::from_str(text).unwrap()]).unwrap())
}

fn dataset(spec: &RunSpec) -> Dataset {
    Dataset::draw(&spec.data, &mut RunStreams::new(spec.random, spec.seed))
}

fn batches(spec: &Arc<RunSpec>, epoch: usize) -> Vec<RunBatch> {
    let mut source = BatchSource::new(spec.clone(), RunStreams::new(spec.random, spec.seed));
    source.begin_epoch(epoch);
    (0..spec.batches().len()).map(|k| source.batch(k)).collect()
}

fn bit(words: &[u64], p: usize, row: usize, j: usize) -> bool {
    words[row * p.div_ceil(64) + j / 64] >> (j % 64) & 1 == 1
}

#[test]
fn the_dictionary_has_orthonormal_columns() {
    for (p, d) in [(50, 10), (20, 20), (130, 7)] {
        let m = dataset(&spec(&format!("{{data: {{p: {p}, d: {d}, samples: 600}}}}"))).dictionary;
        let gram = m.t().dot(&m) - Array2::<f64>::eye(d);
        assert!(gram.iter().all(|v| v.abs() < 1e-14));
    }
    let identity = dataset(&spec("{data: {p: 12, d: 12, dictionary: identity}}")).dictionary;
    assert_eq!(identity, Array2::<f64>::eye(12));
}

#[test]
fn samples_are_dictionary_times_latents_plus_noise() {
    let ln10 = 10f64.ln();
    for (noise, sigma) in [
        ("none", 0.0),
        ("authors", ln10.sqrt() / 10.0),
        ("{kind: authors, exponent: 2}", ln10 / 100.0),
        ("paper", (ln10 / 10.0).sqrt()),
        ("{kind: gaussian, sigma: 0.7}", 0.7),
    ] {
        let data = dataset(&spec(&format!("{{data: {{samples: 4000, noise: {noise}}}}}")));
        let eps = &data.x - data.latents.dot(&data.dictionary.t());
        let n = eps.len() as f64;
        let mean = eps.sum() / n;
        let std = (eps.mapv(|v| v * v).sum() / n - mean * mean).sqrt();
        assert!(mean.abs() <= 5.0 * sigma / n.sqrt() + 1e-15, "{noise}: mean {mean}");
        assert!((std - sigma).abs() <= 5.0 * sigma / (2.0 * n).sqrt() + 1e-15, "{noise}: std {std}");
    }
}

#[test]
fn masks_keep_as_often_as_asked() {
    for q in [0.25, 0.5, 0.75, 0.9] {
        let spec = spec(&format!("{{data: {{p: 70}}, views: {{masking_prob: {q}}}}}"));
        let (mut first, mut second, mut both, mut n) = (0.0, 0.0, 0.0, 0.0);
        for batch in (0..4).flat_map(|epoch| batches(&spec, epoch)) {
            let words = batch.masks.words();
            for (row, j) in (0..batch.rows.len()).flat_map(|row| (0..70).map(move |j| (row, j))) {
                let [a, b] = words.each_ref().map(|words| bit(words, 70, row, j));
                first += f64::from(a);
                second += f64::from(b);
                both += f64::from(a && b);
                n += 1.0;
            }
        }
        let close = |count: f64, p: f64| (count / n - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt();
        let keep = 1.0 - q;
        assert!(close(first, keep) && close(second, keep), "{q}");
        assert!(close(both, keep * keep), "the two views' masks are not independent at {q}");
    }
}

#[test]
fn every_kind_of_view() {
    let dependent = spec("{views: {masks: dependent}}");
    assert_eq!(dependent.views.scale(), 2.0);
    let [first, second] = batches(&dependent, 0)[0].masks.words();
    assert!(first.iter().zip(&second).all(|(a, b)| a ^ b == u64::MAX));
    assert!(first.windows(2).any(|pair| pair[0] != pair[1]), "one mask per sample");

    let [first, second] = batches(&spec("{views: {masks: shared}}"), 0)[0].masks.words();
    assert!(first.windows(2).all(|pair| pair[0] == pair[1]), "one mask per batch");
    assert!(first.iter().zip(&second).all(|(a, b)| a ^ b == u64::MAX));

    let multi = &batches(&spec("{views: {pairs: 3}}"), 0)[0];
    assert_eq!(multi.rows.len(), 3 * 512);
    assert!(multi.rows.chunks(3).all(|pairs| pairs[0] == pairs[1] && pairs[1] == pairs[2]));
    let [first, _] = multi.masks.words();
    assert!(first[0] != first[1] && first[1] != first[2]);
}

#[test]
fn an_epoch_visits_every_sample_once() {
    let spec = spec("{}");
    let visited = |epoch: usize| batches(&spec, epoch).into_iter().flat_map(|batch| batch.rows).collect::<Vec<_>>();
    let (first, second) = (visited(0), visited(1));
    assert_ne!(first, second);
    let mut sorted = first;
    sorted.sort_unstable();
    assert!(sorted.iter().enumerate().all(|(i, &row)| i as u32 == row));
    let dropped = self::spec("{train: {drop_last: true}}");
    assert_eq!(batches(&dropped, 0).len(), 1);
}

#[test]
fn draws_do_not_depend_on_the_batch_size() {
    let masks = |batch: usize, view: usize| {
        let spec = spec(&format!("{{train: {{batch_size: {batch}}}}}"));
        batches(&spec, 3).into_iter().flat_map(|batch| batch.masks.words()[view].clone()).collect::<Vec<_>>()
    };
    for view in [0, 1] {
        assert_eq!(masks(512, view), masks(100, view));
    }
}

#[test]
fn a_warm_start_lies_as_far_from_the_atoms_as_asked() {
    for (p, d, m, c) in [(50, 10, 50, 1.0), (50, 10, 50, 2.0), (20, 20, 20, 1.0), (50, 10, 10, 0.0)] {
        let spec =
            spec(&format!("{{data: {{p: {p}, d: {d}}}, model: {{m: {m}, init: {{kind: warm, closeness: {c}}}}}}}"));
        let data = dataset(&spec);
        let state = initial_state(&spec, &data.dictionary, &mut RunStreams::new(spec.random, spec.seed));
        let weight = state["Wo.weight"].clone().into_dimensionality::<ndarray::Ix2>().unwrap();
        // Every row is its nearest atom plus noise.
        let mut squares = 0.0;
        for (i, row) in weight.axis_iter(Axis(0)).enumerate() {
            let off = |atom: usize| {
                let difference = &row - &data.dictionary.column(atom);
                difference.dot(&difference)
            };
            squares += if m == d { off(i) } else { (0..d).map(off).fold(f64::INFINITY, f64::min) };
        }
        let n = (m * p) as f64;
        let sigma = if c > 0.0 { (p as f64).powf(-c / 2.0) } else { 0.0 };
        let measured = (squares / n).sqrt();
        assert!((measured - sigma).abs() <= 5.0 * sigma / (2.0 * n).sqrt(), "p {p} c {c}: {measured} but {sigma}");
        assert!(state["Wo.weight"] != state["Wt.weight"] || c == 0.0, "the encoders start independently");
    }
}

#[test]
fn a_random_start_has_the_variance_of_the_paper() {
    let spec = spec("{data: {p: 100, d: 10}, model: {m: 200}}");
    let state = initial_state(&spec, &dataset(&spec).dictionary, &mut RunStreams::new(spec.random, spec.seed));
    let weight = &state["Wo.weight"];
    let variance = weight.mapv(|v| v * v).mean().unwrap();
    let expected = 1.0 / 1000.0;
    assert!((variance - expected).abs() < 5.0 * expected * (2.0 / weight.len() as f64).sqrt());
    assert!(state["Wo.bias"].iter().all(|&b| b == 0.0));
}

#[test]
fn seeds_are_independent_and_cohorts_change_nothing() {
    let specs: Vec<_> = (1..=3).map(|seed| spec(&format!("{{seed: {seed}}}"))).collect();
    let mut together = Cohort::draw(&specs).unwrap();
    together.begin_epoch(2);
    let dealt = together.batch(1);
    for (r, alone) in specs.iter().enumerate() {
        let mut cohort = Cohort::draw(std::slice::from_ref(alone)).unwrap();
        cohort.begin_epoch(2);
        assert_eq!(cohort.batch(1).runs[0], dealt.runs[r]);
        assert_eq!(cohort.datasets()[0], together.datasets()[r]);
        assert_eq!(cohort.members()[0].state, together.members()[r].state);
    }
    // Data, masks and starts of different seeds are uncorrelated.
    let correlation = |a: &Array2<f64>, b: &Array2<f64>| {
        let norm = |x: &Array2<f64>| x.iter().map(|v| v * v).sum::<f64>().sqrt();
        (a * b).sum() / (norm(a) * norm(b))
    };
    let data = together.datasets();
    assert!(correlation(&data[0].x, &data[1].x).abs() < 5.0 / (data[0].x.len() as f64).sqrt());
    let [[first, _], [other, _]] = [0, 1].map(|r| dealt.runs[r].masks.words());
    let agree: u32 = first.iter().zip(&other).map(|(a, b)| (!(a ^ b)).count_ones()).sum();
    let bits = 64.0 * first.len() as f64;
    assert!((f64::from(agree) / bits - 0.5).abs() < 5.0 * 0.5 / bits.sqrt());
}
