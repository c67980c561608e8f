//! A folder with an experiment in it, and the program run there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A tiny experiment of so many epochs, as YAML; what follows `base` is the test's: arms, seeds, more settings.
macro_rules! tiny {
    ($epochs:literal, $rest:literal) => {
        concat!(
            "\ntitle: A tiny experiment\npaper: none\nclaim: It runs.\nbase:\n  data: { samples: 40, p: 12, d: 5 }\n",
            "  model: { m: 9 }\n  train: { epochs: ",
            $epochs,
            ", batch_size: 16 }\n",
            $rest
        )
    };
}

pub struct Workbench {
    pub folder: TempDir,
}

/// `metrics.csv` and `final.safetensors` of every run by its name.
pub type Results = BTreeMap<String, [Vec<u8>; 2]>;

impl Workbench {
    /// With the experiment as `tiny.yaml`. A program without libtorch does not train on the authors' draws.
    pub fn new(experiment: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let experiment = match cfg!(feature = "torch") {
            true => experiment.into(),
            false => experiment.replace("random: authors", "random: native"),
        };
        fs::write(folder.path().join("tiny.yaml"), experiment).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `landscape` with arguments, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landscape"));
        command.current_dir(&self.folder).args(arguments);
        command
    }

    pub fn landscape(&self, arguments: &[&str]) -> assert_cmd::assert::Assert {
        assert_cmd::Command::from_std(self.command(arguments)).assert()
    }

    /// Folders of the recorded runs in `results/tiny`.
    pub fn runs(&self) -> Vec<PathBuf> {
        runs(&self.path("results/tiny"))
    }

    pub fn results(&self) -> Results {
        results(&self.path("results/tiny"))
    }

    /// Names of the files of unfinished runs.
    pub fn unfinished(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.path("results/tiny/.unfinished")) else { return Vec::new() };
        let mut names: Vec<String> =
            folder.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Folders of the recorded runs of an experiment.
pub fn runs(experiment: &Path) -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(experiment) else { return Vec::new() };
    let mut runs: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    runs.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    runs.sort();
    runs
}

pub fn results(experiment: &Path) -> Results {
    let read = |run: &PathBuf| {
        let name = run.file_name().unwrap().to_string_lossy().into_owned();
        (name, ["metrics.csv", "final.safetensors"].map(|file| fs::read(run.join(file)).unwrap()))
    };
    runs(experiment).iter().map(read).collect()
}

/// Names of the runs that differ, or that one of the two lacks.
pub fn differing(a: &Results, b: &Results) -> Vec<String> {
    a.keys().chain(b.keys()).filter(|run| a.get(*run) != b.get(*run)).cloned().collect()
}
