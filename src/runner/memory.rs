//! How much memory runs take on this machine, and how much there is: a run that is too large must not end the process,
//! and all other runs with it.

use std::{
    fs,
    path::Path,
    sync::{Condvar, Mutex},
};

use anyhow::Result;
use nix::libc;

use super::engine::EngineKind;
use crate::spec::{Dtype, Predictor, Projector, RunSpec, layout::Layout};

/// Runs that take this share of the memory or more are watched: see [`Memory::is_large`].
const LARGE: f64 = 0.125;

/// Memory, shared by the workers of a sweep: each takes what its cohort needs, waiting until that much is free.
pub struct Memory {
    budget: f64,
    used: Mutex<f64>,
    freed: Condvar,
}

/// Memory that is held until this value is dropped.
pub struct Taken<'a> {
    memory: &'a Memory,
    bytes: f64,
}

impl Memory {
    /// Everything that this process may take now.
    pub fn here() -> Self {
        Self::of(available())
    }

    fn of(budget: f64) -> Self {
        Self { budget, used: Mutex::new(0.0), freed: Condvar::new() }
    }

    /// Bytes that all runs may take together.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// Whether a run of this size may be what ended a process that began it: the estimate is only an estimate, and
    /// others take memory too.
    pub fn is_large(&self, bytes: f64) -> bool {
        bytes >= LARGE * self.budget
    }

    /// Takes memory once that much is free; all of it if more is asked for.
    pub fn take(&self, bytes: f64) -> Taken<'_> {
        let bytes = bytes.min(self.budget);
        let mut used = super::lock(&self.used);
        while *used > 0.0 && *used + bytes > self.budget {
            used = self.freed.wait(used).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *used += bytes;
        Taken { memory: self, bytes }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *super::lock(&self.memory.used) -= self.bytes;
        self.memory.freed.notify_all();
    }
}

/// Estimated memory of a run on the CPU at its peak, in bytes.
///
/// The size of samples, parameters, a batch and the loss's table of similarities, fitted to the peaks of 40 runs of
/// both engines, each with one of them large: off by less than half.
pub fn bytes(spec: &RunSpec, engine: EngineKind) -> f64 {
    let (n, p, d, m) = (spec.data.samples as f64, spec.data.p as f64, spec.data.d as f64, spec.model.m as f64);
    let pairs = spec.train.batch_size * spec.views.pairs;
    let b = pairs as f64;
    let parameters: f64 =
        Layout::of(&spec.model, spec.data.p).iter().map(|p| p.shape.iter().product::<usize>() as f64).sum();
    // Measuring collapse takes the covariance of all neurons, in double precision, while the gradients' memory is free.
    let parameters = if spec.metrics.detail_every > 0 { parameters.max(1.4 * m * m) } else { parameters };
    let heads = f64::from(
        u8::from(spec.model.predictor != Predictor::None) + u8::from(spec.model.projector != Projector::None),
    );
    let layers = spec.model.layers as f64 + heads;
    let of_loss = spec.loss.work(pairs, spec.model.m);
    // Data are drawn in double precision, and scalar products of a fused loss stored once for both. A row takes some 300
    // bytes; batches are listed.
    let rows = 300.0 * spec.train.epochs as f64 / spec.metrics.every as f64;
    // New samples are drawn while the old ones are in use; noise of the views is drawn and added in double precision.
    let fresh = if spec.data.fresh { 24.0 * n * (p + d) } else { 0.0 };
    let noisy = spec.data.noise_per_view || spec.views.noise > 0.0;
    let noise = if noisy { 40.0 * b * p } else { 0.0 };
    let shared = fresh + noise + 8.0 * n * d + 8.0 * p * d + rows + 48.0 * spec.batch_count() as f64;
    match engine {
        EngineKind::Fused => {
            let batch = b * (2.0 * p + 4.0 * layers * m) + of_loss.similarities as f64;
            shared + 21.0 * n * p + 30.0 * parameters + 4.0 * batch
        }
        EngineKind::Autograd => {
            let size = match spec.dtype {
                Dtype::Float32 => 4.0,
                Dtype::Float64 => 8.0,
            };
            let batch = b * (4.0 * p + 10.0 * layers * m) + 0.5 * of_loss.kept as f64;
            shared + (28.0 + size) * n * p + (20.0 + 4.0 * size) * parameters + size * batch
        }
    }
}

/// Bytes that this process can still take: what is free on the machine, within its control groups and its own limit.
fn available() -> f64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    let free = kilobytes.map_or(f64::INFINITY, |kilobytes| 1024.0 * kilobytes);
    free.min(free_in_groups()).min(free_address_space())
}

/// Fails unless this process can take so many bytes.
///
/// # Errors
/// `what` takes more than there is; both numbers are named.
pub fn ensure(what: &str, bytes: f64) -> Result<()> {
    let free = available();
    let (needed, available) = (human_bytes(bytes), human_bytes(free));
    anyhow::ensure!(bytes <= free, "{what} needs an estimated {needed} of memory, and {available} are free");
    Ok(())
}

/// Lets the allocator keep what is freed, for this process: a step of autograd with NT-Xent allocates and frees blocks of
/// megabytes again and again, and glibc returns each to the system and has its pages zeroed again, a third of such a
/// step's time. What a run needs at its peak stays the same.
pub fn keep_freed_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // The largest threshold that glibc accepts on 64 bits.
        const LARGEST: libc::c_int = 32 << 20;
        // SAFETY: sets two parameters of the allocator, which may be done at any time.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}

/// The control groups (version 2) that hold this process, from the innermost out.
fn free_in_groups() -> f64 {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let folder = Path::new("/sys/fs/cgroup").join(group.trim_start_matches('/'));
    let number = |path: &Path| fs::read_to_string(path).ok()?.trim().parse::<f64>().ok();
    let free = |folder: &Path| {
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<f64>().ok());
        let limit = number(&folder.join("memory.max"))?; // `max` is no number
        Some(limit - number(&folder.join("memory.current"))? + cached.unwrap_or(0.0))
    };
    folder.ancestors().filter_map(free).fold(f64::INFINITY, f64::min).max(0.0)
}

/// Of `ulimit -v`.
fn free_address_space() -> f64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: writes the limit to a local.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    if asked != 0 || limit.rlim_cur == libc::RLIM_INFINITY {
        return f64::INFINITY;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    (limit.rlim_cur as f64 - 1024.0 * kilobytes.unwrap_or(0.0)).max(0.0)
}

/// `1.5 GB`
pub fn human_bytes(bytes: f64) -> String {
    match bytes {
        0.0..1e9 => format!("{:.0} MB", (bytes / 1e6).ceil()),
        1e9..1e13 => format!("{:.1} GB", bytes / 1e9),
        _ => format!("{:.0} TB", bytes / 1e12),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::spec::resolve;

    /// Peaks in megabytes above that of a run of the paper's size, one epoch each.
    #[test]
    fn estimates_are_near_what_was_measured() {
        let large_batch = "data: {samples: 20000}, train: {batch_size: 20000}";
        let measured = [
            (416.0, EngineKind::Fused, "{method: ncl, data: {samples: 400000}, train: {batch_size: 4096}}".to_string()),
            (640.0, EngineKind::Autograd, "{method: ncl, data: {samples: 400000}, train: {batch_size: 4096}}".into()),
            (44.0, EngineKind::Fused, format!("{{method: ncl, {large_batch}}}")),
            (86.0, EngineKind::Autograd, format!("{{method: ncl, {large_batch}}}")),
            (86.0, EngineKind::Fused, format!("{{method: simsiam, {large_batch}}}")),
            (160.0, EngineKind::Autograd, format!("{{method: simsiam, {large_batch}}}")),
            (79.0, EngineKind::Fused, "{method: cl, data: {samples: 3000}, train: {batch_size: 3000}}".into()),
            (435.0, EngineKind::Autograd, "{method: cl, data: {samples: 3000}, train: {batch_size: 3000}}".into()),
            (154.0, EngineKind::Fused, "{method: simsiam, model: {m: 1500}, data: {samples: 512}}".into()),
            (181.0, EngineKind::Autograd, "{method: simsiam, model: {m: 1500}, data: {samples: 512}}".into()),
            (166.0, EngineKind::Fused, "{method: ncl, model: {m: 1500}, data: {p: 1500, samples: 512}}".into()),
            (235.0, EngineKind::Autograd, "{method: ncl, model: {m: 1500}, data: {p: 1500, samples: 512}}".into()),
        ];
        for (megabytes, engine, settings) in measured {
            let spec = resolve(&[&serde_yaml::from_str(&settings).unwrap()]).unwrap();
            let ratio = bytes(&spec, engine) / 1e6 / megabytes;
            assert!((0.67..1.5).contains(&ratio), "{settings}, {engine:?}: {ratio:.2} times what was measured");
        }
    }

    #[test]
    fn there_is_memory_here() {
        assert!(available() > 1e7 && available() < 1e16);
        assert_eq!((human_bytes(2.5e6), human_bytes(1.25e10)), ("3 MB".into(), "12.5 GB".into()));
    }

    #[test]
    fn what_is_absurd_has_absurd_estimates() {
        let needed = |settings: &str| {
            let spec = resolve(&[&serde_yaml::from_str(settings).unwrap()]).unwrap();
            bytes(&spec, EngineKind::Fused)
        };
        assert!(needed("{views: {pairs: 1000000}}") > 1e11);
        assert!(needed("{data: {samples: 1000000, fresh: true}}") > 2.0 * needed("{data: {samples: 1000000}}"));
        assert!(needed("{data: {samples: 1000000000}}") > 1e11);
        assert!(
            needed("{model: {m: 200000}}") > 1e12 && needed("{model: {m: 200000}, metrics: {detail_every: 0}}") < 1e10
        );
        assert!(needed("{train: {epochs: 1000000000}}") > 1e11, "each epoch has a row");
        assert!(
            needed("{data: {samples: 40, p: 100000, d: 1}, train: {batch_size: 10}}") < 1e9,
            "long samples are no squares"
        );
        ensure("nothing", 0.0).unwrap();
        assert!(
            ensure("all", 1e18)
                .unwrap_err()
                .to_string()
                .starts_with("all needs an estimated 1000000 TB of memory, and ")
        );
    }

    #[test]
    fn who_finds_too_little_waits() {
        let memory = Memory::of(10.0);
        let first = memory.take(6.0);
        let second = memory.take(4.0);
        std::thread::scope(|scope| {
            let third = scope.spawn(|| drop(memory.take(100.0)));
            std::thread::sleep(Duration::from_millis(20));
            drop(first);
            std::thread::sleep(Duration::from_millis(20));
            assert!(!third.is_finished(), "it takes all, and so it runs alone");
            drop(second);
            third.join().unwrap();
        });
    }
}
