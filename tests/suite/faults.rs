//! Faults, each by causing it: what is finished stays, what happened is reported, and the next start goes on.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::{Batch, Engine, Member, Views},
    record::{self, Summary, Workspace, read_run},
    runner::{DeviceChoice, EngineChoice, EngineKind, Interrupted, Options, run, run_with},
    spec::{PlannedRun, Turn, layout::StateDict, resolve, run_id},
};
use ndarray::{Array2, ArrayD};
use predicates::{prelude::*, str::contains};

use crate::workbench::{self, Workbench, differing};

const TINY: &str = tiny!(
    6,
    "arms:
  NCL: { method: ncl }
seeds: 1..4
"
);

const RUN: [&str; 2] = ["run", "tiny.yaml"];

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

// Engines that fail.

/// An engine whose steps do something else first.
struct Faulty {
    inner: AutogradEngine,
    before_step: Box<dyn Fn() + Send>,
}

impl Engine for Faulty {
    fn step(&mut self, batch: &Batch) -> Result<Vec<f64>> {
        (self.before_step)();
        self.inner.step(batch)
    }
    fn gradients(&mut self, views: &Views, turn: Turn) -> Result<Vec<(f64, StateDict)>> {
        self.inner.gradients(views, turn)
    }
    fn state(&self) -> Result<Vec<StateDict>> {
        self.inner.state()
    }

    fn snapshot(&self) -> Result<Vec<StateDict>> {
        self.inner.snapshot()
    }
    fn parameter(&self, name: &str) -> Result<Vec<ArrayD<f64>>> {
        self.inner.parameter(name)
    }
    fn load(&mut self, states: &[StateDict]) -> Result<()> {
        self.inner.load(states)
    }
    fn representations(&self) -> Result<Vec<Array2<f64>>> {
        self.inner.representations()
    }
}

fn plan(seeds: std::ops::RangeInclusive<u64>) -> Vec<PlannedRun> {
    let run = |seed| {
        let text = format!(
            "{{seed: {seed}, dtype: float64, data: {{samples: 40, p: 12, d: 5}}, model: {{m: 9}}, \
             train: {{epochs: 6, batch_size: 16}}}}"
        );
        let spec = Arc::new(resolve(&[&serde_yaml::from_str(&text).unwrap()]).unwrap());
        PlannedRun::alone("tiny", run_id("NCL", &spec), "NCL", spec)
    };
    seeds.map(run).collect()
}

fn options(results: &Path) -> Options {
    Options {
        jobs: 1,
        cohort: Some(8),
        device: DeviceChoice::Cpu,
        engine: EngineChoice::Autograd,
        checkpoint_every: Duration::ZERO,
        ..Options::new(results)
    }
}

fn summary(results: &Path, run: &PlannedRun) -> Summary {
    read_run(&record::run_folder(results, run)).unwrap().summary
}

#[test]
fn a_cohort_that_is_too_large_for_the_memory_is_halved() {
    let results = tempfile::tempdir().unwrap();
    let runs = plan(1..=8);
    let built = AtomicUsize::new(0);
    let build = |_: EngineKind, members: &[Member], device: Device| -> Result<Box<dyn Engine>> {
        built.fetch_add(1, Ordering::SeqCst);
        let inner = AutogradEngine::new(members, device)?;
        let too_many = members.len() > 3;
        // libtorch reports it by a panic of the binding, in the middle of a step.
        let before_step = Box::new(move || assert!(!too_many, "CUDA out of memory. Tried to allocate 2.00 GiB"));
        Ok(Box::new(Faulty { inner, before_step }))
    };
    let outcome = run_with(&runs, &options(results.path()), &build).unwrap();
    assert_eq!((outcome.trained, outcome.failures.len()), (8, 0));
    assert_eq!(built.into_inner(), 1 + 2 + 4, "8, then 4 and 4, then 2, 2, 2 and 2");
    assert!(runs.iter().all(|run| summary(results.path(), run).runs_in_cohort == 2));
}

#[test]
fn a_panic_is_the_failure_of_its_run_alone() {
    let results = tempfile::tempdir().unwrap();
    let runs = plan(1..=8);
    let steps = Arc::new(AtomicUsize::new(0));
    let build = |_: EngineKind, members: &[Member], device: Device| -> Result<Box<dyn Engine>> {
        let inner = AutogradEngine::new(members, device)?;
        let (cursed, steps) = (members.iter().any(|member| member.spec.seed == 3), Arc::clone(&steps));
        // In the fourth epoch, so that there are checkpoints to resume from.
        let before_step = Box::new(move || assert!(!cursed || steps.fetch_add(1, Ordering::SeqCst) < 10, "seed 3"));
        Ok(Box::new(Faulty { inner, before_step }))
    };
    let outcome = run_with(&runs, &options(results.path()), &build).unwrap();
    assert_eq!(outcome.trained, 7);
    let [failure] = outcome.failures.as_slice() else { panic!("one run fails: {:?}", outcome.failures) };
    assert!(failure.run.contains("_seed3_") && format!("{:#}", failure.error).contains("panicked: seed 3"));
    assert!(runs.iter().filter(|run| run.spec.seed != 3).all(|run| summary(results.path(), run).resumed == 1));
    let [unfinished] = record::unfinished(results.path(), "tiny").unwrap().try_into().unwrap();
    assert!(unfinished.failure.unwrap().error.contains("seed 3") && !unfinished.leased);
    assert_eq!(unfinished.progress.unwrap().epoch, 3);
    // The next start resumes it, and the note goes.
    let outcome = run(&runs, &options(results.path())).unwrap();
    assert_eq!((outcome.trained, outcome.kept, outcome.failures.len()), (1, 7, 0));
    assert!(record::unfinished(results.path(), "tiny").unwrap().is_empty());
}

/// Of this process: its first epoch, whatever was done before.
fn interrupted_in_the_first_epoch(runs: &[PlannedRun], results: &Path) -> Interrupted {
    let options = options(results);
    let asked = options.interrupt.clone();
    let build = move |_: EngineKind, members: &[Member], device: Device| -> Result<Box<dyn Engine>> {
        let (inner, asked) = (AutogradEngine::new(members, device)?, asked.clone());
        Ok(Box::new(Faulty { inner, before_step: Box::new(move || asked.ask()) }))
    };
    run_with(runs, &options, &build).unwrap().interrupted.unwrap()
}

#[test]
fn an_interrupt_from_within_leaves_what_is_needed_to_go_on() {
    let (results, straight) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runs = plan(1..=3);
    run(&runs, &options(straight.path())).unwrap();
    // A sweep that has already been asked to stop begins nothing.
    let early = options(results.path());
    early.interrupt.ask();
    let outcome = run(&runs, &early).unwrap().interrupted.unwrap();
    assert_eq!((outcome.saved, outcome.left), (0, 3));
    let outcome = interrupted_in_the_first_epoch(&runs, results.path());
    assert_eq!((outcome.saved, outcome.left), (3, 0));
    run(&runs, &options(results.path())).unwrap();
    let [ours, theirs] = [&results, &straight].map(|folder| workbench::results(&folder.path().join("tiny")));
    assert_eq!(differing(&ours, &theirs), [""; 0]);
}

#[test]
fn a_kill_while_a_cohort_is_being_saved_does_not_part_it() {
    let straight = tempfile::tempdir().unwrap();
    let runs = plan(1..=3);
    run(&runs, &options(straight.path())).unwrap();
    let goes_on = |saved: &dyn Fn(&Workspace), resumed: usize| {
        let results = tempfile::tempdir().unwrap();
        saved(&Workspace::of(results.path(), "tiny"));
        run(&runs, &options(results.path())).unwrap();
        assert!(runs.iter().all(|run| summary(results.path(), run).resumed == resumed));
        assert!(runs.iter().all(|run| summary(results.path(), run).runs_in_cohort == 3));
        let [ours, theirs] = [&results, &straight].map(|folder| workbench::results(&folder.path().join("tiny")));
        assert_eq!(differing(&ours, &theirs), [""; 0], "together or apart is a difference in the last digits");
    };
    let results = |workspace: &Workspace| workspace.folder().ancestors().nth(2).unwrap().to_path_buf();
    // Saved for the first time: one run has a checkpoint, the others have none.
    goes_on(
        &|workspace| {
            interrupted_in_the_first_epoch(&runs, &results(workspace));
            runs[1..].iter().for_each(|run| fs::remove_file(workspace.checkpoint(&run.id)).unwrap());
        },
        0,
    );
    // Saved again: one has the new checkpoint and the older one, the others have the older one.
    goes_on(
        &|workspace| {
            interrupted_in_the_first_epoch(&runs, &results(workspace));
            let checkpoints: Vec<_> = runs.iter().map(|run| workspace.checkpoint(&run.id)).collect();
            let first = checkpoints.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
            interrupted_in_the_first_epoch(&runs, &results(workspace));
            for (path, content) in checkpoints.iter().zip(first) {
                fs::write(Workspace::older(path), content).unwrap();
            }
            checkpoints[1..].iter().for_each(|path| fs::remove_file(path).unwrap());
        },
        1,
    );
}

// Losses that are not numbers.

#[test]
fn a_run_that_diverges_is_recorded_with_its_epoch_and_the_sweep_goes_on() {
    for dtype in ["float32", "float64"] {
        let lr = if dtype == "float32" { "1e30" } else { "1e200" };
        let wild =
            format!("  wild: {{ method: ncl-linear, train: {{ lr: {lr} }}, metrics: {{ detail_every: 1 }} }}\nseeds");
        let text = TINY.replace("seeds", &wild);
        let workbench = Workbench::new(&text);
        let arguments = [&RUN[..], &["--dtype", dtype]].concat();
        workbench.landscape(&arguments).success().stderr(contains("8 runs trained").and(contains("4 runs diverged")));
        for folder in workbench.runs() {
            let record = read_run(&folder).unwrap();
            let loss = record.metrics.column("loss_mean").unwrap();
            let first = loss.iter().skip(1).position(|loss| !loss.is_finite()).map(|place| place + 1);
            assert_eq!(record.summary.diverged_at, first, "{}", folder.display());
            assert_eq!(first.is_some(), record.summary.label == "wild");
            assert_eq!(loss.len(), 7, "it is trained to its end, so that every run has the same rows");
        }
        workbench.landscape(&["results", "list"]).success().stdout(contains("diverged at epoch").count(4));
        workbench.landscape(&["results", "verify"]).success();
        workbench.landscape(&arguments).success().stderr(contains("0 runs trained, 8 recorded before"));
    }
}

// Disks and folders.

#[test]
fn a_file_that_may_not_grow_fails_its_run_alone() {
    let text = TINY.replace("seeds", "  long: { method: ncl, train: { epochs: 400 } }\nseeds");
    let workbench = Workbench::new(&text);
    let mut limited = Command::new("sh");
    // Files of at most 20 kB: enough for six rows, not for 400.
    limited.current_dir(workbench.folder.path()).args(["-c", "ulimit -f 40; trap '' XFSZ; exec \"$@\"", "sh"]);
    limited.arg(env!("CARGO_BIN_EXE_landscape")).args(RUN).args(["--checkpoint-every", "0"]);
    let output = limited.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("no checkpoint could be written, and training goes on without"), "{stderr}");
    assert!(stderr.contains("cannot write the run") && stderr.contains("File too large"), "{stderr}");
    assert!(stderr.contains("4 of 8 runs failed; the others are recorded"), "{stderr}");
    workbench.landscape(&["results", "verify"]).success().stdout(contains("4 records, all whole"));
    assert!(!workbench.unfinished().iter().any(|name| name.ends_with(".tmp")));
    workbench.landscape(&RUN).success().stderr(contains("4 runs trained, 4 recorded before"));
    assert_eq!(workbench.unfinished(), ["lock"]);
}

/// A small disk of its own at `path`, as long as this lives.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// None where this process may not mount.
    fn mount(path: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        Self::command("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], path).then_some(Self(path))
    }

    fn grow(&self, size: &str) {
        assert!(Self::command("mount", &["-o", &format!("remount,size={size}")], self.0));
    }

    fn command(name: &str, arguments: &[&str], path: &Path) -> bool {
        let output = Command::new(name).args(arguments).arg(path).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        Self::command("umount", &["-l"], self.0);
    }
}

#[test]
fn a_full_disk_stops_the_sweep_and_leaves_what_is_recorded() {
    // Runs that finish within a second are recorded together: these are long enough that the disk is full before all
    // have begun.
    let long = TINY.replace("seeds: 1..4", "seeds: 1..40").replace("epochs: 6", "epochs: 8000");
    let workbench = Workbench::new(&long.replace("  model:", "  metrics: { every: 20, detail_every: 2000 }\n  model:"));
    let results = workbench.path("results");
    let Some(disk) = SmallDisk::mount(&results, "512k") else {
        eprintln!("skipped: a file system can be mounted by root only");
        return;
    };
    let failed = workbench.landscape(&[&RUN[..], &["--jobs", "1"]].concat()).code(1);
    let said = stderr(&failed);
    assert!(said.contains("No space left on device") && said.contains("make room"), "{said}");
    assert!(said.contains("runs were not begun, since nothing more can be written"), "{said}");
    let recorded = workbench.runs().len();
    assert!((1..39).contains(&recorded), "{recorded} are recorded");
    workbench.landscape(&["results", "verify"]).success().stdout(contains(format!("{recorded} records, all whole")));
    disk.grow("64m");
    workbench
        .landscape(&RUN)
        .success()
        .stderr(contains(format!("{} runs trained, {recorded} recorded", 40 - recorded)));
    workbench.landscape(&["results", "verify"]).success().stdout(contains("40 records, all whole"));
    assert_eq!(workbench.unfinished(), ["lock"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_anything_is_trained() {
    let workbench = Workbench::new(TINY);
    fs::create_dir_all(workbench.path("results/tiny")).unwrap();
    for folder in ["", "results", "results/tiny"] {
        set_mode(&workbench.path(folder), if folder.is_empty() { 0o755 } else { 0o555 });
    }
    let mut command = workbench.command(&RUN);
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534); // root may write anywhere
    }
    let Ok(output) = command.output() else {
        eprintln!("skipped: another user cannot run the program from its folder");
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    set_mode(&workbench.path("results"), 0o755);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write into the results folder results/tiny/.unfinished"), "{stderr}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

// Records and checkpoints that are not what they should be.

#[test]
fn broken_records_are_found_and_pruned_and_trained_again() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&RUN).success();
    let whole = workbench.results();
    workbench.landscape(&["results", "verify"]).success().stdout(contains("4 records, all whole"));
    let runs = workbench.runs();
    let change = |run: usize, file: &str, change: fn(Vec<u8>) -> Vec<u8>| {
        let path = runs[run].join(file);
        fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    };
    change(0, "metrics.csv", |text| text[..text.len() * 2 / 3].to_vec());
    change(1, "final.safetensors", |mut bytes| {
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    });
    change(2, "spec.yaml", |text| String::from_utf8(text).unwrap().replace("lr: 0.025", "lr: 0.5").into_bytes());
    fs::remove_file(runs[3].join("summary.json")).unwrap();
    let broken = workbench.landscape(&["results", "verify"]).code(1).stderr(contains("4 of 4 records are broken"));
    let faults = String::from_utf8_lossy(&broken.get_output().stdout).into_owned();
    for fault in [
        "metrics.csv has been changed or damaged",
        "found record with",
        "final.safetensors has been changed or damaged",
        "spec.yaml holds the settings of",
        "summary.json cannot be read",
    ] {
        assert!(faults.contains(fault), "{fault}: {faults}");
    }
    workbench.landscape(&["results", "prune"]).success().stdout(contains("nothing to remove"));
    let listed = workbench.landscape(&["results", "prune", "--broken"]).success();
    listed.stdout(contains("broken record").count(4).and(contains("4 to remove; --yes does it")));
    assert_eq!(workbench.runs().len(), 4, "nothing is removed unasked");
    workbench.landscape(&["results", "prune", "--broken", "--yes"]).success().stdout(contains("4 removed"));
    workbench.landscape(&RUN).success().stderr(contains("4 runs trained"));
    assert_eq!(differing(&workbench.results(), &whole), [""; 0]);
    workbench.landscape(&["results", "verify", "tiyn"]).code(2).stderr(contains("did you mean `tiny`?"));
    workbench.landscape(&["results", "verify", "--results", "nowhere"]).code(2).stderr(contains("nowhere"));
}

#[test]
fn a_picture_of_a_broken_record_says_what_to_do() {
    let workbench = Workbench::new(TINY);
    workbench.landscape(&RUN).success();
    fs::write(workbench.runs()[0].join("metrics.csv"), "epoch,loss\n0,x\n").unwrap();
    let plot = workbench.landscape(&["plot", "tiny.yaml"]).code(1);
    plot.stderr(contains("metrics.csv").and(contains("landscape results verify")));
}

#[test]
fn a_damaged_checkpoint_starts_its_run_afresh_and_one_of_another_version_is_kept() {
    let reference = Workbench::new(TINY);
    reference.landscape(&RUN).success();
    let workbench = Workbench::new(TINY);
    let names: Vec<String> = reference.results().into_keys().collect();
    let unfinished = workbench.path("results/tiny/.unfinished");
    fs::create_dir_all(&unfinished).unwrap();
    let checkpoint = |run: usize| unfinished.join(format!("{}.checkpoint", names[run]));
    fs::write(checkpoint(0), "not a checkpoint").unwrap();
    fs::write(checkpoint(1), "{\"format\":99,\"version\":\"9.1.0\"}\n").unwrap();
    fs::create_dir(unfinished.join(format!("{}.abcdef.tmp", names[2]))).unwrap();
    let failed = workbench.landscape(&RUN).code(1);
    let said = stderr(&failed);
    assert!(said.contains("is damaged") && said.contains("it is not used"), "{said}");
    assert!(
        said.contains("written by landscape 9.1.0: finish the run with that version, or remove the file"),
        "{said}"
    );
    assert!(said.contains("1 of 4 runs failed"), "{said}");
    assert_eq!(workbench.runs().len(), 3);
    workbench.landscape(&["results", "list"]).success().stdout(contains("1 failed, 3 recorded"));
    workbench.landscape(&["results", "prune"]).success().stdout(contains("nothing to remove"));
    let pruned = workbench.landscape(&["results", "prune", "--checkpoints", "--yes"]).success();
    pruned.stdout(contains("the run will start afresh").and(contains("2 removed")));
    workbench.landscape(&RUN).success().stderr(contains("1 runs trained, 3 recorded before"));
    assert_eq!(differing(&workbench.results(), &reference.results()), [""; 0]);
}

#[test]
fn force_starts_from_the_start() {
    let workbench = Workbench::new(TINY);
    let runs = plan(1..=1);
    let results = workbench.path("results");
    interrupted_in_the_first_epoch(&runs, &results);
    assert_eq!(record::unfinished(&results, "tiny").unwrap().len(), 1);
    let forced = Options { force: true, resume: false, ..options(&results) };
    run(&runs, &forced).unwrap();
    assert_eq!(summary(&results, &runs[0]).resumed, 0);
}
