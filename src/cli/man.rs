use anyhow::Result;
use clap::CommandFactory;

use crate::{input_error, output, spec::unknown};

/// Print the manual page of the program, or of one of its commands
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape man | man -l -
  landscape man run > ~/.local/share/man/man1/landscape-run.1")]
pub struct Args {
    /// A command, such as run [default: the program as a whole]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let mut program = super::Cli::command();
        program.build();
        let page = match &self.command {
            None => program,
            Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| {
                let names: Vec<&str> =
                    program.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name()).collect();
                input_error!("{}", unknown("command", name, &names))
            })?,
        };
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text)?;
        output::write(format_args!("{}", String::from_utf8(text)?))
    }
}
