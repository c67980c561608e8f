//! What the user sees while runs are trained: one bar with the time left on a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Progress of a whole sweep, in units of arithmetic.
pub struct Progress {
    bar: ProgressBar,
    total: f64,
    runs: usize,
    start: Instant,
    state: Mutex<State>,
    terminal: bool,
}

struct State {
    done: f64,
    /// Of `done`, what was done before this sweep or by others.
    found: f64,
    finished: usize,
    printed: Instant,
}

/// Resolution of the bar.
const TICKS: f64 = 10_000.0;

impl Progress {
    /// For `runs` runs of `total` work.
    pub fn new(runs: usize, total: f64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr_with_hz(5) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(TICKS as u64), target);
        let style = ProgressStyle::with_template("{bar:32} {percent:>3}%  {msg}").expect("a fixed template");
        bar.set_style(style);
        let now = Instant::now();
        Self {
            bar,
            total,
            runs,
            start: now,
            state: Mutex::new(State { done: 0.0, found: 0.0, finished: 0, printed: now }),
            terminal,
        }
    }

    /// Work done since the last call, by any worker.
    pub fn advance(&self, work: f64) {
        self.add(work, 0.0);
    }

    /// Work found done: saved in a checkpoint, or recorded by another process.
    pub fn found(&self, work: f64) {
        self.add(work, work);
    }

    fn add(&self, work: f64, found: f64) {
        let mut state = self.lock();
        state.done += work;
        state.found += found;
        self.bar.set_position((self.share(&state) * TICKS) as u64);
        self.bar.set_message(format!("{}/{} runs, {} left", state.finished, self.runs, self.left(&state)));
    }

    fn share(&self, state: &State) -> f64 {
        (state.done / self.total).clamp(0.0, 1.0)
    }

    /// A run has been recorded.
    pub fn finished(&self, what: &str) {
        let mut state = self.lock();
        state.finished += 1;
        let last = state.finished == self.runs;
        if !self.terminal && (last || state.printed.elapsed() > Duration::from_secs(10)) {
            state.printed = Instant::now();
            let share = self.share(&state);
            let left = if last {
                format!("took {}", human_time(self.start.elapsed()))
            } else {
                format!("{} left", self.left(&state))
            };
            eprintln!("{}/{} runs, {:.0}%, {left}: {what}", state.finished, self.runs, 100.0 * share);
        }
    }

    /// Takes the bar away.
    pub fn close(&self) {
        self.bar.finish_and_clear();
    }

    fn left(&self, state: &State) -> String {
        let elapsed = self.start.elapsed();
        let (here, left) = (state.done - state.found, (self.total - state.done).max(0.0));
        if here < 0.002 * self.total || elapsed < Duration::from_secs(2) {
            return "estimating the time".into();
        }
        human_time(elapsed.mul_f64(left / here))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// `47 s`, `12 min`, `3 h 20 min`
pub fn human_time(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5999 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
