//! Lets the program find libtorch from any folder without environment variables, and know its own origin.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

/// Everything that decides a run's numbers: the settings, the draws, the engines, the loop and what it measures, and
/// the libraries underneath. The rest (drawing, records, the command line) does not touch a digit.
const SOURCES: [&str; 14] = [
    "Cargo.lock",
    "src/autograd",
    "src/data",
    "src/engine",
    "src/fused",
    "src/kernels",
    "src/linalg",
    "src/losses",
    "src/metrics",
    "src/models",
    "src/nn",
    "src/random",
    "src/spec",
    "src/train",
];

fn main() {
    // torch-sys says where the libtorch that it was compiled against lies.
    if let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        // A CPU-only set-up lacks the libraries that libtorch_cuda itself needs; none of it is used then.
        println!("cargo:rustc-link-arg=-Wl,--allow-shlib-undefined");
        println!("cargo:rustc-env=LANDSCAPE_LIBTORCH_PATH={lib}");
        println!("cargo:rustc-env=LANDSCAPE_LIBTORCH={}", libtorch_version(Path::new(&lib)));
        if let Some(version) = version_py(Path::new(&lib), "cuda") {
            println!("cargo:rustc-env=LANDSCAPE_LIBTORCH_CUDA={version}");
            println!("cargo:rerun-if-changed={lib}/../version.py"); // another libtorch in the same place
        }
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo:rustc-env=LANDSCAPE_COMMIT={commit}");
        if let Some(head) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
            println!("cargo:rerun-if-changed={head}");
        }
    }
    println!("cargo:rustc-env=LANDSCAPE_SOURCES={}", sources());
    if git(&[&["status", "--porcelain", "--"][..], &SOURCES].concat()).is_some() {
        println!("cargo:rustc-env=LANDSCAPE_MODIFIED=yes");
    }
    SOURCES.iter().for_each(|path| println!("cargo:rerun-if-changed={path}"));
    println!("cargo:rerun-if-changed=build.rs");
}

/// Hash of [`SOURCES`], by the files' names and contents.
fn sources() -> String {
    let mut files = Vec::new();
    SOURCES.iter().for_each(|path| collect(Path::new(path), &mut files));
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file).unwrap_or_default();
        hash.update(format!("{} {}\n", file.display(), content.len()));
        hash.update(content);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| collect(&entry.path(), files)),
        Err(_) if path.is_file() => files.push(path.to_path_buf()),
        Err(_) => {}
    }
}

/// PyTorch's wheel and libtorch's archive both state their version beside `lib`.
fn libtorch_version(lib: &Path) -> String {
    let archive = fs::read_to_string(lib.with_file_name("build-version")).ok();
    let version = archive.or_else(|| version_py(lib, "__version__"));
    version.map_or_else(|| "unknown".into(), |version| version.trim().to_string())
}

/// What the wheel's `version.py` says of `name`, as in `cuda: Optional[str] = '13.0'`.
fn version_py(lib: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(lib.with_file_name("version.py")).ok()?;
    let line =
        text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', ':', '='])))?;
    Some(line.split(['\'', '"']).nth(1)?.to_string())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_string();
    (output.status.success() && !text.is_empty()).then_some(text)
}
