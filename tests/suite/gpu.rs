//! The same runs by libtorch on a CUDA device and on the CPU, and what becomes of a device that fails.
//!
//! The first test needs a device and says so where there is none; the others bring a fake one.

use std::{
    env, fs,
    process::{Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::Duration,
};

use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::{Batch, Engine, MaskBits, Member},
    runner::cuda_status,
    spec::{RunSpec, layout::StateDict, methods, resolve},
    train::Cohort,
};
use ndarray::{ArrayD, Axis};

use crate::{
    cuda_kernels::{Trained, apart, largest, permute},
    fake_cuda::{self, Report},
    workbench::{Workbench, differing},
};

/// Three runs that differ in seed, learning rate and masking probability.
fn cohort(method: &str, dtype: &str) -> Vec<Arc<RunSpec>> {
    let square = if method == "ncl-fixed-bias" { "p: 12, d: 12" } else { "p: 70, d: 9" };
    let run = |seed: usize| {
        let text = format!(
            "{{method: {method}, seed: {seed}, dtype: {dtype}, data: {{samples: 100, {square}}}, model: {{m: 12}}, \
             views: {{masking_prob: 0.{}}}, train: {{batch_size: 40, epochs: 5, lr: 0.0{seed}}}}}",
            [25, 5, 5][seed - 1]
        );
        Arc::new(resolve(&[&serde_yaml::from_str(&text).unwrap()]).unwrap_or_else(|fault| panic!("{text}: {fault:?}")))
    };
    (1..=3).map(run).collect()
}

/// In which order the CPU takes what has none: a loss is a mean over pairs, and a network knows neither its neurons' numbers
/// nor those of a sample's entries.
#[derive(Clone, Copy)]
enum Order {
    AsDrawn,
    /// The pairs of each batch in another order, of several.
    Pairs(usize),
    /// Neurons and entries the other way round.
    Reversed,
}

impl Order {
    fn of_member(self, member: &Member) -> Member {
        let mut member = member.clone();
        if let Self::Reversed = self {
            let mut x = (*member.x).clone();
            x.invert_axis(Axis(1));
            (member.x, member.state) = (Arc::new(x.as_standard_layout().into_owned()), reversed(&member.state));
        }
        member
    }

    fn of_batch(self, mut batch: Batch, p: usize) -> Batch {
        match self {
            Self::AsDrawn => {}
            Self::Pairs(by) => return permute(batch, by),
            Self::Reversed => {
                for run in &mut batch.runs {
                    let words = run.masks.words();
                    let bit = |words: &[u64], j: usize| words[j / 64] >> (j % 64) & 1;
                    let reversed = |pair: &[u64]| {
                        let mut turned = vec![0; pair.len()];
                        (0..p).for_each(|j| turned[j / 64] |= bit(pair, p - 1 - j) << (j % 64));
                        turned
                    };
                    let of_view = |words: &Vec<u64>| words.chunks(p.div_ceil(64)).flat_map(reversed).collect();
                    run.masks = MaskBits::Drawn([of_view(&words[0]), of_view(&words[1])]);
                }
            }
        }
        batch
    }
}

/// Parameters with all that is numbered the other way round.
fn reversed(state: &StateDict) -> StateDict {
    let turn = |(name, value): (&String, &ArrayD<f64>)| {
        let mut value = value.clone();
        (0..value.ndim()).for_each(|axis| value.invert_axis(Axis(axis)));
        (name.clone(), value.as_standard_layout().into_owned())
    };
    state.iter().map(turn).collect()
}

fn trained(specs: &[Arc<RunSpec>], device: Device, order: Order) -> Trained {
    let mut cohort = Cohort::draw(specs).unwrap();
    let members: Vec<Member> = cohort.members().iter().map(|member| order.of_member(member)).collect();
    let mut engine = AutogradEngine::new(&members, device).unwrap();
    let (batches, p) = (specs[0].batches().len(), specs[0].data.p);
    let mut losses = Vec::new();
    for epoch in 0..specs[0].train.epochs {
        cohort.begin_epoch(epoch);
        losses.extend(engine.steps(&mut (0..batches).map(|k| order.of_batch(cohort.batch(k), p))).unwrap());
    }
    let states = engine.state().unwrap();
    let states = if let Order::Reversed = order { states.iter().map(reversed).collect() } else { states };
    Trained { losses, states }
}

/// A GPU takes its sums in an order of its own and rounds the last digit of a product or an exponential as it pleases. What
/// orders do to such digits is measured on the CPU, for every method, and bounds the difference: four times the largest of four
/// orders, since another order is another draw from the same spread.
const ORDERS: f64 = 4.0;

/// Both precisions, a few of their units for where no order has an effect, and what no method's bound may exceed. Measured on
/// a CPU with AVX-512: after 15 steps, orders have moved a method's losses and parameters (relative to the largest of their
/// tensor) by 2e-16 to 4e-15 in double and 1e-7 to 3e-6 in single precision, those of `simplified-simclr` by 2.4e-14 and 1.6e-5.
const PRECISIONS: [(&str, f64, f64); 2] = [("float64", 1e-14, 1e-12), ("float32", 1e-6, 1e-4)];

#[test]
fn a_gpu_gives_the_numbers_of_the_cpu() {
    if let Err(reason) = cuda_status() {
        println!("skipped: {reason}");
        return;
    }
    let (mut off, mut worst) = (Vec::new(), [0.0; 2]);
    for (k, (dtype, floor, most)) in PRECISIONS.into_iter().enumerate() {
        for method in methods() {
            let specs = cohort(&method.name, dtype);
            let cpu = trained(&specs, Device::Cpu, Order::AsDrawn);
            let orders = [Order::Pairs(1), Order::Pairs(2), Order::Pairs(3), Order::Reversed];
            let spread =
                orders.map(|order| apart(&trained(&specs, Device::Cpu, order), &cpu)).into_iter().fold(0.0, largest);
            let found = apart(&trained(&specs, Device::Cuda(0), Order::AsDrawn), &cpu);
            let bound = ORDERS * spread + floor;
            let line = format!("{} {dtype}: off by {found:.1e}, at most {bound:.1e}", method.name);
            println!("{line} ({spread:.1e} by orders)");
            worst[k] = largest(worst[k], spread);
            if found > bound || found.is_nan() || bound > most {
                off.push(line);
            }
        }
    }
    println!("orders move the CPU's numbers by {:.1e} and {:.1e} at most", worst[0], worst[1]);
    assert!(off.is_empty(), "{off:#?}");
}

#[test]
fn a_fake_gpu_gives_the_numbers_of_the_cpu() {
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", "gpu::a_gpu_gives_the_numbers_of_the_cpu", "--nocapture"]);
    let Some(report) = fake_cuda::run(again, &[]) else { return };
    let stdout = String::from_utf8_lossy(&report.output.stdout);
    assert!(report.output.status.success() && !stdout.contains("skipped"), "{stdout}{}", report.stderr);
    assert!(report.count("launches") > 10_000, "{}", report.count("launches"));
}

/// Launches, blocking and queued copies of a step, and blocking copies of an epoch besides, of three runs with these
/// settings and masking probabilities.
fn costs(settings: &str, probabilities: &[f64]) -> Option<[usize; 4]> {
    let counted = |epochs: usize, batch: usize| {
        let arm = |alpha: &f64| {
            let train = format!("train: {{ epochs: {epochs}, batch_size: {batch} }}");
            format!("  a{alpha}: {{ {settings}, views: {{ masking_prob: {alpha} }}, {train} }}\n")
        };
        let arms: String = probabilities.iter().map(arm).collect();
        let metrics = "  metrics: { detail_every: 0 }\n";
        let head = "title: t\npaper: none\nclaim: c\nseeds: 1..3\nbase:\n  data: { samples: 64, p: 12, d: 5 }\n  model: { m: 9 }\n";
        let workbench = Workbench::new(&format!("{head}{metrics}arms:\n{arms}"));
        let report = run(&workbench, &[], &[])?;
        assert_eq!(report.code(), Some(0), "{}", report.stderr);
        Some(["launches", "blocking_copies", "queued_copies"].map(|what| report.count(what)))
    };
    // Two steps an epoch, then more epochs, then four steps an epoch.
    let (base, longer, finer) = (counted(2, 32)?, counted(4, 32)?, counted(2, 16)?);
    let step = [0, 1, 2].map(|what| (finer[what] - base[what]) / 4);
    Some([step[0], step[1], step[2], (longer[1] - base[1] - 4 * step[1]) / 2])
}

/// What a GPU's time hangs on: kernels that the host starts, and waits for the device.
#[test]
fn launches_and_copies_of_a_step_stay_within_their_budgets() {
    let many = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
    let budgets = [
        ("method: ncl", &[0.5][..], 85),
        ("method: ncl", &[0.75][..], 98),
        ("method: ncl", &[0.3][..], 488),
        ("method: ncl", &many[..], 581),
        ("method: ncl-predictor", &[0.5][..], 102),
        ("method: ncl-two-layer", &[0.5][..], 137),
        ("method: cl", &[0.5][..], 120),
        ("method: simplified-simclr", &[0.5][..], 122),
        ("method: simplified-simsiam", &[0.5][..], 122),
    ];
    let mut over = Vec::new();
    for (settings, probabilities, budget) in budgets {
        let Some([launches, blocking, queued, of_epoch]) = costs(settings, probabilities) else { return };
        let line = format!(
            "{settings}, {probabilities:?}: {launches} launches, {blocking} blocking and {queued} queued copies a step, \
             {of_epoch} blocking copies an epoch"
        );
        println!("{line}");
        if launches > budget || blocking > 0 || queued > 1 || of_epoch > 5 {
            over.push(line);
        }
    }
    assert!(over.is_empty(), "over the budgets {budgets:?}: {over:#?}");
}

const TINY: &str = "
title: A tiny experiment
paper: none
claim: It runs.
base:
  data: { samples: 64, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 6, batch_size: 32 }
arms:
  NCL: { method: ncl-predictor }
seeds: 1..32
";

/// `landscape run tiny.yaml` by libtorch on a fake device.
fn run(workbench: &Workbench, more: &[&str], variables: &[(&str, &str)]) -> Option<Report> {
    let command = ["run", "tiny.yaml", "--device", "cuda", "--engine", "autograd"];
    fake_cuda::run(workbench.command(&[&command, more].concat()), variables)
}

/// Whatever memory there is, what fits is trained, what does not has failed, and the process ends by itself.
#[test]
fn any_memory_trains_what_fits_in_it() {
    let (mut halved, mut failed) = (0, 0);
    for kilobytes in (20..200).step_by(45).chain((200..2000).step_by(150)) {
        let workbench = Workbench::new(&TINY.replace("epochs: 6", "epochs: 2"));
        let memory = (1000 * kilobytes).to_string();
        let Some(report) = run(&workbench, &[], &[("FAKE_CUDA_MEMORY", &memory)]) else { return };
        let split = report.stderr.contains("trying halves of them");
        match report.code() {
            Some(0) => assert_eq!(workbench.runs().len(), 32, "{kilobytes} kB: {}", report.stderr),
            Some(1) => assert!(split && report.stderr.contains("out of memory"), "{kilobytes} kB: {}", report.stderr),
            _ => panic!("{kilobytes} kB: {:?}: {}", report.output.status, report.stderr),
        }
        halved += usize::from(split && report.code() == Some(0));
        failed += usize::from(report.code() == Some(1));
        workbench.landscape(&["results", "verify"]).success();
    }
    println!("{halved} budgets halved, {failed} failed");
    assert!(halved > 5 && failed > 0, "{halved} budgets halved, {failed} failed: the sweep should meet both");
}

#[test]
fn an_interrupted_sweep_goes_on_to_the_same_bytes() {
    let long = TINY.replace("epochs: 6", "epochs: 300").replace("1..32", "1..6");
    let [straight, stopped] = [&long, &long].map(|text| Workbench::new(text));
    let Some(whole) = run(&straight, &[], &[]) else { return };
    assert_eq!(whole.code(), Some(0), "{}", whole.stderr);
    let arguments = ["run", "tiny.yaml", "--device", "cuda", "--engine", "autograd", "--checkpoint-every", "0.01"];
    let mut command = stopped.command(&arguments);
    fake_cuda::equip(&mut command).unwrap();
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    while !stopped.unfinished().iter().any(|name| name.ends_with(".checkpoint")) {
        assert!(child.try_wait().unwrap().is_none(), "it ends without a checkpoint");
        sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-USR1", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains("interrupted: 6 runs saved"), "{stderr}");
    assert_eq!(run(&stopped, &[], &[]).unwrap().code(), Some(0));
    assert_eq!(differing(&stopped.results(), &straight.results()), [""; 0]);
}

/// No run is to blame for a device that broke: none is noted as failed, and all go on elsewhere.
#[test]
fn a_broken_device_fails_no_run() {
    let reference = Workbench::new(TINY);
    let Some(whole) = run(&reference, &["--cohort", "8"], &[]) else { return };
    assert_eq!(whole.code(), Some(0), "{}", whole.stderr);
    let launches = whole.count("launches");
    // In the first step, within the first cohort, after some cohorts, and near the end.
    for share in [0.0, 0.1, 0.6, 0.95] {
        let workbench = Workbench::new(TINY);
        let after = ((launches as f64 * share) as usize).to_string();
        let arguments = ["--cohort", "8", "--checkpoint-every", "0"];
        let report = run(&workbench, &arguments, &[("FAKE_CUDA_BREAK", &after)]).unwrap();
        let progressed =
            !workbench.runs().is_empty() || workbench.unfinished().iter().any(|name| name.ends_with("checkpoint"));
        assert_eq!(report.code(), Some(if progressed { 75 } else { 76 }), "{share}: {}", report.stderr);
        let node = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
        let said = format!("error: cuda:0 of {node} does not compute any more (CUDA error: uncorrectable ECC error");
        let left = format!("{} runs are left", 32 - workbench.runs().len());
        assert!(report.stderr.contains(&said), "{share}: {said}: {}", report.stderr);
        assert!(report.stderr.contains(&left), "{share}: {left}: {}", report.stderr);
        assert!(!report.stderr.contains("trying halves"), "{}", report.stderr);
        assert!(!workbench.unfinished().iter().any(|name| name.ends_with(".failed")), "{share}");
        assert_eq!(run(&workbench, &["--cohort", "8"], &[]).unwrap().code(), Some(0));
        assert_eq!(differing(&workbench.results(), &reference.results()), [""; 0], "{share}");
    }
}

#[test]
fn the_environment_does_not_lower_the_precision() {
    let workbench = Workbench::new(&TINY.replace("1..32", "1"));
    let variables = [("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1"), ("NVIDIA_TF32_OVERRIDE", "1"), ("RUST_LOG", "info")];
    let Some(report) = run(&workbench, &[], &variables) else { return };
    assert_eq!(report.code(), Some(0), "{}", report.stderr);
    assert_eq!(report.count("tf32"), 0);
    let summary = fs::read_to_string(workbench.runs()[0].join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let gpu = serde_json::json!({
        "name": "Fake GPU", "capability": "9.0", "memory": 80u64 << 30, "driver": summary["gpu"]["driver"], "tf32": false
    });
    assert_eq!(summary["gpu"], gpu, "a record says on what it was computed: {summary:#}");
    assert!(report.stderr.contains("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE is passed over"), "{}", report.stderr);
}

#[test]
fn a_driver_that_is_too_old_says_what_to_install() {
    let workbench = Workbench::new(&TINY.replace("1..32", "1"));
    if !option_env!("LANDSCAPE_LIBTORCH_CUDA").is_some_and(|version| version.starts_with("13.")) {
        eprintln!("skipped: this libtorch is not built with CUDA 13");
        return;
    }
    let Some(report) = run(&workbench, &[], &[("FAKE_CUDA_DRIVER", "12040")]) else { return };
    assert_eq!(report.code(), Some(2), "{}", report.stderr);
    for part in ["is for CUDA 12.4, older than the CUDA 13", "TORCH_CUDA=cu126"] {
        assert!(report.stderr.contains(part), "{part}: {}", report.stderr);
    }
    let report = run(&workbench, &[], &[("FAKE_CUDA_CAPABILITY", "70")]).unwrap();
    assert!(
        report.code() == Some(2) && report.stderr.contains("Fake GPU has compute capability 7.0"),
        "{}",
        report.stderr
    );
    // A GPU that is not used, though one may expect it, is worth a word.
    let auto = |variables: &[(&str, &str)]| {
        fake_cuda::run(workbench.command(&["run", "tiny.yaml", "--engine", "autograd"]), variables).unwrap()
    };
    assert!(auto(&[("FAKE_CUDA_DRIVER", "12040")]).stderr.contains("training on the CPU: the NVIDIA driver"));
    assert!(!auto(&[("FAKE_CUDA_DEVICES", "0")]).stderr.contains("training on the CPU"));
    let doctor = fake_cuda::run(workbench.command(&["doctor"]), &[("FAKE_CUDA_DEVICES", "2")]).unwrap();
    let said = String::from_utf8_lossy(&doctor.output.stdout);
    assert!(said.contains("CUDA        2 devices"), "{said}");
    assert!(said.contains("cuda:1      Fake GPU, compute capability 9.0, 85.9 GB, driver CUDA 13.0"), "{said}");
}

#[test]
fn auto_takes_the_faster_device_and_says_so() {
    let workbench = Workbench::new(&TINY.replace("epochs: 6", "epochs: 1"));
    let auto = |more: &[&str]| {
        let command = workbench.command(&[&["run", "tiny.yaml", "--jobs", "1", "--force"], more].concat());
        fake_cuda::run(command, &[("RUST_LOG", "info")])
    };
    let Some(few) = auto(&[]) else { return };
    assert!(few.stderr.contains("training on 1 cores of the CPU: an estimated"), "{}", few.stderr);
    // By libtorch or by the kernels, if a device was opened at all.
    assert!(few.counts.iter().all(|(what, &count)| !what.ends_with("launches") || count == 0), "{:?}", few.counts);
    let many = auto(&["--seeds", "1..300", "--dtype", "float64"]).unwrap();
    assert!(many.stderr.contains("training on cuda:0: an estimated"), "{}", many.stderr);
    assert!(many.stderr.contains("(autograd: 1 cohorts), against"), "{}", many.stderr);
    assert!(many.count("launches") > 0);
}
