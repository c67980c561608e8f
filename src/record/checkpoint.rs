use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use safetensors::{Dtype as Stored, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Log, Provenance, Workspace, durable, regular, remove,
    weights::{chunks, serialize, state_of, stored},
};
use crate::spec::{PlannedRun, layout::StateDict};

/// Layout of the file. A program that changes what a checkpoint holds increments this.
const FORMAT: u32 = 2;

/// Names of the entries beside the parameters.
const LOG: &str = "metrics.csv";
const GENERATORS: &str = "generators";

/// A run between two epochs: with its settings, all that is needed to go on as if it had never stopped.
///
/// The file is one line of JSON, the [`Progress`], and a safetensors body: parameters and buffers, the rows logged so far,
/// and the states of the random generators where the run's streams have any.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// How far the run has come.
    pub progress: Progress,
    /// The rows measured so far.
    pub log: Log,
    /// Parameters, buffers and what the optimiser remembers, by name: the engine's snapshot.
    pub state: StateDict,
    /// Where the authors' generators stand; empty for native draws.
    pub generators: Vec<u32>,
}

/// How far a run has come: the first line of its checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Version of the file's layout: another one is not read.
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// Name of the run's folder.
    pub run: String,
    /// Finished epochs.
    pub epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Seconds of training so far, without time that a kill undid.
    pub wall_seconds: f64,
    /// Times that the run has been resumed from a checkpoint.
    pub resumed: usize,
    /// Hash of the names of the runs that were trained side by side.
    pub cohort: String,
    /// Hash of the run's settings and of the parameters that it was told to start from.
    pub settings: String,
    /// Where and with what the epochs were computed, the last of them at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_by: Vec<Provenance>,
    /// Hash of this line (with an empty hash) and of the rest of the file.
    sha256: String,
}

/// The part of a file that can be understood in every format.
#[derive(Deserialize)]
struct Origin {
    format: u32,
    version: String,
}

impl Progress {
    /// Of a run after `epoch` epochs.
    pub fn new(
        run: &PlannedRun,
        epoch: usize,
        wall_seconds: f64,
        resumed: usize,
        cohort: &str,
        made_by: Vec<Provenance>,
    ) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            run: run.id.clone(),
            epoch,
            epochs: run.spec.train.epochs,
            wall_seconds,
            resumed,
            cohort: cohort.into(),
            settings: settings(run),
            made_by,
            sha256: String::new(),
        }
    }

    /// Reads the first line of a checkpoint; none if it is not in this format.
    pub fn peek(path: &Path) -> Option<Self> {
        let mut line = Vec::new();
        BufReader::new(regular::open(path).ok()?).take(1 << 16).read_until(b'\n', &mut line).ok()?;
        serde_json::from_slice(&line).ok()
    }

    fn line(&self) -> Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

impl Checkpoint {
    /// Saves runs that are trained side by side, over their last checkpoints: each whole or not at all, and so that
    /// after a kill there is one epoch for which all of them have a checkpoint.
    pub fn write<'a>(cohort: impl IntoIterator<Item = (Self, &'a Workspace, &'a PlannedRun)>) -> Result<()> {
        let files = cohort.into_iter().map(|(checkpoint, workspace, run)| {
            let path = workspace.checkpoint(&run.id);
            Ok((path, checkpoint.bytes(run)?))
        });
        durable::write_together(files, Workspace::older)
    }

    fn bytes(self, run: &PlannedRun) -> Result<Vec<u8>> {
        let Self { mut progress, log, state, generators } = self;
        let mut tensors = stored(&state, run.spec.dtype);
        tensors.push((LOG.into(), Stored::U8, vec![log.csv().len()], log.csv().to_vec()));
        let words = generators.iter().flat_map(|word| word.to_le_bytes()).collect();
        tensors.push((GENERATORS.into(), Stored::U32, vec![generators.len()], words));
        let body = serialize(&tensors)?;
        progress.sha256 = digest(&[progress.line()?.as_bytes(), &body]);
        Ok([progress.line()?.as_bytes(), &body].concat())
    }

    /// Where a run was saved, latest first: nothing, one checkpoint, or two if a kill came between. Useless ones are
    /// left out: a checkpoint of other settings, and a damaged one, for which there is a warning.
    ///
    /// # Errors
    /// The file cannot be read, or another version of the program wrote it: it may hold hours of work, so it is left
    /// alone.
    pub fn read(workspace: &Workspace, run: &PlannedRun) -> Result<Vec<Self>> {
        let paths = [workspace.checkpoint(&run.id), Workspace::older(&workspace.checkpoint(&run.id))];
        let read = paths.iter().filter_map(|path| Self::read_file(path, run).transpose());
        read.collect()
    }

    /// Keeps the checkpoint of the epoch from which the run goes on, under its usual name, and no other.
    pub fn keep(workspace: &Workspace, run: &PlannedRun, epoch: usize) -> Result<()> {
        let path = workspace.checkpoint(&run.id);
        let older = Workspace::older(&path);
        match Progress::peek(&path) {
            _ if epoch == 0 => workspace.forget_checkpoint(&run.id),
            Some(progress) if progress.epoch == epoch => remove(&older),
            _ => std::fs::rename(&older, &path).with_context(|| format!("cannot rename {}", older.display())),
        }
    }

    fn read_file(path: &Path, run: &PlannedRun) -> Result<Option<Self>> {
        let bytes = match regular::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read the checkpoint {}", path.display()))?,
        };
        let head = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        if let Ok(Origin { format, version }) = serde_json::from_slice::<Origin>(head)
            && format != FORMAT
        {
            bail!(
                "{} was written by landscape {version}: finish the run with that version, or remove the file to start \
                 the run afresh",
                path.display()
            );
        }
        match Self::parse(&bytes) {
            Ok(checkpoint) if checkpoint.progress.settings == settings(run) => Ok(Some(checkpoint)),
            Ok(_) => {
                log::info!("{} belongs to other settings and will be replaced", path.display());
                Ok(None)
            }
            Err(error) => {
                log::warn!("{} is damaged ({error:#}): it is not used", path.display());
                Ok(None)
            }
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let end = bytes.iter().position(|&byte| byte == b'\n').context("the first line is cut short")?;
        let (line, body) = (&bytes[..end], &bytes[end + 1..]);
        let progress: Progress = serde_json::from_slice(line).context("the first line is not a checkpoint's")?;
        // As it stands, not as it is understood: a key that is not known any more would go unnoticed.
        let unsigned = std::str::from_utf8(&bytes[..=end])?.replacen(&progress.sha256, "", 1);
        ensure!(digest(&[unsigned.as_bytes(), body]) == progress.sha256, "its content does not match its hash");
        let file = SafeTensors::deserialize(body)?;
        let log = Log::read(file.tensor(LOG)?.data().to_vec())?;
        let generators = chunks(file.tensor(GENERATORS)?.data()).map(u32::from_le_bytes).collect();
        let parameters = file.tensors().into_iter().filter(|(name, _)| name != LOG && name != GENERATORS);
        Ok(Self { progress, log, state: state_of(parameters)?, generators })
    }
}

/// Hash of all that decides a run's numbers.
fn settings(run: &PlannedRun) -> String {
    let spec = serde_json::to_string(&*run.spec).expect("settings are plain data");
    let mut hash = Sha256::new_with_prefix(spec.as_bytes());
    run.start.iter().for_each(|start| update(&mut hash, start));
    hex(&hash.finalize())
}

/// Hash of parameters and their names.
pub fn state_digest(state: &StateDict) -> String {
    let mut hash = Sha256::new();
    update(&mut hash, state);
    hex(&hash.finalize())
}

fn update(hash: &mut Sha256, state: &StateDict) {
    for (name, value) in state {
        hash.update(name.as_bytes());
        value.iter().for_each(|value| hash.update(value.to_le_bytes()));
    }
}

/// Hash of several pieces, one after the other.
pub fn digest(pieces: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use ndarray::{ArrayD, IxDyn};

    use super::*;
    use crate::spec;

    fn run(settings: &str) -> PlannedRun {
        let spec = Arc::new(spec::resolve(&[&serde_yaml::from_str(settings).unwrap()]).unwrap());
        PlannedRun::alone("fig1", "ncl_seed1".into(), "", spec)
    }

    fn checkpoint(run: &PlannedRun) -> Checkpoint {
        let state = StateDict::from_iter([("Wo.weight".into(), ArrayD::from_elem(IxDyn(&[2, 3]), 0.1f32.into()))]);
        let progress = Progress::new(run, 340, 12.5, 1, "cohort", vec![Provenance::here("fused", crate::Device::Cpu)]);
        Checkpoint { progress, log: Log::default(), state, generators: vec![7, u32::MAX] }
    }

    fn bench(run: &PlannedRun) -> (tempfile::TempDir, Workspace) {
        let results = tempfile::tempdir().unwrap();
        let workspace = Workspace::of(results.path(), &run.experiment);
        workspace.create().unwrap();
        (results, workspace)
    }

    #[test]
    fn a_checkpoint_survives_the_disk() {
        let run = run("{}");
        let (_results, workspace) = bench(&run);
        assert_eq!(Checkpoint::read(&workspace, &run).unwrap(), []);
        Checkpoint::write([(checkpoint(&run), &workspace, &run)]).unwrap();
        let read = Checkpoint::read(&workspace, &run).unwrap().remove(0);
        let written = checkpoint(&run);
        assert_eq!((&read.state, &read.log, &read.generators), (&written.state, &written.log, &written.generators));
        assert_eq!(Progress::peek(&workspace.checkpoint(&run.id)), Some(read.progress));
    }

    #[test]
    fn no_damaged_checkpoint_is_used() {
        let run = run("{}");
        let (_results, workspace) = bench(&run);
        Checkpoint::write([(checkpoint(&run), &workspace, &run)]).unwrap();
        let path = workspace.checkpoint(&run.id);
        let whole = fs::read(&path).unwrap();
        assert!(Checkpoint::parse(&whole).is_ok());
        for place in 0..whole.len() {
            assert!(Checkpoint::parse(&whole[..place]).is_err(), "the first {place} bytes");
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            assert!(Checkpoint::parse(&flipped).is_err(), "byte {place} flipped");
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(Checkpoint::read(&workspace, &run).unwrap(), []);
    }

    #[test]
    fn that_of_another_version_is_left_alone_and_that_of_other_settings_is_not_used() {
        let ours = run("{}");
        let (_results, workspace) = bench(&ours);
        Checkpoint::write([(checkpoint(&ours), &workspace, &ours)]).unwrap();
        assert_eq!(Checkpoint::read(&workspace, &run("{train: {lr: 0.5}}")).unwrap(), []);
        let path = workspace.checkpoint(&ours.id);
        fs::write(&path, "{\"format\":99,\"version\":\"9.0.0\",\"more\":1}\nbody").unwrap();
        let error = Checkpoint::read(&workspace, &ours).unwrap_err().to_string();
        assert!(error.contains("written by landscape 9.0.0") && error.contains("remove the file"), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn a_kill_between_leaves_the_older_one() {
        let run = run("{}");
        let (_results, workspace) = bench(&run);
        Checkpoint::write([(checkpoint(&run), &workspace, &run)]).unwrap();
        let path = workspace.checkpoint(&run.id);
        fs::rename(&path, Workspace::older(&path)).unwrap();
        let epochs = || -> Vec<usize> {
            Checkpoint::read(&workspace, &run).unwrap().iter().map(|saved| saved.progress.epoch).collect()
        };
        assert_eq!(epochs(), [340]);
        let newer = Checkpoint { progress: Progress::new(&run, 350, 13.0, 1, "cohort", vec![]), ..checkpoint(&run) };
        fs::write(&path, newer.bytes(&run).unwrap()).unwrap();
        assert_eq!(epochs(), [350, 340]);
        Checkpoint::keep(&workspace, &run, 340).unwrap();
        assert_eq!(epochs(), [340]);
        Checkpoint::keep(&workspace, &run, 340).unwrap();
        assert_eq!(epochs(), [340]);
    }
}
