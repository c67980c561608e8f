//! CUDA devices made of host memory (`tests/fake_cuda/`): built once into the target folder, found by the unmodified
//! program through `LD_LIBRARY_PATH`. The driver runs the program's own kernels; libtorch's half is made where it is.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    env,
    fs::{self, File},
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

/// The folder of the fake driver, `libcuda.so.1`, with the program's own kernels compiled for the CPU.
///
/// None where it cannot be built, with the reason on stderr: a test that needs it is skipped.
pub fn driver() -> Option<&'static Path> {
    static BUILT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| build_driver("driver", &[]));
    told(&BUILT)
}

/// The folders of the fake driver and, where there is a libtorch, of the fake `libtorch_cuda.so`, as `LD_LIBRARY_PATH` has
/// them. None likewise.
#[cfg(feature = "torch")]
pub fn libraries() -> Option<String> {
    static BUILT: LazyLock<Result<PathBuf, String>> = LazyLock::new(build_torch);
    Some(format!("{}:{}", driver()?.display(), told(&BUILT)?.display()))
}

fn told(built: &'static LazyLock<Result<PathBuf, String>>) -> Option<&'static Path> {
    match &**built {
        Ok(folder) => Some(folder),
        Err(reason) => {
            eprintln!("skipped: no fake CUDA device, since {reason}");
            None
        }
    }
}

fn compiler() -> Result<String, String> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".into());
    match Command::new(&compiler).arg("--version").output() {
        Ok(_) => Ok(compiler),
        Err(_) => Err(format!("there is no C++ compiler `{compiler}`")),
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_cuda")
}

/// Builds the fake driver with more of the compiler's `flags`, such as sanitizers.
pub fn build_driver(name: &str, flags: &[&str]) -> Result<PathBuf, String> {
    let parts = ["driver.cpp", "threads.cpp", "kernels.cpp"];
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fused/cuda/kernels");
    let of_kernels = fs::read_dir(kernels).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = of_kernels.filter(|path| path.extension().is_some_and(|kind| kind != "ptx")).collect();
    all.extend(
        ["settings.h", "block.h", "threads.h", "kernels.h"].iter().chain(&parts).map(|file| sources().join(file)),
    );
    // One rounding for each operation that the source names, and `fmaf` in one instruction where the processor has it.
    let mut common = vec!["-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("fma") {
        common.push("-mfma");
    }
    compile(name, "libcuda.so.1", &parts, &all, &[&common, flags].concat())
}

#[cfg(feature = "torch")]
fn build_torch() -> Result<PathBuf, String> {
    let lib = Path::new(env!("LANDSCAPE_LIBTORCH_PATH"));
    let include = lib.with_file_name("include");
    if !include.join("ATen/ATen.h").exists() {
        return Err(format!("{} has no headers of libtorch", include.display()));
    }
    let include = |folder: &str| format!("-isystem{}", include.join(folder).display());
    let (root, api, libraries) = (include(""), include("torch/csrc/api/include"), format!("-L{}", lib.display()));
    let flags = ["-O1", &root, &api, &libraries, "-ltorch_cpu", "-lc10"];
    let all = ["settings.h", "torch_cuda.cpp"].map(|file| sources().join(file));
    let name = format!("torch-{}", env!("LANDSCAPE_LIBTORCH"));
    compile(&name, "libtorch_cuda.so", &["torch_cuda.cpp"], &all, &flags)
}

/// Compiles `parts` into a library in a folder of its own, named after everything that it is made of (`all` files and
/// the flags), unless it is there.
fn compile(name: &str, library: &str, parts: &[&str], all: &[PathBuf], flags: &[&str]) -> Result<PathBuf, String> {
    let compiler = compiler()?;
    let mut files: Vec<_> = all.iter().map(|path| (path, fs::read(path).unwrap())).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    (files, parts, flags, &compiler).hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fake-{name}-{:016x}", hasher.finish()));
    fs::create_dir_all(&folder).unwrap();
    // Other test processes may be doing the same.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (path, unfinished) = (folder.join(library), folder.join(format!("{library}.unfinished")));
    if !path.exists() {
        let mut command = Command::new(&compiler);
        command.args(["-std=c++17", "-fPIC", "-shared", "-I"]).arg(sources());
        command.args(parts.iter().map(|part| sources().join(part)));
        command.arg("-o").arg(&unfinished).arg(format!("-Wl,-soname,{library}")).args(flags);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{library}: {}", String::from_utf8_lossy(&output.stderr));
        fs::rename(unfinished, path).unwrap();
    }
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
#[cfg(feature = "torch")]
pub fn equip(command: &mut Command) -> Option<()> {
    command.env("LD_LIBRARY_PATH", libraries()?).env_remove("CUDA_VISIBLE_DEVICES");
    Some(())
}

/// Runs a command with a fake device, as described by the environment's `variables` (see `tests/fake_cuda/`).
#[cfg(feature = "torch")]
pub fn run(mut command: Command, variables: &[(&str, &str)]) -> Option<Report> {
    equip(&mut command)?;
    Some(report(command, variables))
}

/// The same with the fake driver in `folder` alone.
pub fn run_with_driver(mut command: Command, folder: &Path, variables: &[(&str, &str)]) -> Report {
    command.env("LD_LIBRARY_PATH", folder).env_remove("CUDA_VISIBLE_DEVICES");
    report(command, variables)
}

fn report(mut command: Command, variables: &[(&str, &str)]) -> Report {
    let counts = tempfile::NamedTempFile::new().unwrap();
    let output = command.env("FAKE_CUDA_REPORT", counts.path()).envs(variables.iter().copied()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = fs::read_to_string(counts.path()).unwrap();
    let counts = text.lines().map(|line| {
        let (name, count) = line.rsplit_once(' ').unwrap();
        (name.to_string(), count.parse().unwrap())
    });
    Report { counts: counts.collect(), stderr, output }
}
