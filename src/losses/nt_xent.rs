use tch::{Kind, Tensor};

use crate::nn::unit_norm;

/// NT-Xent (Chen et al. 2020, Eq. 1): every one of the 2B views against its partner and the other 2B - 2 views.
///
/// `z1` and `z2` are the two views' embeddings, `(R, B, m)`; similarity is the cosine divided by `temperature`.
/// 2B identical embeddings give `ln(2B - 1)`.
pub fn nt_xent(z1: &Tensor, z2: &Tensor, temperature: f64) -> Tensor {
    let batch = z1.size()[1];
    let z = unit_norm(&Tensor::cat(&[z1, z2], 1)); // (R, 2B, m)
    let similarity = z.bmm(&z.transpose(1, 2)) / temperature; // (R, 2B, 2B)
    let partner = similarity.diagonal(batch, 1, 2); // (R, B), the same from both sides
    let itself = Tensor::eye(2 * batch, (Kind::Bool, z.device()));
    let others = similarity.masked_fill(&itself, f64::NEG_INFINITY);
    others.logsumexp([2i64].as_slice(), false).mean_dim([1i64].as_slice(), false, None)
        - partner.mean_dim([1i64].as_slice(), false, None)
}

/// The B rows of view 1, each against all of view 2 (Eq. 9 with the batch's other samples as negatives; the authors'
/// `Asymmetric_NT_Xent`). Identical embeddings give `ln B`.
pub fn asymmetric_nt_xent(z1: &Tensor, z2: &Tensor, temperature: f64) -> Tensor {
    let similarity = unit_norm(z1).bmm(&unit_norm(z2).transpose(1, 2)) / temperature; // (R, B, B)
    let partner = similarity.diagonal(0, 1, 2); // (R, B)
    (similarity.logsumexp([2i64].as_slice(), false) - partner).mean_dim([1i64].as_slice(), false, None)
}
