use tch::Tensor;

/// `E |q - t|^2` (Eq. 4; with a predictor in `q`, Eq. 5). Arguments as for [`inner_product`](super::inner_product()).
pub fn l2(q: &Tensor, t: &Tensor) -> Tensor {
    (q - t).square().sum_dim_intlist([2i64].as_slice(), false, None).mean_dim([1i64].as_slice(), false, None)
}
