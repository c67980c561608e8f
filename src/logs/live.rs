//! What `--log` asks for while runs are trained.

use std::path::PathBuf;

use super::tensorboard::EventFile;
use crate::{metrics::Cells, spec::PlannedRun};

/// Rows after which an event file is flushed for its readers.
const ROWS_PER_FLUSH: usize = 20;

/// Where live logs go.
#[derive(Clone, Debug, Default)]
pub struct Logging {
    /// Folder of TensorBoard's event files, `<folder>/<experiment>/<run>/`.
    pub tensorboard: Option<PathBuf>,
}

impl Logging {
    /// Opens the logs of one run. A log that cannot be written is dropped with a warning: it must not cost the run.
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
    /// One row of `metrics.csv`. TensorBoard shows tags with the same part before the slash, the column's group, in one
    /// section.
    pub fn row(&mut self, cells: &Cells) {
        let Some(events) = &mut self.events else { return };
        let epoch = cells.get("epoch").unwrap_or(0.0) as u64;
        let curves = cells.iter().filter(|(column, _)| column.key != "epoch");
        let curves = curves.filter_map(|(column, cell)| Some((format!("{}/{}", column.group, column.key), cell?)));
        let curves: Vec<(String, f64)> = curves.collect();
        let mut write = || {
            events.scalars(epoch, curves.iter().map(|(tag, value)| (tag.as_str(), *value)))?;
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
