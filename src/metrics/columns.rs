//! The columns of `metrics.csv` and what their numbers mean: one table, which the file, its readers, pictures, logs and
//! `landscape results columns` share.

use std::sync::LazyLock;

use super::{Chance, Detail, Row};

/// What a column is, and how its values come about.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in files.
    pub key: &'static str,
    /// Its name in pictures and tables.
    pub title: &'static str,
    /// What it belongs to: curves of a group stand together.
    pub group: &'static str,
    /// Bounds that it cannot leave, if any.
    pub bounds: Option<(f64, f64)>,
    /// What is measured, and how to read it.
    pub meaning: &'static str,
    source: Source,
    chance: Option<fn(&Chance) -> f64>,
}

/// When a column is measured, and how it is read off.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// In every row.
    Row(fn(&Row) -> Option<f64>),
    /// In the rows that have details, `metrics.detail_every` epochs apart: it is costly.
    Detail(fn(&Detail) -> Option<f64>),
    /// Not in the file: computed from the settings and the other columns when a record is read, whatever its age.
    Derived,
}

impl Column {
    const fn new(key: &'static str, title: &'static str, group: &'static str, source: Source) -> Self {
        Self { key, title, group, bounds: None, meaning: "", source, chance: None }
    }

    const fn means(self, meaning: &'static str) -> Self {
        Self { meaning, ..self }
    }

    const fn share(self) -> Self {
        Self { bounds: Some((0.0, 1.0)), ..self }
    }

    const fn by_chance(self, chance: fn(&Chance) -> f64) -> Self {
        Self { chance: Some(chance), ..self }
    }

    /// When it is measured, in words.
    pub fn when(&self) -> &'static str {
        match self.source {
            Source::Row(_) => "every row",
            Source::Detail(_) => "with details",
            Source::Derived => "when read",
        }
    }

    /// Whether it is in `metrics.csv`.
    pub fn is_measured(&self) -> bool {
        !matches!(self.source, Source::Derived)
    }

    /// Whether it is costly, and measured with the details only.
    pub fn is_detail(&self) -> bool {
        matches!(self.source, Source::Detail(_))
    }

    /// What it would be if a run had found nothing but the dictionary's span, for columns of which that is known.
    pub fn chance(&self, chance: &Chance) -> Option<f64> {
        self.chance.map(|of| of(chance))
    }

    fn read(&self, row: &Row) -> Option<f64> {
        match self.source {
            Source::Row(read) => read(row),
            Source::Detail(read) => read(row.detail.as_ref()?),
            Source::Derived => None,
        }
    }
}

const fn row(key: &'static str, title: &'static str, group: &'static str, read: fn(&Row) -> Option<f64>) -> Column {
    Column::new(key, title, group, Source::Row(read))
}

const fn detail(
    key: &'static str,
    title: &'static str,
    group: &'static str,
    read: fn(&Detail) -> Option<f64>,
) -> Column {
    Column::new(key, title, group, Source::Detail(read))
}

/// All columns: those of the file in its order, then those that readers work out.
pub static COLUMNS: &[Column] = &[
    row("epoch", "epoch", "", |r| Some(r.epoch as f64)).means("finished epochs"),
    row("loss", "loss (last batch)", "loss", |r| r.loss)
        .means("loss of the epoch's last batch, before its step (as the authors log); none at epoch 0"),
    row("loss_mean", "loss", "loss", |r| r.loss_mean).means("mean loss over the epoch's batches; none at epoch 0"),
    row("max_cosine", "maximum max-cosine", "max-cosine", |r| Some(r.cosine.max))
        .share()
        .by_chance(|c| c.max)
        .means("the best recovered atom's max-cosine, `max_i |<W_i, M_j>| / (|W_i| |M_j|)` with W = W^o (Eq. 12)"),
    row("median_cosine", "median max-cosine", "max-cosine", |r| Some(r.cosine.median))
        .share()
        .by_chance(|c| c.median)
        .means("the median over atoms, the mean of the middle two for an even number"),
    row("min_cosine", "minimum max-cosine", "max-cosine", |r| Some(r.cosine.min))
        .share()
        .by_chance(|c| c.min)
        .means("the worst recovered atom's: 1 if all are found; as high as `chance_cosine` without any, by the span alone"),
    row("wo_norm", "|W^o|", "norm", |r| Some(r.wo_norm)).means("Frobenius norm of the first layer"),
    row("wt_norm", "|W^t|", "norm", |r| r.wt_norm).means("the same of the target encoder"),
    row("bo_norm", "|b^o|", "norm", |r| r.bo_norm).means("norm of the first layer's bias"),
    row("bt_norm", "|b^t|", "norm", |r| r.bt_norm).means("the same of the target encoder"),
    row("weight_diff", "|W^o − W^t|", "norm", |r| r.weight_diff).means("how far the two encoders are apart"),
    detail("support", "support found", "support", |d| d.support.map(|s| s.found))
        .share()
        .means("share of the latents' support that the last batch's representations have, on matched neurons"),
    detail("false_support", "false support", "support", |d| d.support.map(|s| s.false_share))
        .share()
        .means("share of the representations' support that is false"),
    detail("sparse", "sparsity gap", "support", |d| d.support.map(|s| s.sparsity_gap))
        .means("density of the representations less that of the latents"),
    detail("wo_largest_singular_value", "W^o: largest singular value", "spectrum", |d| d.wo.map(|s| s.largest)).means("of W^o"),
    detail("wo_smallest_singular_value", "W^o: smallest singular value", "spectrum", |d| d.wo.map(|s| s.smallest)).means("of W^o"),
    detail("wo_condition_number", "W^o: condition number", "spectrum", |d| d.wo.map(|s| s.condition_number()))
        .means("the largest over the smallest"),
    detail("wt_largest_singular_value", "W^t: largest singular value", "spectrum", |d| d.wt.map(|s| s.largest)).means("of W^t"),
    detail("wt_smallest_singular_value", "W^t: smallest singular value", "spectrum", |d| d.wt.map(|s| s.smallest)).means("of W^t"),
    detail("wt_condition_number", "W^t: condition number", "spectrum", |d| d.wt.map(|s| s.condition_number()))
        .means("of W^o where `metrics.target_spectrum` is `online`, as in the authors' log"),
    detail("wp_largest_singular_value", "W^p: largest singular value", "spectrum", |d| d.wp.map(|s| s.largest)).means("of the predictor"),
    detail("wp_smallest_singular_value", "W^p: smallest singular value", "spectrum", |d| d.wp.map(|s| s.smallest)).means("of the predictor"),
    detail("wp_condition_number", "W^p: condition number", "spectrum", |d| d.wp.map(|s| s.condition_number()))
        .means("of the predictor"),
    detail("wproj_largest_singular_value", "projector: largest singular value", "spectrum", |d| {
        d.wproj.map(|s| s.largest)
    }).means("of the projector"),
    detail("wproj_smallest_singular_value", "projector: smallest singular value", "spectrum", |d| {
        d.wproj.map(|s| s.smallest)
    }).means("of the projector"),
    detail("wproj_condition_number", "projector: condition number", "spectrum", |d| {
        d.wproj.map(|s| s.condition_number())
    }).means("of the projector"),
    detail("representation_std", "spread of representations", "collapse", |d| d.collapse.map(|c| c.representation_std))
        .means("of unit-norm representations, times the root of m: 0 for complete collapse, about 1 for none"),
    detail("effective_rank", "effective rank", "collapse", |d| d.collapse.map(|c| c.effective_rank))
        .means("exp of the entropy of the last batch's representations' singular values: small for dimensional collapse"),
    detail("mean_cosine", "mean cosine between samples", "collapse", |d| d.collapse.map(|c| c.mean_cosine))
        .means("of two samples' representations: 1 for complete collapse; the separation of Eq. 11"),
    row("atoms_found", "atoms found", "recovery", |r| r.cosine.found.map(|found| found as f64))
        .means("atoms with a max-cosine of at least 0.9"),
    detail("span_overlap", "overlap of the spans", "recovery", |d| d.recovery?.span_overlap)
        .share()
        .means("`|V^T M|^2 / d`, V the d leading right singular vectors of W^o: 1 if they span what the atoms span, d / p by chance; none for more atoms than dimensions"),
    detail("neurons_per_atom", "neurons per atom found", "recovery", |d| d.recovery?.neurons_per_atom)
        .means("neurons within 0.9 of an atom, over the atoms found; none if none is"),
    detail("signed_min_cosine", "minimum max-cosine, signed", "recovery", |d| d.recovery.map(|r| r.signed_min))
        .means("min_cosine without the absolute value: lower where an atom is found with the wrong sign only"),
    detail("matched_min_cosine", "minimum max-cosine, one to one", "recovery", |d| d.recovery.map(|r| r.matched_min))
        .share()
        .means("min_cosine with every atom matched to a neuron of its own, by the assignment with the largest sum"),
    detail("wt_min_cosine", "minimum max-cosine of W^t", "recovery", |d| d.wt_min_cosine)
        .share()
        .by_chance(|c| c.min)
        .means("min_cosine of the target encoder"),
    detail("wo_effective_rank", "W^o: effective rank", "collapse", |d| d.wo.map(|s| s.effective_rank))
        .means("exp of the entropy of the singular values; unlike effective_rank also at epoch 0"),
    detail("latent_r2", "linear decoding of z", "recovery", |d| d.latent_r2)
        .means("R² of the latents from the last batch's (masked) representations, fitted on half of it, scored on the other"),
    Column::new("chance_cosine", "chance level of the minimum max-cosine", "max-cosine", Source::Derived)
        .share()
        .means("the mean min_cosine of m random directions within the atoms' span: nothing found but the span"),
    Column::new("steps_to_found", "steps until all atoms are found", "recovery", Source::Derived)
        .means("gradient steps until min_cosine first reached 0.9, at the measured epochs; none before"),
];

/// The columns of `metrics.csv`, in its order.
pub fn measured() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.is_measured())
}

/// Names of all columns.
pub fn column_keys() -> &'static [&'static str] {
    static KEYS: LazyLock<Vec<&str>> = LazyLock::new(|| COLUMNS.iter().map(|column| column.key).collect());
    &KEYS
}

/// The column of this name.
pub fn column(key: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.key == key)
}

/// Bounds that a column cannot leave, if it has any.
pub fn column_bounds(key: &str) -> Option<(f64, f64)> {
    column(key)?.bounds
}

/// What a column is called in pictures and tables.
pub fn column_name(key: &str) -> &str {
    column(key).map_or(key, |column| column.title)
}

/// A row of `metrics.csv`: a cell for each of the [measured] columns, none where nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells(Vec<Option<f64>>);

impl Cells {
    /// Of a measured row.
    pub fn of(row: &Row) -> Self {
        Self(measured().map(|column| column.read(row)).collect())
    }

    /// From a cell for each column of the file; none if they are more or fewer.
    pub fn new(cells: Vec<Option<f64>>) -> Option<Self> {
        (cells.len() == measured().count()).then_some(Self(cells))
    }

    /// The cell of a column, if it has a value.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.iter().find(|(column, _)| column.key == key)?.1
    }

    /// Columns and their cells.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Column, Option<f64>)> + '_ {
        measured().zip(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_file_begins_with_the_epoch() {
        let mut keys = column_keys().to_vec();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), COLUMNS.len());
        assert_eq!(measured().next().map(|column| column.key), Some("epoch"));
        // Readers of older records find the old columns first, in their old order.
        assert_eq!(measured().position(|column| column.key == "mean_cosine"), Some(28));
        assert!(COLUMNS.iter().all(|column| column.key == "epoch" || !column.group.is_empty()));
        assert!(COLUMNS.iter().all(|column| !column.meaning.is_empty() && !column.meaning.contains('\n')));
    }
}
