use tch::Tensor;

/// `2 - 2 E <q, t>` (Eq. 6; with a predictor in `q`, Eq. 8; on SReLU with a fixed bias, Eq. 15).
///
/// `q` is the representation that learns, `t` the one under stop gradient, both `(R, B, m)`. On unit rows this is the
/// [`l2`](super::l2()) loss.
pub fn inner_product(q: &Tensor, t: &Tensor) -> Tensor {
    2.0 - 2.0 * (q * t).sum_dim_intlist([2i64].as_slice(), false, None).mean_dim([1i64].as_slice(), false, None)
}
