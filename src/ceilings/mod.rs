//! Ceilings: what methods from outside of self-supervised learning find in the same samples.
//!
//! Each method sees the samples `(n, p)` that a run with the same settings and seed learns from, and neither dictionary nor
//! latents. It answers with directions `(k, p)`, which are judged as a run's neurons are, by their max-cosines with the
//! atoms. Everything is double precision, and draws from keys of its own: a result depends on settings, seed and method,
//! and never on the number of threads.

mod dictionary;
mod fast_ica;
mod gradient;
mod masked_autoencoder;
mod pca;
mod points;
mod sparse_autoencoder;
mod table;

pub use points::{Point, points};
pub use table::{Found, csv, medians, survey};

use ndarray::{Array1, Array2, Axis};

use crate::{
    data::{Dataset, RunStreams},
    fault::{Fault, ensure},
    metrics::{MaxCosine, max_cosine},
    random::native::Key,
    spec::RunSpec,
};

/// A method from outside of self-supervised learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The d leading principal directions.
    Pca,
    /// Independent components: d of them.
    FastIca,
    /// Sparse coding with d atoms.
    Dictionary,
    /// Sparse coding with m atoms, as many as a run has neurons.
    WideDictionary,
    /// The atoms of a sparse autoencoder with m neurons.
    SparseAutoencoder,
    /// The atoms of a masked autoencoder with m neurons.
    MaskedAutoencoder,
}

impl Method {
    /// All methods, by their names on the command line.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Pca, "pca"),
        (Self::FastIca, "fast-ica"),
        (Self::Dictionary, "dictionary-d"),
        (Self::WideDictionary, "dictionary-m"),
        (Self::SparseAutoencoder, "sparse-autoencoder"),
        (Self::MaskedAutoencoder, "masked-autoencoder"),
    ];

    /// Its name on the command line and in tables.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| name)
    }

    /// The directions `(k, p)` that it finds in samples `(n, p)`; fewer than asked for where the samples span less.
    pub fn directions(self, samples: &Array2<f64>, spec: &RunSpec) -> Array2<f64> {
        let (d, m) = (spec.data.d, spec.model.m);
        let key = Key::from_seed(spec.seed).derive(u64::from_be_bytes(*b"ceilings")).derive(self as u64);
        match self {
            Self::Pca => pca::directions(samples, d),
            Self::FastIca => fast_ica::directions(samples, d, &mut key.stream()),
            Self::Dictionary => dictionary::learn(samples, d, &mut key.stream()),
            Self::WideDictionary => dictionary::learn(samples, m, &mut key.stream()),
            Self::SparseAutoencoder => sparse_autoencoder::learn(samples, m, &mut key.stream()),
            Self::MaskedAutoencoder => {
                masked_autoencoder::learn(samples, m, spec.views.masking_prob, &mut key.stream())
            }
        }
    }
}

/// What a method found of a run's data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceiling {
    /// How many directions it answered with.
    pub directions: usize,
    /// Their max-cosines with the atoms.
    pub cosine: MaxCosine,
}

/// Checks that the samples are drawn once for the whole run, and that the methods have something to learn from them.
///
/// # Errors
/// The key that says otherwise.
pub fn check(spec: &RunSpec) -> Result<(), Fault> {
    let once = |is_set: bool, path: &str| {
        ensure(!is_set, path, || "ceilings are of samples that are drawn once; use false".into())
    };
    once(spec.data.fresh, "data.fresh")?;
    once(spec.data.noise_per_view, "data.noise_per_view")?;
    ensure(spec.data.samples > 1, "data.samples", || "ceilings need at least 2 samples".into())?;
    let q = spec.views.masking_prob;
    ensure(q > 0.0 && q < 1.0, "views.masking_prob", || {
        format!("a masked autoencoder needs visible and masked entries: between 0 and 1 (both excluded), not {q}")
    })
}

/// What a method finds of the data that a run with these settings learns from.
pub fn measure(spec: &RunSpec, method: Method) -> Ceiling {
    let data = Dataset::draw(&spec.data, &mut RunStreams::new(spec.random, spec.seed));
    let directions = method.directions(&data.x, spec);
    Ceiling { directions: directions.nrows(), cosine: max_cosine(&directions, &data.dictionary) }
}

/// Samples less their mean.
fn centred(samples: &Array2<f64>) -> Array2<f64> {
    let mean = samples.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(samples.ncols()));
    samples - &mean
}

/// The weight of the absolute values of codes beside half a squared error. Of samples of unit length it is 1.2 / sqrt(p)
/// (Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", JMLR 11, 2010, Section
/// 6), and it goes with the length: here, with the root of the mean square.
fn penalty(samples: &Array2<f64>) -> f64 {
    let square = samples.iter().map(|entry| entry * entry).sum::<f64>() / samples.nrows() as f64;
    1.2 / (samples.ncols() as f64).sqrt() * square.sqrt()
}

/// Scales every row to unit length; rows of zeros stay.
fn normalize_rows(matrix: &mut Array2<f64>) {
    for mut row in matrix.rows_mut() {
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row /= length;
        }
    }
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::random::Draws;

    /// Draws of a test.
    pub fn draws(seed: u64) -> impl Draws {
        Key::from_seed(seed).stream()
    }

    /// Samples `(n, p)` of latents with one or two entries of either sign, without noise; and the dictionary `(p, d)`, its
    /// atoms orthonormal.
    pub fn sparse(n: usize, p: usize, d: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
        let mut draws = draws(seed);
        let gaussian = Array2::from_shape_simple_fn((p, d), || draws.normal());
        let dictionary = crate::linalg::orthonormal_columns(&gaussian);
        let mut latents = Array2::zeros((n, d));
        for mut z in latents.rows_mut() {
            for _ in 0..=draws.below(2) {
                z[draws.below(d)] = if draws.below(2) == 0 { -1.0 } else { 1.0 };
            }
        }
        (latents.dot(&dictionary.t()), dictionary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> RunSpec {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_drawn_more_than_once_has_no_ceiling() {
        for (settings, path) in [
            ("data: {fresh: true}", "data.fresh"),
            ("data: {noise_per_view: true}", "data.noise_per_view"),
            ("{data: {samples: 1}, train: {batch_size: 1}}", "data.samples"),
            ("views: {masking_prob: 0}", "views.masking_prob"),
            ("views: {masking_prob: 1}", "views.masking_prob"),
        ] {
            assert_eq!(check(&spec(settings)).unwrap_err().path, path, "{settings}");
        }
        check(&spec("{}")).unwrap();
    }

    #[test]
    fn every_method_has_a_name_and_draws_of_its_own() {
        for (place, (method, name)) in Method::ALL.into_iter().enumerate() {
            assert_eq!((method.name(), method as usize), (name, place));
        }
    }

    #[test]
    fn ceilings_are_of_the_samples_of_a_run() {
        let spec = spec("{}");
        let found = measure(&spec, Method::FastIca);
        assert_eq!(found.directions, 10);
        assert_eq!(found, measure(&spec, Method::FastIca));
        assert!(found.cosine.min > 0.9, "{found:?}");
        let principal = measure(&spec, Method::Pca);
        assert!(principal.cosine.min < 0.8, "{principal:?}");
    }

    #[test]
    fn the_penalty_goes_with_the_length_of_samples() {
        let samples = Array2::from_shape_fn((3, 4), |(i, j)| f64::from(u8::from(i == j)));
        assert!((penalty(&samples) - 0.6).abs() < 1e-15);
        assert!((penalty(&(samples * 5.0)) - 3.0).abs() < 1e-15);
    }
}
