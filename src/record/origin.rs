//! Which machine a temporary file is from.

use std::{fs, path::Path, sync::LazyLock, time::Duration};

/// After this, what another machine was writing is taken for dead: nothing takes so long to write.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Between the machine and the random letters of a name.
const MARK: char = '~';

/// What the names of a run's temporary files begin with, up to their random letters: `<run>.<machine>~`.
pub fn prefix(run: &str) -> String {
    format!("{run}.{}{MARK}", machine())
}

/// This machine since it was last started: its name and the kernel's mark of that start, of letters, digits and dashes.
fn machine() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let host =
            nix::unistd::gethostname().map_or_else(|_| "unnamed".into(), |name| name.to_string_lossy().into_owned());
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = host.chars().take(60).chain(['-']).chain(boot.chars().take(8)).map(plain).collect();
        name
    });
    &NAME
}

/// Whether whoever wrote this temporary file can be told dead by its lease alone, as on this machine, or by the time.
pub fn may_be_settled(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let from = name.rsplit_once('.').and_then(|(_, rest)| Some(rest.split_once(MARK)?.0));
    from.is_none_or(|from| from == machine()) || is_old(path)
}

fn is_old(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > PATIENCE))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::record::Workspace;

    /// Where locks are each machine's own, the lease of a run that another machine is recording is ours for the asking.
    #[test]
    fn what_another_machine_writes_has_an_hour() {
        let results = tempfile::tempdir().unwrap();
        let workspace = Workspace::of(results.path(), "fig1");
        workspace.create().unwrap();
        let ours = workspace.temporary("a.b").unwrap().keep();
        let other = |run: &str, suffix: &str| {
            let path = workspace.folder().join(format!("{run}.node7-12345678{MARK}abcdef.{suffix}"));
            fs::create_dir_all(path.join(run)).unwrap();
            path
        };
        let (writing, finished) = (other("c.d", "tmp"), other("e", "finished"));
        assert!(ours.file_name().unwrap().to_string_lossy().starts_with("a.b."));
        workspace.settle().unwrap();
        assert!(!ours.exists() && writing.exists() && finished.exists());
        for path in [&writing, &finished] {
            let long_ago = SystemTime::now() - 2 * PATIENCE;
            fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
        }
        workspace.settle().unwrap();
        assert!(!writing.exists() && !finished.exists() && results.path().join("fig1/e").is_dir());
    }
}
