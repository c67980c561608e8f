//! How large a job array may be here.

use std::process::Command;

/// Most tasks of an array that this cluster takes; none where there is no cluster to ask.
///
/// Slurm's `MaxArraySize` is one more than the largest number of a task.
pub fn largest_array() -> Option<usize> {
    let output = Command::new("scontrol").args(["show", "config"]).output().ok()?;
    of_config(&String::from_utf8_lossy(&output.stdout))
}

fn of_config(config: &str) -> Option<usize> {
    let line = config.lines().find(|line| line.trim_start().starts_with("MaxArraySize"))?;
    let size: usize = line.split_once('=')?.1.trim().parse().ok()?;
    Some(size.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_array_is_in_the_configuration() {
        assert_eq!(of_config("MailProg = /bin/mail\nMaxArraySize            = 1001\nMaxDBDMsgs = 20\n"), Some(1000));
        assert_eq!(of_config("slurm_load_ctl_conf error: Unable to contact slurm controller\n"), None);
    }
}
