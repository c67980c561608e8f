//! Which columns of `metrics.csv` a run has values in.

use super::{
    Part, RunSpec,
    layout::{Layout, Site},
};
use crate::metrics::column;

impl RunSpec {
    /// Whether the run has values in a column (as long as it does not diverge; columns that count what it finds have
    /// values only once it finds something).
    pub fn measures(&self, key: &str) -> bool {
        let layout = Layout::of(&self.model, self.data.p);
        let has_bias = |part| layout.bias(Site::first(part)).is_some();
        // Columns are named as the authors name weights: the projector of `simclr-orig` is `Wp`.
        let has_matrix = |name: &str| layout.iter().any(|weight| weight.name == name && weight.shape.len() == 2);
        let costly = column(key).is_some_and(|column| column.is_detail());
        if costly && self.metrics.detail_every == 0 {
            return false;
        }
        let last_batch = self.batches().last().map_or(0, |batch| batch.len()) * self.views.pairs;
        match key {
            "bo_norm" => has_bias(Part::Encoder),
            "bt_norm" => has_bias(Part::Target),
            "weight_diff" => has_matrix("Wt.weight"),
            "latent_r2" => last_batch / 2 > self.model.m,
            _ if key.starts_with("wt_") => has_matrix("Wt.weight"),
            _ if key.starts_with("wp_") => has_matrix("Wp.weight"),
            _ if key.starts_with("wproj_") => has_matrix("Wproj.weight"),
            _ => column(key).is_some(),
        }
    }
}
