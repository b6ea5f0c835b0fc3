//! Reads the newest records of an audit log, from its end: in bounded memory, and a bounded part at once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use ferry_types::contract::AuditRecordView;

/// Bytes that are read at once, and for one part.
const CHUNK: u64 = 64 << 10;
const MOST_READ: u64 = 4 << 20;

/// A part of an audit log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct NewestRecords {
    /// The records that match, the newest first.
    pub records: Vec<AuditRecordView>,
    /// Number of lines among them that are no records.
    pub unreadable: u64,
    /// Position to continue at; none at the beginning.
    pub next: Option<u64>,
}

/// Reads at most `most` records that `picks` wants, from the end or from the position `before`.
pub fn newest_records(
    path: &Path,
    before: Option<u64>,
    most: usize,
    picks: impl Fn(&AuditRecordView) -> bool,
) -> io::Result<NewestRecords> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let end = before.map_or(length, |before| before.min(length));
    let (mut found, mut buffer, mut from) = (NewestRecords::default(), Vec::new(), end);
    // So many bytes of the buffer were not searched for the end of an earlier line.
    let mut unsearched = 0;
    loop {
        while let Some(at) = line_start(&buffer, unsearched, from == 0) {
            found.line(&buffer[at..], &picks);
            buffer.truncate(at);
            unsearched = at.saturating_sub(1);
            if found.records.len() >= most {
                found.next = Some(from + at as u64).filter(|position| *position > 0);
                return Ok(found);
            }
        }
        if from == 0 {
            return Ok(found);
        }
        if end - from >= MOST_READ {
            // A line that is longer than that is none, and would be met again.
            let rest = buffer.len() as u64;
            found.next = Some(if rest == end - from { from } else { from + rest });
            return Ok(found);
        }
        let wanted = CHUNK.min(from);
        from -= wanted;
        file.seek(SeekFrom::Start(from))?;
        let mut chunk = Vec::new();
        file.by_ref().take(wanted).read_to_end(&mut chunk)?;
        unsearched = chunk.len();
        if buffer.is_empty() && chunk.ends_with(b"\n") {
            unsearched -= 1;
        }
        chunk.append(&mut buffer);
        buffer = chunk;
    }
}

/// The start of the last line; `None` if more has to be read for it, or there is none.
fn line_start(buffer: &[u8], unsearched: usize, is_whole: bool) -> Option<usize> {
    match buffer[..unsearched].iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Some(at + 1),
        None if is_whole && !buffer.is_empty() => Some(0),
        None => None,
    }
}

impl NewestRecords {
    fn line(&mut self, line: &[u8], picks: &impl Fn(&AuditRecordView) -> bool) {
        match serde_json::from_slice::<AuditRecordView>(line) {
            Ok(record) => self.records.extend(Some(record).filter(picks)),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => self.unreadable += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::action::AuditAction;
    use crate::audit::chain::{Phase, Record};
    use crate::audit::file::AuditFile;
    use ferry_types::domain::timestamp;

    fn log(folder: &Path, records: u64) -> std::path::PathBuf {
        let path = folder.join("audit.jsonl");
        let file = AuditFile::new(path.clone());
        for n in 1..=records {
            let action = AuditAction {
                actor: if n.is_multiple_of(3) { "third" } else { "other" }.to_owned(),
                via: "api",
                action: format!("POST /{n}"),
                details: Some("x".repeat(400)),
                client: None,
                request: None,
            };
            let record = Record::new(Phase::Intent, &action, timestamp(n as i64));
            file.append(&record).expect("it is written");
        }
        path
    }

    #[test]
    fn a_log_is_read_from_its_end_in_parts_without_a_gap() {
        let folder = tempfile::tempdir().expect("a folder");
        // More than one chunk.
        let path = log(folder.path(), 200);
        assert!(std::fs::metadata(&path).expect("a log").len() > 2 * CHUNK);
        for part in [1, 7, 200, 500] {
            let (mut numbers, mut before) = (Vec::new(), None);
            let wait = ferry_testing::Wait::begin("the first record");
            loop {
                wait.check();
                let read = newest_records(&path, before, part, |_| true).expect("it is read");
                assert!(read.records.len() <= part && read.unreadable == 0);
                numbers.extend(read.records.iter().map(|record| record.n));
                before = read.next;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(numbers, (1..=200).rev().collect::<Vec<u64>>(), "{part} at once");
        }
        let third = newest_records(&path, None, 2, |record| record.actor == "third");
        let third: Vec<u64> = third.expect("it is read").records.iter().map(|r| r.n).collect();
        assert_eq!(third, [198, 195]);
    }

    #[test]
    fn lines_that_are_no_records_are_counted_and_none_is_read_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = log(folder.path(), 2);
        let mut text = std::fs::read_to_string(&path).expect("a log");
        text.insert_str(0, &("x".repeat(2 * MOST_READ as usize) + "\n"));
        text += "{\"n\":3,";
        std::fs::write(&path, text).expect("it is written");
        let (mut numbers, mut before, mut parts) = (Vec::new(), None, 0);
        let wait = ferry_testing::Wait::begin("the first record");
        loop {
            wait.check();
            let read = newest_records(&path, before, 50, |_| true).expect("it is read");
            numbers.extend(read.records.iter().map(|record| record.n));
            (before, parts) = (read.next, parts + 1);
            if before.is_none() {
                break;
            }
        }
        assert_eq!((numbers, parts), (vec![2, 1], 4));
        assert_eq!(newest_records(&path, Some(0), 5, |_| true).expect("it is read").next, None);
    }
}
