//! Work on the host for every run of a cohort, by the threads of the worker's own pool.

use rayon::prelude::*;

/// Cohorts smaller than this are handled by one thread: waking others takes longer.
const MANY: usize = 16;

/// The results of `of` for each run's number.
pub fn each<T: Send>(runs: usize, of: impl Fn(usize) -> T + Sync) -> Vec<T> {
    if runs < MANY { (0..runs).map(of).collect() } else { (0..runs).into_par_iter().map(&of).collect() }
}

/// The results of `of` for each run's part.
pub fn each_of<S: Send, T: Send>(parts: &mut [S], of: impl Fn(&mut S) -> T + Sync) -> Vec<T> {
    if parts.len() < MANY { parts.iter_mut().map(of).collect() } else { parts.par_iter_mut().map(&of).collect() }
}
