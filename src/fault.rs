//! What is wrong with the user's input, said once and clearly.

use std::fmt;

/// A fault of the input (a file, a key, a flag) rather than of the run; the program exits with code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError(pub String);

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InputError {}

/// Why settings do not make a run: the key to change, and what would be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Dotted path of the offending key, as far as it is known.
    pub path: String,
    /// What the user reads: what is wrong, and what would be valid.
    pub message: String,
}

impl Fault {
    /// A fault of the setting at a dotted path.
    pub fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// A fault of the setting at `path` unless it is valid. The message follows the path.
pub fn ensure(valid: bool, path: &str, message: impl FnOnce() -> String) -> Result<(), Fault> {
    if valid { Ok(()) } else { Err(Fault::new(path, format!("{path}: {}", message()))) }
}

/// A fault unless `value` is a positive number.
pub fn positive(path: &str, value: f64) -> Result<(), Fault> {
    ensure(value.is_finite() && value > 0.0, path, || format!("must be a positive number, not {value}"))
}

/// Fails with an [`InputError`] made of the format arguments.
#[macro_export]
macro_rules! input_error {
    ($($arg:tt)*) => { anyhow::Error::new($crate::fault::InputError(format!($($arg)*))) };
}

/// The candidate nearest to a misspelt `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Says that `word` is an unknown `what`, with the nearest candidate and a list of all of them.
pub fn unknown(what: &str, word: &str, candidates: &[&str]) -> String {
    let hint = nearest(word, candidates.iter().copied()).map(|near| format!(" (did you mean `{near}`?)"));
    format!("unknown {what} `{word}`{}; valid: {}", hint.unwrap_or_default(), candidates.join(", "))
}
