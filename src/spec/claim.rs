//! The paper's statements as checkable assertions: what an experiment's file says under `claims`.

use serde::Deserialize;
use serde_yaml::Value;

use super::{Experiment, Fault};
use crate::fault::unknown;
use crate::metrics::{column, column_keys};

/// One statement about the runs of an experiment, checked at every point of its grid.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The statement in words.
    pub says: String,
    /// Where it is made; the experiment's `paper` if not given.
    #[serde(default)]
    pub source: Option<String>,
    /// Which runs: an arm, or the label of one curve; every curve if not given.
    #[serde(default)]
    pub of: Option<String>,
    /// A column of `metrics.csv`.
    #[serde(default = "min_cosine")]
    pub measure: String,
    /// When it is read off.
    #[serde(default)]
    pub at: Moment,
    /// If given, the claim is about the change since then.
    #[serde(default)]
    pub since: Option<Moment>,
    /// The direction: the value lies above this number, or above that of other runs at the same point of the grid.
    #[serde(default)]
    pub above: Option<Bound>,
    /// The same, below.
    #[serde(default)]
    pub below: Option<Bound>,
    /// The published value.
    #[serde(default)]
    pub published: Option<Published>,
    /// How far from the published value the measured one may lie; never less than the published mean's own uncertainty.
    #[serde(default = "reading_error")]
    pub within: f64,
}

/// When a value is read off a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Moment {
    /// Before training.
    Start,
    /// After training.
    #[default]
    End,
    /// The smallest value of the run.
    Lowest,
    /// The largest value of the run.
    Highest,
    /// After so many epochs.
    Epoch(usize),
}

impl Moment {
    /// `at the end`, `at epoch 100`.
    pub(super) fn words(self) -> String {
        match self {
            Self::Start => "at the start".into(),
            Self::End => "at the end".into(),
            Self::Lowest => "at its lowest".into(),
            Self::Highest => "at its highest".into(),
            Self::Epoch(epoch) => format!("at epoch {epoch}"),
        }
    }
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Bound {
    /// One and the same number at every point of the grid.
    Number(f64),
    /// Other runs: an arm or label, of this experiment or of another file of the same folder.
    Runs {
        /// The other file's name without `.yaml`; this experiment if not given.
        experiment: Option<String>,
        /// The arm, compared at the same point of the grid, or the label of one curve.
        of: Option<String>,
    },
}

/// A published value, with its standard deviation over the paper's five seeds where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Published {
    /// The mean, as printed.
    pub mean: f64,
    /// The standard deviation, where it is printed.
    pub std: Option<f64>,
}

fn min_cosine() -> String {
    "min_cosine".into()
}

/// What can be read off a printed curve.
fn reading_error() -> f64 {
    0.05
}

impl TryFrom<Value> for Moment {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        const NAMES: [(&str, Moment); 4] =
            [("start", Moment::Start), ("end", Moment::End), ("lowest", Moment::Lowest), ("highest", Moment::Highest)];
        if let Some(epoch) = value.as_u64() {
            return Ok(Self::Epoch(epoch as usize));
        }
        let named = NAMES.iter().find(|(name, _)| value.as_str() == Some(name));
        named.map(|(_, moment)| *moment).ok_or_else(|| "valid: start, end, lowest, highest or an epoch".into())
    }
}

impl TryFrom<Value> for Bound {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Other {
            experiment: String,
            #[serde(default)]
            of: Option<String>,
        }
        match value {
            Value::Number(number) => number.as_f64().map(Self::Number).ok_or_else(|| "not a number".into()),
            Value::String(of) => Ok(Self::Runs { experiment: None, of: Some(of) }),
            Value::Mapping(_) => {
                let other: Other = serde_yaml::from_value(value).map_err(|error| error.to_string())?;
                Ok(Self::Runs { experiment: Some(other.experiment), of: other.of })
            }
            _ => Err("valid: a number, the name of an arm, or {experiment: NAME, of: ARM}".into()),
        }
    }
}

impl TryFrom<Value> for Published {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let numbers: Option<Vec<f64>> = match &value {
            Value::Sequence(items) => items.iter().map(Value::as_f64).collect(),
            other => other.as_f64().map(|mean| vec![mean]),
        };
        match numbers.as_deref() {
            Some([mean]) => Ok(Self { mean: *mean, std: None }),
            Some([mean, std]) if *std >= 0.0 => Ok(Self { mean: *mean, std: Some(*std) }),
            _ => Err("valid: a number, or [mean, standard deviation]".into()),
        }
    }
}

impl Published {
    /// Half of the 95 % interval of a mean over five seeds, in standard deviations: Student's t (4 degrees of freedom)
    /// over sqrt(5).
    const HALF_INTERVAL: f64 = 2.776_445 / 2.236_068;

    /// How far a measured mean may lie from this one and still agree: `within`, or the 95 % interval of the published
    /// mean where that is wider.
    pub fn tolerance(&self, within: f64) -> f64 {
        self.std.map_or(within, |std| within.max(Self::HALF_INTERVAL * std))
    }
}

impl Claim {
    /// The arm that the claim is about or compares with, where the experiment has none of that name.
    pub(super) fn lacks<'a>(&'a self, experiment: &Experiment) -> Option<&'a str> {
        let of = |bound: &'a Option<Bound>| match bound {
            Some(Bound::Runs { experiment: None, of }) => of.as_deref(),
            _ => None,
        };
        let named = [self.of.as_deref(), of(&self.above), of(&self.below)];
        named.into_iter().flatten().find(|name| experiment.curves(Some(name)).is_empty())
    }

    /// Checks against its experiment what a claim's types cannot express.
    pub(super) fn check(&self, index: usize, experiment: &Experiment) -> Result<(), Fault> {
        let fault = |key: &str, message: String| Err(Fault::new(&format!("claims[{index}].{key}"), message));
        if self.above.is_some() && self.below.is_some() {
            return fault("below", "a claim states `above` or `below`, not both".into());
        }
        if self.above.is_none() && self.below.is_none() && self.published.is_none() {
            return fault("says", "a claim states one of `above`, `below` or `published`".into());
        }
        if column(&self.measure).is_none() {
            return fault("measure", unknown("column", &self.measure, column_keys()));
        }
        if !(self.within.is_finite() && self.within > 0.0) {
            return fault("within", "must be a positive number".into());
        }
        let names = experiment.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let known = |key: &str, name: &str| match experiment.curves(Some(name)).is_empty() {
            true => fault(key, unknown("arm", name, &names)),
            false => Ok(()),
        };
        if let Some(of) = &self.of {
            known("of", of)?;
        }
        for (key, bound) in [("above", &self.above), ("below", &self.below)] {
            if let Some(Bound::Runs { experiment: None, of: Some(of) }) = bound {
                known(key, of)?;
            }
        }
        Ok(())
    }
}
