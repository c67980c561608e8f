//! What a sweep consists of, left beside its results so that they can be compared with it without the experiment's
//! file.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{regular, write_whole};

/// `results/<experiment>/.plan/<hash>.json`: the runs of one experiment as one set of flags plans them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the experiment.
    pub experiment: String,
    /// The flags that change the experiment's file, as they were given; none for the file as it is.
    pub flags: Vec<String>,
    /// Seconds since 1970 at which it was first run.
    pub time: u64,
    /// By name, in the experiment's order.
    pub runs: IndexMap<String, PlannedWork>,
}

/// Size of a planned run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedWork {
    /// Epochs to train.
    pub epochs: usize,
    /// Estimated work, for shares of the whole.
    pub work: f64,
}

const FOLDER: &str = ".plan";

impl Plan {
    /// Writes the plan, unless it is there. Its name is a hash of the runs, so that all processes of a sweep write the
    /// same file.
    pub fn write(&self, results: &Path) -> Result<()> {
        let mut hash = Sha256::new();
        self.runs.keys().for_each(|run| hash.update(format!("{run}\n")));
        let name: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let path = results.join(&self.experiment).join(FOLDER).join(format!("{name}.json"));
        if path.exists() {
            return Ok(());
        }
        write_whole(&path, &serde_json::to_vec(self)?)
    }

    /// The plans of an experiment, the oldest first.
    pub fn read_all(results: &Path, experiment: &str) -> Result<Vec<Self>> {
        let folder = results.join(experiment).join(FOLDER);
        if !folder.is_dir() {
            return Ok(vec![]);
        }
        let mut plans = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                let text = regular::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let plan: Self = serde_json::from_slice(&text)
                    .with_context(|| format!("{} is not a plan; it can be removed", path.display()))?;
                plans.push(plan);
            }
        }
        plans.sort_by(|a, b| (a.time, &a.flags).cmp(&(b.time, &b.flags)));
        Ok(plans)
    }
}
