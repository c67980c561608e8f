use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

#[cfg(feature = "torch")]
use anyhow::bail;
use anyhow::{Context, Result, ensure};

use crate::{
    device, fused, input_error,
    output::say,
    record::{self, FileSystem, Met, Reach},
    runner::{self, Shard, ShardChoice},
};

/// Print versions, libtorch, devices, threads and fonts, and what to do about anything missing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape doctor
  landscape doctor --results /scratch/me/results
  srun --nodes=2 --ntasks-per-node=1 landscape doctor --results /scratch/me/results --shard slurm")]
pub struct Args {
    /// Try whether this folder's file system keeps locks and replaces files whole
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    /// Try it with the processes of other nodes, as the I-th of N that are started together. `slurm` for those of srun
    #[arg(long, value_name = "I/N", requires = "results")]
    shard: Option<ShardChoice>,
}

/// How long processes of one node wait for each other, and of several, where a new file may be seen late.
const PATIENCE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(180)];

impl Args {
    pub fn execute(self) -> Result<()> {
        if let (Some(folder), Some(choice)) = (&self.results, self.shard) {
            return with_other_nodes(folder, choice.part()?);
        }
        say!(
            "landscape   {} (commit {}{})",
            env!("CARGO_PKG_VERSION"),
            option_env!("LANDSCAPE_COMMIT").unwrap_or("unknown"),
            option_env!("LANDSCAPE_MODIFIED").map_or("", |_| ", sources edited since")
        )?;
        say!("CPU         {} cores", cores())?;
        libtorch()?;
        match runner::cuda_status() {
            Ok(devices) => say!("CUDA        {devices} devices")?,
            Err(reason) => say!("CUDA        none: {reason}")?,
        }
        for (number, gpu) in device::gpus().iter().enumerate() {
            let unusable = device::has_kernels(number).err().map(|reason| format!("; {reason}"));
            say!("cuda:{number}      {gpu}{}", unusable.unwrap_or_default())?;
            match fused::cuda::runs_on(number) {
                Ok(()) => say!("            the fused engine trains on it (never measured yet: `make gpu-check`)")?,
                Err(reason) => say!("            the fused engine does not train on it: {reason}")?,
            }
        }
        say!("fonts       embedded, none of the system's are needed")?;
        match self.results.map(|folder| alone(&folder)).transpose()? {
            Some(false) => say!("all is well, but for the locks of that folder"),
            None | Some(true) => say!("all is well"),
        }
    }
}

/// Tries a folder with another process of this node. Returns whether its locks are safe, as far as one node can tell.
fn alone(folder: &Path) -> Result<bool> {
    let system = of(folder)?;
    let program = env::current_exe().context("cannot find this program's own path")?;
    let mut other = Command::new(program)
        .args(["doctor", "--shard", "2/2", "--results"])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start a second process")?;
    let met = record::meet(folder, 1, 2, PATIENCE[0]);
    if met.is_err() {
        let _ = other.kill(); // it may have ended by itself
    }
    let status = other.wait().context("cannot wait for the second process")?;
    let met = met?;
    ensure!(status.success(), "the second process did not find what this one found in {}", folder.display());
    let safe = tell(met.as_deref())?;
    let reach = system.map_or(Reach::Unknown, |system| system.reach());
    match reach {
        _ if !safe => say!("            {CAUTION}")?,
        Reach::Machine => say!("            it is this machine's own: no other node has it")?,
        Reach::Nodes => say!("            its mount lets locks reach all nodes; {ASK}")?,
        Reach::Node(remedy) => {
            say!("            its mount keeps locks to one node (to an administrator: {remedy}); {CAUTION}")?;
        }
        Reach::Unknown => say!("            whether locks reach other nodes cannot be told here; {ASK}")?,
    }
    Ok(safe && !matches!(reach, Reach::Node(_)))
}

/// Tries a folder with processes of other nodes, as one of them.
fn with_other_nodes(folder: &Path, Shard { number, of: all }: Shard) -> Result<()> {
    ensure_several(all)?;
    of(folder)?;
    let safe = tell(record::meet(folder, number, all, PATIENCE[1])?.as_deref())?;
    if safe { Ok(()) } else { say!("            {CAUTION}") }
}

fn ensure_several(all: usize) -> Result<()> {
    if all > 1 { Ok(()) } else { Err(input_error!("--shard 1/1: it takes two processes to try locks")) }
}

const ASK: &str =
    "to try, on two nodes: srun --nodes=2 --ntasks-per-node=1 landscape doctor --results DIR --shard slurm";

const CAUTION: &str = "two jobs on different nodes may train the same run, which costs time and no result: give each its own \
                       --shard, as `landscape slurm` does";

/// Says what a folder is.
fn of(folder: &Path) -> Result<Option<FileSystem>> {
    if !folder.is_dir() {
        return Err(input_error!("--results {}: there is no such folder; make it first", folder.display()));
    }
    let system = FileSystem::of(folder);
    let named = system.as_ref().map_or_else(|| "an unknown file system".into(), FileSystem::to_string);
    say!("results     {}: {named}", folder.display())?;
    Ok(system)
}

/// Says what became of the other processes, and returns whether all were kept out.
fn tell(met: Option<&[Met]>) -> Result<bool> {
    let Some(met) = met else {
        say!("            files are replaced whole, but there are no locks")?;
        return Ok(false);
    };
    let here = record::node();
    let mut nodes: Vec<&str> = met.iter().map(|met| met.node.as_str()).filter(|node| *node != here).collect();
    nodes.dedup();
    let whom = match nodes.as_slice() {
        [] => format!("of this node, {here}"),
        nodes => format!("of {here} and {}", nodes.join(", ")),
    };
    let past: Vec<&str> = met.iter().filter(|met| !met.locked).map(|met| met.node.as_str()).collect();
    if past.is_empty() {
        say!("            files are replaced whole, and locks keep processes out, {whom}")?;
    } else {
        say!("            files are replaced whole, but a lock of {here} does not keep out {}", past.join(", "))?;
    }
    Ok(past.is_empty())
}

#[cfg(not(feature = "torch"))]
fn libtorch() -> Result<()> {
    say!("libtorch    none: built without; the fused engine trains")
}

#[cfg(feature = "torch")]
fn libtorch() -> Result<()> {
    let (libtorch, path) = (env!("LANDSCAPE_LIBTORCH"), env!("LANDSCAPE_LIBTORCH_PATH"));
    say!("libtorch    {libtorch}, in {path}, with {} threads", tch::get_num_threads())?;
    if !libtorch.starts_with("2.11.0") {
        bail!("libtorch {libtorch} is not the 2.11.0 that the bindings were made for; run `make setup`");
    }
    let sum = tch::Tensor::from_slice(&[1.0f32, 2.0]).sum(tch::Kind::Float).double_value(&[]);
    if sum != 3.0 {
        bail!("libtorch does not add 1 and 2 to 3; run `make clean setup build`");
    }
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
