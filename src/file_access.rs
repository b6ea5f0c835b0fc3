//! Other users' access to a file of this one.

use std::fs::Metadata;
use std::path::Path;

/// The mode of a file that users other than its owner can read or write; none for any other. A file of
/// root may be read by a group, as Kubernetes and systemd mount secrets.
pub fn open_mode(path: &Path) -> Option<u32> {
    let metadata = std::fs::metadata(path).ok()?;
    imp::open_mode(&metadata)
}

/// The mode of a file that users other than its owner can write; none for any other.
pub fn write_mode(path: &Path) -> Option<u32> {
    let metadata = std::fs::metadata(path).ok()?;
    imp::write_mode(&metadata)
}

/// The owner of a file that belongs neither to this user nor to root, and so to one who can change it.
pub fn foreign_owner(path: &Path) -> Option<u32> {
    let metadata = std::fs::metadata(path).ok()?;
    imp::foreign_owner(&metadata)
}

/// Reason to distrust a file that was found and not named; none if only this user and root can have
/// written it.
pub fn distrust(metadata: &Metadata) -> Option<String> {
    imp::distrust(metadata)
}

#[cfg(unix)]
mod imp {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;

    pub(super) fn open_mode(metadata: &Metadata) -> Option<u32> {
        let mode = metadata.mode() & 0o777;
        is_open(mode, metadata.uid()).then_some(mode)
    }

    pub(super) const fn is_open(mode: u32, owner: u32) -> bool {
        mode & if owner == 0 { 0o037 } else { 0o077 } != 0
    }

    pub(super) fn write_mode(metadata: &Metadata) -> Option<u32> {
        let mode = metadata.mode() & 0o777;
        let group = nix::unistd::getegid().as_raw();
        is_writable(mode, metadata.gid(), group).then_some(mode)
    }

    pub(super) fn foreign_owner(metadata: &Metadata) -> Option<u32> {
        let owner = metadata.uid();
        (owner != nix::unistd::geteuid().as_raw() && owner != 0).then_some(owner)
    }

    pub(super) fn distrust(metadata: &Metadata) -> Option<String> {
        if let Some(owner) = foreign_owner(metadata) {
            return Some(format!("belongs to another user ({owner})"));
        }
        let mode = write_mode(metadata)?;
        Some(format!("can be written by other users (mode {mode:03o})"))
    }

    /// True if others can write a file. The group of this process is often its user's alone, and then
    /// files are made writable for it.
    pub(super) const fn is_writable(mode: u32, owner: u32, group: u32) -> bool {
        mode & 0o002 != 0 || (mode & 0o020 != 0 && owner != group && owner != 0)
    }
}

#[cfg(not(unix))]
mod imp {
    use std::fs::Metadata;

    pub(super) fn open_mode(_: &Metadata) -> Option<u32> {
        None
    }

    pub(super) fn write_mode(_: &Metadata) -> Option<u32> {
        None
    }

    pub(super) fn foreign_owner(_: &Metadata) -> Option<u32> {
        None
    }

    pub(super) fn distrust(_: &Metadata) -> Option<String> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::imp::{is_open, is_writable};

    #[test]
    fn only_the_owner_or_a_group_that_root_lets_in_may_read_a_secret() {
        let (root, other) = (0, 1000);
        for mode in [0o400, 0o600] {
            assert!(!is_open(mode, root) && !is_open(mode, other), "{mode:o}");
        }
        for mode in [0o440, 0o640] {
            assert!(!is_open(mode, root) && is_open(mode, other), "{mode:o}");
        }
        for mode in [0o444, 0o604, 0o620, 0o660] {
            assert!(is_open(mode, root) && is_open(mode, other), "{mode:o}");
        }
    }

    #[test]
    fn only_the_own_group_may_write_a_file_that_is_trusted() {
        let (own, other) = (1000, 100);
        for mode in [0o600, 0o644, 0o755] {
            assert!(!is_writable(mode, own, own) && !is_writable(mode, other, own), "{mode:o}");
        }
        assert!(!is_writable(0o664, own, own) && is_writable(0o664, other, own));
        for mode in [0o602, 0o666, 0o777] {
            assert!(is_writable(mode, own, own) && is_writable(mode, other, own), "{mode:o}");
        }
    }
}
