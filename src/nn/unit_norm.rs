use tch::Tensor;

/// `u(v) = v / |v|` for every row of `(R, B, m)`; rows shorter than 1e-12 are divided by that (PyTorch's `F.normalize`).
pub fn unit_norm(v: &Tensor) -> Tensor {
    let length = v.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true);
    v / length.clamp_min(1e-12)
}
