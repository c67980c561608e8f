//! Experiment files with faults beside sound ones: the others go on, and the faults are told at the end.

use std::path::PathBuf;

use anyhow::Result;

use crate::{input_error, logs, spec::InputError};

/// What is wrong with some of the files of a command.
#[must_use = "faults are told at the end"]
pub struct Faults {
    messages: Vec<String>,
    files: usize,
}

impl Faults {
    /// What comes of each sound file, and the faults of the others.
    ///
    /// # Errors
    /// No file is sound; or what fails is not the input.
    pub fn apart<T>(files: &[PathBuf], mut read: impl FnMut(&PathBuf) -> Result<T>) -> Result<(Vec<T>, Self)> {
        let mut sound = Vec::new();
        let mut faults = Self { messages: Vec::new(), files: files.len() };
        for file in files {
            match read(file) {
                Ok(value) => sound.push(value),
                Err(error) if error.chain().any(|cause| cause.is::<InputError>()) => {
                    faults.messages.push(format!("{error:#}"));
                }
                Err(error) => return Err(error),
            }
        }
        if sound.is_empty() {
            faults.messages.dedup(); // a flag is as wrong for every file
            return Err(input_error!("{}", faults.messages.join("\nerror: ")));
        }
        for message in &faults.messages {
            log::warn!("{message}; the other experiments go on without this file");
        }
        Ok((sound, faults))
    }

    /// What a command comes to that has `done` the rest.
    pub fn after(self, done: Result<()>) -> Result<()> {
        if self.messages.is_empty() {
            return done;
        }
        let (wrong, files) = (self.messages.len(), self.files);
        let error = input_error!(
            "{wrong} of {files} experiment files left out, being wrong:\n  {}",
            self.messages.join("\n  ")
        );
        if done.is_err() {
            logs::complain(format_args!("error: {error}"));
            return done;
        }
        Err(error)
    }
}
