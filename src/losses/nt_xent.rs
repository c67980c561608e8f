use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

#[cfg(feature = "torch")]
use super::tensors;
use super::{
    Invariance, Kernel, Loss, Sides, Work,
    contrast::{Anchors, Contrast},
    literal,
};
use crate::fault::{Fault, positive};

/// NT-Xent (Chen et al. 2020, Eq. 1): each of the 2B views against its partner and the other 2B - 2 views.
///
/// Similarity is the cosine divided by the temperature. 2B identical embeddings give `ln(2B - 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NtXent {
    /// Divides the similarities. The paper's text gives no value; 0.05 is the default of the authors' flag.
    pub temperature: f64,
}

impl Default for NtXent {
    fn default() -> Self {
        Self { temperature: 0.05 }
    }
}

impl Loss for NtXent {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn check(&self) -> Result<(), Fault> {
        positive("temperature", self.temperature)
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap, Invariance::Rotation, Invariance::Scale]
    }

    fn work(&self, batch: usize, _width: usize) -> Work {
        Anchors::AllViews.work(batch)
    }

    fn literal(&self, z1: ArrayView2<f64>, z2: ArrayView2<f64>) -> f64 {
        let views = literal::unit_views(z1, z2);
        let (b, s) = (z1.nrows(), |i: usize, j: usize| literal::dot(&views[i], &views[j]) / self.temperature);
        let others = |i: usize| (0..2 * b).filter(move |&j| j != i);
        literal::mean((0..2 * b).map(|i| literal::log_sum_exp(others(i).map(|j| s(i, j))) - s(i, (i + b) % (2 * b))))
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Contrast::new(Anchors::AllViews, self.temperature)))
    }

    /// Row by row as PyTorch's cross entropy: the difference of two means would lose a digit to a low temperature.
    #[cfg(feature = "torch")]
    fn tensor(&self, z1: &tch::Tensor, z2: &tch::Tensor) -> tch::Tensor {
        use tch::{Kind, Tensor};

        let batch = z1.size()[1];
        let z = directions(&Tensor::cat(&[z1, z2], 1)); // (R, 2B, m)
        let similarity = z.bmm(&z.transpose(1, 2)) / self.temperature; // (R, 2B, 2B)
        let itself = Tensor::eye(2 * batch, (Kind::Bool, z.device()));
        let share = similarity.masked_fill(&itself, f64::NEG_INFINITY).log_softmax(2, None);
        let partners = [batch, -batch].map(|offset| share.diagonal(offset, 1, 2)); // (R, B) from both sides
        -Tensor::cat(&partners, 1).mean_dim([1i64].as_slice(), false, None)
    }
}

/// Embeddings `(R, B, m)` of unit length, normalised, as the authors do, before PyTorch's `CosineSimilarity` normalises
/// them again. The latter bounds lengths by 1e-8 but passes gradients through unchanged: where an embedding is zero, as
/// that of a wholly masked view, its gradient is multiplied by 1e12 and then by 1e8.
#[cfg(feature = "torch")]
pub(super) fn directions(z: &tch::Tensor) -> tch::Tensor {
    let z = tensors::unit_rows(z);
    let length = z.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true);
    let bounded = &length + (length.clamp_min(1e-8) - &length).detach();
    z / bounded
}
