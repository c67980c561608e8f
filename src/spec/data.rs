//! What is seen: samples, the dictionary, latents and noise behind them, and the views made of them.

use serde::{Deserialize, Serialize};

use crate::metrics::Atoms;

/// Sparse-coding data `x = M z + eps` in R^p (Eq. 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Number of samples `n`, drawn once; an epoch is one pass over them.
    pub samples: usize,
    /// Input dimension.
    pub p: usize,
    /// Number of dictionary atoms, and so of latents.
    pub d: usize,
    /// How M is drawn.
    pub dictionary: Dictionary,
    // Keys added after the first release are left out of files where they have no effect: runs keep their hashes.
    /// Cosine of any two atoms; for dictionaries that would be orthonormal.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub coherence: f64,
    /// Distribution of z.
    pub latents: Latents,
    /// Correlation of neighbouring latents: `corr(z_i, z_j) = correlation^|i - j|`, each entry distributed as without.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub correlation: f64,
    /// What each atom's latent is multiplied by.
    #[serde(default, skip_serializing_if = "Strengths::are_equal")]
    pub strengths: Strengths,
    /// Distribution of eps.
    pub noise: Noise,
    /// Whether each view of a sample has noise of its own, drawn anew every time, instead of the sample's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub noise_per_view: bool,
    /// Whether every epoch has new samples, from the same dictionary.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fresh: bool,
}

impl DataSpec {
    /// The atoms' geometry, as far as it decides what random directions score; for [`chance`](crate::metrics::chance).
    pub fn atoms(&self) -> Atoms {
        match self.dictionary {
            Dictionary::Gaussian => Atoms::Random { atoms: self.d, dimensions: self.p },
            Dictionary::Orthonormal | Dictionary::Identity if self.coherence == 0.0 => Atoms::Orthonormal(self.d),
            Dictionary::Orthonormal | Dictionary::Identity => Atoms::Coherent { atoms: self.d, cosine: self.coherence },
        }
    }
}

/// The dictionary `M`, `(p, d)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dictionary {
    /// Q of the QR decomposition of a standard Gaussian matrix: orthonormal columns.
    Orthonormal,
    /// The identity; needs `p == d`.
    Identity,
    /// Columns of a standard Gaussian matrix, scaled to unit length: overcomplete where `d > p`.
    Gaussian,
}

/// Distribution of the latent `z` in R^d.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Latents {
    /// Entries +1 and -1 with probability `sparsity / 2` each, else 0; redrawn until one is non-zero (Section 4.2).
    Symmetric {
        /// Probability of an entry to be non-zero, before latents of zeros are redrawn.
        #[serde(default = "tenth")]
        sparsity: f64,
    },
    /// Entries 1 with probability `sparsity`, else 0 (Section 4.1).
    Binary {
        /// Probability of a 1.
        #[serde(default = "tenth")]
        sparsity: f64,
    },
    /// Exactly one non-zero entry.
    OneHot {
        /// How its sign is drawn; the magnitude is 1.
        #[serde(default)]
        sign: OneHotSign,
    },
    /// `ceil(d sparsity / 2)` entries -1 and the following ones up to `max(ceil(d sparsity), that + 1)` +1, permuted
    /// for each sample (`gen_z` of the authors' code). At d = 10, sparsities 0.1 and 0.2 are the same distribution.
    FixedSupport {
        /// Share of the d entries that are non-zero, before rounding up.
        #[serde(default = "tenth")]
        sparsity: f64,
    },
}

/// Sign of the one non-zero entry of a one-hot latent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OneHotSign {
    /// Always +1 (the authors' `main_simclr.py`).
    Positive,
    /// +1 or -1 with equal probability, for each sample.
    #[default]
    Random,
    /// One fair sign for the whole data set (the authors' `main.py`).
    Common,
}

/// Factors on the latents, atom by atom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Strengths {
    /// All 1.
    #[default]
    Equal,
    /// From the first atom's to the last atom's, each the same multiple of the one before.
    Geometric {
        /// Of the first atom.
        first: f64,
        /// Of the last atom.
        last: f64,
    },
    /// As listed, one for each atom.
    Given {
        /// `(d,)`
        values: Vec<f64>,
    },
}

impl Strengths {
    /// Whether they change nothing.
    pub fn are_equal(&self) -> bool {
        *self == Self::Equal
    }

    /// Of d atoms; none where all are 1.
    pub fn factors(&self, d: usize) -> Option<Vec<f64>> {
        match self {
            Self::Equal => None,
            Self::Geometric { first, last } => Some(geometric(*first, *last, d)),
            Self::Given { values } => Some(values.clone()),
        }
    }
}

/// `n` numbers from the first to the last with equal ratios; the first alone if there is one.
pub fn geometric(first: f64, last: f64, n: usize) -> Vec<f64> {
    let steps = n.saturating_sub(1).max(1) as f64;
    (0..n).map(|k| first * (last / first).powf(k as f64 / steps)).collect()
}

/// Noise `eps`: independent Gaussians, all of standard deviation sigma unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Noise {
    /// `eps = 0`: no noise.
    None,
    /// `sigma = (sqrt(ln d) / d)^exponent` (the authors' code; exponent 1 is its default).
    Authors {
        /// Power of the base `sqrt(ln d) / d`; larger is quieter.
        #[serde(default = "one")]
        exponent: f64,
    },
    /// `sigma^2 = ln(d) / d` (Section 4.2).
    Paper,
    /// The given standard deviation.
    Gaussian {
        /// In every coordinate.
        sigma: f64,
    },
    /// Standard deviations from the first to the last coordinate, each the same multiple of the one before.
    Heteroskedastic {
        /// In the first coordinate.
        first: f64,
        /// In the last coordinate.
        last: f64,
    },
}

/// How views are made of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewSpec {
    /// How the masks of view 1 and view 2 depend on each other.
    pub masks: Masks,
    /// Probability that an entry is set to ZERO, the authors' `q`; the paper's alpha is `1 - masking_prob`.
    pub masking_prob: f64,
    /// The same in view 2, where it differs; for independent masks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_masking_prob: Option<f64>,
    /// Which entries go together.
    #[serde(default, skip_serializing_if = "Pattern::is_entries")]
    pub pattern: Pattern,
    /// Standard deviation of Gaussian noise that is added to every entry of a view, masked or not, drawn anew every time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub noise: f64,
    /// Pairs of views made of each sample, stacked along the batch (the authors' `n_aug` when multimasking).
    pub pairs: usize,
}

/// Which entries a mask sets to zero together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Each by itself.
    #[default]
    Entries,
    /// A block of `masking_prob p` neighbours, rounded, that begins anywhere and goes on at the first entry after the last.
    Contiguous,
}

impl Pattern {
    /// Whether entries are masked one by one.
    pub fn is_entries(&self) -> bool {
        *self == Self::Entries
    }
}

/// How the two views of a pair depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Masks {
    /// `a1 = D1 x`, `a2 = D2 x` with independent masks (Eq. 3).
    Independent,
    /// `a1 = 2 D x`, `a2 = 2 (I - D) x` with one mask per pair (Eq. 2).
    Dependent,
    /// One mask for a whole batch: `a1 = D x`, `a2 = (I - D) x` (the authors' `augment_and_train`).
    Shared,
}

impl ViewSpec {
    /// Masking probability of view 1 and of view 2.
    pub fn masking_probs(&self) -> [f64; 2] {
        [self.masking_prob, self.second_masking_prob.unwrap_or(self.masking_prob)]
    }

    /// Factor on the kept entries.
    pub fn scale(&self) -> f64 {
        match self.masks {
            Masks::Dependent => 2.0,
            Masks::Independent | Masks::Shared => 1.0,
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

// Defaults of a variant's fields where a file names only the variant.

fn tenth() -> f64 {
    0.1
}

pub(super) fn one() -> f64 {
    1.0
}
