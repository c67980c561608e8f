//! Random draws: one trait, [`Draws`], and the generators behind it.
//!
//! Three generators implement the trait:
//! - [`native`]: this program's own, counter-based and stateless, so that a draw depends on *what* it is for and never
//!   on the batch, cohort, thread or machine that asks for it;
//! - [`numpy`]: NumPy's legacy `RandomState`, which the authors' scripts draw their data and masks from;
//! - [`python`]: Python's own module `random`, for the replay of other experiments.
//!
//! [`torch`] is PyTorch's CPU generator, from which the authors' layers take their initial weights and their loaders
//! the order of an epoch. All three of Python's run on the same [`mt19937`] and are reproduced to the
//! last bit.
//!
//! ```
//! use contrastive_landscape::random::{Draws, numpy::RandomState};
//!
//! // np.random.seed(0); np.random.rand()
//! assert_eq!(RandomState::new(0).uniform(), 0.5488135039273248);
//! ```

pub mod mt19937;
pub mod native;
pub mod numpy;
pub mod python;
pub mod torch;

#[cfg(test)]
mod recorded;

/// A source of independent random draws.
///
/// Object safe: the data and initialisation code takes `&mut dyn Draws` and does not know which generator is behind it.
pub trait Draws {
    /// A uniform number in `[0, 1)`, a multiple of 2^-53.
    fn uniform(&mut self) -> f64;

    /// A standard normal number.
    fn normal(&mut self) -> f64;

    /// A uniform integer in `0..n`, for `n >= 1`, without modulo bias.
    fn below(&mut self, n: usize) -> usize;

    /// An index drawn from a distribution given by its [`cumulative`] probabilities, by inversion: one uniform number
    /// a draw, as NumPy's `choice(p=...)`.
    fn choose(&mut self, cumulative: &[f64]) -> usize {
        let uniform = self.uniform();
        cumulative.partition_point(|&bound| bound <= uniform)
    }
}

impl<D: Draws + ?Sized> Draws for &mut D {
    fn uniform(&mut self) -> f64 {
        (**self).uniform()
    }

    fn normal(&mut self) -> f64 {
        (**self).normal()
    }

    fn below(&mut self, n: usize) -> usize {
        (**self).below(n)
    }
}

/// The running sums of `probabilities`, scaled so that the last is exactly 1, in NumPy's order of operations.
pub fn cumulative(probabilities: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mut sums: Vec<f64> = probabilities
        .iter()
        .map(|probability| {
            sum += probability;
            sum
        })
        .collect();
    for entry in &mut sums {
        *entry /= sum;
    }
    sums
}

/// Shuffles `items` uniformly: Fisher and Yates from the last item down, the order in which NumPy draws.
pub fn shuffle<T>(draws: &mut (impl Draws + ?Sized), items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, draws.below(last + 1));
    }
}

/// A uniformly random permutation of `items`: a [shuffled](shuffle) copy, as NumPy's `permutation(array)`.
pub fn permuted<T: Clone>(draws: &mut (impl Draws + ?Sized), items: &[T]) -> Vec<T> {
    let mut copy = items.to_vec();
    shuffle(draws, &mut copy);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deals the uniform numbers it was given; `below` scales them.
    struct Dealt(std::vec::IntoIter<f64>);

    impl Draws for Dealt {
        fn uniform(&mut self) -> f64 {
            self.0.next().expect("a number left to deal")
        }
        fn normal(&mut self) -> f64 {
            unreachable!("not needed here")
        }
        fn below(&mut self, n: usize) -> usize {
            (self.uniform() * n as f64) as usize
        }
    }

    fn dealt(numbers: Vec<f64>) -> Box<dyn Draws> {
        Box::new(Dealt(numbers.into_iter()))
    }

    #[test]
    fn cumulative_probabilities_end_at_one() {
        assert_eq!(cumulative(&[1.0, 2.0, 1.0]), [0.25, 0.75, 1.0]);
        assert_eq!(cumulative(&[0.1; 10])[9], 1.0);
        assert!(cumulative(&[]).is_empty());
    }

    #[test]
    fn choose_skips_impossible_outcomes_and_gives_ties_to_the_right() {
        let cdf = cumulative(&[0.0, 0.25, 0.0, 0.75]);
        let mut draws = dealt(vec![0.0, 0.2499, 0.25, 0.9999]);
        assert_eq!([(); 4].map(|()| draws.choose(&cdf)), [1, 1, 3, 3]);
    }

    #[test]
    fn shuffle_draws_from_the_last_item_down() {
        // below(4) = 0, below(3) = 2, below(2) = 0 on [a, b, c, d]: d b c a, then as it is, then b d c a.
        let mut draws = dealt(vec![0.0, 0.9, 0.4]);
        assert_eq!(permuted(&mut *draws, &['a', 'b', 'c', 'd']), ['b', 'd', 'c', 'a']);
        assert!(permuted(&mut *draws, &[] as &[u8]).is_empty());
        assert_eq!(permuted(&mut *draws, &[7]), [7]);
    }
}
