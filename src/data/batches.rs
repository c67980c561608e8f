use super::{RunStreams, streams::Position};
use crate::{engine::RunBatch, spec::RunSpec};

/// Deals out the batches of one run, epoch by epoch.
#[derive(Clone)]
pub struct BatchSource {
    streams: RunStreams,
    /// Positions in the epoch's order that each batch takes.
    ranges: Vec<std::ops::Range<usize>>,
    spec: std::sync::Arc<RunSpec>,
    epoch: usize,
    order: Vec<u32>,
}

impl BatchSource {
    /// `streams` as the initial draws have left them.
    pub fn new(spec: std::sync::Arc<RunSpec>, streams: RunStreams) -> Self {
        Self { streams, ranges: spec.batches(), spec, epoch: 0, order: Vec::new() }
    }

    /// The streams that the batches are drawn from.
    pub fn streams(&self) -> &RunStreams {
        &self.streams
    }

    /// The streams, to be restored to where they stood between two epochs.
    pub fn streams_mut(&mut self) -> &mut RunStreams {
        &mut self.streams
    }

    /// Shuffles the samples for an epoch. With the authors' streams, no epoch may be skipped.
    pub fn begin_epoch(&mut self, epoch: usize) {
        self.epoch = epoch;
        self.order = self.streams.order(epoch, self.spec.data.samples);
    }

    /// The samples and masks of batch `k` of the epoch. With the authors' streams, no batch may be skipped.
    pub fn batch(&mut self, k: usize) -> RunBatch {
        let range = self.ranges[k].clone();
        let seen = (self.epoch * self.spec.data.samples + range.start) as u64;
        let at = Position { seen, samples: range.len() };
        let masks = self.streams.masks(&self.spec.views, self.spec.data.p, at);
        let pairs = self.spec.views.pairs;
        let rows = self.order[range].iter().flat_map(|&row| std::iter::repeat_n(row, pairs)).collect();
        RunBatch { rows, masks }
    }
}
