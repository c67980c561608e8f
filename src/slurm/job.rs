//! The scripts of a job, written to be read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    TimeLimit, copies,
    limits::largest_array,
    quote::{directive, one_line, word},
};
use crate::{
    input_error,
    record::write_whole,
    runner::{Interrupted, LostDevice},
};

/// What a job array does and asks for.
#[derive(Clone, Debug)]
pub struct Job {
    /// Name of the array, as `squeue` shows it.
    pub name: String,
    /// Folder that the command's relative paths start from.
    pub directory: PathBuf,
    /// The experiments; they are copied beside the scripts with all that they need, as sbatch copies a script.
    pub experiments: Vec<PathBuf>,
    /// How a task calls this program.
    pub program: Program,
    /// Flags that decide which runs there are.
    pub settings: Vec<String>,
    /// Flags of the training.
    pub training: Vec<String>,
    /// Flags of the figures; none without a job that draws.
    pub drawing: Option<Vec<String>>,
    /// One line on what the array trains.
    pub summary: String,
    /// Tasks of the array, one shard of the runs each.
    pub shards: usize,
    /// Tasks at a time.
    pub parallelism: Option<usize>,
    /// Slurm's partition of the array; the cluster's default if not given.
    pub partition: Option<String>,
    /// Partition of the job that draws, if it is another.
    pub figures_partition: Option<String>,
    /// Limit of each task.
    pub time: TimeLimit,
    /// Seconds before the end at which a task is told to save and end.
    pub grace: u64,
    /// CPU cores of each process.
    pub cpus_per_task: usize,
    /// GPUs of each task.
    pub gpus: Gpus,
    /// More `#SBATCH` lines of both jobs.
    pub directives: Vec<String>,
    /// Shell lines before the command, such as `module load cuda`.
    pub setup: Vec<String>,
}

/// How a task calls this program.
#[derive(Clone, Debug)]
pub enum Program {
    /// By a copy of this file beside the scripts: rebuilding the program while the job waits does not change the job.
    Copied(PathBuf),
    /// By these words.
    Words(Vec<String>),
}

/// The GPUs of a task of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gpus {
    /// The CPU computes.
    None,
    /// One, and one process.
    One,
    /// Of a node, each with a process of its own.
    Several(u8),
}

impl Gpus {
    /// Processes of a task.
    fn processes(self) -> usize {
        match self {
            Self::None | Self::One => 1,
            Self::Several(gpus) => usize::from(gpus),
        }
    }
}

/// Memory of a process that computes on a GPU, in GB: CUDA takes most of it, and what a site gives for a core is often less.
const GPU_PROCESS_MEMORY: usize = 16;

/// Turns in a row that may end before anything is recorded or saved.
const VAIN_TURNS: usize = 3;

/// The files written.
#[derive(Clone, Debug)]
pub struct Files {
    /// `array.sbatch`: the training.
    pub array: PathBuf,
    /// `figures.sbatch`: the job that draws; none without one.
    pub figures: Option<PathBuf>,
}

impl Files {
    /// The shell commands that [`submit`](super::submit) stands for.
    pub fn commands(&self) -> Result<String> {
        let array = word(&self.array.display().to_string())?;
        Ok(match &self.figures {
            None => format!("sbatch {array}"),
            Some(figures) => {
                let figures = word(&figures.display().to_string())?;
                format!("job=$(sbatch --parsable {array}) && sbatch --dependency=afterany:$job {figures}")
            }
        })
    }
}

impl Job {
    /// Writes the scripts, the copies of the experiments and the folder of logs into `folder`.
    pub fn write(&self, folder: &Path) -> Result<Files> {
        if self.time.duration.as_secs() <= 2 * self.grace {
            return Err(input_error!(
                "--time {}: a task saves its work {} s before the end, so it needs a longer limit; or lower --grace",
                self.time,
                self.grace
            ));
        }
        let array = folder.join("array.sbatch");
        if array.exists() {
            return Err(input_error!("--out {}: there is a job in this folder already", folder.display()));
        }
        self.check_lines(folder)?;
        let tasks = self.tasks();
        if let Some(most) = largest_array().filter(|&most| tasks > most) {
            return Err(input_error!("--shards {}: an array of this cluster has at most {most} tasks", self.shards));
        }
        let experiments = folder.join("experiments");
        for directory in [&experiments, &folder.join("logs")] {
            fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let experiments = copies::copy(&self.experiments, &experiments)?;
        let experiments: Vec<String> = experiments.iter().map(|copy| copy.display().to_string()).collect();
        let program = self.program(folder)?;
        write_whole(&array, self.array_script(folder, &program, &experiments)?.as_bytes())?;
        let figures = match &self.drawing {
            Some(drawing) => {
                let path = folder.join("figures.sbatch");
                write_whole(&path, self.figures_script(folder, &program, &experiments, drawing)?.as_bytes())?;
                Some(path)
            }
            None => None,
        };
        Ok(Files { array, figures })
    }

    /// Refuses anything that would break out of its line.
    fn check_lines(&self, folder: &Path) -> Result<()> {
        one_line("--name", &self.name)?;
        one_line("--out", &folder.display().to_string())?;
        one_line("the current folder", &self.directory.display().to_string())?;
        let partitions = [("--partition", &self.partition), ("--figures-partition", &self.figures_partition)];
        partitions.iter().try_for_each(|(flag, name)| name.iter().try_for_each(|name| one_line(flag, name)))?;
        self.directives.iter().try_for_each(|line| one_line("--sbatch", line))?;
        self.setup.iter().try_for_each(|line| one_line("--setup", line))?;
        self.experiments.iter().try_for_each(|file| one_line("FILE", &file.display().to_string()))
    }

    /// Tasks of the array.
    fn tasks(&self) -> usize {
        self.shards.div_ceil(self.gpus.processes())
    }

    /// The words that call this program, which is copied if need be.
    fn program(&self, folder: &Path) -> Result<Vec<String>> {
        match &self.program {
            Program::Words(words) => Ok(words.clone()),
            Program::Copied(from) => {
                let copy = self.directory.join(folder).join("landscape");
                fs::copy(from, &copy)
                    .with_context(|| format!("cannot copy {} to {}", from.display(), copy.display()))?;
                Ok(vec![copy.display().to_string()])
            }
        }
    }

    fn array_script(&self, folder: &Path, program: &[String], experiments: &[String]) -> Result<String> {
        let at_a_time = self.parallelism.map(|tasks| format!("%{tasks}")).unwrap_or_default();
        let mut directives = vec![
            format!("--job-name={}", directive(&self.name)),
            format!("--array=1-{}{at_a_time}", self.tasks()),
            format!("--time={}", self.time),
        ];
        let processes = self.gpus.processes();
        if processes > 1 {
            directives.push("--nodes=1".into());
        }
        directives.push(format!("--ntasks={processes}"));
        directives.push(format!("--cpus-per-task={}", self.cpus_per_task));
        if self.gpus != Gpus::None {
            directives.push("--gpus-per-task=1".into());
            if !self.directives.iter().any(|directive| directive.starts_with("--mem")) {
                directives.push(format!("--mem={}G", GPU_PROCESS_MEMORY * processes));
            }
        }
        directives.extend(self.shared(folder, self.partition.as_deref(), "%A_%a"));
        let command = [program, &["run".into()][..], experiments, &self.settings, &self.training].concat();
        // Each process sees its own GPU only, and takes the first that it sees.
        let (step, shard) = match self.gpus {
            Gpus::None | Gpus::One => (String::new(), format!("\"$SLURM_ARRAY_TASK_ID/{}\"", self.shards)),
            Gpus::Several(_) => (" --gpus-per-task=1 --gpu-bind=single:1".into(), "slurm".into()),
        };
        Ok(format!(
            "\
#!/bin/bash
# {summary}
# Written by landscape slurm. Submitting it again does what is left: finished runs are kept.
{directives}
# Shortly before the time is up, and when it is preempted, a task is told to save its work; landscape then ends with exit
# code {interrupted}, and the task goes back into the queue to continue from there.
#SBATCH --requeue
#SBATCH --signal=USR1@{grace}

{setup}code=0
srun --cpus-per-task=\"$SLURM_CPUS_PER_TASK\"{step} \\
  {command} \\
  --jobs \"$SLURM_CPUS_PER_TASK\" --shard {shard} || code=$?
{vain_turns}if [ \"$code\" -eq {interrupted} ]; then
  trap '' TERM # Going back ends this script, and which nodes a task excludes can be said only once it waits again.
  scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\"
  [ -z \"$exclude\" ] ||
    scontrol update JobId=\"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\" ExcNodeList=\"$exclude\" || true
fi
exit \"$code\"
",
            summary = self.summary,
            interrupted = Interrupted::EXIT_CODE,
            directives = lines(&directives),
            grace = self.grace,
            setup = self.setup_lines(),
            command = words(&command)?,
            vain_turns = vain_turns(folder)?,
        ))
    }

    fn figures_script(
        &self,
        folder: &Path,
        program: &[String],
        experiments: &[String],
        drawing: &[String],
    ) -> Result<String> {
        let mut directives = vec![
            format!("--job-name={}", directive(&format!("{}-figures", self.name))),
            "--time=30".into(),
            "--ntasks=1".into(),
            "--cpus-per-task=1".into(),
        ];
        let partition = self.figures_partition.as_ref().or(self.partition.as_ref());
        directives.extend(self.shared(folder, partition.map(String::as_str), "%j"));
        let command = |verb: &str, flags: &[String]| -> Result<String> {
            words(&[program, &[verb.into()][..], experiments, &self.settings, flags].concat())
        };
        Ok(format!(
            "\
#!/bin/bash
# Draws the figures of {name} when its job array has ended. It depends on the array by afterany: afterok would leave it
# waiting for ever behind one failed task, while this way the log says what is missing and the rest is drawn.
# Written by landscape slurm.
{directives}

{setup}{status} || true
{plot}
",
            name = self.name,
            directives = lines(&directives),
            setup = self.setup_lines(),
            status = command("status", &[])?,
            plot = command("plot", drawing)?,
        ))
    }

    /// The lines that both jobs have.
    fn shared(&self, folder: &Path, partition: Option<&str>, number: &str) -> Vec<String> {
        let mut directives: Vec<String> =
            partition.map(|name| format!("--partition={}", directive(name))).into_iter().collect();
        directives.push(format!("--chdir={}", directive(&self.directory.display().to_string())));
        // In the name of a log, `%` begins a field.
        let logs = folder.display().to_string().replace('%', "%%");
        directives.push(format!("--output={}", directive(&format!("{logs}/logs/{number}.log"))));
        directives.push("--open-mode=append".into());
        directives.extend(self.directives.iter().cloned());
        directives
    }

    fn setup_lines(&self) -> String {
        self.setup.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// What the script does when a turn ended before anything was recorded or saved: another one, after a GPU's failure on another
/// node where Slurm lets a job exclude one, but not for ever. Where the turns cannot be counted, as on a full disk, none.
fn vain_turns(folder: &Path) -> Result<String> {
    Ok(format!(
        "\
# Codes {stopped} and {broken}: the task was interrupted, or its GPU failed, before a run was recorded or a checkpoint written. After
# {VAIN_TURNS} such turns in a row, a line of code and node for each, it does not go back.
exclude= vain={logs}/\"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\".vain
if [ \"$code\" -ne {stopped} ] && [ \"$code\" -ne {broken} ]; then
  rm -f \"$vain\"
elif ! echo \"$code $SLURMD_NODENAME\" >> \"$vain\"; then
  echo \"not requeued: nothing was saved in this turn on $SLURMD_NODENAME, and such turns cannot be counted\" >&2
elif [ \"$(wc -l < \"$vain\")\" -ge {VAIN_TURNS} ]; then
  echo \"not requeued: nothing was recorded or saved in {VAIN_TURNS} turns in a row (code and node of each: $(paste -sd, \"$vain\"))\" >&2
else
  if [ \"$code\" -eq {broken} ]; then
    exclude=\"$(sed -n 's/^{broken} //p' \"$vain\" | paste -sd, -)\"
  fi
  code={interrupted}
fi
",
        stopped = Interrupted::NO_PROGRESS,
        broken = LostDevice::NO_PROGRESS,
        interrupted = Interrupted::EXIT_CODE,
        logs = word(&folder.join("logs").display().to_string())?,
    ))
}

fn lines(directives: &[String]) -> String {
    directives.iter().map(|directive| format!("#SBATCH {directive}")).collect::<Vec<_>>().join("\n")
}

/// A command for the shell, broken into lines that a screen shows whole.
fn words(command: &[String]) -> Result<String> {
    const WIDTH: usize = 100;
    let (mut text, mut column) = (String::new(), 0);
    for part in command {
        let word = word(part)?;
        if column > 0 && column + word.len() > WIDTH {
            text.push_str(" \\\n  ");
            column = 2;
        } else if column > 0 {
            text.push(' ');
        }
        text.push_str(&word);
        column += 1 + word.len();
    }
    Ok(text)
}
