//! Sums along a row, in double precision and in an order that vectorises.

/// Partial sums kept side by side.
const LANES: usize = 16;

/// `sum_i f(x_i)`
#[inline(always)]
pub fn sum(x: &[f32], f: impl Fn(f32) -> f64) -> f64 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for x in chunks {
        for i in 0..LANES {
            lanes[i] += f(x[i]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    fold(&lanes)
}

/// `sum_i f(x_i, y_i)`
#[inline(always)]
pub fn sum2(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f64) -> f64 {
    let ((x_chunks, x_rest), (y_chunks, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for i in 0..LANES {
            lanes[i] += f(x[i], y[i]);
        }
    }
    for (lane, (&x, &y)) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *lane += f(x, y);
    }
    fold(&lanes)
}

/// Sum of the partial sums.
///
/// Not inlined: the order of these additions would otherwise lead the compiler to narrower vectors in the loops above.
#[inline(never)]
fn fold(lanes: &[f64; LANES]) -> f64 {
    let halves: [f64; LANES / 2] = std::array::from_fn(|i| lanes[i] + lanes[i + LANES / 2]);
    let quarters: [f64; LANES / 4] = std::array::from_fn(|i| halves[i] + halves[i + LANES / 4]);
    (quarters[0] + quarters[2]) + (quarters[1] + quarters[3])
}

/// `sum_i x_i`
#[inline(always)]
pub fn total(x: &[f32]) -> f64 {
    sum(x, f64::from)
}

/// `sum_i x_i y_i`, each product exact.
#[inline(always)]
pub fn dot(x: &[f32], y: &[f32]) -> f64 {
    sum2(x, y, |x, y| f64::from(x) * f64::from(y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length() {
        for n in [0, 1, 15, 16, 17, 63, 512] {
            let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let n = n as f64;
            assert_eq!(total(&x), n * (n - 1.0) / 2.0);
            assert_eq!(dot(&x, &x), (n - 1.0) * n * (2.0 * n - 1.0) / 6.0);
        }
    }

    #[test]
    fn a_large_mean_does_not_drown_small_differences() {
        let x: Vec<f32> = (0..1000).map(|i| 1e6 + (i % 2) as f32).collect();
        assert_eq!(total(&x), 1e9 + 500.0);
    }
}
