use std::{path::PathBuf, sync::Arc};

use anyhow::Result;

use crate::{
    claims::{Outcome, Rulings, Verdict, evaluate},
    record::{Archive, ExperimentRecord, RecordedRun},
};

/// What the report is made of.
pub struct Report {
    /// A few lines in Markdown that stand on top.
    pub summary: Option<String>,
    /// The paper's figures and tables, in the order of the files, each in all of its protocols.
    pub figures: Vec<Figure>,
    /// Experiments that explain: those that no figure of the paper shows.
    pub sweeps: Vec<Variant>,
    /// What became of the registered claims, if the report is about these.
    pub registered: Option<Rulings>,
}

/// A figure or table of the paper.
pub struct Figure {
    /// The protocol of the paper's text first.
    pub variants: Vec<Variant>,
}

/// An experiment with its records and verdicts.
pub struct Variant {
    /// The experiment and its records.
    pub entry: Arc<ExperimentRecord>,
    /// Its claims, each with a verdict.
    pub outcomes: Vec<Outcome>,
}

/// A claim under each protocol.
pub struct Row<'a> {
    pub says: &'a str,
    pub source: &'a str,
    /// One for each protocol of the report; none where the protocol has no such claim.
    pub outcomes: Vec<Option<&'a Outcome>>,
}

impl Report {
    /// Reads experiments and their records. Files under a folder called `sweeps` or `text` explain; the others are the
    /// paper's.
    pub fn read(files: &[PathBuf], summary: Option<String>, archive: &mut Archive) -> Result<Self> {
        let mut report = Self { summary, figures: Vec::new(), sweeps: Vec::new(), registered: None };
        let mut variants: Vec<Variant> = Vec::new();
        for file in files {
            let entry = archive.entry(file)?;
            let outcomes = evaluate(archive, &entry)?;
            let variant = Variant { entry, outcomes };
            let explains = file.parent().is_some_and(|folder| folder.ends_with("sweeps") || folder.ends_with("text"));
            if explains { report.sweeps.push(variant) } else { variants.push(variant) }
        }
        for variant in variants {
            let extended = variant.entry.experiment.extends.clone();
            let figure = report.figures.iter_mut().find(|figure| extended.as_deref() == Some(figure.name()));
            match figure {
                Some(figure) => figure.variants.push(variant),
                None => report.figures.push(Figure { variants: vec![variant] }),
            }
        }
        Ok(report)
    }

    /// The question that it answers.
    pub fn title(&self) -> &'static str {
        let papers = |figure: &Figure| figure.variants.iter().any(|variant| !variant.entry.experiment.paper.is_empty());
        let explains = self.registered.is_some() || self.figures.is_empty();
        if explains || self.figures.iter().any(papers) { "Does the paper reproduce?" } else { "What was found" }
    }

    /// The protocols that occur, with that of the paper's text first.
    pub fn protocols(&self) -> Vec<&str> {
        let mut protocols: Vec<&str> = Vec::new();
        for variant in self.figures.iter().flat_map(|figure| &figure.variants) {
            let protocol = variant.entry.experiment.protocol.as_str();
            if !protocols.contains(&protocol) {
                protocols.push(protocol);
            }
        }
        protocols
    }

    /// Sweeps with records.
    pub fn explanations(&self) -> impl Iterator<Item = &Variant> {
        self.sweeps.iter().filter(|sweep| sweep.is_run())
    }

    /// Titles of the sweeps without any.
    pub fn planned(&self) -> Vec<&str> {
        self.sweeps.iter().filter(|sweep| !sweep.is_run()).map(|sweep| sweep.entry.experiment.title.as_str()).collect()
    }

    /// Every variant, figures first.
    pub fn variants(&self) -> impl Iterator<Item = &Variant> {
        self.figures.iter().flat_map(|figure| &figure.variants).chain(&self.sweeps)
    }

    /// Verdicts of the paper's claims under a protocol.
    pub fn verdicts(&self, protocol: &str) -> Vec<Verdict> {
        let variants = self.figures.iter().flat_map(|figure| &figure.variants);
        let of = variants.filter(|variant| variant.entry.experiment.protocol == protocol);
        of.flat_map(|variant| &variant.outcomes).map(|outcome| outcome.verdict).collect()
    }
}

impl Figure {
    /// Name of the experiment in the paper's protocol.
    pub fn name(&self) -> &str {
        &self.variants[0].entry.experiment.name
    }

    /// Where the paper shows it, or the title of an experiment that the paper does not have.
    pub fn source(&self) -> &str {
        let experiment = &self.variants[0].entry.experiment;
        if experiment.paper.is_empty() { &experiment.title } else { &experiment.paper }
    }

    /// Every claim of the figure under each of the protocols.
    pub fn rows(&self, protocols: &[&str]) -> Vec<Row<'_>> {
        let mut rows: Vec<Row> = Vec::new();
        for variant in &self.variants {
            let place = protocols.iter().position(|other| *other == variant.entry.experiment.protocol);
            for outcome in &variant.outcomes {
                let says = outcome.claim.says.as_str();
                let at = rows.iter().position(|row| row.says == says).unwrap_or_else(|| {
                    let source = if outcome.source.is_empty() { self.source() } else { &outcome.source };
                    rows.push(Row { says, source, outcomes: vec![None; protocols.len()] });
                    rows.len() - 1
                });
                if let Some(place) = place {
                    rows[at].outcomes[place] = Some(outcome);
                }
            }
        }
        rows
    }
}

impl Variant {
    /// Whether anything is recorded.
    pub fn is_run(&self) -> bool {
        self.runs().next().is_some()
    }

    /// Every recorded run.
    pub fn runs(&self) -> impl Iterator<Item = &RecordedRun> {
        self.entry.runs.values().flatten()
    }
}
