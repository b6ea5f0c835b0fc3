//! Files that only the user of this process can read, written without following symbolic links.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

/// Mode of a file for its owner alone.
const PRIVATE: u32 = 0o600;

/// Time between two looks for a lock.
const DELAY: Duration = Duration::from_millis(5);

/// The mode of a file that replaces another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For its owner alone, whatever the old one was.
    Private,
    /// That of the old one; private if there is none.
    Kept,
}

/// Writes a file whole, in place of the one that is there, so that a full disk costs no original. A symbolic
/// link is an error. A pipe or a device is written to.
pub fn replace(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    // Links of the system, such as `/dev/stdout`, lead to open files of this process.
    let found = if path.starts_with("/dev") { path.metadata() } else { path.symlink_metadata() };
    let permissions = match found {
        Ok(old) if old.is_symlink() => return Err(taken(LINK)),
        Ok(old) if old.file_type().is_fifo() || old.file_type().is_char_device() => {
            return std::fs::write(path, bytes);
        }
        Ok(old) if mode == Mode::Kept => old.permissions(),
        Ok(_) => PermissionsExt::from_mode(PRIVATE),
        Err(error) if error.kind() == io::ErrorKind::NotFound => PermissionsExt::from_mode(PRIVATE),
        Err(error) => return Err(error),
    };
    // A link that appears meanwhile is replaced, and not followed.
    written(path, bytes, permissions)?.persist(path).map(drop).map_err(|error| error.error)
}

/// Writes a file whole, for its owner alone, where none is. A file with the same content is left as it is, and
/// anything else an error.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = written(path, bytes, PermissionsExt::from_mode(PRIVATE))?;
    // No process can put one there between a look and the write.
    match file.persist_noclobber(path).map_err(|error| error.error) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = path.symlink_metadata()?;
            if found.is_symlink() {
                return Err(taken(LINK));
            }
            let is_same = found.is_file() && found.len() == bytes.len() as u64;
            if is_same && std::fs::read(path)? == bytes {
                return Ok(());
            }
            Err(taken("it exists, with other content"))
        }
        persisted => persisted.map(drop),
    }
}

const LINK: &str = "it is a symbolic link: name the file that it leads to, or remove it";

fn taken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, what)
}

/// A new file beside `path`, which is gone unless it is made permanent.
fn written(path: &Path, bytes: &[u8], permissions: Permissions) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Its mode is 0600 from the beginning.
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Creates a folder and those above it, for their owner alone.
pub fn create_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Options that create a private file.
pub fn options() -> OpenOptions {
    let mut options = File::options();
    options.create(true).mode(PRIVATE);
    options
}

/// Options that create a private file, or open the one that is there, and follow no symbolic link.
pub fn unlinked() -> OpenOptions {
    let mut options = options();
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Opens the file of a lock, which others cannot open, and so not lock.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let file = unlinked().append(true).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(PermissionsExt::from_mode(PRIVATE))?;
    }
    Ok(file)
}

/// Locks an open file until it is dropped; an error if another process has the lock for longer than `timeout`.
pub fn lock(file: &File, path: &Path, timeout: Duration) -> io::Result<()> {
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if since.elapsed() >= timeout => {
                let path = path.display();
                let what = format!(
                    "another process has locked `{path}`, such as a `ferry` command that was stopped: \
                     `fuser '{path}'` shows which"
                );
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(DELAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, folders] = ["file", "link", "a/b"].map(|name| folder.path().join(name));
        replace(&file, b"one", Mode::Private).unwrap();
        assert_eq!(mode(&file), 0o600);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        replace(&file, b"two", Mode::Kept).unwrap();
        assert_eq!(mode(&file), 0o644);
        replace(&file, b"three", Mode::Private).unwrap();
        assert_eq!(mode(&file), 0o600);
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let error = replace(&link, b"four", Mode::Private).unwrap_err();
        assert!(error.to_string().contains("it is a symbolic link"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), b"three");
        replace(Path::new("/dev/null"), b"five", Mode::Private).unwrap();
        create_folder(&folders).unwrap();
        assert_eq!((mode(&folders), mode(folders.parent().unwrap())), (0o700, 0o700));
    }

    #[test]
    fn a_file_is_created_where_there_is_none_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, nowhere] =
            ["file", "link", "nowhere"].map(|name| folder.path().join(name));
        create(&file, b"one").unwrap();
        assert_eq!(mode(&file), 0o600);
        create(&file, b"one").unwrap();
        std::os::unix::fs::symlink(&nowhere, &link).unwrap();
        for (path, other) in [(&file, "two"), (&file, "longer"), (&link, "one")] {
            let error = create(path, other.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
        assert!(!nowhere.exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn a_lock_is_private_and_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let [path, link] = ["lock", "link"].map(|name| folder.path().join(name));
        File::create(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let (one, other) = (open_lock(&path).unwrap(), open_lock(&path).unwrap());
        assert_eq!(mode(&path), 0o600);
        lock(&one, &path, Duration::ZERO).unwrap();
        let error = lock(&other, &path, Duration::from_millis(20)).unwrap_err().to_string();
        assert!(error.contains("lock`, such as a `ferry` command"), "{error}");
        drop(one);
        lock(&other, &path, Duration::from_secs(20)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        open_lock(&link).unwrap_err();
    }
}
