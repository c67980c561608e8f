//! What a run learns from: dictionary, latents, noise, views, initial weights, and the order of its samples.
//!
//! Everything is drawn through [`RunStreams`], in the order of the authors' scripts, so that one code serves our own
//! streams and the replay of theirs.

mod batches;
mod blocks;
mod dictionary;
mod init;
mod latents;
mod noise;
mod streams;

pub use batches::BatchSource;
pub use init::initial_state;
pub use streams::RunStreams;

use ndarray::Array2;

use crate::{random::native::Purpose, spec::DataSpec};

/// The samples of one run, with the truth behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// `M`, `(p, d)`: atoms of unit length, unless they are given.
    pub dictionary: Array2<f64>,
    /// `z`, `(n, d)`.
    pub latents: Array2<f64>,
    /// `x = M z + eps`, `(n, p)` (Eq. 1); without eps where each view has its own.
    pub x: Array2<f64>,
}

impl Dataset {
    /// The dictionary alone, which is drawn first.
    pub fn dictionary(spec: &DataSpec, streams: &mut RunStreams) -> Array2<f64> {
        dictionary::draw(spec, streams.are_authors(), &mut *streams.draws(Purpose::Dictionary, 0))
    }

    /// Draws dictionary, latents and noise, in this order.
    pub fn draw(spec: &DataSpec, streams: &mut RunStreams) -> Self {
        let dictionary = Self::dictionary(spec, streams);
        Self::of_epoch(spec, dictionary, 0, streams)
    }

    /// The samples of an epoch, counted from 0, where each has its own.
    pub fn of_epoch(spec: &DataSpec, dictionary: Array2<f64>, epoch: usize, streams: &mut RunStreams) -> Self {
        let latents = latents::draw(spec, &mut *streams.draws(Purpose::Latents, epoch as u64));
        let mut x = latents.dot(&dictionary.t());
        if !spec.noise_per_view {
            x = x + noise::draw(spec, &mut *streams.draws(Purpose::Noise, epoch as u64)); // (n, p)
        }
        Self { dictionary, latents, x }
    }
}
