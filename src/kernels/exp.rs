//! The exponential function, in a form that vectorises.

/// `e^x` to 2 units in the last place for x up to 88; zero where the result would be subnormal (x below -87.3).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // x = n ln 2 + r with |r| <= ln(2) / 2; ln 2 in two parts, n times the first exact.
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    // Cephes' minimax polynomial (expf.c): e^r = 1 + r + r^2 p(r).
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_2e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let e_r = p.mul_add(r * r, r) + 1.0;
    let two_n = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < -87.3 { 0.0 } else { e_r * two_n }
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn accurate_to_two_units_in_the_last_place() {
        let mut worst = 0.0f64;
        for i in -1_746_000..=1_760_000 {
            let x = i as f32 * 5e-5;
            let exact = f64::from(x).exp();
            let unit = f64::from(f32::EPSILON) * 2f64.powf(exact.log2().floor());
            worst = worst.max((f64::from(exp(x)) - exact).abs() / unit);
        }
        assert!(worst < 2.0, "{worst} units in the last place");
    }

    #[test]
    fn the_ends() {
        assert_eq!(exp(0.0), 1.0);
        for x in [-87.4, -1e3, -1e30, f32::MIN, f32::NEG_INFINITY] {
            assert_eq!(exp(x), 0.0);
        }
    }
}
