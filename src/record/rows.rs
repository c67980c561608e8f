use std::io::Write;

use anyhow::{Result, bail, ensure};

use crate::metrics::{Cells, Row, measured};

/// The rows of a run so far, as `metrics.csv` holds them: every digit, and empty cells where nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    csv: Vec<u8>,
    last: Option<Cells>,
    diverged_at: Option<usize>,
}

impl Default for Log {
    /// The header alone.
    fn default() -> Self {
        Self { csv: format!("{}\n", header()).into_bytes(), last: None, diverged_at: None }
    }
}

impl Log {
    /// Appends a row.
    pub fn push(&mut self, row: &Row) {
        let cells = Cells::of(row);
        for (place, (_, cell)) in cells.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            match cell {
                Some(value) => write!(self.csv, "{comma}{value}"),
                None => write!(self.csv, "{comma}"),
            }
            .expect("memory takes what is written");
        }
        self.csv.push(b'\n');
        self.count(cells);
    }

    /// Reads the text of a log. Fails where it is not whole.
    pub fn read(csv: Vec<u8>) -> Result<Self> {
        let mut log = Self { csv: Vec::new(), last: None, diverged_at: None };
        let text = std::str::from_utf8(&csv)?;
        let Some(text) = text.strip_suffix('\n') else { bail!("the last row is cut short") };
        let mut lines = text.split('\n');
        ensure!(lines.next() == Some(header().as_str()), "the first row does not name the columns");
        for (number, line) in lines.enumerate() {
            let Some(cells) = cells(line) else { bail!("row {number} is not one of numbers") };
            log.count(cells);
        }
        log.csv = csv;
        Ok(log)
    }

    /// Text of `metrics.csv`.
    pub fn csv(&self) -> &[u8] {
        &self.csv
    }

    /// The cells of every row.
    pub fn rows(&self) -> impl Iterator<Item = Cells> {
        std::str::from_utf8(&self.csv).unwrap_or_default().lines().skip(1).filter_map(cells)
    }

    /// The last row, if there is one.
    pub fn last(&self) -> Option<&Cells> {
        self.last.as_ref()
    }

    /// Epoch of the last row.
    pub fn epoch(&self) -> Option<usize> {
        self.last.as_ref().and_then(epoch)
    }

    /// First measured epoch with a loss or weights that are not finite.
    pub fn diverged_at(&self) -> Option<usize> {
        self.diverged_at
    }

    fn count(&mut self, cells: Cells) {
        if self.diverged_at.is_none() && has_diverged(&cells) {
            self.diverged_at = epoch(&cells);
        }
        self.last = Some(cells);
    }
}

/// Whether a loss or a norm is not finite. Either can happen without the other: the loss belongs to the step before,
/// and a weight may reach the loss only through something that bounds it.
fn has_diverged(cells: &Cells) -> bool {
    let tells = |name: &str| matches!(name, "loss" | "loss_mean") || name.ends_with("_norm");
    cells.iter().any(|(column, cell)| tells(column.key) && cell.is_some_and(|value| !value.is_finite()))
}

/// The first line.
fn header() -> String {
    measured().map(|column| column.key).collect::<Vec<_>>().join(",")
}

fn epoch(cells: &Cells) -> Option<usize> {
    cells.get("epoch").map(|epoch| epoch as usize)
}

/// Cells of a line; none if it is not a row.
fn cells(line: &str) -> Option<Cells> {
    let cell = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    Cells::new(line.split(',').map(cell).collect::<Option<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::MaxCosine;

    fn row(epoch: usize, loss: Option<f64>) -> Row {
        let cosine = MaxCosine { max: 1.0 / 3.0, median: 1e-300, min: f64::NAN, found: None };
        let (wt_norm, bo_norm, bt_norm, weight_diff) = (Some(1e300), None, None, Some(f64::INFINITY));
        Row { epoch, loss, loss_mean: loss, cosine, wo_norm: 2.0, wt_norm, bo_norm, bt_norm, weight_diff, detail: None }
    }

    #[test]
    fn a_log_that_is_read_goes_on_as_if_it_had_not_been() {
        let mut log = Log::default();
        log.push(&row(0, None));
        log.push(&row(1, Some(0.1 + 0.2)));
        log.push(&row(2, Some(f64::NAN)));
        let mut read = Log::read(log.csv().to_vec()).unwrap();
        for log in [&mut log, &mut read] {
            assert_eq!((log.epoch(), log.diverged_at()), (Some(2), Some(2)));
            log.push(&row(3, Some(f64::INFINITY)));
            assert_eq!((log.epoch(), log.diverged_at(), log.rows().count()), (Some(3), Some(2), 4));
        }
        assert_eq!(log.csv(), read.csv());
        assert_eq!(log.rows().nth(1).unwrap().get("loss"), Some(0.1 + 0.2));
    }

    #[test]
    fn weights_that_are_not_finite_have_diverged_whatever_the_loss() {
        for norm in [f64::NAN, f64::INFINITY] {
            let mut log = Log::default();
            log.push(&row(0, None));
            log.push(&Row { wo_norm: norm, ..row(7, Some(2.0)) });
            assert_eq!(log.diverged_at(), Some(7));
        }
    }

    #[test]
    fn a_log_that_is_not_whole_is_refused() {
        let mut log = Log::default();
        log.push(&row(0, None));
        for end in 0..log.csv().len() {
            let part = log.csv()[..end].to_vec();
            let whole = end == Log::default().csv().len();
            assert_eq!(Log::read(part).is_ok(), whole, "the first {end} bytes");
        }
        assert!(Log::read([log.csv(), b"1,x\n"].concat()).is_err());
    }
}
