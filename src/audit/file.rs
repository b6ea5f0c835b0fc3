//! The file of the audit log: any number of processes append to one chain of records.
//!
//! Beside it, the file `….chain` has the newest record of the chain. It outlives a log that was moved
//! away, and it is what the processes lock.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem::take;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::chain::{Head, Link, Record, link};
use crate::private_files;

/// The longest wait for another process.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// The end of the file that is searched for its last record; no record is longer.
const TAIL: u64 = 64 << 10;

/// A file of records. One thread writes those of all that wait, with one sync.
#[derive(Debug)]
pub(super) struct AuditFile {
    path: PathBuf,
    queue: Mutex<Queue>,
    /// A thread has written.
    written: Condvar,
}

/// Records of threads, each of which waits for its own.
#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<(u64, String)>,
    done: BTreeMap<u64, Result<Head, Arc<io::Error>>>,
    /// Number of the newest record of this process.
    newest: u64,
    is_writing: bool,
}

impl AuditFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, queue: Mutex::default(), written: Condvar::new() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails as an append would.
    pub(super) fn check(&self) -> io::Result<()> {
        let _chain = locked(&self.path)?;
        appending(&self.path).map(drop)
    }

    /// Appends a record, which is on the disk then.
    pub(super) fn append(&self, record: &Record<'_>) -> io::Result<Head> {
        let text = record.text()?;
        let mut queue = self.queue.lock();
        queue.newest += 1;
        let number = queue.newest;
        queue.waiting.push((number, text));
        loop {
            if let Some(done) = queue.done.remove(&number) {
                return done.map_err(|error| io::Error::new(error.kind(), error));
            }
            if queue.is_writing {
                // The next thread that writes takes all that waits.
                self.written.wait(&mut queue);
                continue;
            }
            queue.is_writing = true;
            let (numbers, texts): (Vec<_>, Vec<_>) = take(&mut queue.waiting).into_iter().unzip();
            let written = MutexGuard::unlocked(&mut queue, || self.write(&texts));
            queue.is_writing = false;
            match written {
                Ok(heads) => queue.done.extend(numbers.into_iter().zip(heads.into_iter().map(Ok))),
                Err(error) => {
                    let error = Arc::new(error);
                    queue
                        .done
                        .extend(numbers.into_iter().map(|number| (number, Err(error.clone()))));
                }
            }
            self.written.notify_all();
        }
    }

    /// Appends records in their order, and syncs once.
    fn write(&self, texts: &[String]) -> io::Result<Vec<Head>> {
        let mut chain = locked(&self.path)?;
        // The log is opened each time, so that it can be moved away.
        let mut log = appending(&self.path)?;
        let Tail { last, is_torn, is_empty } = Tail::of(&mut log)?;
        let mut newest = newest(noted(&mut chain)?, last);
        // A line that was interrupted stays, and is none.
        let mut lines = if is_torn { "\n".to_owned() } else { String::new() };
        let mut heads = Vec::with_capacity(texts.len());
        for text in texts {
            let (line, head) = link(text, &newest);
            lines += &line;
            heads.push(head.clone());
            newest = head;
        }
        log.write_all(lines.as_bytes())?;
        log.sync_data()?;
        if is_empty {
            File::open(folder(&self.path))?.sync_all()?;
        }
        note(&mut chain, &newest)?;
        Ok(heads)
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

/// The newest record of the chain beside the log at `path`, if there is one. A file that cannot be read is
/// an error: without it, a log whose end was removed would look whole.
pub(super) fn noted_beside(path: &Path) -> io::Result<Option<Head>> {
    let beside = beside(path);
    match File::open(&beside).and_then(|mut chain| noted(&mut chain)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map_err(|error| {
            let text = format!("cannot read `{}`: {error}", beside.display());
            io::Error::new(error.kind(), text)
        }),
    }
}

/// `None` if the file is new, or a process ended while it wrote.
fn noted(chain: &mut File) -> io::Result<Option<Head>> {
    let mut text = Vec::new();
    chain.seek(SeekFrom::Start(0))?;
    chain.read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
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
    private_files::lock(&chain, &beside, LOCK_TIMEOUT)?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use ferry_testing::Wait;
    use ferry_types::domain::timestamp;

    use super::*;
    use crate::audit::action::AuditAction;
    use crate::audit::chain::Phase;

    /// The lengths that a file has until it is over.
    fn lengths_until(path: &Path, is_over: &AtomicBool) -> BTreeSet<u64> {
        let mut lengths = BTreeSet::new();
        let wait = Wait::begin("the end of the writers");
        while !is_over.load(Ordering::Relaxed) {
            wait.check();
            lengths.insert(path.metadata().map_or(0, |found| found.len()));
            thread::yield_now();
        }
        lengths
    }

    #[test]
    fn records_of_threads_that_wait_for_the_disk_are_synced_together() {
        const THREADS: usize = 16;
        let folder = tempfile::tempdir().expect("a folder");
        let file = AuditFile::new(folder.path().join("audit.jsonl"));
        let action = AuditAction {
            actor: "an operator".to_owned(),
            via: "api",
            action: "POST /".to_owned(),
            details: None,
            client: None,
            request: None,
        };
        // As another process does that writes.
        let other = locked(&file.path).expect("a lock");
        let is_over = AtomicBool::new(false);
        let (mut numbers, lengths): (Vec<u64>, _) = thread::scope(|scope| {
            let append = || {
                let record = Record::new(Phase::Intent, &action, timestamp(0));
                file.append(&record).expect("it is written").n
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(append)).collect();
            let wait = Wait::begin("one thread that writes, and others that wait for it");
            while file.queue.lock().newest < THREADS as u64 {
                wait.pause_blocking();
            }
            let lengths = scope.spawn(|| lengths_until(&file.path, &is_over));
            drop(other);
            let numbers =
                threads.into_iter().map(|thread| thread.join().expect("it ends")).collect();
            is_over.store(true, Ordering::Relaxed);
            (numbers, lengths.join().expect("it ends"))
        });
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=THREADS as u64).collect::<Vec<_>>());
        // None, that of the first thread, and those of all others.
        assert!(lengths.len() <= 3, "{lengths:?}");
        let log = std::fs::read_to_string(&file.path).expect("it is read");
        let mut head = Head::genesis();
        for line in log.lines() {
            let link = Link::of(line).expect("a record");
            assert!(link.is_intact(line) && link.prev == head.hash, "{line}");
            head = link.head();
        }
        assert_eq!(head.n, THREADS as u64);
    }

    #[test]
    fn an_error_reaches_every_thread_that_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = AuditFile::new(folder.path().join("none/audit.jsonl"));
        let action = AuditAction {
            actor: String::new(),
            via: "cli",
            action: String::new(),
            details: None,
            client: None,
            request: None,
        };
        let append = || file.append(&Record::new(Phase::Intent, &action, timestamp(0)));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(append().unwrap_err().kind(), io::ErrorKind::NotFound));
            }
        });
        assert!(file.queue.lock().done.is_empty());
    }
}
