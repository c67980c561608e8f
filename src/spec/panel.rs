//! A panel of curves: one column of `metrics.csv`, or several on one axis.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::Fault;
use crate::fault::unknown;
use crate::metrics;

/// Columns of one panel, at most: more lines of one colour cannot be told apart.
const MOST: usize = 3;

/// The name of the panel with all three max-cosines.
const COSINES: (&str, [&str; 3]) = ("cosines", ["min_cosine", "median_cosine", "max_cosine"]);

/// What a panel shows: `loss`, `[wo_norm, wt_norm]`, or `cosines` for the minimum, median and maximum of the max-cosines.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub struct PanelSpec {
    /// Columns of `metrics.csv`, from one to three.
    pub columns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a column of metrics.csv, a list of columns, or `cosines`")]
enum Written {
    One(String),
    Several(Vec<String>),
}

impl From<Written> for PanelSpec {
    fn from(written: Written) -> Self {
        match written {
            Written::One(name) if name == COSINES.0 => Self { columns: COSINES.1.map(String::from).into() },
            Written::One(column) => Self { columns: vec![column] },
            Written::Several(columns) => Self { columns },
        }
    }
}

impl PanelSpec {
    /// One column alone.
    pub fn one(column: &str) -> Self {
        Self { columns: vec![column.into()] }
    }

    /// Checks its columns; `key` is what it stands under.
    pub(super) fn check(&self, key: &str) -> Result<(), Fault> {
        self.fault().map_or(Ok(()), |fault| Err(Fault::new(key, format!("{key}: {fault}"))))
    }

    fn fault(&self) -> Option<String> {
        if !(1..=MOST).contains(&self.columns.len()) {
            return Some(format!("a panel shows one to {MOST} columns, not {}", self.columns.len()));
        }
        let strange = self.columns.iter().find(|column| metrics::column(column).is_none())?;
        let valid = [&[COSINES.0][..], metrics::column_keys()].concat();
        Some(unknown("column", strange, &valid))
    }
}

/// As on the command line: `wo_norm+wt_norm`.
impl FromStr for PanelSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let panel = Self::from(match text.contains('+') {
            true => Written::Several(text.split('+').map(String::from).collect()),
            false => Written::One(text.into()),
        });
        panel.fault().map_or(Ok(panel), Err)
    }
}

impl fmt::Display for PanelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.columns == COSINES.1 {
            true => f.write_str(COSINES.0),
            false => f.write_str(&self.columns.join("+")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_columns_or_several() {
        for (yaml, flag) in [("loss", "loss"), ("[wo_norm, wt_norm]", "wo_norm+wt_norm"), ("cosines", "cosines")] {
            let panel: PanelSpec = serde_yaml::from_str(yaml).unwrap();
            assert_eq!((panel.to_string().as_str(), flag.parse()), (flag, Ok(panel.clone())));
            panel.check("panels[0]").unwrap();
        }
        let cosines: PanelSpec = "cosines".parse().unwrap();
        assert_eq!(cosines.columns, ["min_cosine", "median_cosine", "max_cosine"]);
        for (wrong, says) in [
            ("los", "did you mean `loss`?"),
            ("cosine", "did you mean `cosines`?"),
            ("loss+los", "did you mean `loss`?"),
            ("loss+loss+loss+loss", "one to 3 columns, not 4"),
            ("", "unknown column"),
        ] {
            assert!(wrong.parse::<PanelSpec>().unwrap_err().contains(says), "{wrong}");
        }
        let error = serde_yaml::from_str::<PanelSpec>("{a: b}").unwrap_err().to_string();
        assert!(error.contains("a column of metrics.csv, a list of columns, or `cosines`"), "{error}");
        assert!(PanelSpec { columns: vec![] }.check("panels[0]").is_err());
    }
}
