use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    fs,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};

use super::{Certificate, CertifiedRun, certified};
use crate::{
    claims::{Evidence, rule},
    input_error,
    record::{Metrics, Summary, digest, run_folder},
    runner::{self, Options},
    spec::{Experiment, PlannedRun, Registered, Registration},
};

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub checked: String,
    /// What was found.
    pub found: String,
    /// Whether it is as certified.
    pub holds: bool,
}

/// A certificate's texts as files again, and what they say.
struct Unpacked {
    /// Holds the files.
    _folder: tempfile::TempDir,
    registration: Registration,
    /// The runs that it needs.
    plans: Vec<PlannedRun>,
}

/// Checks what needs no training: that the runs' names follow from the texts, and the rulings from the runs' values.
///
/// # Errors
/// [`InputError`](crate::spec::InputError) where its texts cannot be read as experiments.
pub fn check(certificate: &Certificate) -> Result<Vec<Finding>> {
    let unpacked = certificate.unpack()?;
    let mut findings = vec![];
    let planned: HashMap<String, &PlannedRun> = unpacked.plans.iter().map(|run| (run.to_string(), run)).collect();
    let fits = |run: &&CertifiedRun| {
        let plan = planned.get(&format!("{}/{}", run.experiment, run.run));
        plan.is_some_and(|plan| plan.label == run.label && plan.spec.seed == run.seed)
    };
    let fitting = certificate.runs.iter().filter(fits).count();
    findings.push(Finding {
        checked: "every run is one that the registration plans, with the settings in its name".into(),
        found: format!("{fitting} of {}; {} are planned", certificate.runs.len(), planned.len()),
        holds: fitting == certificate.runs.len(),
    });
    let commits: BTreeSet<&str> =
        certificate.provenance.iter().map(|made| made.commit.as_deref().unwrap_or("unknown")).collect();
    findings.push(Finding {
        checked: "all runs are by one commit, with its sources unedited".into(),
        found: commits.iter().copied().collect::<Vec<_>>().join(", "),
        holds: commits.len() == 1 && certificate.provenance.iter().all(|made| !made.modified),
    });
    let again = certified(&rule(&unpacked.registration, &mut Certified::of(certificate))?);
    let (mut same, mut all) = (0, 0);
    for (id, checks) in &again {
        all += checks.len();
        let stated = certificate.rulings.get(id).map_or(&[][..], Vec::as_slice);
        same += checks.iter().filter(|check| stated.contains(check)).count();
    }
    findings.push(Finding {
        checked: "every ruling follows from the runs' values".into(),
        found: format!("{same} of {all}"),
        holds: same == all && again.len() == certificate.rulings.len(),
    });
    Ok(findings)
}

/// Trains a few of the runs again and compares what comes of them.
///
/// On a machine that computes like the one that made a run, its rows must be the same to the last byte. Elsewhere last digits
/// differ, so what claims measure of it must agree within the registration's margin.
///
/// # Errors
/// As for [`check`], or a run cannot be trained.
pub fn retrain(certificate: &Certificate, count: usize, draw: u64, options: &Options) -> Result<Vec<Finding>> {
    let unpacked = certificate.unpack()?;
    let by_name: HashMap<String, &PlannedRun> = unpacked.plans.iter().map(|run| (run.to_string(), run)).collect();
    let mut chosen: Vec<&CertifiedRun> = certificate.runs.iter().collect();
    chosen.sort_by_key(|run| digest(&[&draw.to_le_bytes(), run.run.as_bytes()]));
    chosen.truncate(count);
    let plan = |run: &&CertifiedRun| {
        let name = format!("{}/{}", run.experiment, run.run);
        let planned = by_name.get(&name).map(|plan| (*plan).clone());
        planned.ok_or_else(|| input_error!("the certificate's texts plan no run {name}"))
    };
    let plans = chosen.iter().map(plan).collect::<Result<Vec<_>>>()?;
    let results = tempfile::tempdir()?;
    let options = Options { results: results.path().to_path_buf(), ..options.clone() };
    let outcome = runner::run(&plans, &options)?;
    if let Some(interrupted) = outcome.interrupted {
        return Err(interrupted.into());
    }
    if let Some(failure) = outcome.failures.into_iter().next() {
        return Err(failure.error.context(failure.run));
    }
    chosen
        .iter()
        .zip(&plans)
        .map(|(run, plan)| compare(certificate, &unpacked.registration, run, plan, results.path()))
        .collect()
}

fn compare(
    certificate: &Certificate,
    registration: &Registration,
    run: &CertifiedRun,
    plan: &PlannedRun,
    results: &Path,
) -> Result<Finding> {
    let folder = run_folder(results, plan);
    let summary = Summary::read(&folder)?;
    let made = certificate.provenance.get(run.made).context("the certificate does not say what made a run")?;
    let alike = made.computes_like(&summary.provenance);
    let same = summary.sha256.get("metrics.csv") == Some(&run.metrics);
    let metrics = Metrics::read(&folder.join("metrics.csv"))?.complete(&plan.spec);
    let mut farthest = 0.0_f64;
    for claim in &registration.claims {
        let Some(value) = run.values.get(&claim.quantity()) else { continue };
        let again = claim.measured(|measure, at| metrics.at(measure, at)).unwrap_or(f64::NAN);
        let distance = (again - value).abs();
        farthest = if distance.is_nan() { f64::INFINITY } else { farthest.max(distance) };
    }
    let found = match (same, alike) {
        (true, _) => "the same bytes".into(),
        (false, true) => format!("other bytes on a machine of the same kind; values differ by up to {farthest:.1e}"),
        (false, false) => format!("another kind of machine or program: values differ by up to {farthest:.1e}"),
    };
    let holds = same || !alike && farthest <= registration.margin;
    Ok(Finding { checked: format!("trained again: {plan}"), found, holds })
}

impl Certificate {
    fn unpack(&self) -> Result<Unpacked> {
        let folder = tempfile::tempdir()?;
        for (place, text) in &self.files {
            if !place.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(input_error!("the certificate has a file outside of itself: {}", place.display()));
            }
            let path = folder.path().join(place);
            fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            fs::write(path, text)?;
        }
        let registration = Registration::read(&folder.path().join(&self.registration))?;
        let plans = registration.plan()?.into_iter().flat_map(|(_, runs)| runs).collect();
        Ok(Unpacked { _folder: folder, registration, plans })
    }
}

/// A certificate's values as evidence.
struct Certified<'a> {
    certificate: &'a Certificate,
    runs: HashMap<(&'a str, &'a str, u64), &'a CertifiedRun>,
    experiments: HashMap<PathBuf, Arc<Experiment>>,
}

impl<'a> Certified<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        let runs = certificate.runs.iter();
        let runs = runs.map(|run| ((run.experiment.as_str(), run.label.as_str(), run.seed), run)).collect();
        Self { certificate, runs, experiments: HashMap::new() }
    }
}

impl Evidence for Certified<'_> {
    fn experiment(&mut self, file: &Path) -> Result<Arc<Experiment>> {
        Ok(Arc::clone(match self.experiments.entry(file.to_path_buf()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Arc::new(Experiment::read(file)?.0)),
        }))
    }

    fn measured(
        &mut self,
        of: &Experiment,
        label: &str,
        seed: u64,
        claim: &Registered,
    ) -> Result<Option<(f64, String)>> {
        let Some(run) = self.runs.get(&(of.name.as_str(), label, seed)) else { return Ok(None) };
        let made = self.certificate.provenance.get(run.made).and_then(|made| made.commit.clone());
        Ok(run.values.get(&claim.quantity()).map(|value| (*value, made.unwrap_or_else(|| "unknown".into()))))
    }
}
