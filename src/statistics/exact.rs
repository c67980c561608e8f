//! Exact tests for a handful of seeds: no distribution is assumed, all rearrangements are counted.

/// Rearrangements that are counted, at most: beyond it, seeds are no handful.
const MOST: u64 = 1 << 24;

/// Whether differences of paired seeds are about zero: the share of all choices of their signs with a sum as far from zero,
/// two-sided. With n seeds it is at least `2 / 2^n`, so that five decide nothing at 5 %. None of no differences, of too
/// many, or where one is not finite.
pub fn sign_flip_test(differences: &[f64]) -> Option<f64> {
    let n = differences.len();
    if n == 0 || 1u64.checked_shl(n as u32).is_none_or(|all| all > MOST) || !all_finite(differences) {
        return None;
    }
    let bar = as_far(differences.iter().sum::<f64>(), differences);
    let sum = |signs: u64| -> f64 {
        differences.iter().enumerate().map(|(i, value)| if signs >> i & 1 == 1 { -value } else { *value }).sum()
    };
    let all = 1u64 << n;
    let extreme = (0..all).filter(|&signs| sum(signs).abs() >= bar).count();
    Some(extreme as f64 / all as f64)
}

/// Whether two groups of seeds have the same distribution: the share of all divisions of their values into groups of these
/// sizes whose means are as far apart, two-sided. None of an empty group, of too many values, or where one is not finite.
pub fn permutation_test(a: &[f64], b: &[f64]) -> Option<f64> {
    let values = [a, b].concat();
    let (n, chosen) = (values.len(), a.len());
    if a.is_empty() || b.is_empty() || divisions(n, chosen).is_none_or(|all| all > MOST) || !all_finite(&values) {
        return None;
    }
    // Means are as far apart as the sum of the first group is from its expectation.
    let expected = values.iter().sum::<f64>() * chosen as f64 / n as f64;
    let bar = as_far(a.iter().sum::<f64>() - expected, &values);
    let (mut extreme, mut all) = (0u64, 0u64);
    let mut places: Vec<usize> = (0..chosen).collect();
    loop {
        let sum: f64 = places.iter().map(|&place| values[place]).sum();
        all += 1;
        extreme += u64::from((sum - expected).abs() >= bar);
        // The next choice in order: the last place that can move on does, those after it follow it.
        let Some(moving) = (0..chosen).rev().find(|&i| places[i] < n - chosen + i) else { break };
        places[moving] += 1;
        (moving + 1..chosen).for_each(|i| places[i] = places[i - 1] + 1);
    }
    Some(extreme as f64 / all as f64)
}

/// The distance that counts as no nearer, with room for the rounding of sums in another order.
fn as_far(distance: f64, values: &[f64]) -> f64 {
    distance.abs() - 1e-12 * values.iter().map(|value| value.abs()).sum::<f64>()
}

fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}

/// How many ways there are to choose, if they can be counted.
fn divisions(n: usize, chosen: usize) -> Option<u64> {
    let smaller = chosen.min(n - chosen) as u64;
    (1..=smaller).try_fold(1u64, |ways, k| Some(ways.checked_mul(n as u64 - smaller + k)? / k))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_seeds_that_agree_decide_nothing() {
        assert_eq!(sign_flip_test(&[0.1, 0.2, 0.05, 0.3, 0.11]), Some(2.0 / 32.0));
        assert_eq!(sign_flip_test(&[0.1; 6]), Some(2.0 / 64.0));
        // By hand: sums of +-1 +-2 are 3, 1, -1, -3.
        assert_eq!(sign_flip_test(&[1.0, -2.0]), Some(1.0));
        assert_eq!(sign_flip_test(&[1.0, 2.0]), Some(0.5));
        assert_eq!((sign_flip_test(&[]), sign_flip_test(&[f64::NAN])), (None, None));
        assert_eq!(sign_flip_test(&[0.1; 70]), None);
    }

    #[test]
    fn divisions_into_two_groups_are_counted() {
        // By hand: of six divisions of 1, 2, 3, 4 into pairs, two have the means that far apart.
        assert_eq!(permutation_test(&[1.0, 2.0], &[3.0, 4.0]), Some(2.0 / 6.0));
        assert_eq!(permutation_test(&[1.0, 4.0], &[2.0, 3.0]), Some(1.0));
        // Groups of different sizes: 1 against 2, 3, 4, and only 4 is as far from the mean.
        assert_eq!(permutation_test(&[1.0], &[2.0, 3.0, 4.0]), Some(0.5));
        let (low, high) = ([0.1, 0.2, 0.3, 0.4, 0.5], [1.1, 1.2, 1.3, 1.4, 1.5]);
        assert_eq!(permutation_test(&low, &high), Some(2.0 / 252.0));
        assert_eq!(permutation_test(&[], &[1.0]), None);
        assert_eq!(permutation_test(&[0.0; 40], &[0.0; 40]), None);
        assert_eq!(divisions(20, 10), Some(184_756));
        assert_eq!((divisions(5, 0), divisions(5, 5), divisions(5, 1)), (Some(1), Some(1), Some(5)));
    }
}
