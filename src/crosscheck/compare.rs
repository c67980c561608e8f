use indexmap::IndexMap;

use crate::{
    aligned,
    metrics::{Cells, Row},
    spec::layout::StateDict,
};

/// What a run of the authors' code left behind.
#[derive(Clone, Debug, Default)]
pub struct Theirs {
    /// Every value that their logger received, epoch by epoch, by its name there.
    pub epochs: Vec<IndexMap<String, f64>>,
    /// Their final state dict.
    pub state: StateDict,
}

impl Theirs {
    /// From records, in which null stands for a number that is not finite.
    pub fn new(epochs: Vec<IndexMap<String, Option<f64>>>, state: StateDict) -> Self {
        let number = |(name, value): (String, Option<f64>)| (name, value.unwrap_or(f64::NAN));
        let epochs = epochs.into_iter().map(|logged| logged.into_iter().map(number).collect()).collect();
        Self { epochs, state }
    }
}

/// Largest absolute differences between a run of theirs and ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Name of the run in the table.
    pub case: String,
    /// Epochs that they logged.
    pub epochs: usize,
    /// Of the last batch's loss.
    pub loss: f64,
    /// Of maximum, median and minimum max-cosine.
    pub cosine: f64,
    /// Of the share of the support found.
    pub support: f64,
    /// Of everything else that is logged, except condition numbers: norms, singular values, false support, sparsity.
    pub others: f64,
    /// Of condition numbers, in units of their bound.
    pub condition: f64,
    /// Of the final parameters.
    pub weights: f64,
    /// Seconds that they and we took.
    pub seconds: Option<(f64, f64)>,
    /// What they logged or kept and we did not.
    pub missing: Vec<String>,
    /// The epoch in which a norm grew too large, on both sides, for single precision to resolve the bound; nothing is
    /// compared from there on.
    pub exploded_at: Option<usize>,
}

/// Bound on every logged value and every final parameter.
pub const BOUND: f64 = 1e-5;

/// Beyond this size, a single rounding in single precision exceeds [`BOUND`]. Such runs are chaotic: where a
/// representation is zero, normalising it multiplies gradients by 1e12, and where two of those cancel only their
/// rounding is left.
const EXPLODED: f64 = BOUND / (f32::EPSILON as f64 / 2.0);

/// Bound on the share of the support found, a mean of fractions that both compute in double precision.
pub const SUPPORT_BOUND: f64 = 1e-12;

/// Error of a singular value relative to the largest: a few roundings in single precision, in which theirs are computed.
const SINGULAR_VALUE_ERROR: f64 = 8.0 * f32::EPSILON as f64;

impl Comparison {
    /// Whether everything was compared and lies within its bound.
    pub fn is_within(&self) -> bool {
        let bounded = [self.loss, self.cosine, self.others, self.weights].iter().all(|&off| off <= BOUND);
        bounded && self.support <= SUPPORT_BOUND && self.condition <= 1.0 && self.missing.is_empty()
    }
}

/// Compares a run of theirs with the rows of ours after every epoch and our final state.
pub fn compare(case: &str, theirs: &Theirs, rows: &[Row], state: &StateDict) -> Comparison {
    let mut result = Comparison { case: case.into(), epochs: theirs.epochs.len(), ..Comparison::default() };
    for (epoch, logged) in theirs.epochs.iter().enumerate() {
        let ours = rows.get(epoch).map(Cells::of);
        let ours = |name: &str| ours.as_ref()?.get(name);
        let far = |value: f64| value.is_nan() || value.abs() > EXPLODED;
        let explodes =
            |(key, &value): (&String, &f64)| key.ends_with("norm") && far(value) && ours(&column(key)).is_some_and(far);
        if logged.iter().any(explodes) {
            result.exploded_at = Some(epoch + 1);
            return result;
        }
        for (key, &value) in logged {
            let name = column(key);
            let Some(our_value) = ours(&name) else {
                note(&mut result.missing, key);
                continue;
            };
            let off = difference(our_value, value);
            let (slot, off) = match name.as_str() {
                "loss" => (&mut result.loss, off),
                "max_cosine" | "median_cosine" | "min_cosine" => (&mut result.cosine, off),
                "support" => (&mut result.support, off),
                _ if name.ends_with("condition_number") => {
                    let smallest = logged.get(&key.replace("condition number", "smallest_singular_val"));
                    (&mut result.condition, off / condition_bound(value, smallest.copied().unwrap_or(f64::NAN)))
                }
                _ => (&mut result.others, off),
            };
            *slot = slot.max(off);
        }
    }
    for (name, value) in &theirs.state {
        match state.get(name) {
            Some(ours) if ours.shape() == value.shape() => {
                let off = ours.iter().zip(value).map(|(&a, &b)| difference(a, b)).fold(0.0, f64::max);
                result.weights = result.weights.max(off);
            }
            // Their modules register the encoders' biases a second time after the first step.
            None if matches!(name.as_str(), "bo" | "bt") => {}
            _ => note(&mut result.missing, name),
        }
    }
    result
}

fn note(missing: &mut Vec<String>, name: &str) {
    if !missing.iter().any(|noted| noted == name) {
        missing.push(name.into());
    }
}

/// How far our value is from theirs. Theirs is NaN where they had no finite number; then ours must not be finite
/// either. If only one is finite, the distance is infinite.
fn difference(ours: f64, theirs: f64) -> f64 {
    if ours == theirs || (theirs.is_nan() && !ours.is_finite()) {
        return 0.0;
    }
    let off = (ours - theirs).abs();
    if off.is_nan() { f64::INFINITY } else { off }
}

/// How far a condition number `k = s_max / s_min` may be off when both singular values are off by
/// `e s_max`: `k (e + e s_max / s_min)`, to first order. Beyond `e k = 1/2` it has no correct digit.
fn condition_bound(k: f64, smallest: f64) -> f64 {
    let error = SINGULAR_VALUE_ERROR;
    if !(k.is_finite() && smallest > 0.0) || error * k > 0.5 {
        return f64::INFINITY;
    }
    2.0 * k * error * (1.0 + k)
}

/// Our column for a value of their log.
fn column(logged: &str) -> String {
    match logged {
        "Max Wo_dot_M" => "max_cosine".into(),
        "Med Wo_dot_M" => "median_cosine".into(),
        "Min Wo_dot_M" => "min_cosine".into(),
        "weight diff" => "weight_diff".into(),
        other => other
            .to_lowercase()
            .replace("singular_val", "singular_value")
            .replace("condition number", "condition_number")
            .replace(" norm", "_norm"),
    }
}

/// One line for each comparison, columns aligned, with a verdict each.
pub fn table(comparisons: &[Comparison]) -> String {
    let timed = comparisons.iter().any(|comparison| comparison.seconds.is_some());
    let mut header = vec!["case", "epochs", "loss", "cosines", "support", "others", "condition", "weights"];
    if timed {
        header.extend(["theirs, s", "ours, s", "faster"]);
    }
    header.push("verdict");
    let mut lines = vec![header.into_iter().map(String::from).collect::<Vec<_>>()];
    for c in comparisons {
        let mut cells = vec![c.case.clone(), c.epochs.to_string()];
        cells.extend([c.loss, c.cosine, c.support, c.others].map(small));
        cells.push(format!("{:.2}", c.condition));
        cells.push(small(c.weights));
        if let Some((theirs, ours)) = c.seconds {
            cells.extend([format!("{theirs:.2}"), format!("{ours:.3}"), format!("{:.0}x", theirs / ours)]);
        }
        cells.push(match (c.is_within(), c.exploded_at) {
            (true, None) => "within".into(),
            (true, Some(epoch)) => format!("explodes in epoch {epoch} on both sides"),
            (false, _) if c.missing.is_empty() => "OUTSIDE".into(),
            (false, _) => format!("OUTSIDE, missing {}", c.missing.join(", ")),
        });
        lines.push(cells);
    }
    aligned::columns(&lines, aligned::first_left)
}

fn small(off: f64) -> String {
    if off == 0.0 { "0".into() } else { format!("{off:.0e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_on_one_side_only_is_far() {
        assert_eq!(difference(f64::NAN, f64::NAN), 0.0);
        assert_eq!(difference(f64::INFINITY, f64::NAN), 0.0);
        assert_eq!(difference(f64::NAN, 1.0), f64::INFINITY);
        assert_eq!(difference(1.0, f64::NAN), f64::INFINITY);
    }

    #[test]
    fn a_verdict_needs_everything() {
        let good = Comparison { loss: 1e-7, ..Comparison::default() };
        assert!(good.is_within());
        assert!(!Comparison { weights: 2e-5, ..good.clone() }.is_within());
        assert!(!Comparison { support: 1e-3, ..good.clone() }.is_within());
        assert!(!Comparison { missing: vec!["bo norm".into()], ..good.clone() }.is_within());
        let table = table(&[good, Comparison { condition: 2.0, ..Comparison::default() }]);
        assert!(table.contains("within") && table.contains("OUTSIDE"), "{table}");
    }

    #[test]
    fn what_explodes_is_compared_until_then() {
        let row = |norm: f64| Row {
            epoch: 1,
            loss: Some(1.0),
            loss_mean: None,
            cosine: crate::metrics::MaxCosine { max: 0.9, median: 0.5, min: 0.1, found: Some(1) },
            wo_norm: norm,
            wt_norm: None,
            bo_norm: None,
            bt_norm: None,
            weight_diff: None,
            detail: None,
        };
        let logged = |norm: f64| IndexMap::from([("loss".to_string(), Some(1.0)), ("Wo_norm".to_string(), Some(norm))]);
        let theirs = |norm: f64| Theirs::new(vec![logged(2.0), logged(norm)], StateDict::new());
        let compared = |ours: f64, norm: f64| compare("x", &theirs(norm), &[row(2.0), row(ours)], &StateDict::new());
        let both = compared(1e9, 3e11);
        assert!(both.is_within() && both.exploded_at == Some(2));
        for alone in [compared(2.0, 3e11), compared(3e11, 2.0)] {
            assert!(!alone.is_within() && alone.exploded_at.is_none());
        }
    }

    #[test]
    fn their_names_are_found() {
        for (theirs, ours) in [
            ("Wo_condition number", "wo_condition_number"),
            ("Wproj_largest_singular_val", "wproj_largest_singular_value"),
            ("bo norm", "bo_norm"),
            ("weight diff", "weight_diff"),
            ("false_support", "false_support"),
        ] {
            assert_eq!(column(theirs), ours);
            assert!(crate::metrics::column(ours).is_some());
        }
    }
}
