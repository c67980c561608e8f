use tch::Tensor;

/// `-E cos(p, z)`, SimSiam's D (Chen and He 2021, Algorithm 1), for a prediction `p` and a target `z`, `(R, B, m)`.
///
/// Norms are bounded below by 1e-8, as in PyTorch's `F.cosine_similarity`.
pub fn negative_cosine(p: &Tensor, z: &Tensor) -> Tensor {
    -Tensor::cosine_similarity(p, z, -1, 1e-8).mean_dim([1i64].as_slice(), false, None)
}
