use anyhow::Result;

use crate::{input_error, spec::unknown};

/// One of the three training scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// `main.py`: two encoders, no negatives.
    Main,
    /// `main_simclr.py`: one encoder, with negatives.
    MainSimclr,
    /// `main_simsiam.py`: one encoder, with stop gradient.
    MainSimsiam,
}

impl Script {
    /// The three scripts.
    pub const ALL: [Self; 3] = [Self::Main, Self::MainSimclr, Self::MainSimsiam];

    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main.py",
            Self::MainSimclr => "main_simclr.py",
            Self::MainSimsiam => "main_simsiam.py",
        }
    }

    /// The script of a path, by the file's name.
    pub fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        Self::ALL.into_iter().find(|script| script.name() == name)
    }

    /// What its `--model` can be.
    pub fn models(self) -> &'static [&'static str] {
        match self {
            Self::Main => {
                &["simplified", "simplified-pred", "simplified-pred-norm", "simplified-noalt-pred", "simplified-ml"]
            }
            Self::MainSimclr => &["simclr-orig", "simclr", "simclr-alter-aug"],
            Self::MainSimsiam => {
                &["simsiam", "simsiam-freeze", "simsiam-ml", "simsiam-abl", "simsiam-abl-2", "simsiam-diag"]
            }
        }
    }

    /// An input error where the script has no such model: the published script only stops at the end, having no result
    /// to save.
    pub fn check_model(self, model: &str) -> Result<()> {
        if self.models().contains(&model) {
            return Ok(());
        }
        let home = Self::ALL.into_iter().find(|script| script.models().contains(&model));
        let hint = home.map(|script| format!("; it belongs to {}", script.name())).unwrap_or_default();
        Err(input_error!("{}: {}{hint}", self.name(), unknown("--model", model, self.models())))
    }
}
