use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{
    Invariance, Kernel, Loss, Sides, Work,
    contrast::{Anchors, Contrast},
    literal,
};
use crate::fault::{Fault, positive};

/// Decoupled contrastive learning (Yeh et al. 2022, Eq. 6): NT-Xent with the positive left out of the denominator, so
/// that its pull does not fade as it becomes easy. Each of the 2B views is compared with its partner and the other 2B -
/// 2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dcl {
    /// Divides the similarities.
    pub temperature: f64,
}

impl Default for Dcl {
    /// The paper's temperature, as in its authors' code.
    fn default() -> Self {
        Self { temperature: 0.1 }
    }
}

impl Loss for Dcl {
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
        let partner = |i: usize| (i + b) % (2 * b);
        let negatives = |i: usize| (0..2 * b).filter(move |&j| j != i && j != partner(i));
        literal::mean((0..2 * b).map(|i| literal::log_sum_exp(negatives(i).map(|j| s(i, j))) - s(i, partner(i))))
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Contrast::new(Anchors::AllViews, self.temperature).decoupled()))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, z1: &tch::Tensor, z2: &tch::Tensor) -> tch::Tensor {
        use tch::{Kind, Tensor};

        let batch = z1.size()[1];
        let z = super::tensors::unit_rows(&Tensor::cat(&[z1, z2], 1)); // (R, 2B, m)
        let similarity = z.bmm(&z.transpose(1, 2)) / self.temperature; // (R, 2B, 2B)
        let left_out = Tensor::eye(batch, (Kind::Bool, z.device())).repeat([2, 2]);
        let denominator = similarity.masked_fill(&left_out, f64::NEG_INFINITY).logsumexp([2i64].as_slice(), false);
        let partners = [batch, -batch].map(|offset| similarity.diagonal(offset, 1, 2)); // (R, B) from both sides
        (denominator - Tensor::cat(&partners, 1)).mean_dim([1i64].as_slice(), false, None)
    }
}
