//! No combination of valid settings makes training panic or hang: specs drawn from all that a file can say, numbers at the
//! ends of their ranges among it, each trained for two epochs in time.
//!
//! Two thousand specs; as many as `LANDSCAPE_FUZZ` says otherwise.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    panic::catch_unwind,
    sync::mpsc,
    time::Duration,
};

use contrastive_landscape::{
    losses::LossSpec,
    runner::{EngineKind, memory_needed},
    spec::{RunSpec, methods},
    train,
};
use proptest::{prelude::*, sample::select};

use crate::fuzz::check;

/// A run of these sizes takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that a run may be estimated at.
const MEMORY: f64 = 1e8;

/// Keys, and what may stand there.
const SETTINGS: &[(&str, &[&str])] = &[
    ("random", &["native", "native", "authors", "authors_torch_1_7"]),
    ("dtype", &["float32", "float32", "float64"]),
    ("data.dictionary", &["orthonormal", "orthonormal", "identity", "gaussian"]),
    ("data.coherence", &["0", "0.5", "0.9999999999999999", "1e-300", "-0.1"]),
    ("data.correlation", &["0", "0.5", "-0.9", "0.9999999999999999", "1e-300"]),
    (
        "data.strengths",
        &[
            "equal",
            "{kind: geometric, first: 1, last: 0.1}",
            "{kind: geometric, first: 1e-300, last: 1e300}",
            "{kind: given, values: [1]}",
            "{kind: given, values: [0, 1e300]}",
        ],
    ),
    ("data.noise_per_view", &["false", "true"]),
    ("data.fresh", &["false", "true"]),
    (
        "data.latents",
        &[
            "{kind: symmetric, sparsity: 0.3}",
            "{kind: symmetric, sparsity: 1e-300}",
            "{kind: symmetric, sparsity: 0.9999999999999999}",
            "{kind: binary, sparsity: 1e-300}",
            "{kind: binary, sparsity: 0.5}",
            "{kind: one_hot, sign: positive}",
            "{kind: one_hot, sign: common}",
            "one_hot",
            "{kind: fixed_support, sparsity: 0.2}",
            "{kind: fixed_support, sparsity: 1e-300}",
        ],
    ),
    (
        "data.noise",
        &[
            "none",
            "paper",
            "{kind: authors, exponent: 1}",
            "{kind: authors, exponent: -300}",
            "{kind: authors, exponent: 1e300}",
            "{kind: gaussian, sigma: 0}",
            "{kind: gaussian, sigma: 1e-300}",
            "{kind: gaussian, sigma: 1e30}",
            "{kind: gaussian, sigma: 1e300}",
            "{kind: heteroskedastic, first: 0.1, last: 1}",
            "{kind: heteroskedastic, first: 1e-300, last: 1e300}",
        ],
    ),
    ("views.masks", &["independent", "dependent", "shared"]),
    ("views.masking_prob", &["0", "0.5", "1", "1e-300", "0.9999999999999999"]),
    ("views.second_masking_prob", &["null", "0", "0.9", "1", "1e-300"]),
    ("views.pattern", &["entries", "contiguous"]),
    ("views.noise", &["0", "0.1", "1e-300", "1e300"]),
    ("model.activation", &["identity", "relu", "srelu", "sym_relu"]),
    ("model.batch_norm", &["none", "none", "pre_activation", "post_activation", "pre_and_post_activation", "idle"]),
    (
        "model.bias",
        &[
            "none",
            "zero",
            "uniform",
            "{kind: constant, value: 0.1}",
            "{kind: constant, value: -1e300}",
            "{kind: constant, value: 1e-320}",
        ],
    ),
    ("model.projector", &["none", "none", "linear", "hidden"]),
    ("model.predictor", &["none", "none", "linear", "{kind: linear, bias: false}", "identity", "idle", "diagonal"]),
    ("model.frozen", &["[]", "[]", "[encoder]", "[encoder, target, predictor, projector]", "[projector, projector]"]),
    (
        "model.init",
        &[
            "random",
            "{kind: random, scale: 1e-3}",
            "{kind: random, scale: 1e-300}",
            "{kind: random, scale: 1e300}",
            "{kind: warm, closeness: 1}",
            "{kind: warm, closeness: 0}",
            "{kind: warm, closeness: -1e300}",
            "{kind: warm, closeness: 1e300}",
        ],
    ),
    (
        "loss",
        &[
            "inner_product",
            "{kind: inner_product, normalize: false, weight_penalty: -1e300}",
            "l2",
            "{kind: l2, normalize: false, weight_penalty: 1e300}",
            "nt_xent",
            "{kind: nt_xent, temperature: 1e-300}",
            "{kind: nt_xent, temperature: 1e300}",
            "asymmetric_nt_xent",
            "{kind: asymmetric_nt_xent, temperature: 1e-30}",
            "negative_cosine",
            "barlow_twins",
            "{kind: barlow_twins, lambda: 1e300, scale: 1e300}",
            "vicreg",
            "{kind: vicreg, invariance: 1e300, variance: 0, covariance: 1e-300}",
            "dcl",
            "{kind: dcl, temperature: 1e-300}",
            "siglip",
            "{kind: siglip, scale: 1e300, bias: -1e300}",
            "spectral",
            "{kind: spectral, mu: 1e-300}",
            "{kind: spectral, mu: 1}",
            "{kind: sigreg, slices: 4}",
            "{kind: sigreg, slices: 1, weight: 1}",
            "{kind: sigreg, weight: 0}",
            "alignment_uniformity",
            "{kind: alignment_uniformity, alpha: 1e300, t: 1e300, weight: 1e300}",
        ],
    ),
    (
        "train.optimizer",
        &[
            "sgd",
            "{kind: sgd, momentum: 0.9, nesterov: true, weight_decay: 1e-4}",
            "{kind: sgd, momentum: 0.9999999999999999, weight_decay: 1e300}",
            "adam",
            "{kind: adam, beta1: 0, beta2: 0, epsilon: 1e-300, weight_decay: 1e300}",
            "adamw",
            "{kind: adamw, beta1: 0.9999999999999999, beta2: 0.9999999999999999, weight_decay: 0}",
        ],
    ),
    (
        "train.schedule",
        &[
            "constant",
            "{kind: constant, warmup: 1}",
            "cosine",
            "{kind: cosine, warmup: 2, floor: 1}",
            "{kind: steps, every: 1, factor: 1e-300}",
            "{kind: steps, every: 18446744073709551615, factor: 0.1, warmup: 1}",
        ],
    ),
    ("train.drop_last", &["false", "true"]),
    ("train.lr", &["0.025", "1", "1e-300", "1e30", "1e308"]),
    (
        "train.turns",
        &["alternating", "joint", "joint", "{kind: ema, decay: 0}", "{kind: ema, decay: 1}", "{kind: ema, decay: 0.5}"],
    ),
    ("train.normalize_encoder", &["none", "none", "rows", "columns"]),
    ("train.normalize_predictor", &["none", "none", "rows", "columns", "crossed_columns"]),
    ("train.clamp_bias", &["null", "null", "1e-300", "0.1", "1e300"]),
    ("metrics.every", &["1", "2", "18446744073709551615"]),
    ("metrics.detail_every", &["0", "1", "18446744073709551615"]),
    ("metrics.target_spectrum", &["target", "online"]),
];

/// Keys whose values are drawn by [`settings`] itself, or mean nothing to training.
const SIZES: &[&str] = &[
    "method",
    "seed",
    "data.samples",
    "data.p",
    "data.d",
    "views.pairs",
    "model.m",
    "model.layers",
    "model.family",
    "train.epochs",
    "train.batch_size",
];

/// Whatever a run can be told is drawn: a new key, loss, optimiser or schedule needs its values above.
#[test]
fn every_setting_is_drawn() {
    let tree = "method: ncl".parse::<RunSpec>().unwrap().tree();
    let mut keys: Vec<String> = Vec::new();
    for (key, value) in tree.as_object().unwrap() {
        match value.as_object().filter(|block| !block.contains_key("kind")) {
            Some(block) => keys.extend(block.keys().map(|inner| format!("{key}.{inner}"))),
            None => keys.push(key.clone()),
        }
    }
    let drawn = |key: &str| SETTINGS.iter().any(|(name, _)| *name == key) || SIZES.contains(&key);
    let missing: Vec<&String> = keys.iter().filter(|key| !drawn(key)).collect();
    assert!(keys.len() > 30 && missing.is_empty(), "{missing:?} of {keys:?}");
    let values = |key: &str| SETTINGS.iter().find(|(name, _)| *name == key).unwrap().1;
    for loss in LossSpec::all() {
        let (alone, with_keys) = (loss.kind(), format!("kind: {},", loss.kind()));
        assert!(values("loss").iter().any(|value| *value == alone || value.contains(&with_keys)), "{alone}");
    }
}

/// A method with some of its settings changed, and sizes from one on.
fn settings() -> impl Strategy<Value = String> {
    let names: Vec<&str> = methods().iter().map(|method| method.name.as_str()).collect();
    let size = || prop_oneof![Just(1usize), 1..6usize, 1..80usize];
    let sizes = (size(), size(), size(), size(), size(), 1..4usize, 1..3usize);
    let change = select(SETTINGS).prop_flat_map(|(key, values)| select(values).prop_map(move |value| (key, value)));
    let changes = prop::collection::vec(change, 0..7);
    (select(names), sizes, changes, any::<u32>()).prop_map(|(method, (n, p, d, m, b, pairs, layers), changes, seed)| {
        // Mostly sizes that fit together.
        let (p, b) = (p.max(d), b.min(n));
        let mut text = format!("method: {method}\nseed: {seed}\n");
        let mut blocks: BTreeMap<&str, String> = BTreeMap::from([
            ("data", format!("  samples: {n}\n  p: {p}\n  d: {d}\n")),
            ("views", format!("  pairs: {pairs}\n")),
            ("model", format!("  m: {m}\n  layers: {layers}\n")),
            ("train", format!("  epochs: 2\n  batch_size: {b}\n")),
        ]);
        let chosen: BTreeMap<&str, &str> = changes.into_iter().collect();
        for (key, value) in chosen {
            match key.split_once('.') {
                Some((block, key)) => *blocks.entry(block).or_default() += &format!("  {key}: {value}\n"),
                None => text += &format!("{key}: {value}\n"),
            }
        }
        blocks.into_iter().fold(text, |text, (block, keys)| format!("{text}{block}:\n{keys}"))
    })
}

/// What came of training, if it came to an end.
fn outcome(spec: RunSpec) -> Result<usize, String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let trained = catch_unwind(|| train(&spec).map(|run| run.rows.len()).map_err(|error| format!("{error:#}")));
        let _ = sender.send(trained.unwrap_or_else(|_| Err("it panicked".into())));
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(format!("it took more than {PATIENCE:?}")))
}

#[test]
fn valid_settings_are_trained_to_the_end() {
    let (trained, refused) = (Cell::new(0), RefCell::new(BTreeMap::<String, usize>::new()));
    check(settings(), |text| match text.parse::<RunSpec>() {
        Err(fault) => {
            assert!(!fault.message.is_empty(), "{text}");
            *refused.borrow_mut().entry(fault.path).or_default() += 1;
        }
        Ok(spec) if cfg!(not(feature = "torch")) && train(&spec).is_err() => {} // autograd's
        Ok(spec) => {
            assert!(memory_needed(&spec, EngineKind::Autograd) < MEMORY, "{text}");
            let rows = outcome(spec).unwrap_or_else(|error| panic!("{error}:\n{text}"));
            assert!((2..=3).contains(&rows), "{rows} rows:\n{text}");
            trained.set(trained.get() + 1);
        }
    });
    let (trained, refused) = (trained.get(), refused.into_inner());
    assert!(trained > 100 && refused.values().sum::<usize>() < 9 * trained, "{trained} trained, {refused:?} refused");
}
