//! A certificate of the registered verdicts: all that a stranger needs to check them, in one file.
//!
//! It holds the registration and its experiments as text, and of every run its name (which has the hash of its settings),
//! what claims measure of it, the hash of its rows and what made it. So whoever has it can plan the same runs from the
//! texts, judge them again from the values, and train any of them anew to compare every byte of its rows.

mod check;
mod collect;

pub use check::{Finding, check, retrain};

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    claims::{RegisteredCheck, Ruling, Rulings},
    input_error,
    record::{Provenance, digest, write_whole},
};

/// The certificate, as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The registration's place among the files.
    pub registration: PathBuf,
    /// The registration, its experiments and what these need: text by relative place.
    pub files: BTreeMap<PathBuf, String>,
    /// Where and with what runs were computed.
    pub provenance: Vec<Provenance>,
    /// Every run that the registration needs and that is recorded.
    pub runs: Vec<CertifiedRun>,
    /// What the claims came to, by name.
    pub rulings: IndexMap<String, Vec<CertifiedRuling>>,
    /// Hash of this text without these digits.
    pub digest: String,
}

/// A run of a certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedRun {
    /// Name of its experiment.
    pub experiment: String,
    /// Name of its folder, which ends with the hash of its settings.
    pub run: String,
    /// Its curve.
    pub label: String,
    /// Its seed.
    pub seed: u64,
    /// Hash of its `metrics.csv`.
    pub metrics: String,
    /// What claims measure of it, by [`Registered::quantity`](crate::spec::Registered::quantity).
    pub values: BTreeMap<String, f64>,
    /// Which of the certificate's `provenance` made it.
    pub made: usize,
}

/// What a claim came to on one curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedRuling {
    /// The curve.
    pub label: String,
    /// The verdict in words.
    pub ruling: String,
    /// The statistic; none where it could not be computed.
    pub value: Option<f64>,
}

impl Certificate {
    /// Reads the file.
    ///
    /// # Errors
    /// [`InputError`](crate::spec::InputError) where it cannot be read, or is not as it was written.
    pub fn read(file: &Path) -> Result<Self> {
        let fault = |error: anyhow::Error| input_error!("{}: {error:#}", file.display());
        let text = std::fs::read_to_string(file).map_err(|error| fault(error.into()))?;
        let read = || -> Result<Self> {
            let certificate: Self = serde_json::from_str(&text).context("it is no certificate")?;
            ensure!(certificate.signed()? == text, "it is not as it was written");
            Ok(certificate)
        };
        read().map_err(fault)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        write_whole(file, self.signed()?.as_bytes())
    }

    /// Its text, with its digest.
    fn signed(&self) -> Result<String> {
        let text = |digest: String| -> Result<String> {
            Ok(serde_json::to_string_pretty(&Self { digest, ..self.clone() })? + "\n")
        };
        let unsigned = text(String::new())?;
        text(digest(&[unsigned.as_bytes()]))
    }
}

/// What claims came to, as certificates have it.
fn certified(rulings: &Rulings) -> IndexMap<String, Vec<CertifiedRuling>> {
    let of = |check: &RegisteredCheck| CertifiedRuling {
        label: check.label.clone(),
        ruling: check.ruling.to_string(),
        value: (check.ruling != Ruling::NotRun && check.value.is_finite()).then_some(check.value),
    };
    let claims = rulings.claims.iter();
    claims.map(|claim| (claim.claim.id.clone(), claim.checks.iter().map(of).collect())).collect()
}
