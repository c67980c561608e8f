//! Signals that ask a sweep to save what it is at and to stop.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use signal_hook::{
    consts::{SIGINT, SIGTERM, SIGUSR1},
    flag,
};

/// Asks a sweep to save what it is at and to stop, from another thread or from a signal.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// While this lives, the first SIGTERM, SIGINT or SIGUSR1 asks the sweep to stop. A second one, or one that comes after
/// this, ends the program at once, as it does by default.
#[derive(Debug)]
pub struct Signals(Interrupt);

impl Signals {
    /// Listens from now on.
    pub fn listen() -> Result<Self> {
        static INTERRUPT: OnceLock<Interrupt> = OnceLock::new();
        let interrupt = match INTERRUPT.get() {
            Some(interrupt) => interrupt,
            None => {
                let interrupt = Interrupt::default();
                for signal in [SIGTERM, SIGINT, SIGUSR1] {
                    // In this order: the first signal finds the flag unset and sets it, the next one finds it set.
                    flag::register_conditional_default(signal, Arc::clone(&interrupt.0))
                        .and_then(|_| flag::register(signal, Arc::clone(&interrupt.0)))
                        .context("cannot listen to signals")?;
                }
                INTERRUPT.get_or_init(|| interrupt)
            }
        };
        interrupt.0.store(false, Ordering::SeqCst);
        Ok(Self(interrupt.clone()))
    }

    pub fn interrupt(&self) -> Interrupt {
        self.0.clone()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.ask();
    }
}

/// A sweep was asked to stop and did. The program exits with [`Interrupted::EXIT_CODE`].
#[derive(Debug)]
pub struct Interrupted {
    /// Runs saved in the middle.
    pub saved: usize,
    /// Runs not begun.
    pub left: usize,
}

impl Interrupted {
    /// `EX_TEMPFAIL` of sysexits.h: run the same command again.
    pub const EXIT_CODE: u8 = 75;
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { saved, left } = self;
        write!(
            f,
            "interrupted: {saved} runs saved where they were, {left} not begun; the same command goes on from there"
        )
    }
}

impl std::error::Error for Interrupted {}
