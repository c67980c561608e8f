//! Which file system a folder lies on, and how far its locks reach by what its mount says.

use std::{
    ffi::OsString,
    fmt, fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Such as `ext4`, `nfs4`, `lustre`.
    pub kind: String,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Options of the mount and of the file system, separated by commas.
    options: String,
}

/// Who is kept out by a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everyone who sees the file system, which is one machine.
    Machine,
    /// Processes of all nodes.
    Nodes,
    /// Processes of the same node alone, until an administrator does this.
    Node(&'static str),
    /// The mount does not say.
    Unknown,
}

impl FileSystem {
    /// The file system of a folder; none where the system does not say.
    pub fn of(folder: &Path) -> Option<Self> {
        find(&fs::read("/proc/self/mountinfo").ok()?, &folder.canonicalize().ok()?)
    }

    /// How far leases reach, which are locks of `fcntl`.
    pub fn reach(&self) -> Reach {
        let has = |option: &str| self.options.split(',').any(|given| given == option);
        match self.kind.as_str() {
            "lustre" if has("localflock") => Reach::Node("mount it with `flock` instead of `localflock`"),
            "nfs" | "nfs4" if has("nolock") || has("local_lock=all") || has("local_lock=posix") => {
                Reach::Node("mount it with `lock` and `local_lock=none`")
            }
            "cifs" | "smb3" if has("nobrl") => Reach::Node("mount it without `nobrl`"),
            "lustre" | "nfs" | "nfs4" | "gpfs" | "ceph" | "wekafs" | "fuse.glusterfs" => Reach::Nodes,
            "ext2" | "ext3" | "ext4" | "xfs" | "btrfs" | "zfs" | "f2fs" | "tmpfs" | "overlay" => Reach::Machine,
            _ => Reach::Unknown,
        }
    }
}

/// `nfs4 at /scratch`
impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.kind, self.mount.display())
    }
}

/// The file system of a path with no links in it, as `/proc/self/mountinfo` tells: the innermost mount, of several at one
/// place the last.
fn find(mounts: &[u8], path: &Path) -> Option<FileSystem> {
    let mounts = mounts.split(|&byte| byte == b'\n').filter_map(parse);
    mounts.filter(|mounted| path.starts_with(&mounted.mount)).max_by_key(|mounted| mounted.mount.components().count())
}

/// `36 35 98:0 / /mnt rw,noatime shared:1 - nfs4 server:/export rw,vers=4.2`
fn parse(line: &[u8]) -> Option<FileSystem> {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let (of_mount, of_system) = words.split_at(words.iter().position(|word| *word == b"-")?);
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let [_, kind, _source, options, ..] = of_system else { return None };
    let [_, _, _, _, mount, mount_options, ..] = of_mount else { return None };
    Some(FileSystem {
        kind: text(kind),
        mount: OsString::from_vec(unescape(mount)).into(),
        options: text(mount_options) + "," + &text(options),
    })
}

/// Spaces, tabs, line ends and backslashes of a path come as three octal digits: `\040`.
fn unescape(word: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::new(), word);
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        (plain, rest) = match digits.filter(|_| first == b'\\') {
            Some(byte) => ([&plain[..], &[byte]].concat(), &after[3..]),
            None => ([&plain[..], &[first]].concat(), after),
        };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:50 / /home rw - nfs4 server:/home rw,vers=4.2,local_lock=none
23 21 0:51 / /old rw - nfs server:/old rw,vers=3,nolock,local_lock=all
24 21 0:52 / /my\\040scratch rw,noatime shared:7 master:1 - lustre 10.0.0.1@tcp:/scratch rw,localflock
25 21 0:53 / /scratch rw - lustre 10.0.0.1@tcp:/scratch rw,flock
26 21 0:54 / /data rw - beegfs beegfs_nodev rw
27 26 0:55 / /data rw - xfs /dev/sdb rw
a line of another kind
";

    #[test]
    fn the_innermost_mount_tells_how_far_locks_reach() {
        let of = |path: &str| find(MOUNTS.as_bytes(), Path::new(path)).unwrap();
        let told = |path: &str| (of(path).to_string(), of(path).reach());
        assert_eq!(told("/tmp/results"), ("ext4 at /".into(), Reach::Machine));
        assert_eq!(told("/home/me/results"), ("nfs4 at /home".into(), Reach::Nodes));
        assert_eq!(of("/homes").kind, "ext4", "a mount is not the beginning of a name");
        assert!(matches!(told("/old").1, Reach::Node(advice) if advice.contains("local_lock=none")));
        let (name, reach) = told("/my scratch/me");
        assert_eq!(name, "lustre at /my scratch");
        assert!(matches!(reach, Reach::Node(advice) if advice.contains("`flock`")));
        assert_eq!(told("/scratch/me").1, Reach::Nodes);
        assert_eq!(told("/data").0, "xfs at /data", "the later of two at one place");
        assert_eq!(
            find(&MOUNTS.replace("xfs", "fuse.sshfs").into_bytes(), Path::new("/data")).unwrap().reach(),
            Reach::Unknown
        );
    }

    #[test]
    fn this_system_tells_where_a_folder_lies() {
        let folder = tempfile::tempdir().unwrap();
        let here = FileSystem::of(folder.path()).unwrap();
        assert!(folder.path().canonicalize().unwrap().starts_with(&here.mount), "{here}");
        assert_eq!(FileSystem::of(&folder.path().join("none")), None);
    }
}
