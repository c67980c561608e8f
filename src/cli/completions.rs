use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::output;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape completions bash > ~/.local/share/bash-completion/completions/landscape
  landscape completions fish > ~/.config/fish/completions/landscape.fish
  landscape completions zsh > \"${fpath[1]}/_landscape\"")]
pub struct Args {
    shell: Shell,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let (mut text, mut program) = (Vec::new(), super::Cli::command());
        let name = program.get_name().to_string();
        clap_complete::generate(self.shell, &mut program, name, &mut text);
        output::write(format_args!("{}", String::from_utf8(text)?))
    }
}
