use sha2::{Digest, Sha256};

use super::RunSpec;

/// Name of a run's folder: its label, its seed, and ten digits of the hash of all its settings, so that any change of
/// a setting is another run.
pub fn run_id(label: &str, spec: &RunSpec) -> String {
    let canonical = serde_json::to_string(spec).expect("settings are plain data");
    let hash = Sha256::digest(canonical.as_bytes());
    let hash: String = hash.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    let label = if label.is_empty() { &spec.method } else { label };
    format!("{}_seed{}_{hash}", slug(label), spec.seed)
}

/// Letters, digits, dots and dashes only.
fn slug(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let dashed: String = label.chars().map(plain).collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::resolve;

    #[test]
    fn any_changed_setting_is_another_run() {
        let resolved = |text: &str| resolve(&[&serde_yaml::from_str(text).unwrap()]).unwrap();
        let id = |text: &str| run_id("NCL, sp 0.1", &resolved(text));
        let base = id("{seed: 3}");
        assert!(base.starts_with("ncl-sp-0.1_seed3_"), "{base}");
        assert_eq!(base, id("{seed: 3, train: {lr: 0.025}}"));
        for other in ["{seed: 4}", "{seed: 3, train: {lr: 0.0250001}}", "{seed: 3, metrics: {every: 2}}"] {
            assert_ne!(base, id(other));
        }
    }

    /// Names of the program's first release, and of today.
    #[test]
    fn runs_of_before_keep_their_names() {
        for (label, method, expected) in
            [("NCL, sp 0.1", "ncl", "ncl-sp-0.1_seed1_635f98ba51"), ("CL, sp 0.1", "cl", "cl-sp-0.1_seed1_a7340a59ad")]
        {
            let text = format!("{{method: {method}, model: {{batch_norm: pre_activation}}}}");
            let spec = resolve(&[&serde_yaml::from_str(&text).unwrap()]).unwrap();
            assert_eq!(run_id(label, &spec), expected);
        }
    }
}
