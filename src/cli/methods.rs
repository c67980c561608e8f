use anyhow::Result;

use super::table::aligned;
use crate::spec::{Method, methods};

/// List every method with its equation in the paper and the authors' file that it mirrors
#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub fn execute(self) -> Result<()> {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        let row = |m: &Method| [&m.name, &m.equation, &m.mirrors, &m.summary].map(String::clone).to_vec();
        let rows: Vec<Vec<String>> = methods().iter().map(row).collect();
        write!(out, "{}", aligned(&["method", "paper", "authors' file", "what it is"], &rows))?;
        Ok(())
    }
}
