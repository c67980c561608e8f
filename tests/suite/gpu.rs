//! The same runs on a CUDA device and on the CPU. Without a device, the test says why it is skipped.

use std::sync::Arc;

use contrastive_landscape::{
    Device,
    autograd::AutogradEngine,
    engine::Engine,
    runner::cuda_status,
    spec::{RunSpec, layout::StateDict, methods, resolve},
    train::Cohort,
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

/// Losses of every step and final parameters of each run.
fn trained(specs: &[Arc<RunSpec>], device: Device) -> (Vec<Vec<f64>>, Vec<StateDict>) {
    let mut cohort = Cohort::draw(specs).unwrap();
    let mut engine = AutogradEngine::new(cohort.members(), device).unwrap();
    let batches = specs[0].batches().len();
    let mut losses = Vec::new();
    for epoch in 0..specs[0].train.epochs {
        cohort.begin_epoch(epoch);
        losses.extend(engine.steps(&mut (0..batches).map(|k| cohort.batch(k))).unwrap());
    }
    (losses, engine.state().unwrap())
}

#[test]
fn a_gpu_gives_the_numbers_of_the_cpu() {
    if let Err(reason) = cuda_status() {
        println!("skipped: {reason}");
        return;
    }
    // Sums are taken in other orders, so the last digits differ and the steps carry that on.
    for (dtype, bound) in [("float64", 1e-10), ("float32", 1e-4)] {
        for method in methods() {
            let specs = cohort(&method.name, dtype);
            let (gpu, cpu) = (trained(&specs, Device::Cuda(0)), trained(&specs, Device::Cpu));
            for (ours, loss) in gpu.0.iter().flatten().zip(cpu.0.iter().flatten()) {
                assert!(
                    (ours - loss).abs() <= bound * loss.abs().max(1.0),
                    "{} {dtype}: {ours} for {loss}",
                    method.name
                );
            }
            for (ours, state) in gpu.1.iter().zip(&cpu.1) {
                for (name, value) in state {
                    let off = (&ours[name] - value).iter().fold(0.0, |off: f64, v| off.max(v.abs()));
                    let scale = value.iter().fold(1e-2, |scale: f64, v| scale.max(v.abs()));
                    assert!(off <= bound * scale, "{} {dtype}: {name} is off by {off:e}", method.name);
                }
            }
        }
    }
}
