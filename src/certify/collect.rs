use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{Certificate, CertifiedRun, certified};
use crate::{
    claims::rule,
    record::{Archive, Provenance},
    spec::{Registration, common_folder, place, sources},
};

impl Certificate {
    /// Of a registration and the records at hand.
    ///
    /// # Errors
    /// A file cannot be read, or a record is not as it was written.
    pub fn collect(list: &Path, archive: &mut Archive) -> Result<Self> {
        let registration = Registration::read(list)?;
        let rulings = rule(&registration, archive)?;
        let plans = registration.plan()?;
        let list = place(list)?;
        let mut paths: BTreeSet<PathBuf> =
            sources(&plans.iter().map(|(plan, _)| plan.file.clone()).collect::<Vec<_>>())?;
        paths.insert(list.clone());
        let root = common_folder(&paths);
        let relative = |file: &PathBuf| file.strip_prefix(&root).unwrap_or(file).to_path_buf();
        let text = |file: &PathBuf| -> Result<(PathBuf, String)> {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok((relative(file), text))
        };
        let files = paths.iter().map(text).collect::<Result<_>>()?;
        let mut provenance: Vec<Provenance> = vec![];
        let mut runs = vec![];
        for (experiment, planned) in &plans {
            let entry = archive.entry(&experiment.file)?;
            for plan in planned {
                let Some(run) = entry.runs(&plan.label).iter().find(|run| run.plan.id == plan.id) else { continue };
                let made = provenance.iter().position(|other| *other == run.summary.provenance);
                let made = made.unwrap_or_else(|| {
                    provenance.push(run.summary.provenance.clone());
                    provenance.len() - 1
                });
                let asked = registration.claims.iter().filter_map(|claim| {
                    let value = claim.measured(|measure, at| run.metrics.at(measure, at))?;
                    Some((claim.quantity(), value))
                });
                runs.push(CertifiedRun {
                    experiment: plan.experiment.clone(),
                    run: plan.id.clone(),
                    label: plan.label.clone(),
                    seed: plan.spec.seed,
                    metrics: run.summary.sha256.get("metrics.csv").cloned().unwrap_or_default(),
                    values: asked.collect(),
                    made,
                });
            }
        }
        Ok(Self {
            registration: relative(&list),
            files,
            provenance,
            runs,
            rulings: certified(&rulings),
            digest: String::new(),
        })
    }
}
