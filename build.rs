//! Lets the program find libtorch from any folder without environment variables, and know its own origin.

use std::{env, fs, path::Path, process::Command};

fn main() {
    // torch-sys says where the libtorch that it was compiled against lies.
    if let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        // A CPU-only set-up lacks the libraries that libtorch_cuda itself needs; nothing of it is used then.
        println!("cargo:rustc-link-arg=-Wl,--allow-shlib-undefined");
        println!("cargo:rustc-env=LANDSCAPE_LIBTORCH_PATH={lib}");
        println!("cargo:rustc-env=LANDSCAPE_LIBTORCH={}", libtorch_version(Path::new(&lib)));
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo:rustc-env=LANDSCAPE_COMMIT={commit}");
        if let Some(head) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
            println!("cargo:rerun-if-changed={head}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}

/// PyTorch's wheel and libtorch's archive both say their version beside `lib`.
fn libtorch_version(lib: &Path) -> String {
    let root = lib.parent().unwrap_or(lib);
    let archive = fs::read_to_string(root.join("build-version")).ok();
    let wheel = || {
        let text = fs::read_to_string(root.join("version.py")).ok()?;
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        Some(line.split(['\'', '"']).nth(1)?.to_string())
    };
    archive.or_else(wheel).map_or_else(|| "unknown".into(), |version| version.trim().to_string())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_string();
    (output.status.success() && !text.is_empty()).then_some(text)
}
