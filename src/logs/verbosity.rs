use std::{
    fmt,
    io::Write,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use env_logger::{Builder, Env};
use indicatif::{MultiProgress, ProgressDrawTarget};
use indicatif_log_bridge::LogWrapper;
use log::LevelFilter;

/// Whether only errors are asked for.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Every progress bar is added to this, so that a message does not tear it.
pub fn bars() -> &'static MultiProgress {
    static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
    &BARS
}

/// Sends messages to stderr as `RUST_LOG` asks: `info` names each run's start and end, `debug` each checkpoint and what was
/// planned, `trace` each measurement. Warnings and errors are shown where it is not set. A `level` that is given goes before
/// it; `Error` silences what is [told](tell), and bars.
pub fn start_logger(level: Option<LevelFilter>) {
    let mut builder = Builder::from_env(Env::default().default_filter_or("warn"));
    if let Some(level) = level {
        builder.filter_level(level);
    }
    if level == Some(LevelFilter::Error) {
        QUIET.store(true, Ordering::Relaxed);
        bars().set_draw_target(ProgressDrawTarget::hidden());
    }
    let logger = builder.format_target(false).build();
    let level = logger.filter();
    // A second logger in this process would be a mistake of ours; the first one stays.
    if LogWrapper::new(bars().clone(), logger).try_init().is_ok() {
        log::set_max_level(level);
    }
}

/// Prints a line for the user on stderr. If nobody reads it any more, as when the terminal has been closed, that is no
/// reason to stop: `eprintln!` would panic.
pub fn tell(line: impl fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        complain(line);
    }
}

/// The same for what went wrong: it is said even to those who want to hear nothing else.
pub fn complain(line: impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
