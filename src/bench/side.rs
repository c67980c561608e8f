//! A side of the benchmark: one process or several, each on its own cores, spoken to by [`super::protocol`].

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, anyhow, ensure};

use super::protocol::{Answer, Request};

/// How a side is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its name in the tables: `ours`, `jax`.
    pub name: String,
    /// Program and arguments; `{threads}` stands for the number of threads.
    pub command: Vec<String>,
    /// Runs side by side in each process (in each thread of ours).
    pub runs: usize,
    pub processes: usize,
    /// Threads of each process.
    pub threads: usize,
}

impl Launch {
    pub fn cores(&self) -> usize {
        self.processes * self.threads
    }
}

/// A side at work.
pub struct Side {
    pub launch: Launch,
    processes: Vec<Process>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    errors: tempfile::NamedTempFile,
}

impl Side {
    /// Starts the processes, each held to its own cores by `taskset`.
    pub fn start(launch: &Launch) -> Result<Self> {
        let cpus = allowed_cpus()?;
        ensure!(
            launch.cores() <= cpus.len(),
            "{} needs {} cores, there are {}",
            launch.name,
            launch.cores(),
            cpus.len()
        );
        let processes = cpus.chunks(launch.threads).take(launch.processes);
        let processes = processes.map(|cpus| Process::start(launch, cpus)).collect::<Result<_>>()?;
        Ok(Self { launch: launch.clone(), processes })
    }

    /// Sends a request to every process at once and waits for their answers.
    pub fn ask(&mut self, request: &Request) -> Result<Vec<Answer>> {
        let name = &self.launch.name;
        let line = serde_json::to_string(request)? + "\n";
        let answers: Vec<Result<Answer>> = thread::scope(|scope| {
            let asked: Vec<_> = self.processes.iter_mut().map(|process| scope.spawn(|| process.ask(&line))).collect();
            asked.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a panic")))).collect()
        });
        answers.into_iter().collect::<Result<_>>().with_context(|| format!("the side {name} failed"))
    }
}

impl Process {
    fn start(launch: &Launch, cpus: &[usize]) -> Result<Self> {
        let cpus: Vec<String> = cpus.iter().map(usize::to_string).collect();
        let threads = launch.threads.to_string();
        let errors = tempfile::NamedTempFile::new()?;
        let mut child = Command::new("taskset")
            .args(["--cpu-list", &cpus.join(",")])
            .args(launch.command.iter().map(|word| word.replace("{threads}", &threads)))
            .envs([("OMP_NUM_THREADS", &threads), ("MKL_NUM_THREADS", &threads)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.reopen()?)
            .spawn()
            .with_context(|| format!("cannot start {} under taskset (util-linux)", launch.name))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = input.zip(output).context("both are piped")?;
        Ok(Self { child, input, output: BufReader::new(output), errors })
    }

    fn ask(&mut self, line: &str) -> Result<Answer> {
        let mut answer = String::new();
        let written = self.input.write_all(line.as_bytes()).and_then(|()| self.input.flush());
        if written.is_err() || self.output.read_line(&mut answer)? == 0 {
            let errors = fs::read_to_string(self.errors.path()).unwrap_or_default();
            let last: Vec<&str> = errors.lines().rev().take(3).collect();
            return Err(anyhow!("it stopped: {}", last.into_iter().rev().collect::<Vec<_>>().join(" / ")));
        }
        serde_json::from_str(&answer).with_context(|| format!("its answer is no answer: {}", answer.trim_end()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to save in it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processors that this process may run on, from `/proc`.
pub fn allowed_cpus() -> Result<Vec<usize>> {
    let status = fs::read_to_string("/proc/self/status").context("the benchmark runs on Linux")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    cpu_list(list.unwrap_or_default()).context("/proc/self/status names no processors")
}

/// `0-2,5`
fn cpu_list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors() {
        assert_eq!(cpu_list("\t0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cpu_list("7"), Some(vec![7]));
        assert_eq!(cpu_list(""), None);
    }

    fn launch(command: &[&str]) -> Launch {
        let command = command.iter().map(|word| (*word).to_string()).collect();
        Launch { name: "echo".into(), command, runs: 1, processes: 1, threads: 1 }
    }

    #[test]
    fn a_side_answers_or_says_why_not() {
        let mut side = Side::start(&launch(&["sh", "-c", "read line; echo '{\"seconds\": {threads}.5}'"])).unwrap();
        assert_eq!(side.ask(&Request::Time { seconds: 0.0 }).unwrap()[0].seconds, 1.5);
        let mut side = Side::start(&launch(&["sh", "-c", "echo no module named jax >&2"])).unwrap();
        let error = format!("{:#}", side.ask(&Request::Time { seconds: 0.0 }).unwrap_err());
        assert!(error.contains("echo") && error.contains("no module named jax"), "{error}");
    }
}
