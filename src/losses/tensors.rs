//! What the losses' forms on libtorch tensors are written with.

use tch::Tensor;

/// `v / |v|` for every row of `(R, B, m)`; rows shorter than 1e-12 are divided by that (PyTorch's `F.normalize`).
pub fn unit_rows(v: &Tensor) -> Tensor {
    let length = v.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true);
    v / length.clamp_min(1e-12)
}

/// Sum over the neurons of `(R, B, m)`, mean over the batch: `(R,)`.
pub fn mean_of_sums(z: &Tensor) -> Tensor {
    z.sum_dim_intlist([2i64].as_slice(), false, None).mean_dim([1i64].as_slice(), false, None)
}
