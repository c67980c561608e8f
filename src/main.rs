use std::process::ExitCode;

fn main() -> ExitCode {
    contrastive_landscape::cli::main()
}
