use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Provenance, checkpoint::digest, regular};

/// `summary.json`: what a run came to, and how it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the run's folder.
    pub run: String,
    /// What tells its curve from the others of the experiment.
    pub label: String,
    /// The preset that its settings started from.
    pub method: String,
    /// Seed of its draws.
    pub seed: u64,
    /// Epochs trained.
    pub epochs: usize,
    /// First epoch with a loss or weights that are not finite, if there was one.
    pub diverged_at: Option<usize>,
    /// The last row of `metrics.csv`, empty cells left out.
    pub r#final: IndexMap<String, f64>,
    /// Seconds that the run's cohort took, over all its processes, without time that a kill undid.
    pub wall_seconds: f64,
    /// Runs trained side by side, at the end.
    pub runs_in_cohort: usize,
    /// Times that the run was resumed from a checkpoint.
    #[serde(default)]
    pub resumed: usize,
    /// Hash of the parameters that it was told to start from, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The run of another experiment, `fig2/<run>`, whose record this is a copy of, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<String>,
    /// Hashes of the other files.
    #[serde(default)]
    pub sha256: IndexMap<String, String>,
    /// Where and with what its last epochs were computed.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Where and with what earlier epochs were computed, if by another engine, kind of device, processor, libtorch or
    /// program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Provenance>,
    /// Hash of this text without these digits; older records have none.
    #[serde(default)]
    pub digest: String,
}

impl Summary {
    /// Its file in a run's folder.
    pub const FILE: &'static str = "summary.json";

    /// Reads the summary of a run's folder.
    ///
    /// # Errors
    /// It is not there, not whole, or not as it was written.
    pub fn read(folder: &Path) -> Result<Self> {
        let text = regular::read_to_string(&folder.join(Self::FILE))
            .with_context(|| format!("{} cannot be read", Self::FILE))?;
        Self::parse(&text).with_context(|| format!("{} is not as it was written", Self::FILE))
    }

    fn parse(text: &str) -> Result<Self> {
        let summary: Self = serde_json::from_str(text)?;
        // One flipped bit in a key must not turn it into one that nobody looks at.
        let (written, known): (serde_json::Value, _) = (serde_json::from_str(text)?, serde_json::to_value(&summary)?);
        let mut keys = written.as_object().into_iter().flat_map(|object| object.keys());
        if let Some(key) = keys.find(|key| known.get(key.as_str()).is_none()) {
            bail!("it has an unknown key `{key}`");
        }
        if !summary.digest.is_empty() {
            let rest = text.replacen(&summary.digest, "", 1);
            ensure!(digest(&[rest.as_bytes()]) == summary.digest, "its content does not match its hash");
        }
        Ok(summary)
    }

    /// The file's text, with its digest.
    pub fn signed(&self) -> Result<String> {
        let text =
            |digest| Ok::<_, serde_json::Error>(serde_json::to_string_pretty(&Self { digest, ..self.clone() })? + "\n");
        let unsigned = text(String::new())?;
        Ok(text(digest(&[unsigned.as_bytes()]))?)
    }

    /// Another file of the run's folder.
    ///
    /// # Errors
    /// It cannot be read, or is not as it was written.
    pub fn checked(&self, folder: &Path, file: &str) -> Result<Vec<u8>> {
        let content = regular::read(&folder.join(file)).with_context(|| format!("{file} cannot be read"))?;
        let expected = self.sha256.get(file);
        ensure!(
            expected.is_none_or(|expected| digest(&[&content]) == *expected),
            "{file} has been changed or damaged since it was written"
        );
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary {
            experiment: "fig1".into(),
            run: "ncl_seed1_0123456789".into(),
            label: "NCL".into(),
            method: "ncl".into(),
            seed: 1,
            epochs: 8000,
            diverged_at: None,
            r#final: IndexMap::from([("loss_mean".into(), 0.1 + 0.2)]),
            wall_seconds: 1.0 / 3.0,
            runs_in_cohort: 1,
            resumed: 0,
            start: None,
            taken_from: None,
            sha256: IndexMap::from([("metrics.csv".into(), digest(&[b"text"]))]),
            provenance: Provenance::here("fused", crate::Device::Cpu),
            earlier: vec![],
            digest: String::new(),
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let text = summary().signed().unwrap();
        assert_eq!(Summary { digest: String::new(), ..Summary::parse(&text).unwrap() }, summary());
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone().into_bytes();
                flipped[at] ^= 1 << bit;
                let read =
                    String::from_utf8(flipped).map_err(anyhow::Error::from).and_then(|text| Summary::parse(&text));
                assert!(
                    read.is_err(),
                    "bit {bit} of byte {at}, in {:?}",
                    &text[at.saturating_sub(20)..(at + 5).min(text.len())]
                );
            }
        }
    }

    #[test]
    fn records_without_a_digest_are_read() {
        let mut old = serde_json::to_value(summary()).unwrap();
        for key in ["digest", "sources", "modified", "processor"] {
            old.as_object_mut().unwrap().shift_remove(key);
        }
        let read = Summary::parse(&old.to_string()).unwrap();
        assert_eq!((read.seed, read.provenance.sources.as_str()), (1, ""));
    }
}
