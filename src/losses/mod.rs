//! The losses: one file each, one row each in the table below.
//!
//! A file says what its loss is: settings with defaults and checks, which sides it has, how much work it is, its literal
//! form, and what trains it: a fused kernel (value and gradient by hand) and its form on libtorch tensors, whose gradient
//! is autograd's. Tests go over the table by themselves (`tests/suite/losses.rs`): a new row is held against its literal form,
//! finite differences and the other engine at once.

mod contrast;
mod cosine;
mod literal;
#[cfg(feature = "torch")]
mod tensors;

mod alignment_uniformity;
mod asymmetric_nt_xent;
mod barlow_twins;
mod dcl;
mod inner_product;
mod l2;
mod negative_cosine;
mod nt_xent;
mod siglip;
mod sigreg;
mod spectral;
mod vicreg;

use std::{fmt::Debug, ops::Deref, sync::Arc};

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::{
    fault::{Fault, ensure},
    kernels::Matrix,
    random::native::Key,
};

/// A loss between the representations of two views, as a mean over the batch.
pub trait Loss: Debug + Send + Sync {
    /// Which sides it is between.
    fn sides(&self) -> Sides;

    /// Whether the settings make sense; a fault's path is the setting's name.
    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// The transformations under which it does not change; tests hold the loss to exactly these.
    fn invariances(&self) -> &'static [Invariance];

    /// What it costs on `batch` pairs of representations of `width` numbers, beside passes over those.
    fn work(&self, batch: usize, width: usize) -> Work {
        let (_, _) = (batch, width);
        Work::default()
    }

    /// `c` of the penalty `c/2 (|W^o|^2 + |W^t|^2)`, which the model adds to the loss (Eq. 7, 13).
    fn weight_penalty(&self) -> f64 {
        0.0
    }

    /// The formula in plain loops, for representations `(B, m)`: where every test starts.
    fn literal(&self, a: ArrayView2<f64>, b: ArrayView2<f64>) -> f64;

    /// Whether it draws something at every step. Where nothing is said about the draws, they are those of the key of seed 0.
    fn draws(&self) -> bool {
        false
    }

    /// What it draws from a key for representations of `m` columns, one draw a column; none if it draws nothing.
    fn drawn(&self, key: Key, m: usize) -> Option<Array2<f64>> {
        let _ = (key, m);
        None
    }

    /// The formula with the draws of a key.
    fn literal_drawn(&self, a: ArrayView2<f64>, b: ArrayView2<f64>, key: Key) -> f64 {
        let _ = key;
        self.literal(a, b)
    }

    /// Value and gradient by hand, for the fused engine. None leaves the loss to autograd.
    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        None
    }

    /// The loss of each run `(R,)` on tensors `(R, B, m)`, differentiable by autograd; where there is a teacher, the caller
    /// detaches it.
    #[cfg(feature = "torch")]
    fn tensor(&self, a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor;

    /// The same with the draws of a key for each run.
    #[cfg(feature = "torch")]
    fn tensor_drawn(&self, a: &tch::Tensor, b: &tch::Tensor, keys: &[Key]) -> tch::Tensor {
        let _ = keys;
        self.tensor(a, b)
    }
}

/// Which representations a loss is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// One that learns, and one under stop gradient.
    LearnerAndTeacher,
    /// Two views that both learn.
    Both,
}

/// What may be done to both sides without a change of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariance {
    /// The views exchange places.
    Swap,
    /// One rotation of all representations: the loss depends on scalar products alone.
    Rotation,
    /// A positive factor on any representation: the loss depends on directions alone.
    Scale,
}

/// The cost of a loss's value and gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Scalar products of two representations; each is computed once and serves twice in the gradient.
    pub similarities: usize,
    /// Scalar products of two neurons over the batch, likewise.
    pub correlations: usize,
    /// Calls of `exp`.
    pub exponentials: usize,
    /// Numbers that autograd keeps for the backward pass, beside representations.
    pub kept: usize,
}

/// Value and gradient of a loss in single precision, with the working memory that it keeps from step to step.
pub trait Kernel: Send {
    /// Where the loss's draws come from at the next step.
    fn draw(&mut self, key: Key) {
        let _ = key;
    }

    /// The loss of representations `(m, B)`; their gradients replace what `gradients` holds. Of a learner and a teacher,
    /// only the learner's, which comes first, has one.
    fn loss(&mut self, views: [&Matrix; 2], gradients: &mut [Matrix; 2]) -> f64;
}

/// The table of losses: `Settings in file: what it is, and where it comes from`.
macro_rules! losses {
    ($($Settings:ident in $file:ident: $summary:literal,)*) => {
        $(pub use self::$file::$Settings;)*

        /// A loss with its settings, as it stands in experiment files under `loss`.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum LossSpec {
            $(#[doc = $summary] $Settings($Settings),)*
        }

        impl LossSpec {
            /// Every loss at its defaults, in the order of the table.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$Settings($Settings::default())),*]
            }

            /// Its name in experiment files.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$Settings(_) => stringify!($file),)* }
            }

            /// What it is, in one line.
            pub fn summary(&self) -> &'static str {
                match self { $(Self::$Settings(_) => $summary,)* }
            }

            /// The loss itself, to be kept.
            pub fn shared(&self) -> Arc<dyn Loss> {
                match *self { $(Self::$Settings(loss) => Arc::new(loss),)* }
            }
        }

        impl Deref for LossSpec {
            type Target = dyn Loss;

            fn deref(&self) -> &(dyn Loss + 'static) {
                match self { $(Self::$Settings(loss) => loss,)* }
            }
        }
    };
}

losses! {
    InnerProduct in inner_product: "`2 - 2 <q, SG t>` (Eq. 6, 8, 15)",
    L2 in l2: "`|q - SG t|^2` (Eq. 4, 5)",
    NtXent in nt_xent: "each of 2B views against its partner and all others (SimCLR)",
    AsymmetricNtXent in asymmetric_nt_xent: "each sample of view 1 against all of view 2 (Eq. 9)",
    NegativeCosine in negative_cosine: "`-cos(p, SG z)` (SimSiam)",
    BarlowTwins in barlow_twins: "neurons of both views correlate with themselves alone (Barlow Twins)",
    Vicreg in vicreg: "views agree, neurons vary, and no two say the same (VICReg)",
    Dcl in dcl: "NT-Xent with the positive left out of the denominator (DCL)",
    Siglip in siglip: "each pair of views is classified by itself as partners or not (SigLIP)",
    Spectral in spectral: "`-2 <a, b> + <a_i, b_j>^2` over unequal samples (spectral contrastive)",
    Sigreg in sigreg: "views agree, and are Gaussian along random directions (LeJEPA)",
    AlignmentUniformity in alignment_uniformity: "partners are near, all samples far apart (alignment and uniformity)",
}

pub(crate) use negative_cosine::FLOOR as COSINE_FLOOR;

fn check_penalty(weight_penalty: f64) -> Result<(), Fault> {
    ensure(weight_penalty.is_finite(), "weight_penalty", || "must be a number".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_files() {
        for loss in LossSpec::all() {
            let written = serde_json::to_value(loss).unwrap();
            assert_eq!(written["kind"], loss.kind());
            assert_eq!(serde_json::from_value::<LossSpec>(written).unwrap(), loss);
            loss.check().unwrap();
        }
    }
}
