//! What `--log` asks for while runs are trained.

use std::{path::PathBuf, sync::LazyLock};

use super::tensorboard::EventFile;
use crate::{metrics::COLUMNS, spec::PlannedRun};

/// Rows between two times that an event file is brought up to date for its readers.
const ROWS_PER_FLUSH: usize = 20;

/// Where live logs go.
#[derive(Clone, Debug, Default)]
pub struct Logging {
    /// Folder of TensorBoard's event files, `<folder>/<experiment>/<run>/`.
    pub tensorboard: Option<PathBuf>,
}

impl Logging {
    /// Opens the logs of one run. A log that cannot be written is given up with a warning: it must not cost the run.
    pub fn open(&self, run: &PlannedRun) -> RunLog {
        let Some(folder) = &self.tensorboard else { return RunLog::default() };
        let folder = folder.join(&run.experiment).join(&run.id);
        let open = || -> std::io::Result<EventFile> {
            let mut events = EventFile::replace(&folder)?;
            let settings = serde_yaml::to_string(&*run.spec).unwrap_or_default();
            events.text("settings", &format!("```yaml\n{settings}```"))?;
            Ok(events)
        };
        match open() {
            Ok(events) => RunLog { events: Some(events), rows: 0 },
            Err(error) => {
                log::warn!("no TensorBoard log in {}: {error}", folder.display());
                RunLog::default()
            }
        }
    }
}

/// The live logs of one run.
#[derive(Default)]
pub struct RunLog {
    events: Option<EventFile>,
    rows: usize,
}

impl RunLog {
    /// One row of `metrics.csv`; the first cell is the epoch.
    pub fn row(&mut self, cells: &[Option<f64>]) {
        let Some(events) = &mut self.events else { return };
        let epoch = cells.first().copied().flatten().unwrap_or(0.0) as u64;
        let measured = tags().iter().zip(cells).skip(1).filter_map(|(tag, cell)| Some((tag.as_str(), (*cell)?)));
        let write = || {
            events.scalars(epoch, measured)?;
            if self.rows.is_multiple_of(ROWS_PER_FLUSH) { events.flush() } else { Ok(()) }
        };
        let written = write();
        self.rows += 1;
        self.keep_if(written);
    }

    /// The run is over.
    pub fn close(mut self) {
        if let Some(events) = &mut self.events {
            let written = events.flush();
            self.keep_if(written);
        }
    }

    fn keep_if(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            log::warn!("the TensorBoard log of a run ends early: {error}");
            self.events = None;
        }
    }
}

/// The columns as TensorBoard's tags: curves that share what stands before the slash are shown in one section.
fn tags() -> &'static [String] {
    static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let section = |column: &str| match column {
            "loss" | "loss_mean" => "loss",
            "max_cosine" | "median_cosine" | "min_cosine" => "max-cosine",
            "support" | "false_support" | "sparse" => "support",
            "representation_std" | "effective_rank" | "mean_cosine" => "collapse",
            _ if column.ends_with("_singular_value") || column.ends_with("_condition_number") => "spectrum",
            _ => "norms",
        };
        COLUMNS.iter().map(|column| format!("{}/{column}", section(column))).collect()
    });
    &TAGS
}
