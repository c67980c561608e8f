//! CUDA devices made of host memory (`tests/fake_cuda/`): built once into the target folder, found by the unmodified
//! program through `LD_LIBRARY_PATH`.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    env,
    fs::{self, File},
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

/// The folder of the fake `libcuda.so.1` and `libtorch_cuda.so`.
///
/// None where they cannot be built, with the reason on stderr: a test that needs them is skipped.
pub fn libraries() -> Option<&'static Path> {
    static BUILT: LazyLock<Result<PathBuf, String>> = LazyLock::new(build);
    match &*BUILT {
        Ok(folder) => Some(folder),
        Err(reason) => {
            eprintln!("skipped: no fake CUDA device, since {reason}");
            None
        }
    }
}

fn build() -> Result<PathBuf, String> {
    let lib = Path::new(env!("LANDSCAPE_LIBTORCH_PATH"));
    let include = lib.with_file_name("include");
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".into());
    if !include.join("ATen/ATen.h").exists() {
        return Err(format!("{} has no headers of libtorch", include.display()));
    }
    if Command::new(&compiler).arg("--version").output().is_err() {
        return Err(format!("there is no C++ compiler `{compiler}`"));
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_cuda");
    let texts = ["settings.h", "driver.cpp", "torch_cuda.cpp"].map(|name| fs::read(sources.join(name)).unwrap());
    let mut hasher = DefaultHasher::new();
    (texts, lib, env!("LANDSCAPE_LIBTORCH"), &compiler).hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fake-cuda-{:016x}", hasher.finish()));
    fs::create_dir_all(&folder).unwrap();
    // Other test processes may be doing the same.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let compile = |source: &str, library: &str, flags: &[String]| {
        let (path, unfinished) = (folder.join(library), folder.join(format!("{library}.unfinished")));
        if path.exists() {
            return;
        }
        let mut command = Command::new(&compiler);
        command.args(["-std=c++17", "-O1", "-fPIC", "-shared"]);
        command.arg(sources.join(source)).arg("-o").arg(&unfinished).arg(format!("-Wl,-soname,{library}")).args(flags);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
        fs::rename(unfinished, path).unwrap();
    };
    let include = |folder: &str| format!("-isystem{}", include.join(folder).display());
    let torch = [include(""), include("torch/csrc/api/include"), format!("-L{}", lib.display())];
    compile("driver.cpp", "libcuda.so.1", &[]);
    compile("torch_cuda.cpp", "libtorch_cuda.so", &[&torch[..], &["-ltorch_cpu".into(), "-lc10".into()]].concat());
    Ok(folder)
}

/// What a command made of its fake device.
#[derive(Debug)]
pub struct Report {
    pub output: Output,
    pub stderr: String,
    /// `launches`, `blocking_copies`, `queued_copies`, `peak`, and launches by operator. Empty after a signal.
    pub counts: BTreeMap<String, usize>,
}

impl Report {
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    #[track_caller]
    pub fn count(&self, what: &str) -> usize {
        *self.counts.get(what).unwrap_or_else(|| panic!("no count of {what}: {}", self.stderr))
    }
}

/// Lets a command find only a fake device; none where there is no fake device.
pub fn equip(command: &mut Command) -> Option<()> {
    command.env("LD_LIBRARY_PATH", libraries()?).env_remove("CUDA_VISIBLE_DEVICES");
    Some(())
}

/// Runs a command with a fake device, as described by the environment's `variables` (see `tests/fake_cuda/`).
pub fn run(mut command: Command, variables: &[(&str, &str)]) -> Option<Report> {
    equip(&mut command)?;
    let counts = tempfile::NamedTempFile::new().unwrap();
    let output = command.env("FAKE_CUDA_REPORT", counts.path()).envs(variables.iter().copied()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = fs::read_to_string(counts.path()).unwrap();
    let counts = text.lines().map(|line| {
        let (name, count) = line.rsplit_once(' ').unwrap();
        (name.to_string(), count.parse().unwrap())
    });
    Some(Report { counts: counts.collect(), stderr, output })
}
