use anyhow::Result;

use crate::spec::{Method, methods};

/// List every method with its equation in the paper and the authors' file that it mirrors
#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub fn execute(self) -> Result<()> {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        let methods = methods();
        let width = |of: fn(&Method) -> &str| methods.iter().map(|m| of(m).len()).max().unwrap_or(0);
        let (name, equation, mirrors) = (width(|m| &m.name), width(|m| &m.equation), width(|m| &m.mirrors));
        writeln!(out, "{:name$}  {:equation$}  {:mirrors$}  what it is", "method", "paper", "authors' file")?;
        for m in methods {
            writeln!(out, "{:name$}  {:equation$}  {:mirrors$}  {}", m.name, m.equation, m.mirrors, m.summary)?;
        }
        Ok(())
    }
}
