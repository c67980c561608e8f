use crate::{
    random::native::{Bernoulli, Key},
    spec::Masks,
};

/// Mask bits of one run's batch: words as they were drawn, or the place from which they can be drawn on any device.
#[derive(Clone, Debug, PartialEq)]
pub enum MaskBits {
    /// Of view 1 and of view 2, `ceil(p / 64)` words for each pair of views; bit j of the words keeps entry j.
    Drawn([Vec<u64>; 2]),
    /// Not drawn yet: the place to draw from.
    Native(NativeMasks),
}

impl MaskBits {
    /// The words of both views.
    pub fn words(&self) -> [Vec<u64>; 2] {
        match self {
            Self::Drawn(words) => words.clone(),
            Self::Native(place) => place.words(),
        }
    }
}

/// Native draws are functions of their place; this is the place of a batch's masks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeMasks {
    /// How the two views' masks depend on each other.
    pub masks: Masks,
    /// Of view 1 and of view 2; the second is for independent views alone.
    pub keys: [Key; 2],
    /// Keeps an entry of view 1, and of view 2, with probability `1 - masking_prob`; the second is for independent views
    /// alone.
    pub keep: [Bernoulli; 2],
    /// Place of the first word in the keys' sequences.
    pub counter: u64,
    /// Pairs of views in the batch.
    pub pairs: usize,
    /// `ceil(p / 64)`
    pub words_of_pair: usize,
}

impl NativeMasks {
    /// Words to draw for a view: one pair's words serve all pairs where they share a mask.
    pub fn drawn(&self) -> usize {
        self.words_of_pair * if self.masks == Masks::Shared { 1 } else { self.pairs }
    }

    fn words(&self) -> [Vec<u64>; 2] {
        let draw = |view: usize| {
            let mut out = vec![0; self.drawn()];
            self.keep[view].fill(self.keys[view], self.counter, &mut out);
            out
        };
        match self.masks {
            Masks::Independent => [0, 1].map(draw),
            Masks::Dependent => with_complement(draw(0)),
            Masks::Shared => with_complement(draw(0).repeat(self.pairs)),
        }
    }
}

/// A mask and its complement.
pub fn with_complement(first: Vec<u64>) -> [Vec<u64>; 2] {
    let second = first.iter().map(|word| !word).collect();
    [first, second]
}
