//! What the checks say about the theorems as printed.

use std::fmt::{self, Write};

use serde::Serialize;

/// A statement of the paper as it is printed, put to the test: a row of the table that `landscape theory` ends with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Which statement, and in which of its forms.
    pub statement: &'static str,
    /// What it says, in short.
    pub printed: &'static str,
    /// How it was tested.
    pub checked: &'static str,
    /// Whether the measurements agree with it.
    pub holds: bool,
    /// What was measured: a counterexample where it does not hold.
    pub found: String,
    /// The least change that makes it true; empty where it holds.
    pub repair: &'static str,
}

impl Verdict {
    /// "holds" or "counterexample", with what was found.
    fn outcome(&self) -> String {
        let verdict = if self.holds { "holds" } else { "counterexample" };
        format!("{verdict}: {}", self.found)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.statement)?;
        writeln!(f, "    printed  {}", self.printed)?;
        writeln!(f, "    checked  {}", self.checked)?;
        writeln!(f, "    verdict  {}", self.outcome())?;
        if !self.repair.is_empty() {
            writeln!(f, "    repair   {}", self.repair)?;
        }
        Ok(())
    }
}

/// The verdicts as a table in Markdown.
pub fn markdown(verdicts: &[Verdict]) -> String {
    let mut table = "| statement | as printed | as checked | verdict | what repairs it |\n".to_owned();
    table += "| --- | --- | --- | --- | --- |\n";
    for v in verdicts {
        let cell = |text: &str| text.replace('|', "\\|");
        let cells = [v.statement, v.printed, v.checked, &v.outcome(), v.repair].map(cell);
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_the_statement_holds() {
        let holds = Verdict {
            statement: "Lemma 1",
            printed: "|x| >= 0",
            checked: "on 3 numbers",
            holds: true,
            found: "3 of 3".into(),
            repair: "",
        };
        let refuted = Verdict { holds: false, found: "x = 0".into(), repair: "x != 0", ..holds.clone() };
        let table = markdown(&[holds, refuted.clone()]);
        assert!(table.contains("| Lemma 1 | \\|x\\| >= 0 | on 3 numbers | holds: 3 of 3 |  |\n"), "{table}");
        assert!(table.ends_with("| counterexample: x = 0 | x != 0 |\n"), "{table}");
        assert!(refuted.to_string().contains("    verdict  counterexample: x = 0\n    repair   x != 0\n"));
    }
}
