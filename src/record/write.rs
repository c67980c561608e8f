use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{run_folder, weights};
use crate::{
    metrics::{COLUMNS, Row},
    models::StateDict,
    spec::{PlannedRun, RunSpec},
};

/// `summary.json`: what a run came to, and how it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub experiment: String,
    pub run: String,
    /// What tells its curve from the others of the experiment.
    pub label: String,
    pub method: String,
    pub seed: u64,
    /// Epochs trained.
    pub epochs: usize,
    /// First epoch with a loss that is not finite, if there was one.
    pub diverged_at: Option<usize>,
    /// The last row of `metrics.csv`, empty cells left out.
    pub r#final: IndexMap<String, f64>,
    /// Seconds that the run's cohort took.
    pub wall_seconds: f64,
    /// Runs trained side by side in that time.
    pub runs_in_cohort: usize,
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// Where and with what a run was computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub engine: String,
    pub device: String,
    pub version: String,
    pub libtorch: String,
    /// Commit of the source, if the program was built from a checkout.
    pub commit: Option<String>,
}

impl Provenance {
    /// Of this program.
    pub fn here(engine: &str, device: &str) -> Self {
        Self {
            engine: engine.into(),
            device: device.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            libtorch: env!("LANDSCAPE_LIBTORCH").into(),
            commit: option_env!("LANDSCAPE_COMMIT").map(Into::into),
        }
    }
}

/// Writes a finished run, whole or not at all. A folder that is there already is replaced.
pub fn write_run(
    results: &Path,
    run: &PlannedRun,
    rows: &[Row],
    state: &StateDict,
    wall_seconds: f64,
    runs_in_cohort: usize,
    provenance: &Provenance,
) -> Result<PathBuf> {
    let folder = run_folder(results, run);
    let parent = results.join(&run.experiment);
    fs::create_dir_all(&parent).with_context(|| format!("cannot create the results folder {}", parent.display()))?;
    let temporary = tempfile::Builder::new()
        .prefix(&format!(".{}.", run.id))
        .tempdir_in(&parent)
        .with_context(|| format!("cannot write into {}", parent.display()))?;
    let summary = Summary {
        experiment: run.experiment.clone(),
        run: run.id.clone(),
        label: run.label.clone(),
        method: run.spec.method.clone(),
        seed: run.spec.seed,
        epochs: rows.last().map_or(0, |row| row.epoch),
        diverged_at: rows.iter().find(|row| row.loss_mean.is_some_and(|loss| !loss.is_finite())).map(|row| row.epoch),
        r#final: last_cells(rows),
        wall_seconds,
        runs_in_cohort,
        provenance: provenance.clone(),
    };
    let fill = |folder: &Path| -> Result<()> {
        sync(&folder.join("spec.yaml"), spec_yaml(&run.spec)?.as_bytes())?;
        sync(&folder.join("metrics.csv"), &metrics_csv(rows)?)?;
        weights::write_state(&folder.join("final.safetensors"), state, run.spec.dtype)?;
        sync(&folder.join("summary.json"), (serde_json::to_string_pretty(&summary)? + "\n").as_bytes())
    };
    fill(temporary.path()).with_context(|| format!("cannot write the run {}", folder.display()))?;
    let finished = temporary.keep();
    make_readable(&finished)?;
    let place = || -> io::Result<()> {
        // An older record steps aside first, so that at every moment one of the two is there.
        let aside = tempfile::Builder::new().prefix(&format!(".{}.", run.id)).tempdir_in(&parent)?;
        if folder.exists() {
            fs::rename(&folder, aside.path().join("replaced"))?;
        }
        fs::rename(&finished, &folder)
    };
    place().with_context(|| format!("cannot name the run {}", folder.display()))?;
    Ok(folder)
}

fn spec_yaml(spec: &RunSpec) -> Result<String> {
    Ok(serde_yaml::to_string(spec)?)
}

/// Cells are written with every digit; empty where nothing was measured.
fn metrics_csv(rows: &[Row]) -> Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::with_capacity(rows.len() * 160));
    csv.write_record(COLUMNS)?;
    for row in rows {
        csv.write_record(row.cells().iter().map(|cell| cell.map_or(String::new(), |value| value.to_string())))?;
    }
    Ok(csv.into_inner().map_err(|error| error.into_error())?)
}

fn last_cells(rows: &[Row]) -> IndexMap<String, f64> {
    let cells = rows.last().map(Row::cells);
    let named = COLUMNS.iter().zip(cells.into_iter().flatten());
    named.filter_map(|(name, cell)| Some((name.to_string(), cell?))).filter(|(_, value)| value.is_finite()).collect()
}

fn sync(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(content)?;
    Ok(file.sync_all()?)
}

/// Temporary folders are private; results are not.
fn make_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// Writes a file under a temporary name beside it and renames it: whole or not at all.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let write = || -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
