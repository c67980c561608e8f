use std::{path::Path, sync::Arc};

use anyhow::Result;

use crate::{
    record::Archive,
    spec::{Experiment, Registered},
};

/// Where the values behind registered claims come from.
pub trait Evidence {
    /// The experiment of a file.
    ///
    /// # Errors
    /// It cannot be read.
    fn experiment(&mut self, file: &Path) -> Result<Arc<Experiment>>;

    /// What a claim measures of a curve's run with this seed, and the commit of the program that made it; none where there is
    /// no such run, or it has no such value.
    ///
    /// # Errors
    /// The run cannot be read.
    fn measured(
        &mut self,
        of: &Experiment,
        label: &str,
        seed: u64,
        claim: &Registered,
    ) -> Result<Option<(f64, String)>>;
}

impl Evidence for Archive {
    fn experiment(&mut self, file: &Path) -> Result<Arc<Experiment>> {
        Ok(Arc::new(self.entry(file)?.experiment.clone()))
    }

    fn measured(
        &mut self,
        of: &Experiment,
        label: &str,
        seed: u64,
        claim: &Registered,
    ) -> Result<Option<(f64, String)>> {
        let entry = self.entry(&of.file)?;
        let run = entry.runs(label).iter().find(|run| run.plan.spec.seed == seed);
        let measured = run.and_then(|run| {
            let value = claim.measured(|measure, at| run.metrics.at(measure, at))?;
            Some((value, run.summary.provenance.commit.clone().unwrap_or_else(|| "unknown".into())))
        });
        Ok(measured)
    }
}
