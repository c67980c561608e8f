use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Invariance, Kernel, Loss, Sides, cosine::Cosine, literal};
use crate::kernels::Matrix;

/// `-E cos(p, SG z)`, SimSiam's D (Chen and He 2021, Algorithm 1); the model takes the mean of `D(p1, z2)` and `D(p2, z1)`.
///
/// Lengths are bounded below by 1e-8, as in PyTorch's `F.cosine_similarity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NegativeCosine {}

/// Shorter representations are divided by this instead of their length.
pub const FLOOR: f32 = 1e-8;

impl Loss for NegativeCosine {
    fn sides(&self) -> Sides {
        Sides::LearnerAndTeacher
    }

    fn invariances(&self) -> &'static [Invariance] {
        &[Invariance::Swap, Invariance::Rotation, Invariance::Scale]
    }

    fn literal(&self, p: ArrayView2<f64>, z: ArrayView2<f64>) -> f64 {
        let unit = |v: &[f64]| literal::unit(v, FLOOR.into());
        -literal::mean_of_pairs(p, z, |p, z| literal::dot(&unit(p), &unit(z)))
    }

    fn kernel(&self) -> Option<Box<dyn Kernel>> {
        Some(Box::new(*self))
    }

    #[cfg(feature = "torch")]
    fn tensor(&self, p: &tch::Tensor, z: &tch::Tensor) -> tch::Tensor {
        -tch::Tensor::cosine_similarity(p, z, -1, 1e-8).mean_dim([1i64].as_slice(), false, None)
    }
}

impl Kernel for NegativeCosine {
    fn loss(&mut self, [p, z]: [&Matrix; 2], [gradient, _]: &mut [Matrix; 2]) -> f64 {
        let cosine = Cosine::of(p, z, FLOOR);
        cosine.gradient(p, z, -1.0 / p.columns() as f64, gradient);
        -cosine.mean()
    }
}
