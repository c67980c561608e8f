//! Cross-checking against the authors' own code: runs of theirs, recorded or made on the spot, beside ours.

mod combinations;
mod compare;
mod live;
mod recorded;

pub use combinations::{every_model, sample};
pub use compare::{Comparison, Theirs, compare, table};
pub use live::Live;
pub use recorded::{RecordedCase, recorded_cases};

use std::{ops::ControlFlow, sync::Arc};

use anyhow::Result;
use tch::Device;

use crate::{
    autograd::AutogradEngine,
    engine::Engine,
    metrics::Row,
    models::StateDict,
    spec::RunSpec,
    train::{Cohort, train},
};

/// Trains one run as the authors' scripts do, on one thread: the rows of every epoch after the start, and the final
/// state.
///
/// One thread, because libtorch splits sums by threads, and so two thread counts give two results that differ in the
/// last bits. Every recording and every live run of theirs is on one thread, too.
pub fn replay(spec: &Arc<RunSpec>) -> Result<(Vec<Row>, StateDict)> {
    tch::set_num_threads(1);
    let mut cohort = Cohort::draw(std::slice::from_ref(spec))?;
    let mut engine = AutogradEngine::new(cohort.members(), Device::Cpu)?;
    let mut rows = Vec::new();
    train(&mut cohort, &mut engine, |epoch, new| {
        if epoch > 0 {
            rows.extend(new);
        }
        ControlFlow::Continue(())
    })?;
    Ok((rows, engine.state()?.remove(0)))
}
