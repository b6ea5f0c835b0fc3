//! Verifies the chain of an audit log: finds records that were edited, removed or put in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::IgnoredAny;

use super::chain::{Head, Link, Phase};
use super::file::noted_beside;

/// Bytes that are read as a line at most: no record has as many.
const LONGEST_LINE: u64 = 64 << 10;

/// The most findings of a kind that are listed; the others are counted.
const MOST: usize = 100;

/// The state of an audit log.
#[derive(Debug, Default, Serialize)]
pub struct Verification {
    /// Number of records.
    pub records: u64,
    /// Number of the first record: more than 1 if older ones are in a file that was not read.
    pub first: Option<u64>,
    /// The last record.
    pub last: Option<Head>,
    /// Number of violations of the chain.
    pub violations: u64,
    /// The violations, up to 100.
    pub problems: Vec<Finding>,
    /// Lines that an interrupted write left: no record is missing there. Up to 100.
    pub interrupted: Vec<Finding>,
    /// Intents without an outcome, up to 100: the process ended, or is busy with them.
    pub unfinished: Vec<Finding>,
}

/// A line of an audit log.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The number of the line, from 1; none for what is missing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The finding in words.
    pub what: String,
}

/// Verifies the chain in these files, oldest first. A hash that was noted earlier, if one is given, must
/// be that of a record.
pub fn verify(files: &[PathBuf], known: Option<&str>) -> io::Result<Verification> {
    // Before the file is read, so that records that are appended meanwhile are no contradiction.
    let noted = files.last().map_or(Ok(None), |file| noted_beside(file))?;
    let mut reading = Reading { known, ..Reading::default() };
    for file in files {
        reading.read(file)?;
    }
    Ok(reading.finish(noted.as_ref(), files.last()))
}

#[derive(Default)]
struct Reading<'a> {
    found: Verification,
    /// Intents whose outcome was not read yet.
    open: BTreeMap<u64, Finding>,
    known: Option<&'a str>,
    is_known: bool,
}

impl Reading<'_> {
    fn read(&mut self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let found = file.metadata()?;
        // Records may be appended meanwhile; of a pipe there is no length.
        let length = if found.is_file() { found.len() } else { u64::MAX };
        let mut file = BufReader::new(file.take(length));
        let (mut line, mut number) = (Vec::new(), 0);
        while file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? > 0 {
            number += 1;
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            self.line(
                &text,
                &Finding { file: path.to_owned(), line: Some(number), what: String::new() },
            );
            line.clear();
        }
        Ok(())
    }

    fn line(&mut self, text: &str, place: &Finding) {
        let Some(link) = Link::of(text) else {
            let cause = serde_json::from_str::<IgnoredAny>(text).err();
            if cause.is_some_and(|error| error.is_eof()) {
                return list(&mut self.found.interrupted, place.with("an interrupted write"));
            }
            return self.found.violated(place.with("not a record"));
        };
        if !link.is_intact(text) {
            let what = format!("record {} was changed: its hash is that of another text", link.n);
            self.found.violated(place.with(what));
        }
        let before = self.found.last.replace(link.head());
        let begins = link.n == 1 && link.prev == Head::genesis().hash;
        match before {
            None if link.n == 1 && !begins => {
                self.found.violated(place.with("record 1 names a record before it"));
            }
            None => {}
            Some(before) => {
                if let Some(what) = break_between(&before, &link) {
                    self.found.violated(place.with(what));
                }
            }
        }
        self.found.first.get_or_insert(link.n);
        self.found.records += 1;
        self.is_known |= self.known == Some(&link.hash);
        match link.phase {
            Phase::Intent => {
                let Link { n, at, actor, action, .. } = link;
                let at = at.format("%Y-%m-%d %H:%M:%S UTC");
                let what = format!("record {n}, {at}: `{actor}` called `{action}`");
                self.open.insert(n, place.with(what));
            }
            Phase::Outcome => _ = link.intent.and_then(|n| self.open.remove(&n)),
        }
    }

    fn finish(mut self, noted: Option<&Head>, last: Option<&PathBuf>) -> Verification {
        self.found.unfinished = self.open.into_values().take(MOST).collect();
        let Some(file) = last else { return self.found };
        let place = Finding { file: file.clone(), line: None, what: String::new() };
        if let (Some(noted), None) = (noted, &self.found.last) {
            let what = format!("all records are missing, up to number {}", noted.n);
            self.found.violated(place.with(what));
        }
        if let (Some(noted), Some(last)) = (noted, &self.found.last) {
            let (n, next) = (noted.n, last.n.saturating_add(1));
            if n > last.n {
                let what = format!("the last records are missing, numbers {next} to {n}");
                self.found.violated(place.with(what));
            } else if n == last.n && noted.hash != last.hash {
                self.found.violated(place.with(format!("the last record, {n}, was replaced")));
            }
        }
        if let Some(known) = self.known.filter(|_| !self.is_known) {
            self.found.violated(place.with(format!("no record has the hash {known}")));
        }
        self.found
    }
}

/// The contradiction between a record and the one before it, if there is one.
fn break_between(before: &Head, link: &Link) -> Option<String> {
    let (n, expected) = (link.n, before.n.saturating_add(1));
    if n > expected {
        Some(format!("records are missing before record {n}: numbers {expected} to {}", n - 1))
    } else if n < expected {
        Some(format!("record {n} stands behind record {}", before.n))
    } else if link.prev != before.hash {
        Some(format!("record {n} follows another record {} than stands before it", before.n))
    } else {
        None
    }
}

impl Verification {
    fn violated(&mut self, finding: Finding) {
        self.violations += 1;
        list(&mut self.problems, finding);
    }
}

impl Finding {
    fn with(&self, what: impl Into<String>) -> Self {
        Self { what: what.into(), ..self.clone() }
    }
}

fn list(findings: &mut Vec<Finding>, finding: Finding) {
    if findings.len() < MOST {
        findings.push(finding);
    }
}
