//! Which columns of `metrics.csv` a run has values in.

use super::{
    Part, RunSpec,
    layout::{Layout, Site},
};

impl RunSpec {
    /// Whether the run has values in a column of `metrics.csv` (as long as it does not diverge).
    pub fn measures(&self, column: &str) -> bool {
        let layout = Layout::of(&self.model, self.data.p);
        let has_bias = |part| layout.bias(Site::first(part)).is_some();
        // Columns are named as the authors name weights: the projector of `simclr-orig` is `Wp`.
        let has_matrix = |name: &str| layout.iter().any(|weight| weight.name == name && weight.shape.len() == 2);
        let detailed = self.metrics.detail_every > 0;
        match column {
            "epoch" | "loss" | "loss_mean" | "max_cosine" | "median_cosine" | "min_cosine" | "wo_norm" => true,
            "wt_norm" | "weight_diff" => has_matrix("Wt.weight"),
            "bo_norm" => has_bias(Part::Encoder),
            "bt_norm" => has_bias(Part::Target),
            _ if column.starts_with("wt_") => detailed && has_matrix("Wt.weight"),
            _ if column.starts_with("wp_") => detailed && has_matrix("Wp.weight"),
            _ if column.starts_with("wproj_") => detailed && has_matrix("Wproj.weight"),
            _ => detailed,
        }
    }
}
