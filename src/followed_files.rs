//! Files that are read again when their content changes. It is compared itself, because a file that is
//! moved into place, restored or unpacked may be as old and as long as the one before.

use std::fs::File;
use std::io::{Error, Read, Result as IoResult};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};

/// Time after which files are looked at again.
const FRESH: Duration = Duration::from_secs(1);

/// Maximum size of a file, in bytes: all certificates of a system have less.
const LARGEST: u64 = 4 << 20;

/// For how long another process may take to write into a pipe.
const PIPE_TIMEOUT: Duration = Duration::from_secs(5);

/// The content of a small file. Of a pipe, such as `<(command)` of a shell, what is written within some
/// seconds; of a device without an end, an error.
pub(crate) fn read_small(path: &Path) -> IoResult<Vec<u8>> {
    if std::fs::metadata(path)?.is_file() {
        return read_bounded(File::open(path)?);
    }
    let (done, content) = mpsc::channel();
    let from = path.to_owned();
    // To open a pipe waits for its writer, without end.
    std::thread::spawn(move || done.send(File::open(&from).and_then(read_bounded)));
    let late = |_| Error::other("it is no regular file, and no process writes to it");
    content.recv_timeout(PIPE_TIMEOUT).map_err(late)?
}

/// The content of a small file that is open.
pub(crate) fn read_bounded(file: File) -> IoResult<Vec<u8>> {
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(Error::other(format!("it has more than {} MiB", LARGEST >> 20)));
    }
    Ok(content)
}

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
        let content = |path: &PathBuf| {
            // What a pipe had is gone.
            let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
            let content = is_file.then(|| File::open(path).and_then(read_bounded).ok())??;
            Some(digest(&SHA256, &content).as_ref().to_vec())
        };
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

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_waited_for_and_a_device_without_an_end_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("a pipe");
        assert!(made.success());
        let error = read_small(&pipe).expect_err("nothing is written").to_string();
        assert_eq!(error, "it is no regular file, and no process writes to it");
        let written = pipe.clone();
        let writer = std::thread::spawn(move || fs::write(written, "s3cret"));
        // The reader before, which gave up, may take it.
        let read = read_small(&pipe);
        assert!(read.is_err() || read.is_ok_and(|read| read.is_empty() || read == b"s3cret"));
        writer.join().expect("it ends").expect("it is read");
        let error = read_small(Path::new("/dev/zero")).expect_err("without an end").to_string();
        assert_eq!(error, "it has more than 4 MiB");
        let mut files = FollowedFiles::new([pipe]);
        assert_eq!(files.read(|| Ok::<_, &str>(1)), Some(Ok(1)));
        assert_eq!(files.read(|| Ok::<_, &str>(2)), None, "it is not read again");
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
