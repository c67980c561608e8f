//! Sums along a row, in an order that vectorises and loses little.

/// Partial sums kept side by side. Each adds up only a few samples before they are combined in double precision.
const LANES: usize = 64;

/// `sum_i f(x_i)`
#[inline(always)]
pub fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let mut lanes = [0.0; LANES];
    for x in x.chunks(LANES) {
        for (lane, &x) in lanes.iter_mut().zip(x) {
            *lane += f(x);
        }
    }
    fold(&lanes)
}

/// `sum_i f(x_i, y_i)`
#[inline(always)]
pub fn sum2(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f32) -> f64 {
    let mut lanes = [0.0; LANES];
    for (x, y) in x.chunks(LANES).zip(y.chunks(LANES)) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += f(x, y);
        }
    }
    fold(&lanes)
}

/// Sum of the partial sums.
#[inline(never)]
fn fold(lanes: &[f32; LANES]) -> f64 {
    let mut sums = [0.0; 8];
    for lanes in lanes.as_chunks::<8>().0 {
        for (sum, &lane) in sums.iter_mut().zip(lanes) {
            *sum += f64::from(lane);
        }
    }
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

/// `sum_i x_i`
#[inline(always)]
pub fn total(x: &[f32]) -> f64 {
    sum(x, |x| x)
}

/// `sum_i x_i y_i`
#[inline(always)]
pub fn dot(x: &[f32], y: &[f32]) -> f64 {
    sum2(x, y, |x, y| x * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length() {
        for n in [0, 1, 63, 64, 65, 200, 512] {
            let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let n = f64::from(n);
            assert_eq!(total(&x), n * (n - 1.0) / 2.0);
            assert_eq!(dot(&x, &x), (n - 1.0) * n * (2.0 * n - 1.0) / 6.0);
        }
    }

    #[test]
    fn a_large_mean_does_not_drown_small_differences() {
        let x: Vec<f32> = (0..1000).map(|i| 1e5 + (i % 2) as f32).collect();
        assert_eq!(total(&x), 1e8 + 500.0);
    }
}
