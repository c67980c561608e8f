//! From finished runs to their records.

use std::time::{Duration, Instant};

use indexmap::IndexMap;

use super::{queue::Held, sweep::Sweep};
use crate::record::{self, Finished};

/// Runs shorter than this are recorded together: each record waits for the disk, longer than a tiny run takes.
const PAUSE: Duration = Duration::from_secs(1);

/// Finished runs of a worker that are not recorded yet.
///
/// Groups come costliest first, so none of these waits for one that takes much longer than [`PAUSE`].
pub struct Done<'a> {
    runs: Vec<(Held<'a>, Finished)>,
    recorded: Instant,
}

impl<'a> Done<'a> {
    pub fn new() -> Self {
        Self { runs: Vec::new(), recorded: Instant::now() }
    }

    pub fn add(&mut self, runs: impl IntoIterator<Item = (Held<'a>, Finished)>) {
        self.runs.extend(runs);
    }

    pub fn is_due(&self) -> bool {
        self.recorded.elapsed() >= PAUSE
    }
}

impl Sweep<'_> {
    /// Records finished runs, then releases their leases. If a run cannot be recorded, only that run fails.
    pub fn record(&self, done: &mut Done) {
        let mut experiments: IndexMap<&str, Vec<_>> = IndexMap::new();
        for (held, finished) in &done.runs {
            experiments.entry(&held.run.experiment).or_default().push((held.run, finished));
        }
        for (experiment, runs) in experiments {
            let answers = record::write_runs(&self.options.results, experiment, &runs);
            for ((run, finished), answer) in runs.into_iter().zip(answers) {
                match answer {
                    Ok(()) => {
                        self.progress.finished(&run.to_string());
                        self.note(|outcome| {
                            outcome.trained += 1;
                            outcome.diverged += usize::from(finished.diverged_at().is_some());
                            outcome.mixed += usize::from(!finished.earlier.is_empty());
                        });
                    }
                    Err(error) => self.fail_to_record(run, error),
                }
            }
        }
        done.runs.clear();
        done.recorded = Instant::now();
    }
}
