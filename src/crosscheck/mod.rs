//! Cross-checking against the authors' own code: their runs, recorded or made on the spot, beside ours.

mod combinations;
mod compare;
mod live;
mod recorded;
mod timing;

pub use combinations::{Combination, every_model, paper_sized, sample, timed};
pub use compare::{Comparison, Theirs, compare, table};
pub use live::Live;
pub use recorded::{RecordedCase, recorded_cases};
pub use timing::{Timing, timing_table};

use std::{ops::ControlFlow, sync::Arc, time::Instant};

use anyhow::Result;

use crate::{
    Device,
    autograd::AutogradEngine,
    engine::Engine,
    metrics::Row,
    spec::{RunSpec, layout::StateDict},
    train::{Cohort, train},
};

/// The outcome of one of our runs.
#[derive(Clone, Debug)]
pub struct Replay {
    /// After every epoch, not at the start.
    pub rows: Vec<Row>,
    /// Final parameters and buffers.
    pub state: StateDict,
    /// The time of each epoch, measuring included.
    pub epoch_seconds: Vec<f64>,
}

/// Trains one run as the authors' scripts do, on one thread.
///
/// One thread, because libtorch splits sums among threads, so that two thread counts give results that differ in the
/// last bits. Every recording and every live run of theirs uses one thread, too.
pub fn replay(spec: &Arc<RunSpec>) -> Result<Replay> {
    tch::set_num_threads(1);
    let mut cohort = Cohort::draw(std::slice::from_ref(spec))?;
    let mut engine = AutogradEngine::new(cohort.members(), Device::Cpu)?;
    let (mut rows, mut epoch_seconds) = (Vec::new(), Vec::new());
    let mut clock = Instant::now();
    train(&mut cohort, &mut engine, |epoch, new| {
        if epoch > 0 {
            rows.extend(new);
            epoch_seconds.push(clock.elapsed().as_secs_f64());
        }
        clock = Instant::now();
        ControlFlow::Continue(())
    })?;
    Ok(Replay { rows, state: engine.state()?.remove(0), epoch_seconds })
}
