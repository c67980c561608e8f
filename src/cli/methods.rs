use anyhow::Result;

use crate::{
    aligned,
    output::{self, say},
    spec::{Method, methods},
};

/// List every method with its equation in the paper and the authors' file that it mirrors
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON, with what each method changes in the default settings
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let methods = methods();
        if self.json {
            return say!("{}", serde_json::to_string_pretty(methods)?);
        }
        let row = |m: &Method| [&m.name, &m.equation, &m.mirrors, &m.summary].map(String::clone).to_vec();
        let rows: Vec<Vec<String>> = methods.iter().map(row).collect();
        output::write(format_args!("{}", aligned::table(&["method", "paper", "authors' file", "what it is"], &rows)))
    }
}
