//! Draws recorded from NumPy, PyTorch and Python, which the tests compare with to the last bit.

use serde_json::Value;
use std::fmt::Debug;
use std::str::FromStr;

/// A few draws of every kind by seed; the keys name the calls.
pub fn few() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rng.json"));
    serde_json::from_str(text).expect("a readable rng.json")
}

/// Digests of arrays as large as those of real runs, by library and seed: `tests/data/make_rng_large.py` makes them.
pub fn large() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rng-large.json"));
    serde_json::from_str(text).expect("a readable rng-large.json")
}

/// What PyTorch 1.7.1's loaders take: `tests/data/make_rng_torch_1_7.py` makes it.
pub fn torch_1_7() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rng-torch-1.7.json"));
    serde_json::from_str(text).expect("a readable rng-torch-1.7.json")
}

/// Draws of Python's module `random`: `tests/data/make_rng_python.py` makes them.
pub fn python() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rng-python.json"));
    serde_json::from_str(text).expect("a readable rng-python.json")
}

/// The seeds of a record and what was drawn from each.
pub fn by_seed<S: FromStr<Err: Debug>>(record: &Value) -> impl Iterator<Item = (S, &Value)> {
    let seeds = record.as_object().expect("seeds");
    seeds.iter().map(|(seed, draws)| (seed.parse().expect("a seed"), draws))
}

/// All numbers of nested lists, in order.
pub fn numbers(lists: &Value) -> Vec<f64> {
    match lists {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}

/// As [`numbers`], for indices.
pub fn indices(lists: &Value) -> Vec<usize> {
    numbers(lists).into_iter().map(|number| number as usize).collect()
}

/// An entry of an array of NumPy or PyTorch.
pub trait Entry: Copy + PartialEq + Debug + FromStr<Err: Debug> {
    fn bits(self) -> u64;
}

impl Entry for f32 {
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

impl Entry for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

impl Entry for u64 {
    fn bits(self) -> u64 {
        self
    }
}

/// Fails unless `drawn` has the length, the ends and the checksum of the `digest`.
#[track_caller]
pub fn assert_digest<T: Entry>(drawn: &[T], digest: &Value) {
    let recorded = |end: &str| -> Vec<T> {
        let texts = digest[end].as_array().expect("a digest").iter();
        texts.map(|text| text.as_str().expect("a text").parse().expect("an entry")).collect()
    };
    let shown = drawn.len().min(5);
    assert_eq!(drawn.len(), digest["length"], "length");
    assert_eq!(drawn[..shown], recorded("first"), "first entries");
    assert_eq!(drawn[drawn.len() - shown..], recorded("last"), "last entries");
    let checksum =
        drawn.iter().zip(1u64..).fold(0, |sum: u64, (entry, i)| sum.wrapping_add(entry.bits().wrapping_mul(i)));
    assert_eq!(format!("{checksum:016x}"), digest["checksum"], "checksum over all entries");
}
