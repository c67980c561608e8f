//! The Python package in `python/`: what it knows of this program, and its own tests where they can run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

const SCHEMA: &str = "python/src/contrastive_landscape/schema.json";

#[test]
fn the_package_reads_results_as_this_program_writes_them() {
    let output = Command::new(env!("CARGO_BIN_EXE_landscape")).arg("schema").output().unwrap();
    assert!(output.status.success());
    let package = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA)).unwrap();
    let parse = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
    assert!(parse(&output.stdout) == parse(&package), "write it anew: landscape schema > {SCHEMA}");
}

/// The Python that `make test-python` installs, or that `LANDSCAPE_PYTHON` names.
fn python() -> Option<PathBuf> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv-python/bin/python");
    let python = std::env::var_os("LANDSCAPE_PYTHON").map_or_else(own, PathBuf::from);
    let has = Command::new(&python).args(["-c", "import pandas, pytest, safetensors, torch, yaml"]).output();
    has.is_ok_and(|out| out.status.success()).then_some(python)
}

/// Every method's and loss's network as PyTorch modules gives the recorded loss, among others.
#[test]
#[cfg_attr(not(feature = "torch"), ignore = "some methods are trained by autograd alone")]
fn the_packages_own_tests_pass() {
    let Some(python) = python() else {
        eprintln!("skipped: neither .venv-python (`make test-python` makes it) nor LANDSCAPE_PYTHON has what it needs");
        return;
    };
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut command = Command::new(&python);
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_frames.py", "tests/test_runs.py"]);
    command.env("PYTHONPATH", package.join("src")).env("LANDSCAPE", env!("CARGO_BIN_EXE_landscape"));
    let output = command.current_dir(package).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
