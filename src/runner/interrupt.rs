//! Signals that ask a sweep to save its work and stop.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use nix::libc;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXCPU, SIGXFSZ},
    flag,
};

/// Asks a sweep to save its work and stop, from another thread or from a signal.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks; the workers notice at the end of an epoch.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether anyone has asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// While this value lives, SIGTERM, SIGINT, SIGUSR1, SIGHUP and SIGXCPU ask the sweep to stop. A second SIGINT, from
/// someone who does not want to wait, ends the program at once; repeats of the others, which schedulers send, change
/// nothing. Signals that were ignored when the program started stay ignored. Afterwards each signal ends the program,
/// as it does by default.
#[derive(Debug)]
pub struct Signals {
    interrupt: Interrupt,
    /// Nobody listens: signals do what they do by default.
    idle: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> Result<Self> {
        static REGISTERED: OnceLock<(Interrupt, Arc<AtomicBool>)> = OnceLock::new();
        let (interrupt, idle) = match REGISTERED.get() {
            Some(registered) => registered,
            None => {
                let (interrupt, idle) = (Interrupt::default(), Arc::new(AtomicBool::new(true)));
                let patient = [SIGTERM, SIGUSR1, SIGHUP, SIGXCPU].map(|signal| (signal, &idle));
                let all = patient.into_iter().chain([(SIGINT, &interrupt.0)]);
                for (signal, deadly) in all.filter(|(signal, _)| !is_ignored(*signal)) {
                    // In this order: the first signal finds the flag unset and sets it, the next one finds it set.
                    flag::register_conditional_default(signal, Arc::clone(deadly))
                        .and_then(|_| flag::register(signal, Arc::clone(&interrupt.0)))
                        .context("cannot listen to signals")?;
                }
                REGISTERED.get_or_init(|| (interrupt, idle))
            }
        };
        interrupt.0.store(false, Ordering::SeqCst);
        idle.store(false, Ordering::SeqCst);
        Ok(Self { interrupt: interrupt.clone(), idle: Arc::clone(idle) })
    }

    /// The handle through which signals ask.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }
}

/// From now on, a file that reaches its limit of size (`ulimit -f`) is an error for whoever writes it, and not the end of
/// the program.
pub fn survive_large_files() -> Result<()> {
    flag::register(SIGXFSZ, Arc::default()).context("cannot listen to signals")?;
    Ok(())
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.interrupt.ask();
        self.idle.store(true, Ordering::SeqCst);
    }
}

/// Whether this process was started with the signal ignored, as `nohup` does with SIGHUP.
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks for the signal's present action, which is written to a local; all zeros is a valid value of it.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// A sweep was asked to stop and did.
#[derive(Debug)]
pub struct Interrupted {
    /// Runs saved midway.
    pub saved: usize,
    /// Runs not begun.
    pub left: usize,
    /// Whether this process has recorded or saved anything: if not, turns like this one lead nowhere.
    pub progressed: bool,
}

impl Interrupted {
    /// `EX_TEMPFAIL` of sysexits.h: run the same command again.
    pub const EXIT_CODE: u8 = 75;

    /// `EX_IOERR` of sysexits.h: nothing was achieved. Less than [`EXIT_CODE`](Self::EXIT_CODE), since of the processes of a
    /// step `srun` tells the largest code: a turn is in vain only if it was so for all of them.
    pub const NO_PROGRESS: u8 = 74;

    /// What the program exits with.
    pub fn exit_code(&self) -> u8 {
        if self.progressed { Self::EXIT_CODE } else { Self::NO_PROGRESS }
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { saved, left, progressed } = self;
        let from = if *progressed { "" } else { "; nothing was recorded or saved since the start" };
        write!(
            f,
            "interrupted: {saved} runs saved where they were, {left} not begun{from}; the same command goes on from there"
        )
    }
}

impl std::error::Error for Interrupted {}
