//! Files that are read again when their content changes. It is compared itself, because a file that is
//! moved into place, restored or unpacked may be as old and as long as the one before.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};

/// Time after which files are looked at again.
const FRESH: Duration = Duration::from_secs(1);

/// Small files that belong together.
#[derive(Debug)]
pub(crate) struct FollowedFiles {
    paths: Vec<PathBuf>,
    looked_at: Instant,
    /// Digests of the contents that were last used; none if they could not be.
    used: Option<Vec<Option<Vec<u8>>>>,
}

impl FollowedFiles {
    /// Follows these files, none of which was read yet.
    pub(crate) fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { paths: paths.into_iter().collect(), looked_at: Instant::now(), used: None }
    }

    /// Follows these files, and reads them.
    pub(crate) fn open<T, E>(
        paths: impl IntoIterator<Item = PathBuf>,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let mut files = Self::new(paths);
        files.used = Some(files.contents());
        Ok((files, read()?))
    }

    /// True if the files were not looked at for a second.
    pub(crate) fn is_due(&self) -> bool {
        self.looked_at.elapsed() >= FRESH
    }

    /// Calls `read` if the files have other contents than when it last succeeded.
    pub(crate) fn read<T, E>(
        &mut self,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        self.looked_at = Instant::now();
        // Before `read`, so that a change between the two is noticed the next time.
        let contents = Some(self.contents());
        if contents == self.used {
            return None;
        }
        let result = read();
        self.used = contents.filter(|_| result.is_ok());
        Some(result)
    }

    fn contents(&self) -> Vec<Option<Vec<u8>>> {
        let content = |path| Some(digest(&SHA256, &std::fs::read(path).ok()?).as_ref().to_vec());
        self.paths.iter().map(content).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn write(path: &Path, content: &str) {
        fs::write(path, content).expect("a file");
        ferry_testing::make_old(path);
    }

    #[test]
    fn files_of_the_same_age_and_length_are_read_again_when_they_are_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let [one, two, new] = ["one", "two", "new"].map(|name| folder.path().join(name));
        write(&one, "old");
        write(&two, "old");
        let mut files = FollowedFiles::new([one.clone(), two.clone()]);
        let mut changed = || files.read(|| Ok::<_, ()>(())).is_some();
        assert!(changed(), "they were not read yet");
        assert!(!changed());
        write(&one, "new");
        assert!(changed(), "written in place");
        write(&new, "new");
        fs::rename(&new, &two).expect("it is moved");
        assert!(changed(), "moved into place");
        assert!(!changed());
        fs::remove_file(&two).expect("it is there");
        assert!(changed(), "removed");
        assert!(!changed());
    }

    #[test]
    fn files_that_could_not_be_used_are_read_until_they_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        write(&path, "bad");
        let mut files = FollowedFiles::new([path]);
        assert_eq!(files.read(|| Err::<(), _>("bad")), Some(Err("bad")));
        assert_eq!(files.read(|| Err::<(), _>("bad")), Some(Err("bad")));
        assert_eq!(files.read(|| Ok::<_, &str>(1)), Some(Ok(1)));
        assert_eq!(files.read(|| Ok::<_, &str>(2)), None);
        assert!(!files.is_due(), "they were looked at a moment ago");
    }
}
