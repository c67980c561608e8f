use anyhow::{Context, Result};
use ndarray::Array2;

use super::blocks;
use crate::{
    engine::{MaskBits, NativeMasks, with_complement},
    random::{
        Draws,
        mt19937::Mt19937,
        native::{Bernoulli, Key, Purpose},
        numpy::RandomState,
        shuffle,
        torch::{Generator, Sampler},
    },
    spec::{Masks, Pattern, Random, ViewSpec},
};

/// Every draw of one run, by purpose.
///
/// Our own streams are a pure function of seed, purpose and position, so nothing depends on earlier draws. The authors'
/// are two generators that every draw advances, so the caller must keep their order.
#[derive(Clone)]
pub enum RunStreams {
    /// Our own, keyed by the run's seed.
    Native(Key),
    /// NumPy's and PyTorch's, as the authors' scripts seed them.
    Authors(Box<AuthorsStreams>),
}

/// The generators that the authors' scripts seed alike.
#[derive(Clone)]
pub struct AuthorsStreams {
    numpy: RandomState,
    torch: Generator,
    /// What permutes an epoch's samples, which has changed with PyTorch's versions.
    sampler: Sampler,
}

/// Where a batch lies in training.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Samples seen before this batch, over all epochs.
    pub seen: u64,
    /// Samples in this batch.
    pub samples: usize,
}

impl RunStreams {
    /// The streams of a seed. The authors' generators take 32 bits of it.
    pub fn new(random: Random, seed: u64) -> Self {
        let sampler = match random {
            Random::Native => return Self::Native(Key::from_seed(seed)),
            Random::Authors => Sampler::Seeded,
            Random::AuthorsTorch17 => Sampler::Global,
        };
        let (numpy, torch) = (RandomState::new(seed as u32), Generator::new(seed));
        Self::Authors(Box::new(AuthorsStreams { numpy, torch, sampler }))
    }

    /// Whether the draws are those of the authors' scripts.
    pub fn are_authors(&self) -> bool {
        matches!(self, Self::Authors(_))
    }

    /// Where the generators stand, for [`Self::restore`]. Our own streams are functions of the position: nothing to save.
    pub fn save(&self) -> Vec<u32> {
        match self {
            Self::Native(_) => Vec::new(),
            Self::Authors(streams) => [streams.torch.save(), streams.numpy.save()].concat(),
        }
    }

    /// Puts the generators where they stood. Fails if the words are not what [`Self::save`] gives.
    pub fn restore(&mut self, words: &[u32]) -> Result<()> {
        match self {
            Self::Native(_) if words.is_empty() => Some(()),
            Self::Native(_) => None,
            Self::Authors(streams) => words.split_at_checked(Mt19937::SAVED).and_then(|(torch, numpy)| {
                (streams.torch, streams.numpy) = (Generator::restored(torch)?, RandomState::restored(numpy)?);
                Some(())
            }),
        }
        .context("these are not the states of the run's random generators")
    }

    /// The stream of a purpose; `index` tells apart several tensors of one purpose. The authors draw all of these
    /// from NumPy's one generator.
    pub fn draws(&mut self, purpose: Purpose, index: u64) -> Box<dyn Draws + '_> {
        match self {
            Self::Native(key) => Box::new(key.derive(purpose).derive(index).stream()),
            Self::Authors(streams) => Box::new(&mut streams.numpy),
        }
    }

    /// nn.Linear's initial weight, `(outputs, inputs)` row by row, and bias: `U(-1/sqrt(inputs), 1/sqrt(inputs))`.
    pub fn linear(&mut self, index: u64, inputs: usize, outputs: usize, bias: bool) -> (Vec<f64>, Option<Vec<f64>>) {
        match self {
            Self::Native(key) => {
                let mut stream = key.derive(Purpose::LinearInit).derive(index).stream();
                let bound = 1.0 / (inputs as f64).sqrt();
                let mut draw = |n: usize| (0..n).map(|_| bound * (2.0 * stream.uniform() - 1.0)).collect();
                (draw(outputs * inputs), bias.then(|| draw(outputs)))
            }
            Self::Authors(streams) => {
                let (weight, bias) = streams.torch.linear_init(inputs, outputs, bias);
                let widen = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
                (widen(weight), bias.map(widen))
            }
        }
    }

    /// A diagonal predictor's scale, `U(-1/sqrt(m), 1/sqrt(m))`.
    pub fn diagonal(&mut self, index: u64, m: usize) -> Vec<f64> {
        let bound = 1.0 / (m as f64).sqrt();
        match self {
            Self::Native(key) => {
                let mut stream = key.derive(Purpose::LinearInit).derive(index).stream();
                (0..m).map(|_| bound * (2.0 * stream.uniform() - 1.0)).collect()
            }
            Self::Authors(streams) => {
                // `(2 * torch.rand - 1) * k`, in single precision.
                let mut uniform = || streams.torch.uniform_f32(0.0, 1.0);
                (0..m).map(|_| f64::from((2.0 * uniform() - 1.0) * bound as f32)).collect()
            }
        }
    }

    /// Where a loss draws from at a step, counted over all epochs. (A loss that draws is no loss of the authors'.)
    pub fn of_loss(&self, step: usize) -> Key {
        match self {
            Self::Native(key) => key.derive(Purpose::Loss).derive(step as u64),
            Self::Authors(_) => Key::from_seed(0),
        }
    }

    /// Standard normal numbers `(rows, columns)` of which each row has its place in the purpose's draws, from `first` on.
    ///
    /// # Panics
    /// With the authors' streams, which have no such draws; validation refuses settings that ask for them.
    pub fn normals(&self, purpose: Purpose, first: u64, (rows, columns): (usize, usize)) -> Array2<f64> {
        let Self::Native(key) = self else { unreachable!("validation refuses draws that the authors do not have") };
        let key = key.derive(purpose);
        let row = |place: u64| {
            let mut stream = key.derive(place).stream();
            (0..columns).map(move |_| stream.normal())
        };
        let values: Vec<f64> = (first..first + rows as u64).flat_map(row).collect();
        Array2::from_shape_vec((rows, columns), values).expect("as many as there are columns for each row")
    }

    /// The order in which an epoch visits its `n` samples.
    pub fn order(&mut self, epoch: usize, n: usize) -> Vec<u32> {
        match self {
            Self::Native(key) => {
                let mut order: Vec<u32> = (0..n as u32).collect();
                shuffle(&mut key.derive(Purpose::EpochOrder).derive(epoch as u64).stream(), &mut order);
                order
            }
            Self::Authors(streams) => {
                let order = streams.torch.epoch_order(n, streams.sampler);
                order.into_iter().map(|i| i as u32).collect()
            }
        }
    }

    /// Mask bits of both views for every pair of a batch.
    pub fn masks(&mut self, views: &ViewSpec, p: usize, at: Position) -> MaskBits {
        let words = p.div_ceil(64);
        let rows = at.samples * views.pairs;
        match self {
            Self::Native(key) => {
                let keys = [Purpose::View1, Purpose::View2].map(|purpose| key.derive(purpose));
                let masks = views.masks;
                if views.pattern == Pattern::Contiguous {
                    return MaskBits::Drawn(blocks::masks(keys, views, p, at));
                }
                let of = |q: f64| Bernoulli::new(1.0 - q).expect("validation admits probabilities only");
                let keep = views.masking_probs().map(of);
                let counter = at.seen * (views.pairs * words) as u64;
                MaskBits::Native(NativeMasks { masks, keys, keep, counter, pairs: rows, words_of_pair: words })
            }
            Self::Authors(streams) => {
                let mut mask = |keep: f64| {
                    let mut bits = vec![0u64; words];
                    streams.numpy.mask_diagonal(p, keep, |j, kept| bits[j / 64] |= u64::from(kept) << (j % 64));
                    bits
                };
                let keep = 1.0 - views.masking_prob;
                MaskBits::Drawn(match views.masks {
                    Masks::Independent => {
                        let pairs: Vec<_> = (0..rows).map(|_| (mask(keep), mask(keep))).collect();
                        let (first, second): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
                        [first.concat(), second.concat()]
                    }
                    Masks::Dependent => with_complement((0..rows).flat_map(|_| mask(keep)).collect()),
                    Masks::Shared => with_complement(mask(keep).repeat(rows)),
                })
            }
        }
    }
}
