use anyhow::Result;

use crate::input_error;

/// Not in this build: it computes with libtorch
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        Err(input_error!(
            "this command computes with libtorch, and this program was built without it; `make build TORCH=lean`"
        ))
    }
}
