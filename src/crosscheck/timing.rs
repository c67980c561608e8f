use crate::aligned;

/// Seconds that an epoch's training takes, epoch by epoch.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// Name of the run in the table.
    pub name: String,
    /// The authors' code.
    pub theirs: Vec<f64>,
    /// This program.
    pub ours: Vec<f64>,
}

/// One line for each timing: medians with the quartiles around them, in milliseconds, and their ratio.
pub fn timing_table(timings: &[Timing]) -> String {
    let header = ["model", "theirs, ms an epoch", "ours, ms an epoch", "faster"];
    let mut lines = vec![header.map(String::from).to_vec()];
    for timing in timings {
        let cell = |seconds: &[f64]| {
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| 1e3 * quantile(seconds, share));
            format!("{middle:.2} ({low:.2} to {high:.2})")
        };
        let ratio = quantile(&timing.theirs, 0.5) / quantile(&timing.ours, 0.5);
        lines.push(vec![timing.name.clone(), cell(&timing.theirs), cell(&timing.ours), format!("{ratio:.0}x")]);
    }
    aligned::columns(&lines, aligned::first_left)
}

/// The value below which this share of them lies.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = share * sorted.len().saturating_sub(1) as f64;
    sorted.get(at.round() as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_compared() {
        let timing = Timing { name: "x".into(), theirs: vec![0.4, 0.1, 0.3, 0.2, 0.5], ours: vec![0.01] };
        let table = timing_table(&[timing]);
        assert!(table.contains("300.00 (200.00 to 400.00)"), "{table}");
        assert!(table.trim_end().ends_with("30x"), "{table}");
    }
}
