use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{
    Invariance, Kernel, Loss, Sides, Work,
    contrast::{Anchors, Contrast},
    literal,
};
use crate::fault::{Fault, positive};

/// The B rows of view 1, each against all of view 2: Eq. 9 with the other samples of the batch as negatives (the authors'
/// `Asymmetric_NT_Xent`). Identical embeddings give `ln B`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AsymmetricNtXent {
    /// Divides the similarities; see [`NtXent`](super::NtXent).
    pub temperature: f64,
}

impl Default for AsymmetricNtXent {
    fn default() -> Self {
        Self { temperature: 0.05 }
    }
}

impl Loss for AsymmetricNtXent {
    fn sides(&self) -> Sides {
        Sides::Both
    }

    fn check(&self) -> Result<(), Fault> {
        positive("temperature", self.temperature)
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Rotation, Invariance::Scale]
    }

    fn work(&self, batch: usize, _width: usize) -> Work {
        Anchors::FirstView.work(batch)
    }

    fn literal(&self, z1: ArrayView2<f64>, z2: ArrayView2<f64>) -> f64 {
        let (u1, u2) = (literal::unit_rows(z1), literal::unit_rows(z2));
        let s = |i: usize, j: usize| literal::dot(&u1[i], &u2[j]) / self.temperature;
        literal::mean((0..u1.len()).map(|i| literal::log_sum_exp((0..u2.len()).map(|j| s(i, j))) - s(i, i)))
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Contrast::new(Anchors::FirstView, self.temperature)))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, z1: &tch::Tensor, z2: &tch::Tensor) -> tch::Tensor {
        use super::nt_xent::directions;

        let similarity = directions(z1).bmm(&directions(z2).transpose(1, 2)) / self.temperature; // (R, B, B)
        -similarity.log_softmax(2, None).diagonal(0, 1, 2).mean_dim([1i64].as_slice(), false, None)
    }
}
