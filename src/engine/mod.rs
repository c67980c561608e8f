//! What trains a cohort: the contract between the training loop and the code that computes gradients.
//!
//! Two engines stand behind it. `autograd` mirrors the authors' PyTorch modules line by line on libtorch tensors,
//! on CPU or CUDA, in single or double precision: it is the reference. [`crate::fused`] does the same arithmetic by
//! hand-written kernels in single precision on the CPU. Each is tested against the other and against recorded numbers.

mod masks;

pub use masks::{MaskBits, NativeMasks, with_complement};

use std::sync::Arc;

use anyhow::Result;
use ndarray::Array2;

use crate::{
    random::native::Key,
    spec::{RunSpec, Turn, layout::StateDict},
};

/// One run of a cohort as an engine receives it.
#[derive(Clone)]
pub struct Member {
    /// Settings. Within a cohort all members have the same shapes, model, loss, batches and turns; they may differ in
    /// seed, data, initial weights, masking probabilities and learning rate.
    pub spec: Arc<RunSpec>,
    /// Samples, `(n, p)`.
    pub x: Arc<Array2<f64>>,
    /// Initial parameters and buffers, everything that [`Layout`](crate::spec::layout::Layout) lists; for a run that is
    /// resumed, an [`Engine::snapshot`].
    pub state: StateDict,
}

/// One batch of one run: which samples, and which of their entries each view keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct RunBatch {
    /// Row of X for each of the B view pairs. (A sample that gives several pairs appears several times.)
    pub rows: Vec<u32>,
    /// Which entries the views keep.
    pub masks: MaskBits,
    /// Where the loss's draws of this step come from, if it draws.
    pub draws: Key,
    /// What is added to view 1 and to view 2 after that, `(B, p)` each.
    pub noise: Option<[Array2<f64>; 2]>,
}

impl RunBatch {
    /// Both views of the batch, `(B, p)`: the kept entries of the samples `x`, `(n, p)`, times `scale`, and the noise.
    pub fn views(&self, x: &Array2<f64>, scale: f64) -> [Array2<f64>; 2] {
        let p = x.ncols();
        let words = p.div_ceil(64);
        let mut noise = self.noise.iter().flatten();
        self.masks.words().map(|bits| {
            let noise = noise.next();
            Array2::from_shape_fn((self.rows.len(), p), |(b, j)| {
                let kept = bits[b * words + j / 64] >> (j % 64) & 1 == 1;
                let entry = if kept { scale * x[[self.rows[b] as usize, j]] } else { 0.0 };
                entry + noise.map_or(0.0, |noise| noise[[b, j]])
            })
        })
    }
}

/// One batch of a cohort.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Which branch learns at this step.
    pub turn: Turn,
    /// Factor on the kept entries of both views.
    pub scale: f64,
    /// Factor on the learning rates: where the schedule stands.
    pub rate: f64,
    /// New samples of each member, `(n, p)`, from this batch on.
    pub samples: Option<Vec<Arc<Array2<f64>>>>,
    /// One for each member; all of the same number of pairs, and all with noise or none.
    pub runs: Vec<RunBatch>,
}

/// Explicit views of a cohort, for tests and for gradients at a point: for each run `x1` and `x2`, `(B, p)`.
#[derive(Clone, Debug)]
pub struct Views {
    /// View 1 of each run: the online encoder's.
    pub x1: Vec<Array2<f64>>,
    /// View 2 of each run: the target encoder's, where there is one.
    pub x2: Vec<Array2<f64>>,
}

/// Trains the members of a cohort side by side. No member's numbers depend on the others'.
pub trait Engine: Send {
    /// One optimiser step, with everything that `train` asks to be done after it (EMA, normalisation, clamping).
    /// Returns each member's loss before the step.
    fn step(&mut self, batch: &Batch) -> Result<Vec<f64>>;

    /// One step for each batch, as they come. Returns the losses, `(batches, R)`. An engine on another device is waited
    /// for only at the end.
    fn steps(&mut self, batches: &mut dyn Iterator<Item = Batch>) -> Result<Vec<Vec<f64>>> {
        batches.map(|batch| self.step(&batch)).collect()
    }

    /// Loss of each member on given views and its gradients by parameter name; nothing changes but batch-norm buffers.
    /// Only parameters that learn in this turn have a gradient.
    fn gradients(&mut self, views: &Views, turn: Turn) -> Result<Vec<(f64, StateDict)>>;

    /// Parameters and buffers of each member as they are now, in layout order.
    fn state(&self) -> Result<Vec<StateDict>>;

    /// What each member needs to go on as if it had never stopped: the state and, under
    /// [names](crate::spec::Memory::name) of their own, what the optimiser remembers. An engine built for members with
    /// this state goes on from there.
    fn snapshot(&self) -> Result<Vec<StateDict>>;

    /// One parameter of each member.
    fn parameter(&self, name: &str) -> Result<Vec<ndarray::ArrayD<f64>>>;

    /// Replaces parameters and buffers.
    fn load(&mut self, states: &[StateDict]) -> Result<()>;

    /// Representations `h_o(a1)`, `(B, m)`, of the last batch, from before its step.
    fn representations(&self) -> Result<Vec<Array2<f64>>>;
}
