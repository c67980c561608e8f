use std::{
    fmt::{self, Display, Formatter},
    path::Path,
};

use anyhow::Result;

use super::{Outcome, evaluate};
use crate::{record::Archive, spec::Overrides};

/// Claims judged twice, on the runs that two folders of results have in common: the verdicts of two engines, say.
#[derive(Debug)]
pub struct Beside {
    /// What the two folders are called.
    names: [String; 2],
    /// Each claim as judged on either folder's records.
    claims: Vec<[Outcome; 2]>,
}

impl Beside {
    /// Judges the claims of experiments, as the command line changes them, on the records of both folders.
    ///
    /// # Errors
    /// A file or a record cannot be read.
    pub fn judge<F: AsRef<Path>>(files: &[F], folders: [&Path; 2], overrides: &Overrides) -> Result<Self> {
        let [first, second] = folders;
        let archive = |of: &Path, other: &Path| Archive::changed(of, overrides.clone()).shared_with(other);
        let mut archives = [archive(first, second), archive(second, first)];
        let mut claims = Vec::new();
        for file in files {
            let judge = |archive: &mut Archive| {
                let entry = archive.entry(file.as_ref())?;
                evaluate(archive, &entry)
            };
            let [ours, theirs] = &mut archives;
            claims.extend(judge(ours)?.into_iter().zip(judge(theirs)?).map(|(a, b)| [a, b]));
        }
        claims.retain(|[ours, _]| ours.checks.iter().any(|check| check.value.n > 0));
        Ok(Self { names: folders.map(|folder| folder.display().to_string()), claims })
    }

    /// Whether there is no claim about a run that both have.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// The largest difference between the two means of any check, with its claim.
    fn largest_difference(&self) -> Option<(f64, &Outcome)> {
        let differences = self.claims.iter().map(|[ours, theirs]| (difference(ours, theirs), ours));
        differences.max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

/// The largest difference between the means of a claim's checks; 0 where neither has any.
fn difference(ours: &Outcome, theirs: &Outcome) -> f64 {
    let pairs = ours.checks.iter().zip(&theirs.checks).filter(|(ours, theirs)| ours.value.n > 0 && theirs.value.n > 0);
    pairs.map(|(ours, theirs)| (ours.value.mean - theirs.value.mean).abs()).fold(0.0, f64::max)
}

/// Seeds behind a claim's checks: `5`, or `1 to 5` where they differ.
fn seeds(outcome: &Outcome) -> String {
    let counts = || outcome.checks.iter().map(|check| check.value.n);
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    if least == most { most.to_string() } else { format!("{least} to {most}") }
}

/// A Markdown table, one row for each claim, and a line that sums it up.
impl Display for Beside {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let [first, second] = &self.names;
        writeln!(f, "| experiment | claim | seeds | {first} | {second} | largest difference | verdicts |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- |")?;
        for [ours, theirs] in &self.claims {
            let verdicts = match ours.verdict == theirs.verdict {
                true => ours.verdict.to_string(),
                false => format!("**{}, {}**", ours.verdict, theirs.verdict),
            };
            let row = [
                ours.experiment.clone(),
                format!("{}: {}", ours.source, ours.claim.says),
                seeds(ours),
                ours.numbers(),
                theirs.numbers(),
                format!("{:.1e}", difference(ours, theirs)),
                verdicts,
            ];
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        let same = self.claims.iter().filter(|[ours, theirs]| ours.verdict == theirs.verdict).count();
        write!(f, "\n{same} of {} claims have the same verdict", self.claims.len())?;
        match self.largest_difference() {
            Some((difference, at)) => {
                writeln!(
                    f,
                    "; the largest difference of a mean is {difference:.1e} ({}: {})",
                    at.experiment, at.claim.says
                )
            }
            None => writeln!(f),
        }
    }
}
