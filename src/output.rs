//! Standard output: the one place where commands write what they were asked for.
//!
//! Whoever reads it may go away (`head` does), and then nothing more is written while the work goes on, since pictures and
//! records are read elsewhere. Whatever else keeps it from being written, a full disk, say, is a failure of the command.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    sync::OnceLock,
};

use anyhow::{Result, anyhow};

/// Why nothing more is written, if that is so.
static FAULT: OnceLock<io::Error> = OnceLock::new();

/// Writes text.
///
/// # Errors
/// It cannot be written, for another reason than that nobody reads it any more.
pub fn write(text: fmt::Arguments<'_>) -> Result<()> {
    with(|| io::stdout().write_fmt(text))
}

/// Writes what is still held back. The last thing that a command does.
///
/// # Errors
/// Something of all that was written could not be, even if [`write`]'s answer was dropped then.
pub fn finish() -> Result<()> {
    with(|| io::stdout().flush())
}

/// Does what writes to standard output, and answers as [`write`] does.
pub fn with(write: impl FnOnce() -> io::Result<()>) -> Result<()> {
    if FAULT.get().is_none()
        && let Err(error) = write()
    {
        let _ = FAULT.set(error); // unless another thread's came first
    }
    match FAULT.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard output; takes what `format!` takes, and answers as [`write`] does.
macro_rules! say {
    ($($arg:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($arg)*))) };
}

pub(crate) use say;
