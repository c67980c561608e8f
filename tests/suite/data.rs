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

/// Correlations of the columns, and how often an entry is not 0.
fn correlations(z: &Array2<f64>) -> (Array2<f64>, f64) {
    let n = z.nrows() as f64;
    let centered = z - &z.mean_axis(Axis(0)).unwrap();
    let covariance = centered.t().dot(&centered) / n;
    let deviations = covariance.diag().mapv(f64::sqrt);
    let correlation =
        Array2::from_shape_fn(covariance.dim(), |(i, j)| covariance[[i, j]] / (deviations[i] * deviations[j]));
    (correlation, z.iter().filter(|&&entry| entry != 0.0).count() as f64 / z.len() as f64)
}

#[test]
fn neighbouring_latents_are_correlated_as_asked() {
    let n = 40_000.0f64;
    for (kind, sparsity, rho) in [("symmetric", 0.2, 0.6f64), ("symmetric", 0.1, 0.9), ("binary", 0.3, 0.5)] {
        let text = format!(
            "{{data: {{samples: {n}, d: 8, latents: {{kind: {kind}, sparsity: {sparsity}}}, correlation: {rho}}}}}"
        );
        let (found, density) = correlations(&dataset(&spec(&text)).latents);
        for ((i, j), correlation) in found.indexed_iter().filter(|((i, j), _)| i != j) {
            let expected = rho.powi(i.abs_diff(j) as i32);
            // Sparse entries: few samples carry the correlation.
            assert!(
                (correlation - expected).abs() < 5.0 / (n * sparsity).sqrt(),
                "{kind}, {i}, {j}: {correlation}, {expected}"
            );
        }
        // Symmetric latents are redrawn while all are zero: with probability (1 - s) (1 - s (1 - rho))^(d - 1).
        let all_zero = if kind == "binary" { 0.0 } else { (1.0 - sparsity) * (1.0 - sparsity * (1.0 - rho)).powi(7) };
        let expected = sparsity / (1.0 - all_zero);
        assert!((density - expected).abs() < 5.0 * (expected / n).sqrt(), "{kind}: {density}, {expected}");
    }
}

#[test]
fn strengths_multiply_latents_and_nothing_else() {
    let equal = dataset(&spec("{data: {d: 4, p: 20}}"));
    for (strengths, factors) in [
        ("{kind: geometric, first: 4, last: 0.5}", [4.0, 2.0, 1.0, 0.5]),
        ("{kind: given, values: [1, 3, 0.25, 2]}", [1.0, 3.0, 0.25, 2.0]),
    ] {
        let data = dataset(&spec(&format!("{{data: {{d: 4, p: 20, strengths: {strengths}}}}}")));
        assert_eq!(data.dictionary, equal.dictionary);
        let expected = &equal.latents * &ndarray::arr1(&factors);
        assert!((&data.latents - &expected).iter().all(|off| off.abs() < 1e-15), "{strengths}");
        let noise = |data: &Dataset| &data.x - &data.latents.dot(&data.dictionary.t());
        assert!((noise(&data) - noise(&equal)).iter().all(|off| off.abs() < 1e-14));
    }
    assert!(
        "{data: {strengths: {kind: given, values: [1, 2]}}}"
            .parse::<RunSpec>()
            .unwrap_err()
            .message
            .contains("10 atoms")
    );
}

#[test]
fn dictionaries_that_are_not_orthonormal() {
    let coherent = dataset(&spec("{data: {coherence: 0.3}}")).dictionary;
    let expected = Array2::from_shape_fn((10, 10), |(i, j)| if i == j { 1.0 } else { 0.3 });
    assert!((coherent.t().dot(&coherent) - expected).iter().all(|off: &f64| off.abs() < 1e-13));

    // Overcomplete: cosines of unit Gaussian atoms have the mean 0 and the variance 1 / p.
    let overcomplete = dataset(&spec("{data: {p: 20, d: 60, dictionary: gaussian}, model: {m: 80}}"));
    assert_eq!(overcomplete.dictionary.dim(), (20, 60));
    let gram = overcomplete.dictionary.t().dot(&overcomplete.dictionary);
    assert!(gram.diag().iter().all(|length| (length - 1.0).abs() < 1e-13));
    let squares: f64 = gram.indexed_iter().filter(|((i, j), _)| i < j).map(|(_, cosine)| cosine * cosine).sum();
    let (pairs, p) = (60.0 * 59.0 / 2.0, 20.0f64);
    // The variance of a squared cosine is 2 (p - 1) / (p^2 (p + 2)).
    let error = (2.0 * (p - 1.0) / (p * p * (p + 2.0)) / pairs).sqrt();
    assert!((squares / pairs - 1.0 / p).abs() < 5.0 * error, "{}", squares / pairs);
    assert_eq!(overcomplete.x.dim(), (1000, 20));
    for refused in
        ["{data: {p: 20, d: 60}}", "{data: {dictionary: gaussian, coherence: 0.1}}", "{data: {coherence: 1}}"]
    {
        refused.parse::<RunSpec>().unwrap_err();
    }
}

#[test]
fn noise_may_differ_from_input_to_input() {
    let text = "{data: {samples: 20000, p: 30, noise: {kind: heteroskedastic, first: 0.1, last: 2}}}";
    let data = dataset(&spec(text));
    let eps = &data.x - data.latents.dot(&data.dictionary.t());
    for (j, input) in eps.axis_iter(Axis(1)).enumerate() {
        let expected = 0.1 * 20f64.powf(j as f64 / 29.0);
        let found = (input.dot(&input) / 20000.0).sqrt();
        assert!((found / expected - 1.0).abs() < 5.0 / 40000f64.sqrt(), "input {j}: {found} for {expected}");
    }
}

#[test]
fn a_start_can_be_small() {
    let start = |text: &str| {
        let spec = spec(text);
        initial_state(&spec, &dataset(&spec).dictionary, &mut RunStreams::new(spec.random, spec.seed))
    };
    let (usual, small) = (start("{}"), start("{model: {init: {kind: random, scale: 0.125}}}"));
    assert_eq!(small["Wo.weight"], &usual["Wo.weight"] * 0.125);
    assert_eq!(small["Wt.weight"], &usual["Wt.weight"] * 0.125);
}

/// Noise of the views' own, with dependent masks: zero outside of a view's mask, twice the deviation within.
#[test]
fn views_may_have_noise_of_their_own() {
    let text =
        "{data: {samples: 4000, p: 70, noise: {kind: heteroskedastic, first: 0.5, last: 2}, noise_per_view: true},
                 views: {masks: dependent}, train: {batch_size: 4000}}";
    let spec = spec(text);
    let data = dataset(&spec);
    assert_eq!(data.x, data.latents.dot(&data.dictionary.t()), "the samples have no noise");
    let batch = batches(&spec, 0).remove(0);
    let (noise, words) = (batch.noise.as_ref().unwrap(), batch.masks.words());
    for j in [0, 35, 69] {
        let expected = 2.0 * 0.5 * 4f64.powf(j as f64 / 69.0);
        for (noise, words) in noise.iter().zip(&words) {
            let kept: Vec<f64> = (0..4000).filter(|&row| bit(words, 70, row, j)).map(|row| noise[[row, j]]).collect();
            let deviation = (kept.iter().map(|x| x * x).sum::<f64>() / kept.len() as f64).sqrt();
            assert!((deviation / expected - 1.0).abs() < 5.0 / (2.0 * kept.len() as f64).sqrt(), "{j}: {deviation}");
            assert!((0..4000).all(|row| bit(words, 70, row, j) || noise[[row, j]] == 0.0));
        }
    }
    let again = batches(&spec, 1).remove(0);
    assert_ne!(again.noise, batch.noise, "drawn anew every epoch");
}

#[test]
fn noise_is_added_to_all_of_a_view() {
    let spec = spec("{data: {samples: 3000, p: 20}, views: {noise: 0.3}, train: {batch_size: 3000}}");
    let batch = batches(&spec, 0).remove(0);
    let [first, second] = batch.noise.as_ref().unwrap();
    let n = first.len() as f64;
    for noise in [first, second] {
        let deviation = ((noise * noise).sum() / n).sqrt();
        assert!((deviation / 0.3 - 1.0).abs() < 5.0 / (2.0 * n).sqrt());
    }
    assert!((first * second).sum().abs() < 5.0 * 0.09 * n.sqrt(), "the views' noise is independent");
    let x = dataset(&spec).x;
    let silent = engine_batch_without_noise(&batch);
    for (view, (masked, noise)) in batch.views(&x, 1.0).iter().zip(silent.views(&x, 1.0).iter().zip([first, second])) {
        assert_eq!(view, masked + noise);
    }
}

fn engine_batch_without_noise(batch: &RunBatch) -> RunBatch {
    RunBatch { noise: None, ..batch.clone() }
}

#[test]
fn each_view_may_have_a_masking_probability() {
    let spec = spec("{data: {p: 70}, views: {masking_prob: 0.25, second_masking_prob: 0.9}}");
    let (mut kept, mut n) = ([0.0; 2], 0.0);
    for batch in (0..3).flat_map(|epoch| batches(&spec, epoch)) {
        n += 70.0 * batch.rows.len() as f64;
        for (kept, words) in kept.iter_mut().zip(batch.masks.words()) {
            *kept += (0..batch.rows.len())
                .map(|row| (0..70).filter(|&j| bit(&words, 70, row, j)).count() as f64)
                .sum::<f64>();
        }
    }
    for (kept, keep) in kept.into_iter().zip([0.75, 0.1]) {
        assert!((kept / n - keep).abs() < 5.0 * (keep * (1.0 - keep) / n).sqrt(), "{} for {keep}", kept / n);
    }
    let fault = "{views: {masks: dependent, second_masking_prob: 0.3}}".parse::<RunSpec>().unwrap_err();
    assert_eq!(fault.path, "views.second_masking_prob");
}

/// One block of `q p` zeros in each mask, cyclically; it begins anywhere equally often.
#[test]
fn contiguous_masks_are_blocks() {
    for (p, q, zeros) in [(70, 0.3, 21), (50, 0.5, 25), (20, 0.99, 20)] {
        let spec = spec(&format!("{{data: {{p: {p}}}, views: {{pattern: contiguous, masking_prob: {q}}}}}"));
        let (mut starts, mut masks) = (vec![0.0; p], 0.0);
        for batch in (0..8).flat_map(|epoch| batches(&spec, epoch)) {
            for words in batch.masks.words() {
                for row in 0..batch.rows.len() {
                    let kept: Vec<bool> = (0..p).map(|j| bit(&words, p, row, j)).collect();
                    assert_eq!(kept.iter().filter(|kept| !**kept).count(), zeros);
                    let begins: Vec<usize> = (0..p).filter(|&j| !kept[j] && kept[(j + p - 1) % p]).collect();
                    assert_eq!(begins.len(), usize::from(zeros < p), "one block");
                    begins.iter().for_each(|&j| starts[j] += 1.0);
                    masks += 1.0;
                }
            }
        }
        if zeros < p {
            let each = masks / p as f64;
            assert!(starts.iter().all(|&count| (count - each).abs() < 5.0 * each.sqrt()), "{starts:?}");
        }
    }
    let both = batches(&spec("{views: {pattern: contiguous, masks: dependent}}"), 0).remove(0).masks.words();
    assert!(both[0].iter().zip(&both[1]).all(|(a, b)| a ^ b == u64::MAX));
}

#[test]
fn fresh_samples_are_functions_of_their_epoch() {
    let spec =
        |fresh: bool| self::spec(&format!("{{data: {{samples: 60, fresh: {fresh}}}, train: {{batch_size: 20}}}}"));
    let mut cohort = Cohort::draw(&[spec(true)]).unwrap();
    let fixed = Cohort::draw(&[spec(false)]).unwrap();
    let mut seen = Vec::new();
    for epoch in [0, 1, 2, 1] {
        cohort.begin_epoch(epoch);
        let samples = cohort.batch(0).samples.expect("new samples");
        assert_eq!(*samples[0], cohort.datasets()[0].x);
        assert!(cohort.batch(1).samples.is_none());
        assert_eq!(cohort.datasets()[0].dictionary, fixed.datasets()[0].dictionary);
        seen.push(samples[0].clone());
    }
    assert_eq!(*seen[0], fixed.datasets()[0].x, "the first epoch's are those of a run that keeps them");
    assert!(seen[0] != seen[1] && seen[1] != seen[2]);
    assert_eq!(seen[1], seen[3], "whatever came before");
}

/// What is drawn for a batch does not depend on its size, and both engines train on it.
#[test]
fn noise_and_blocks_do_not_depend_on_the_batch_size() {
    let drawn = |batch: usize| {
        let views = "pattern: contiguous, noise: 0.1, pairs: 2, masking_prob: 0.3, second_masking_prob: 0.6";
        let data = "samples: 90, noise_per_view: true";
        let spec = spec(&format!("{{data: {{{data}}}, views: {{{views}}}, train: {{batch_size: {batch}}}}}"));
        let batches = batches(&spec, 2);
        let words: Vec<_> = batches.iter().flat_map(|batch| batch.masks.words()[1].clone()).collect();
        let noise: Vec<_> = batches.iter().flat_map(|batch| batch.noise.as_ref().unwrap()[1].clone()).collect();
        (words, noise)
    };
    assert_eq!(drawn(90), drawn(7));
}
