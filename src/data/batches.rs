use ndarray::Array2;

use super::{RunStreams, noise, streams::Position};
use crate::{
    engine::{MaskBits, RunBatch},
    random::native::Purpose,
    spec::RunSpec,
};

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
        let noise = self.noise(at, &masks);
        let pairs = self.spec.views.pairs;
        let rows = self.order[range].iter().flat_map(|&row| std::iter::repeat_n(row, pairs)).collect();
        RunBatch { rows, masks, draws: self.streams.of_loss(self.epoch * self.ranges.len() + k), noise }
    }

    /// What is added to the views of a batch, if anything: noise of their own under their masks, and noise over all.
    fn noise(&self, at: Position, masks: &MaskBits) -> Option<[Array2<f64>; 2]> {
        let RunSpec { data, views, .. } = &*self.spec;
        if !data.noise_per_view && views.noise == 0.0 {
            return None;
        }
        let (pairs, words) = (at.samples * views.pairs, data.p.div_ceil(64));
        let draw = |purpose, sigmas: &[f64]| {
            let normals = self.streams.normals(purpose, at.seen * views.pairs as u64, (pairs, data.p));
            normals * ndarray::aview1(sigmas)
        };
        let mut noise = [0, 1].map(|_| Array2::zeros((pairs, data.p)));
        if data.noise_per_view {
            let (sigmas, scale) = (noise::sigmas(data), views.scale());
            for ((noise, bits), purpose) in noise.iter_mut().zip(masks.words()).zip([Purpose::Noise1, Purpose::Noise2])
            {
                let own = draw(purpose, &sigmas);
                noise.indexed_iter_mut().for_each(|((b, j), noise)| {
                    let kept = bits[b * words + j / 64] >> (j % 64) & 1 == 1;
                    *noise = if kept { scale * own[[b, j]] } else { 0.0 };
                });
            }
        }
        if views.noise > 0.0 {
            for (noise, purpose) in noise.iter_mut().zip([Purpose::Added1, Purpose::Added2]) {
                *noise += &draw(purpose, &vec![views.noise; data.p]);
            }
        }
        Some(noise)
    }
}
