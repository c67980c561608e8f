//! The fused engine's kernels for GPUs, compiled for the CPU and run by the fake driver (`tests/fake_cuda/`).
//!
//! The comparison runs on a real device, too, where there is one.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::Duration,
};

use contrastive_landscape::{
    engine::{Batch, Engine, MaskBits},
    fused::{CudaEngine, FusedEngine, cuda},
    spec::{RunSpec, layout::StateDict, methods, resolve},
    train::Cohort,
};

use sha2::{Digest, Sha256};

use crate::{
    fake_cuda::{self, Report},
    workbench::{Workbench, differing},
};

/// What a run of these settings on the kernels shall be held against the CPU's, beside every method.
const MORE: [&str; 17] = [
    "{method: ncl, views: {masks: dependent, pairs: 2}}",
    "{method: cl, views: {masks: shared}}",
    "{method: ncl, model: {m: 70}}",
    "{method: cl, model: {m: 70}}",
    "{method: cl, loss: dcl}",
    "{method: cl, loss: {kind: nt_xent, temperature: 0.01}}",
    "{method: cl, loss: {kind: asymmetric_nt_xent, temperature: 0.01}}",
    "{method: ncl, loss: {kind: l2, normalize: false, weight_penalty: 0.1}}",
    "{method: ncl, model: {activation: relu, bias: none}}",
    "{method: ncl, model: {batch_norm: post_activation}}",
    "{method: simplified, train: {normalize_encoder: columns, clamp_bias: 0.1}}",
    "{method: ncl-predictor, train: {normalize_encoder: rows, normalize_predictor: crossed_columns}}",
    "{method: ncl, train: {optimizer: {kind: sgd, weight_decay: 0.1}}}",
    "{method: ncl-predictor, train: {optimizer: {kind: sgd, momentum: 0.9, nesterov: true}}}",
    "{method: byol, train: {optimizer: {kind: sgd, momentum: 0.5, weight_decay: 0.1}}}",
    "{method: ncl-predictor, train: {optimizer: {kind: adam, weight_decay: 0.1}}}",
    "{method: simplified-simsiam, train: {optimizer: {kind: adamw}}}",
];

/// Three runs that differ in seed, learning rate and masking probability; more settings win.
fn cohort(settings: &str) -> Vec<Arc<RunSpec>> {
    let run = |seed: usize| {
        let square = if settings.contains("ncl-fixed-bias") { "p: 12, d: 12" } else { "p: 70, d: 9" };
        let common = format!(
            "{{seed: {seed}, data: {{samples: 100, {square}}}, model: {{m: 12}}, \
             views: {{masking_prob: 0.{}}}, train: {{batch_size: 40, epochs: 3, lr: 0.0{seed}}}}}",
            [25, 5, 5][seed - 1]
        );
        let layers = [&common, settings].map(|text| serde_yaml::from_str(text).unwrap());
        Arc::new(resolve(&layers.each_ref()).unwrap_or_else(|fault| panic!("{settings}: {fault:?}")))
    };
    (1..=3).map(run).collect()
}

/// Every setting that is compared.
pub fn compared() -> Vec<String> {
    let methods = methods().iter().map(|method| format!("{{method: {}}}", method.name));
    methods.chain(MORE.map(String::from)).collect()
}

/// Losses of every step and final parameters of each run.
pub struct Trained {
    pub losses: Vec<Vec<f64>>,
    pub states: Vec<StateDict>,
}

fn train(specs: &[Arc<RunSpec>], make: impl Fn(&Cohort) -> Box<dyn Engine>, permuted: usize) -> Trained {
    let mut cohort = Cohort::draw(specs).unwrap();
    let mut engine = make(&cohort);
    let batches = specs[0].batches().len();
    let mut losses = Vec::new();
    for epoch in 0..specs[0].train.epochs {
        cohort.begin_epoch(epoch);
        losses.extend(engine.steps(&mut (0..batches).map(|k| permute(cohort.batch(k), permuted))).unwrap());
        cohort.end_epoch();
    }
    Trained { losses, states: engine.state().unwrap() }
}

/// The same batch with its pairs in another order: every loss is a mean over them.
pub fn permute(mut batch: Batch, by: usize) -> Batch {
    if by == 0 {
        return batch;
    }
    for run in &mut batch.runs {
        let words = run.masks.words();
        let (pairs, of_pair) = (run.rows.len(), words[0].len() / run.rows.len());
        let order: Vec<usize> = (0..pairs).map(|k| (k * (2 * by + 1) + by) % pairs).collect();
        let order = if order.iter().collect::<std::collections::BTreeSet<_>>().len() == pairs {
            order
        } else {
            (0..pairs).rev().collect()
        };
        run.rows = order.iter().map(|&k| run.rows[k]).collect();
        let of = |words: &Vec<u64>| order.iter().flat_map(|&k| words[k * of_pair..][..of_pair].to_vec()).collect();
        run.masks = MaskBits::Drawn([of(&words[0]), of(&words[1])]);
    }
    batch
}

/// How far apart two trainings are: the losses, and the parameters in units of the largest of their tensor.
pub fn apart(a: &Trained, b: &Trained) -> f64 {
    let losses = a.losses.iter().flatten().zip(b.losses.iter().flatten());
    let losses = losses.map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, largest);
    let states = a.states.iter().zip(&b.states).flat_map(|(a, b)| {
        b.iter().map(|(name, value)| {
            let off = (&a[name] - value).iter().fold(0.0, |off, x| largest(off, x.abs()));
            off / value.iter().fold(1e-2, |scale, x| largest(scale, x.abs()))
        })
    });
    states.fold(losses, largest)
}

/// Not a number is larger than all.
pub fn largest(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

fn on_the_cpu(cohort: &Cohort) -> Box<dyn Engine> {
    Box::new(FusedEngine::new(cohort.members()).unwrap())
}

fn on_a_gpu(cohort: &Cohort) -> Box<dyn Engine> {
    Box::new(CudaEngine::new(cohort.members(), 0).unwrap())
}

/// The kernels sum in another order than the CPU's engine: what that may do is what another order of the samples does
/// to the latter. Its largest effect of a few orders, times this, bounds the difference.
const ORDERS: f64 = 4.0;

/// Single precision's unit, a few times: where the order of the samples has no effect at all.
const FLOOR: f64 = 1e-6;

#[test]
fn kernels_give_the_numbers_of_the_cpu() {
    if let Err(reason) = cuda::runs_on(0) {
        println!("skipped: {reason}");
        return;
    }
    let mut off = Vec::new();
    for settings in compared() {
        let specs = cohort(&settings);
        if let Err(reason) = cuda::covers(&specs[0]) {
            println!("{settings}: not covered: {reason}");
            continue;
        }
        let cpu = train(&specs, on_the_cpu, 0);
        let orders = (1..=3).map(|by| apart(&train(&specs, on_the_cpu, by), &cpu)).fold(0.0, largest);
        let gpu = train(&specs, on_a_gpu, 0);
        let (found, bound) = (apart(&gpu, &cpu), ORDERS * orders + FLOOR);
        println!("{settings}: off by {found:.1e}, at most {bound:.1e}");
        if found > bound || found.is_nan() {
            off.push(format!("{settings}: off by {found:.1e}, more than {bound:.1e}"));
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}

/// A test of this binary, run again in a process that finds the fake driver alone.
pub fn again(test: &str, variables: &[(&str, &str)]) -> Option<fake_cuda::Report> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    Some(fake_cuda::run_with_driver(command, fake_cuda::driver()?, variables))
}

#[test]
fn on_a_fake_gpu_kernels_give_the_numbers_of_the_cpu() {
    let Some(report) = again("cuda_kernels::kernels_give_the_numbers_of_the_cpu", &[]) else { return };
    let stdout = String::from_utf8_lossy(&report.output.stdout);
    println!("{stdout}");
    assert!(report.output.status.success() && !stdout.contains("skipped"), "{stdout}{}", report.stderr);
    assert!(report.count("kernel_launches") >= 100, "{}", report.count("kernel_launches"));
}

/// Arms that between them pass every line of the kernels, in shapes of one tile and of several.
const VARIED: &str = "
title: Everything that the kernels do
paper: none
claim: It runs.
base:
  data: { samples: 40, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 2, batch_size: 16 }
  metrics: { detail_every: 1 }
arms:
  ncl: { method: ncl }
  wide: { method: ncl-predictor, data: { p: 70 }, train: { normalize_predictor: crossed_columns } }
  two layers: { method: ncl-two-layer, train: { normalize_encoder: rows } }
  after: { method: simplified-pred, model: { batch_norm: post_activation } }
  relu: { method: ncl, model: { activation: relu, bias: none } }
  linear: { method: ncl-linear, loss: { kind: l2, normalize: false, weight_penalty: 0.1 } }
  byol: { method: byol, train: { optimizer: { kind: adam } } }
  diagonal: { method: simsiam-diag }
  contrast: { method: simclr-orig, train: { batch_size: 40 } }
  cold: { method: cl, model: { m: 66, activation: relu, bias: none }, loss: { kind: nt_xent, temperature: 0.01 } }
  masks: { method: simclr-alter-aug, views: { masking_prob: 0.3 } }
seeds: 1..2
";

const RUN: [&str; 6] = ["run", "tiny.yaml", "--engine", "fused", "--device", "cuda"];

/// A sweep of `text` on the fake driver in `folder`.
fn sweep(text: &str, folder: &Path, more: &[&str], variables: &[(&str, &str)]) -> (Workbench, Report) {
    let workbench = Workbench::new(text);
    let report = fake_cuda::run_with_driver(workbench.command(&[&RUN, more].concat()), folder, variables);
    (workbench, report)
}

#[test]
fn no_order_of_threads_and_no_cohort_changes_a_digit() {
    let Some(folder) = fake_cuda::driver() else { return };
    let (reference, report) = sweep(VARIED, folder, &[], &[]);
    assert_eq!(report.code(), Some(0), "{}", report.stderr);
    assert_eq!(reference.runs().len(), 22);
    for order in ["1", "2", "3"] {
        let (other, report) = sweep(VARIED, folder, &[], &[("FAKE_CUDA_ORDER", order)]);
        assert_eq!(report.code(), Some(0), "{}", report.stderr);
        assert_eq!(differing(&other.results(), &reference.results()), [""; 0], "order {order}");
    }
    // A run alone, and one on each of many blocks.
    for (cohort, processors) in [("1", "1"), ("2", "40")] {
        let (other, report) = sweep(VARIED, folder, &["--cohort", cohort], &[("FAKE_CUDA_PROCESSORS", processors)]);
        assert_eq!(report.code(), Some(0), "{}", report.stderr);
        assert_eq!(differing(&other.results(), &reference.results()), [""; 0], "cohorts of {cohort}");
    }
}

/// Each barrier is left out in turn: some order of the threads must then give other bytes (or nothing at all).
#[test]
fn no_barrier_can_be_spared() {
    let Some(folder) = fake_cuda::driver() else { return };
    let text = VARIED.replace("seeds: 1..2", "seeds: 1");
    let (reference, report) = sweep(&text, folder, &[], &[]);
    assert_eq!(report.code(), Some(0), "{}", report.stderr);
    let mut spared = Vec::new();
    for barrier in 0..report.count("barriers") {
        let skipped = barrier.to_string();
        let noticed = ["0", "1", "2"].iter().any(|order| {
            let variables = [("FAKE_CUDA_SKIP", skipped.as_str()), ("FAKE_CUDA_ORDER", order)];
            let (other, report) = sweep(&text, folder, &[], &variables);
            report.code() != Some(0) || !differing(&other.results(), &reference.results()).is_empty()
        });
        if !noticed {
            spared.push(barrier);
        }
    }
    assert!(spared.is_empty(), "barriers {spared:?} of {} make no difference", report.count("barriers"));
}

#[test]
fn an_interrupted_sweep_on_kernels_goes_on_to_the_same_bytes() {
    let Some(folder) = fake_cuda::driver() else { return };
    let long = VARIED.replace("epochs: 2", "epochs: 20").replace("seeds: 1..2", "seeds: 1");
    let (straight, report) = sweep(&long, folder, &["--cohort", "1"], &[]);
    assert_eq!(report.code(), Some(0), "{}", report.stderr);
    // Other arms: momentum, Adam's moments and their counts go through a checkpoint, too.
    let stopped = Workbench::new(&long);
    let arguments = [&RUN[..], &["--cohort", "1", "--checkpoint-every", "0"]].concat();
    let mut command = stopped.command(&arguments);
    command.env("LD_LIBRARY_PATH", folder).env_remove("CUDA_VISIBLE_DEVICES");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    while !stopped.unfinished().iter().any(|name| name.ends_with(".checkpoint")) {
        assert!(child.try_wait().unwrap().is_none(), "it ends without a checkpoint");
        sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-USR1", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    let rest = fake_cuda::run_with_driver(stopped.command(&[&RUN[..], &["--cohort", "1"]].concat()), folder, &[]);
    assert_eq!(rest.code(), Some(0), "{}", rest.stderr);
    assert_eq!(differing(&stopped.results(), &straight.results()), [""; 0]);
}

/// Whatever memory there is, what fits is trained, what does not has failed, and the digits are the same.
#[test]
fn any_memory_trains_what_fits_on_kernels() {
    let Some(folder) = fake_cuda::driver() else { return };
    let text = VARIED.replace("seeds: 1..2", "seeds: 1..8").replace("epochs: 2", "epochs: 1");
    let first = text.find("  wide:").zip(text.find("seeds:")).map(|(from, to)| [&text[..from], &text[to..]].concat());
    let text = first.unwrap();
    let (reference, whole) = sweep(&text, folder, &[], &[]);
    assert_eq!(whole.code(), Some(0), "{}", whole.stderr);
    let (mut halved, mut failed) = (0, 0);
    let peak = whole.count("kernel_peak");
    for share in [95, 60, 35, 20, 10, 2] {
        let memory = (peak * share / 100).to_string();
        let (workbench, report) = sweep(&text, folder, &[], &[("FAKE_CUDA_MEMORY", &memory)]);
        assert!(report.stderr.contains("trying halves of them"), "{share} %: {}", report.stderr);
        match report.code() {
            Some(0) => assert_eq!(differing(&workbench.results(), &reference.results()), [""; 0], "{share} %"),
            Some(1) => assert!(report.stderr.contains("out of memory"), "{share} %: {}", report.stderr),
            _ => panic!("{share} %: {:?}: {}", report.output.status, report.stderr),
        }
        halved += usize::from(report.code() == Some(0));
        failed += usize::from(report.code() == Some(1));
    }
    assert!(halved > 2 && failed > 0, "{halved} budgets halved, {failed} failed: the sweep should meet both");
}

/// No run is to blame for a device that broke: none is noted as failed, and all go on elsewhere.
#[test]
fn a_device_that_breaks_under_kernels_fails_no_run() {
    let Some(folder) = fake_cuda::driver() else { return };
    let (reference, whole) = sweep(VARIED, folder, &["--cohort", "1"], &[]);
    let launches = whole.count("kernel_launches");
    for (launch, code) in [(0, 76), (launches / 2, 75)] {
        let arguments = ["--cohort", "1", "--checkpoint-every", "0"];
        let after = launch.to_string();
        let (workbench, report) = sweep(VARIED, folder, &arguments, &[("FAKE_CUDA_BREAK", &after)]);
        assert_eq!(report.code(), Some(code), "{}", report.stderr);
        assert!(report.stderr.contains("does not compute any more"), "{}", report.stderr);
        assert!(report.stderr.contains("uncorrectable ECC error"), "{}", report.stderr);
        assert!(!workbench.unfinished().iter().any(|name| name.ends_with(".failed")));
        let again =
            fake_cuda::run_with_driver(workbench.command(&[&RUN[..], &["--cohort", "1"]].concat()), folder, &[]);
        assert_eq!(again.code(), Some(0), "{}", again.stderr);
        assert_eq!(differing(&workbench.results(), &reference.results()), [""; 0]);
    }
}

#[test]
fn what_kernels_do_not_train_is_refused_with_what_they_do() {
    let Some(folder) = fake_cuda::driver() else { return };
    let refused = |settings: &str, variables: &[(&str, &str)], expected: &str| {
        let text = VARIED.replace("method: ncl }", &format!("{settings} }}"));
        let (workbench, report) = sweep(&text, folder, &[], variables);
        assert_eq!(report.code(), Some(2), "{settings}: {}", report.stderr);
        assert!(report.stderr.contains(expected), "{expected}: {}", report.stderr);
        assert_eq!(report.stderr.matches("error:").count(), 1, "{}", report.stderr);
        assert!(workbench.runs().is_empty());
    };
    refused("method: ncl, dtype: float64", &[], "--engine fused cannot train these runs on cuda:0");
    refused("method: ncl, dtype: float64", &[], "on a GPU it trains dtype: float32");
    refused("method: cl, loss: siglip", &[], "on a GPU it has no kernel for loss: siglip, only for inner_product, l2");
    refused("method: ncl", &[("FAKE_CUDA_DRIVER", "12020")], "driver is for CUDA 12.2, and our kernels need 12.4");
    refused("method: ncl", &[("FAKE_CUDA_CAPABILITY", "75")], "compute capability 7.5, and our kernels need 8.0");
    refused("method: ncl", &[("FAKE_CUDA_DEVICES", "0")], "there are 0 CUDA devices");
}

/// Where libtorch is, `--engine auto` gives it what the kernels do not train, and the kernels the rest.
#[cfg(feature = "torch")]
#[test]
fn auto_gives_each_run_to_the_engine_that_trains_it() {
    let text = VARIED.replace("method: ncl }", "method: ncl, dtype: float64 }").replace("seeds: 1..2", "seeds: 1");
    let workbench = Workbench::new(&text);
    let command = workbench.command(&["run", "tiny.yaml", "--device", "cuda"]);
    let Some(report) = fake_cuda::run(command, &[]) else { return };
    assert_eq!(report.code(), Some(0), "{}", report.stderr);
    let engines: Vec<String> = workbench
        .runs()
        .iter()
        .map(|run| fs::read_to_string(run.join("summary.json")).unwrap())
        .map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap()["engine"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(engines.iter().filter(|engine| *engine == "autograd").count(), 1, "{engines:?}");
    assert_eq!(engines.iter().filter(|engine| *engine == "fused").count(), 10, "{engines:?}");
}

/// A block trains a run more slowly than a core does: one takes many runs, on many multiprocessors, to a GPU.
#[test]
fn auto_takes_many_runs_to_the_kernels() {
    let Some(folder) = fake_cuda::driver() else { return };
    let auto = |runs: usize, more: &[&str]| {
        let text = VARIED.replace("seeds: 1..2", &format!("seeds: 1..{runs}"));
        let first =
            text.find("  wide:").zip(text.find("seeds:")).map(|(from, to)| [&text[..from], &text[to..]].concat());
        let workbench = Workbench::new(&first.unwrap());
        let command = workbench.command(&[&["run", "tiny.yaml", "--engine", "fused", "--jobs", "2"], more].concat());
        let variables = [("FAKE_CUDA_PROCESSORS", "40"), ("RUST_LOG", "info")];
        (fake_cuda::run_with_driver(command, folder, &variables), workbench)
    };
    let said = |report: &Report, line: &str| assert!(report.stderr.contains(line), "{line}: {}", report.stderr);
    let (few, _) = auto(2, &[]);
    said(&few, "training on 2 cores of the CPU: an estimated");
    said(&few, " on cuda:0 (fused: 1 waves of 40 blocks); never measured on a GPU, and --device cuda takes it");
    assert_eq!((few.code(), few.counts.len()), (Some(0), 0));
    let (many, workbench) = auto(200, &[]);
    said(&many, "training on cuda:0: an estimated");
    said(&many, "(fused: 5 waves of 40 blocks), against");
    assert_eq!((many.code(), workbench.runs().len()), (Some(0), 200));
    assert!(many.count("kernel_launches") > 0);
    // What the kernels do not train, though the CPU's do, stays there.
    let (other, _) = auto(200, &["--set", "data.fresh=true"]);
    said(&other, "training on the CPU: ");
    said(&other, "on a GPU it does not have data.fresh");
    assert_eq!((other.code(), other.counts.len()), (Some(0), 0));
}

/// What a change of a source without `make ptx` leaves behind.
#[test]
fn the_ptx_is_of_these_sources() {
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fused/cuda/kernels");
    let mut sources: Vec<_> = fs::read_dir(&kernels).unwrap().map(|entry| entry.unwrap().path()).collect();
    sources.retain(|path| path.extension().is_some_and(|kind| kind == "cu" || kind == "cuh"));
    sources.sort();
    let mut hash = Sha256::new();
    for path in sources {
        let text = fs::read(&path).unwrap();
        hash.update(format!("{} {}\n", path.file_name().unwrap().to_str().unwrap(), text.len()));
        hash.update(text);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let ptx = fs::read_to_string(kernels.join("train.ptx")).unwrap();
    assert!(ptx.lines().next().unwrap().ends_with(&digest), "run `make ptx`: the sources are {digest}");
    assert!(ptx.contains(".target sm_80") && ptx.contains(".version 8.4"));
}

/// The committed PTX is NVRTC's, and ptxas spills no register.
#[test]
fn the_ptx_compiles_again() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv-cuda/bin/python");
    if !python.exists() {
        println!("skipped: NVRTC and ptxas are not installed (`make ptx` does that)");
        return;
    }
    let output = Command::new(python).args(["scripts/cuda/compile.py", "--check"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

/// The kernels under the compiler's sanitizers, their threads the system's. `make test-sanitizers` asks for it.
#[test]
fn sanitizers_find_nothing() {
    if env::var_os("LANDSCAPE_SANITIZE").is_none() {
        println!("skipped: it takes a minute (`make test-sanitizers`)");
        return;
    }
    let library = |name: &str| {
        let output = Command::new("c++").arg(format!("-print-file-name={name}")).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    };
    let text = VARIED.replace("seeds: 1..2", "seeds: 1").replace("epochs: 2", "epochs: 1");
    for (name, flags, libraries, variables) in [
        (
            "address",
            "-fsanitize=address,undefined",
            &["libasan.so", "libubsan.so"][..],
            ("ASAN_OPTIONS", "detect_leaks=0"),
        ),
        ("thread", "-fsanitize=thread", &["libtsan.so"][..], ("TSAN_OPTIONS", "ignore_noninstrumented_modules=1")),
    ] {
        let flags = [flags, "-fno-sanitize-recover=all", "-g", "-DFAKE_CUDA_SYSTEM_THREADS"];
        let folder = fake_cuda::build_driver(name, &flags).unwrap();
        let preload = libraries.iter().map(|name| library(name)).collect::<Vec<_>>().join(":");
        let sanitized = |more: &[(&str, &str)]| {
            let variables = [&[("LD_PRELOAD", preload.as_str()), variables][..], more].concat();
            let (_, report) = sweep(&text, &folder, &[], &variables);
            (report.code() == Some(0) && !report.stderr.contains("Sanitizer"), report.stderr)
        };
        let (clean, said) = sanitized(&[]);
        assert!(clean, "{name}: {said}");
        if name == "thread" {
            assert!(!sanitized(&[("FAKE_CUDA_SKIP", "0")]).0, "a missing barrier must be noticed");
        }
    }
}
