use tch::{Kind, Tensor};

use crate::nn::unit_norm;

/// NT-Xent (Chen et al. 2020, Eq. 1): every one of the 2B views against its partner and the other 2B - 2 views.
///
/// `z1` and `z2` are the two views' embeddings, `(R, B, m)`; similarity is the cosine divided by `temperature`.
/// 2B identical embeddings give `ln(2B - 1)`.
///
/// Row by row as PyTorch's cross entropy: the difference of two means would lose a digit to a low temperature.
pub fn nt_xent(z1: &Tensor, z2: &Tensor, temperature: f64) -> Tensor {
    let batch = z1.size()[1];
    let z = directions(&Tensor::cat(&[z1, z2], 1)); // (R, 2B, m)
    let similarity = z.bmm(&z.transpose(1, 2)) / temperature; // (R, 2B, 2B)
    let itself = Tensor::eye(2 * batch, (Kind::Bool, z.device()));
    let share = similarity.masked_fill(&itself, f64::NEG_INFINITY).log_softmax(2, None);
    let partners = [batch, -batch].map(|offset| share.diagonal(offset, 1, 2)); // (R, B) from both sides
    -Tensor::cat(&partners, 1).mean_dim([1i64].as_slice(), false, None)
}

/// The B rows of view 1, each against all of view 2 (Eq. 9 with the batch's other samples as negatives; the authors'
/// `Asymmetric_NT_Xent`). Identical embeddings give `ln B`.
pub fn asymmetric_nt_xent(z1: &Tensor, z2: &Tensor, temperature: f64) -> Tensor {
    let similarity = directions(z1).bmm(&directions(z2).transpose(1, 2)) / temperature; // (R, B, B)
    -similarity.log_softmax(2, None).diagonal(0, 1, 2).mean_dim([1i64].as_slice(), false, None)
}

/// Embeddings `(R, B, m)` of unit length: normalised, as the authors do, before PyTorch's `CosineSimilarity` does it
/// again. That bounds lengths by 1e-8, but passes their gradients on as they are: where an embedding is zero, as that of
/// a view of which nothing is left, its gradient is multiplied by 1e12 and then by 1e8.
fn directions(z: &Tensor) -> Tensor {
    let z = unit_norm(z);
    let length = z.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true);
    let bounded = &length + (length.clamp_min(1e-8) - &length).detach();
    z / bounded
}
