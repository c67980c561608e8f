//! What Slurm's environment says about this process's place in a job.

use anyhow::Result;

use super::shard::Shard;
use crate::input_error;

/// This process among the tasks of a job array, and among those of an `srun` step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlurmTask {
    /// For messages: the flag that asked.
    flag: &'static str,
    array: Option<Array>,
    /// Rank of this process in its step and number of processes there, where `srun` started several.
    step: Option<(usize, usize)>,
}

/// `--array=first-last:step`, and this task's number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Array {
    id: usize,
    first: usize,
    last: usize,
    step: usize,
    count: usize,
}

impl SlurmTask {
    /// Reads the environment for `flag`.
    pub fn here(flag: &'static str) -> Result<Self> {
        Self::read(flag, |name| std::env::var(name).ok())
    }

    fn read(flag: &'static str, get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let number = |name: &str| -> Result<Option<usize>> {
            let Some(text) = get(name) else { return Ok(None) };
            match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(input_error!("{flag}: {name} is `{text}`, which is not a number")),
            }
        };
        let array = match number("SLURM_ARRAY_TASK_ID")? {
            None => None,
            Some(id) => {
                let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(id);
                let last = number("SLURM_ARRAY_TASK_MAX")?.unwrap_or(id);
                let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
                let count = number("SLURM_ARRAY_TASK_COUNT")?.unwrap_or(1);
                Some(Array { id, first, last, step, count })
            }
        };
        // A batch script has SLURM_PROCID too; only processes of srun have a step of their own.
        let step = match (number("SLURM_STEP_ID")?, number("SLURM_PROCID")?, number("SLURM_STEP_NUM_TASKS")?) {
            (Some(_), Some(rank), Some(tasks)) if tasks > 1 => Some((rank, tasks)),
            _ => None,
        };
        if array.is_none() && step.is_none() {
            return Err(input_error!(
                "{flag}: this process is neither a task of a job array (SLURM_ARRAY_TASK_ID is not set) nor one of several that srun started"
            ));
        }
        Ok(Self { flag, array, step })
    }

    /// The shard of this process: its array task among the array's, times its rank among the step's processes.
    ///
    /// # Errors
    /// Where the array's numbers have gaps (`--array=3,7`), the number of shards that the sweep was dealt into cannot
    /// be told.
    pub fn shard(self) -> Result<Shard> {
        let (task, tasks) = match self.array {
            None => (0, 1),
            Some(Array { id, first, last, step, count }) => {
                if id < first || id > last {
                    return Err(input_error!("{}: task {id} is not one of the array {first}..{last}", self.flag));
                }
                if Some((last - first) / step) != count.checked_sub(1) {
                    return Err(input_error!(
                        "{}: the array {first}..{last} has {count} tasks, so its numbers have gaps and do not say how many shards there are; use --shard $SLURM_ARRAY_TASK_ID/N",
                        self.flag
                    ));
                }
                ((id - first) / step, count)
            }
        };
        let (rank, ranks) = self.step.unwrap_or((0, 1));
        if rank >= ranks {
            return Err(input_error!("{}: SLURM_PROCID is {rank}, and there are {ranks} processes", self.flag));
        }
        let Some(of) = tasks.checked_mul(ranks) else {
            return Err(input_error!(
                "{}: {tasks} tasks of {ranks} processes each are more than can be counted",
                self.flag
            ));
        };
        Ok(Shard { number: task * ranks + rank + 1, of })
    }

    /// The number of the run that this array task trains.
    pub fn index(self) -> Result<usize> {
        match self.array {
            Some(Array { id: id @ 1.., .. }) => Ok(id),
            Some(_) => Err(input_error!("{}: runs are numbered from 1; submit with --array=1-...", self.flag)),
            None => Err(input_error!("{}: SLURM_ARRAY_TASK_ID is not set", self.flag)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(variables: &[(&str, &str)]) -> Result<SlurmTask> {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string());
        SlurmTask::read("--shard slurm", get)
    }

    fn array(id: &str, first: &str, last: &str, step: &str, count: &str) -> Vec<(&'static str, String)> {
        vec![
            ("SLURM_ARRAY_TASK_ID", id.into()),
            ("SLURM_ARRAY_TASK_MIN", first.into()),
            ("SLURM_ARRAY_TASK_MAX", last.into()),
            ("SLURM_ARRAY_TASK_STEP", step.into()),
            ("SLURM_ARRAY_TASK_COUNT", count.into()),
        ]
    }

    fn shard(variables: &[(&'static str, String)]) -> Result<Shard> {
        task(&variables.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())?.shard()
    }

    #[test]
    fn array_tasks_are_shards() {
        assert_eq!(shard(&array("1", "1", "4", "1", "4")).unwrap().to_string(), "1/4");
        assert_eq!(shard(&array("0", "0", "3", "1", "4")).unwrap().to_string(), "1/4");
        assert_eq!(shard(&array("30", "10", "50", "10", "5")).unwrap().to_string(), "3/5");
        assert!(shard(&array("7", "3", "7", "1", "2")).unwrap_err().to_string().contains("gaps"));
        assert!(shard(&array("9", "1", "4", "1", "4")).unwrap_err().to_string().contains("task 9 is not one"));
    }

    #[test]
    fn numbers_of_any_size_are_no_panic() {
        let most = "18446744073709551615";
        assert!(shard(&array(most, "0", most, "1", "0")).unwrap_err().to_string().contains("gaps"));
        assert_eq!(shard(&array("1", "1", most, "1", most)).unwrap().to_string(), format!("1/{most}"));
        assert!(shard(&array("1", "1", "4", most, "1")).is_ok());
        let step = |rank: &str, tasks: &str| {
            let variables = [("SLURM_STEP_ID", "0"), ("SLURM_PROCID", rank), ("SLURM_STEP_NUM_TASKS", tasks)];
            let step = variables.map(|(name, value)| (name, value.to_string()));
            shard(&array("2", "1", "3", "1", "3").into_iter().chain(step).collect::<Vec<_>>())
        };
        assert!(step("1", most).unwrap_err().to_string().contains("more than can be counted"));
        assert!(step("4", "4").unwrap_err().to_string().contains("SLURM_PROCID"));
    }

    #[test]
    fn processes_of_a_step_share_the_task() {
        let step = |rank: &str| {
            ["SLURM_STEP_ID", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"]
                .into_iter()
                .zip(["0", rank, "4"].map(String::from))
        };
        let variables: Vec<_> = array("2", "1", "3", "1", "3").into_iter().chain(step("1")).collect();
        assert_eq!(shard(&variables).unwrap().to_string(), "6/12");
        assert_eq!(shard(&step("3").collect::<Vec<_>>()).unwrap().to_string(), "4/4");
        let batch = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")];
        assert!(task(&batch).unwrap_err().to_string().contains("SLURM_ARRAY_TASK_ID is not set"));
    }

    #[test]
    fn a_run_by_the_array_number() {
        let index = |id: &str| task(&[("SLURM_ARRAY_TASK_ID", id)]).and_then(SlurmTask::index);
        assert_eq!(index("12").unwrap(), 12);
        assert!(index("0").unwrap_err().to_string().contains("numbered from 1"));
        assert!(index("x").is_err());
    }
}
