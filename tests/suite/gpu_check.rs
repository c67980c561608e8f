//! `make gpu-check` on the fake device: well, with wrong numbers, broken, and where there is none.

use std::{fs, process::Command};

use crate::{fake_cuda, workbench::Workbench};

/// What a check with these flags ends with, prints and complains of, and the file that it writes, on a fake device as described
/// by `variables`. None where there is no fake device or no Python.
fn check(flags: &[&str], variables: &[(&str, &str)]) -> Option<(Option<i32>, String, String, Option<String>)> {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3");
        return None;
    }
    let workbench = Workbench::new("");
    let mut command = Command::new("python3");
    command.current_dir(&workbench.folder).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/gpu_check.py"));
    command.args(["--program", env!("CARGO_BIN_EXE_landscape"), "--small", "--out", "checked.md"]).args(flags);
    #[cfg(feature = "torch")]
    let report = fake_cuda::run(command, variables)?;
    #[cfg(not(feature = "torch"))]
    let report = fake_cuda::run_with_driver(command, fake_cuda::driver()?, variables);
    let stdout = String::from_utf8_lossy(&report.output.stdout).into_owned();
    Some((report.code(), stdout, report.stderr, fs::read_to_string(workbench.path("checked.md")).ok()))
}

#[test]
fn a_good_device_passes_every_check() {
    let Some((code, said, complaint, file)) = check(&[], &[]) else { return };
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{said}");
    let file = file.expect("a table of what was found");
    let kinds = if cfg!(feature = "torch") {
        ["fused float32", "autograd float32", "autograd float64"].as_slice()
    } else {
        &["fused float32"]
    };
    for method in ["ncl", "cl", "simplified-simsiam"] {
        for kind in kinds {
            let row = format!("| {method}, {kind} | ok | off by ");
            assert!(file.contains(&row), "{row}: {file}");
        }
    }
    // The bits that the repository has are those of this device: a GPU is held against them.
    assert_eq!(file.matches("; the bits of the kernels on a CPU").count(), 3, "{file}");
    for row in [
        "| interrupt and resume | ok | exit code 75, then 0; same bits: True |",
        "| out of memory | ok | cohorts were halved",
    ] {
        assert!(file.contains(row), "{row}: {file}");
    }
    assert!(file.contains("Fake GPU, compute capability 9.0") && file.contains("| ncl | 3 | "), "{file}");
    assert!(said.contains("11 checks, 0 failed"), "{said}");
}

#[test]
fn wrong_numbers_fail_and_are_named() {
    let Some((code, said, complaint, file)) = check(&["--only-numbers"], &[("FAKE_CUDA_WRONG", "1")]) else { return };
    assert_eq!(code, Some(1), "{said}{complaint}");
    let fused = "ncl, fused float32; cl, fused float32; simplified-simsiam, fused float32";
    assert_eq!(complaint, format!("gpu-check: FAILED: {fused}\n"), "{said}");
    assert!(said.contains("9 checks, 3 failed"), "{said}");
    assert!(file.expect("a table of what was found").contains("| ncl, fused float32 | FAILED | off by "), "{said}");
}

/// One line, and no trace of Python's.
#[test]
fn a_device_that_is_of_no_use_is_one_line() {
    for (variables, reason) in [
        (
            ("FAKE_CUDA_BREAK", "0"),
            "does not compute any more (cuCtxSynchronize failed with CUDA error 214 (uncorrectable ECC error",
        ),
        (("FAKE_CUDA_DEVICES", "0"), "nothing can be checked on cuda:0: --device cuda:0: there are 0 CUDA devices"),
    ] {
        let Some((code, _, complaint, file)) = check(&["--only-numbers"], &[variables]) else { return };
        assert_eq!((code, complaint.lines().count(), file), (Some(1), 1, None), "{complaint}");
        assert!(complaint.starts_with("gpu-check: FAILED: ") && complaint.contains(reason), "{complaint}");
    }
    let Some((code, _, complaint, _)) = check(&["--program", "none/landscape"], &[]) else { return };
    assert_eq!((code, complaint.lines().count()), (Some(1), 1), "{complaint}");
    assert!(complaint.contains("none/landscape does not start (No such file or directory): make build"), "{complaint}");
}
