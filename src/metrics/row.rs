use super::{Collapse, MaxCosine, Spectrum, Support};

/// Columns of `metrics.csv`, in order.
pub const COLUMNS: [&str; 29] = [
    "epoch",
    "loss",
    "loss_mean",
    "max_cosine",
    "median_cosine",
    "min_cosine",
    "wo_norm",
    "wt_norm",
    "bo_norm",
    "bt_norm",
    "weight_diff",
    "support",
    "false_support",
    "sparse",
    "wo_largest_singular_value",
    "wo_smallest_singular_value",
    "wo_condition_number",
    "wt_largest_singular_value",
    "wt_smallest_singular_value",
    "wt_condition_number",
    "wp_largest_singular_value",
    "wp_smallest_singular_value",
    "wp_condition_number",
    "wproj_largest_singular_value",
    "wproj_smallest_singular_value",
    "wproj_condition_number",
    "representation_std",
    "effective_rank",
    "mean_cosine",
];

/// Bounds that a column cannot leave, if it has any.
pub fn column_bounds(column: &str) -> Option<(f64, f64)> {
    match column {
        "max_cosine" | "median_cosine" | "min_cosine" | "support" | "false_support" => Some((0.0, 1.0)),
        _ => None,
    }
}

/// What a column is called in pictures and tables.
pub fn column_name(column: &str) -> &str {
    match column {
        "max_cosine" => "maximum max-cosine",
        "median_cosine" => "median max-cosine",
        "min_cosine" => "minimum max-cosine",
        "loss" => "loss (last batch)",
        "loss_mean" => "loss",
        "support" => "support found",
        "false_support" => "false support",
        "sparse" => "sparsity gap",
        "effective_rank" => "effective rank",
        other => other,
    }
}

/// One row of `metrics.csv`: a run after `epoch` finished epochs. What a model does not have stays empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub epoch: usize,
    /// Loss of the epoch's last batch, before its step (what the authors log); none at epoch 0.
    pub loss: Option<f64>,
    /// Mean loss over the epoch's batches; none at epoch 0.
    pub loss_mean: Option<f64>,
    /// Recovery of the dictionary by W^o.
    pub cosine: MaxCosine,
    /// Frobenius norms of W^o, W^t and of the first layers' biases, and |W^o - W^t|.
    pub wo_norm: f64,
    pub wt_norm: Option<f64>,
    pub bo_norm: Option<f64>,
    pub bt_norm: Option<f64>,
    pub weight_diff: Option<f64>,
    /// The costly columns, measured at an interval.
    pub detail: Option<Detail>,
}

/// The costly columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// On the last batch; none at epoch 0.
    pub support: Option<Support>,
    pub wo: Option<Spectrum>,
    pub wt: Option<Spectrum>,
    pub wp: Option<Spectrum>,
    pub wproj: Option<Spectrum>,
    /// On the last batch; none at epoch 0.
    pub collapse: Option<Collapse>,
}

impl Row {
    /// The cells, one for each of [`COLUMNS`].
    pub fn cells(&self) -> [Option<f64>; COLUMNS.len()] {
        let detail = self.detail.clone().unwrap_or_default();
        let support = |f: fn(Support) -> f64| detail.support.map(f);
        let collapse = |f: fn(Collapse) -> f64| detail.collapse.map(f);
        let spectrum =
            |of: Option<Spectrum>| [of.map(|s| s.largest), of.map(|s| s.smallest), of.map(|s| s.condition_number())];
        let cells = [
            vec![Some(self.epoch as f64), self.loss, self.loss_mean],
            vec![Some(self.cosine.max), Some(self.cosine.median), Some(self.cosine.min)],
            vec![Some(self.wo_norm), self.wt_norm, self.bo_norm, self.bt_norm, self.weight_diff],
            vec![support(|s| s.found), support(|s| s.false_share), support(|s| s.sparsity_gap)],
            spectrum(detail.wo).to_vec(),
            spectrum(detail.wt).to_vec(),
            spectrum(detail.wp).to_vec(),
            spectrum(detail.wproj).to_vec(),
            vec![collapse(|c| c.representation_std), collapse(|c| c.effective_rank), collapse(|c| c.mean_cosine)],
        ]
        .concat();
        cells.try_into().expect("a cell for every column")
    }
}
