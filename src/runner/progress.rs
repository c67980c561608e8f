//! What the user sees while runs are trained: one bar with the time left on a terminal, plain lines elsewhere, and lines
//! of JSON for programs.

use std::{
    io::IsTerminal,
    str::FromStr,
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::{
    logs::{self, tell},
    output::say,
};

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar where stderr is a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// A bar on stderr.
    Bar,
    /// A line on stderr as runs finish, at most one in ten seconds.
    Plain,
    /// A JSON object a line on stdout: `start`, `progress` (at most one a second), `finished`, `failed`, `end`.
    Json,
    /// Nothing.
    None,
}

impl ProgressMode {
    /// The ways with their names on the command line.
    pub const NAMES: [(Self, &'static str); 5] =
        [(Self::Auto, "auto"), (Self::Bar, "bar"), (Self::Plain, "plain"), (Self::Json, "json"), (Self::None, "none")];
}

impl FromStr for ProgressMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mode = Self::NAMES.iter().find(|(_, name)| *name == text).map(|(mode, _)| *mode);
        mode.ok_or_else(|| format!("`{text}` is not a way to show progress; valid: auto, bar, plain, json, none"))
    }
}

impl std::fmt::Display for ProgressMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = Self::NAMES.iter().find(|(mode, _)| mode == self).map_or("auto", |(_, name)| name);
        f.write_str(name)
    }
}

/// Progress of a whole sweep, in units of work.
pub struct Progress {
    shown: Shown,
    total: f64,
    runs: usize,
    start: Instant,
    state: Mutex<State>,
}

enum Shown {
    Bar(ProgressBar),
    Plain,
    Json,
    None,
}

struct State {
    done: f64,
    /// The part of `done` that was done before this sweep or by others.
    found: f64,
    finished: usize,
    failed: usize,
    printed: Instant,
}

/// Resolution of the bar.
const TICKS: f64 = 10_000.0;

impl Progress {
    /// For `runs` runs of `total` work; `kept` more were recorded before.
    pub fn new(mode: ProgressMode, runs: usize, kept: usize, total: f64) -> Self {
        let shown = match mode {
            ProgressMode::Auto if std::io::stderr().is_terminal() => Shown::Bar(bar()),
            ProgressMode::Bar => Shown::Bar(bar()),
            ProgressMode::Auto | ProgressMode::Plain => Shown::Plain,
            ProgressMode::Json => Shown::Json,
            ProgressMode::None => Shown::None,
        };
        let now = Instant::now();
        let progress = Self {
            shown,
            total,
            runs,
            start: now,
            state: Mutex::new(State { done: 0.0, found: 0.0, finished: 0, failed: 0, printed: now }),
        };
        progress.print(json!({ "event": "start", "runs": runs, "recorded": kept }));
        progress
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
        match &self.shown {
            Shown::Bar(bar) => {
                let left = self.left(&state).map_or("estimating the time".into(), human_time);
                bar.set_position((self.share(&state) * TICKS) as u64);
                bar.set_message(format!("{}/{} runs, {left} left", state.finished, self.runs));
            }
            Shown::Json if state.printed.elapsed() >= Duration::from_secs(1) => {
                state.printed = Instant::now();
                self.print(json!({
                    "event": "progress",
                    "share": self.share(&state),
                    "finished": state.finished,
                    "failed": state.failed,
                    "runs": self.runs,
                    "seconds": self.start.elapsed().as_secs_f64(),
                    "seconds_left": self.left(&state).map(|left| left.as_secs_f64()),
                }));
            }
            Shown::Json | Shown::Plain | Shown::None => {}
        }
    }

    /// A run has been recorded.
    pub fn finished(&self, run: &str) {
        let mut state = self.lock();
        state.finished += 1;
        let last = state.finished == self.runs;
        match self.shown {
            Shown::Plain if last || state.printed.elapsed() > Duration::from_secs(10) => {
                state.printed = Instant::now();
                let time = match self.left(&state) {
                    _ if last => format!("took {}", human_time(self.start.elapsed())),
                    Some(left) => format!("{} left", human_time(left)),
                    None => "estimating the time".into(),
                };
                tell(format_args!(
                    "{}/{} runs, {:.0}%, {time}: {run}",
                    state.finished,
                    self.runs,
                    100.0 * self.share(&state)
                ));
            }
            Shown::Json => self.print(json!({ "event": "finished", "run": run, "finished": state.finished })),
            Shown::Bar(_) | Shown::Plain | Shown::None => {}
        }
    }

    /// A run has failed.
    pub fn failed(&self, run: &str, error: &str) {
        self.lock().failed += 1;
        self.print(json!({ "event": "failed", "run": run, "error": error }));
    }

    /// Removes the bar.
    pub fn close(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        let state = self.lock();
        let seconds = self.start.elapsed().as_secs_f64();
        self.print(
            json!({ "event": "end", "finished": state.finished, "failed": state.failed, "runs": self.runs, "seconds": seconds }),
        );
    }

    fn print(&self, event: serde_json::Value) {
        if let Shown::Json = self.shown {
            // What cannot be written does not end the sweep; the command says so at its end.
            let _ = say!("{event}");
        }
    }

    fn share(&self, state: &State) -> f64 {
        if self.total > 0.0 { (state.done / self.total).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Time left, once enough work has been done to tell.
    fn left(&self, state: &State) -> Option<Duration> {
        let elapsed = self.start.elapsed();
        let (here, left) = (state.done - state.found, (self.total - state.done).max(0.0));
        let known = here >= 0.002 * self.total && elapsed >= Duration::from_secs(2) && here > 0.0;
        known.then(|| elapsed.mul_f64(left / here))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {percent:>3}%  {msg}").expect("a fixed template");
    logs::bars().add(ProgressBar::new(TICKS as u64).with_style(style))
}

/// [`human_time`] of any number of seconds, such as a damaged file may hold.
pub fn human_seconds(seconds: f64) -> String {
    human_time(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

/// `47 s`, `12 min`, `3 h 20 min`
pub fn human_time(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5999 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
