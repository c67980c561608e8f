//! Inputs that are almost valid: a valid one with a few places changed.

use std::fmt::Debug;

use proptest::{prelude::*, sample::Index, test_runner::TestRunner};

/// Runs `test` on some thousand inputs, or as many as `LANDSCAPE_FUZZ` says.
pub fn check<T: Debug>(inputs: impl Strategy<Value = T>, test: impl Fn(T)) {
    let cases = std::env::var("LANDSCAPE_FUZZ").ok().and_then(|number| number.parse().ok()).unwrap_or(2_000);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let run = TestRunner::new(config).run(&inputs, |input| {
        test(input);
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
}

/// A few bytes of an input are replaced.
#[derive(Clone, Debug)]
pub struct Change {
    at: Index,
    /// How many bytes go.
    gone: usize,
    new: Vec<u8>,
}

/// Up to four changes that put in `words` or arbitrary bytes.
pub fn changes(words: &'static [&'static str]) -> impl Strategy<Value = Vec<Change>> {
    let word = prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
    let new = prop_oneof![4 => word, 1 => prop::collection::vec(any::<u8>(), 0..4)];
    let gone = prop_oneof![Just(0), 0..4usize, 0..40usize];
    let change = (any::<Index>(), gone, new).prop_map(|(at, gone, new)| Change { at, gone, new });
    prop::collection::vec(change, 1..5)
}

/// The input with the changes made.
pub fn changed(input: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for Change { at, gone, new } in changes {
        let start = at.index(bytes.len() + 1);
        let end = (start + gone).min(bytes.len());
        bytes.splice(start..end, new.iter().copied());
    }
    bytes
}

/// The same for text: what is no longer UTF-8 is replaced.
pub fn changed_text(input: &str, changes: &[Change]) -> String {
    String::from_utf8_lossy(&changed(input.as_bytes(), changes)).into_owned()
}

/// An input of pieces that mean something to the reader, glued together.
pub fn glued(words: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![6 => prop::sample::select(words).prop_map(String::from), 1 => ".{0,3}"];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}
