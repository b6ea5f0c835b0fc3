//! The file of the audit log: any number of processes append to one chain of records.
//!
//! Beside it, the file `….chain` has the newest record of the chain. It outlives a log that was moved
//! away, and it is what the processes lock.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::chain::{Head, Link, Record};
use crate::private_files;

/// The longest wait for another process.
const PATIENCE: Duration = Duration::from_secs(20);

/// The end of the file that is searched for its last record; no record is longer.
const TAIL: u64 = 64 << 10;

/// A file of records.
#[derive(Debug)]
pub(super) struct AuditFile {
    path: PathBuf,
    /// One thread at a time; between processes it is the lock.
    turn: Mutex<()>,
}

impl AuditFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, turn: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails as an append would.
    pub(super) fn check(&self) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _chain = locked(&self.path)?;
        appending(&self.path).map(drop)
    }

    /// Appends a record, which is on the disk then.
    pub(super) fn append(&self, record: &Record<'_>) -> io::Result<Head> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chain = locked(&self.path)?;
        // The log is opened each time, so that it can be moved away.
        let mut log = appending(&self.path)?;
        let Tail { last, is_torn, is_empty } = Tail::of(&mut log)?;
        let (line, head) = record.line(&newest(noted(&mut chain), last))?;
        // A line that was interrupted stays, and is none.
        let line = if is_torn { format!("\n{line}") } else { line };
        log.write_all(line.as_bytes())?;
        log.sync_data()?;
        if is_empty {
            File::open(folder(&self.path))?.sync_all()?;
        }
        note(&mut chain, &head)?;
        Ok(head)
    }
}

/// The later of the record that was noted and the last one in the file: a process may have ended
/// between writing the two. A file that has less than was noted continues behind what was noted, so that
/// the gap shows.
fn newest(noted: Option<Head>, last: Option<Head>) -> Head {
    match (noted, last) {
        (Some(noted), Some(last)) => {
            if last.n > noted.n {
                last
            } else {
                noted
            }
        }
        (noted, last) => noted.or(last).unwrap_or_else(Head::genesis),
    }
}

/// The end of a log.
struct Tail {
    /// The last record.
    last: Option<Head>,
    /// True if its last line has no end.
    is_torn: bool,
    is_empty: bool,
}

impl Tail {
    fn of(log: &mut File) -> io::Result<Self> {
        let length = log.seek(SeekFrom::End(0))?;
        log.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        log.take(TAIL).read_to_end(&mut tail)?;
        let text = String::from_utf8_lossy(&tail);
        let record = |line: &str| Link::of(line).filter(|link| link.is_intact(line));
        let last = text.lines().rev().find_map(record).map(|link| link.head());
        let is_torn = tail.last().is_some_and(|byte| *byte != b'\n');
        Ok(Self { last, is_torn, is_empty: length == 0 })
    }
}

/// The newest record of the chain beside the log at `path`, if there is one.
pub(super) fn noted_beside(path: &Path) -> Option<Head> {
    File::open(beside(path)).ok().and_then(|mut chain| noted(&mut chain))
}

fn noted(chain: &mut File) -> Option<Head> {
    let mut text = String::new();
    chain.seek(SeekFrom::Start(0)).ok()?;
    chain.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn note(chain: &mut File, head: &Head) -> io::Result<()> {
    let text = serde_json::to_string(head)? + "\n";
    chain.seek(SeekFrom::Start(0))?;
    chain.write_all(text.as_bytes())?;
    // It only grows, unless the chain begins again.
    chain.set_len(text.len() as u64)
}

/// The chain's file, which no other process has until this one is dropped.
fn locked(path: &Path) -> io::Result<File> {
    let beside = beside(path);
    let chain = private_files::unlinked().read(true).write(true).open(&beside)?;
    private_files::lock(&chain, &beside, PATIENCE)?;
    Ok(chain)
}

fn appending(path: &Path) -> io::Result<File> {
    private_files::options().read(true).append(true).open(path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".chain");
    name.into()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
