//! What became of registered claims: a ruling for each, and the numbers behind it.

use std::{collections::BTreeSet, fmt};

use crate::{
    aligned::{self, Side},
    spec::Registered,
};

/// What a registered test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ruling {
    /// The whole interval lies on the claim's side.
    Holds,
    /// None of it does.
    Fails,
    /// The interval allows both, or the other checks do: the seeds do not suffice.
    Undecided,
    /// The published value is known less well than the margin.
    TooImprecise,
    /// Not all of the registered seeds are recorded.
    NotRun,
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Undecided => "undecided",
            Self::TooImprecise => "publication too imprecise",
            Self::NotRun => "not run",
        })
    }
}

/// A registered claim with what its test says at every point of its experiment's grid.
#[derive(Clone, Debug)]
pub struct RuledClaim {
    /// As registered.
    pub claim: Registered,
    /// What is measured and asked, in words.
    pub asks: String,
    /// One for each curve that it is about.
    pub checks: Vec<RegisteredCheck>,
}

/// A registered claim at one point of its experiment's grid.
#[derive(Clone, Debug)]
pub struct RegisteredCheck {
    /// The curve's label.
    pub label: String,
    /// Registered seeds that are recorded.
    pub seeds: usize,
    /// The statistic; NaN while it cannot be computed.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of the same.
    pub high: f64,
    /// Of the statistic against the claim's number, two-sided; NaN where the interval alone decides.
    pub p: f64,
    /// The same, adjusted for all checks (Benjamini and Hochberg).
    pub adjusted: f64,
    /// The smallest distance from the claim's number that these seeds would have found in four of five cases.
    pub detectable: Option<f64>,
    /// What the test says, after the adjustment.
    pub ruling: Ruling,
}

/// All checks of a registration, with what the runs behind them were made by.
#[derive(Clone, Debug)]
pub struct Rulings {
    /// In the registration's order.
    pub claims: Vec<RuledClaim>,
    /// Commits of the program; a confirmatory run has one.
    pub commits: BTreeSet<String>,
}

impl RuledClaim {
    /// A claim about several curves holds if it holds for each, and fails if it fails for one.
    pub fn ruling(&self) -> Ruling {
        let first = |ruling: &&Ruling| self.checks.iter().any(|check| check.ruling == **ruling);
        let order = [Ruling::NotRun, Ruling::Fails, Ruling::Undecided, Ruling::TooImprecise];
        order.iter().find(first).copied().unwrap_or(Ruling::Holds)
    }

    /// For how many of its curves it holds.
    pub fn holding(&self) -> usize {
        self.checks.iter().filter(|check| check.ruling == Ruling::Holds).count()
    }
}

impl RegisteredCheck {
    /// Its curve, what the test says, and by which numbers.
    fn cells(&self) -> [String; 3] {
        let number = |value: f64| if value.is_nan() { "-".into() } else { format!("{value:.3}") };
        let numbers = match self.ruling {
            Ruling::NotRun => format!("{} seeds recorded", self.seeds),
            _ => {
                let p = if self.p.is_nan() {
                    String::new()
                } else {
                    format!(", p {:.1e}, adjusted {:.1e}", self.p, self.adjusted)
                };
                let detectable =
                    self.detectable.map_or(String::new(), |least| format!(", would have found {least:.3}"));
                format!("{} [{}, {}]{p}{detectable}", number(self.value), number(self.low), number(self.high))
            }
        };
        [self.label.clone(), self.ruling.to_string(), numbers]
    }
}

impl Rulings {
    /// The claim of a name.
    pub fn claim(&self, id: &str) -> Option<&RuledClaim> {
        self.claims.iter().find(|ruled| ruled.claim.id == id)
    }

    /// Every check of every claim.
    pub fn checks(&self) -> impl Iterator<Item = &RegisteredCheck> {
        self.claims.iter().flat_map(|claim| &claim.checks)
    }

    /// How many checks came out how: "31 holds, 4 fails".
    pub fn tally(&self) -> String {
        let all = [Ruling::Holds, Ruling::Fails, Ruling::Undecided, Ruling::TooImprecise, Ruling::NotRun];
        let count = |ruling: Ruling| self.checks().filter(|check| check.ruling == ruling).count();
        let counted = all.iter().filter(|ruling| count(**ruling) > 0).map(|r| format!("{} {r}", count(*r)));
        counted.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Rulings {
    /// Claim by claim, aligned for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 3]> = self.checks().map(RegisteredCheck::cells).collect();
        let lines = aligned::indented(&aligned::columns(&rows, |_| Side::Left), 4);
        let mut lines = lines.lines();
        for RuledClaim { claim, asks, checks } in &self.claims {
            writeln!(f, "{} ({}): {}\n  {asks}", claim.id, claim.source, claim.says)?;
            lines.by_ref().take(checks.len()).try_for_each(|line| writeln!(f, "{line}"))?;
        }
        writeln!(f, "{}", self.tally())?;
        match self.commits.len() {
            0 => Ok(()),
            1 => writeln!(f, "all runs by commit {}", self.commits.iter().next().map_or("", String::as_str)),
            several => writeln!(f, "the runs are by {several} commits: a confirmation is by one"),
        }
    }
}
