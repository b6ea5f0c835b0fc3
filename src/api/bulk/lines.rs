//! The lines of a body, as they arrive: no more of them in memory than a batch.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::api::arrival::TimeLimit;
use crate::api::body::without_bom;
use crate::api::body_memory::MemoryPermit;
use crate::api::encoding::Decoded;
use crate::api::error::ApiError;
use crate::api::shared::Shared;
use crate::api::shares::Owner;
use ferry_types::contract::ProblemKind;

/// If no more arrives for so long, the lines so far are stored: a client may wait for its response.
const LULL: Duration = Duration::from_millis(5);

/// Blank lines of a body that are passed over. They cost their sender nothing if they are compressed.
const BLANK_LINES: u64 = 100_000;

/// A line without its end, or the error of one that cannot be taken.
#[derive(Debug)]
pub(super) struct BulkLine(pub(super) Result<Vec<u8>, ApiError>);

/// The end of a body.
#[derive(Debug)]
pub(super) enum End {
    /// The client has no more.
    Done,
    /// It sent no more.
    Broken(ApiError),
}

/// Lines that are stored together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) lines: Vec<(u64, BulkLine)>,
    /// The number of the last line that was read.
    pub(super) last: u64,
    /// The end, if there are no more lines.
    pub(super) end: Option<End>,
    /// Its share of the memory.
    _share: MemoryPermit,
}

/// Takes a body apart.
#[derive(Debug)]
pub(super) struct Lines {
    frames: Decoded,
    /// Bytes of a line that has not arrived whole.
    rest: Vec<u8>,
    /// The rest belongs to a line that is too long, and is thrown away.
    skipping: bool,
    /// Number of blank lines.
    blank: u64,
    memory: MemoryPermit,
    /// The size of the whole lines that share in it.
    held: usize,
    ready: VecDeque<(u64, BulkLine)>,
    number: u64,
    client_timeout: Duration,
    /// The time limits of the line that arrives.
    time_limit: TimeLimit,
    owner: Owner,
    longest: usize,
    end: Option<End>,
}

impl Lines {
    pub(super) fn new(frames: Decoded, shared: &Shared, owner: Owner) -> Self {
        let limits = &shared.parts.limits;
        Self {
            frames,
            rest: Vec::new(),
            skipping: false,
            blank: 0,
            memory: shared.body_memory.permit(&owner),
            held: 0,
            ready: VecDeque::new(),
            number: 0,
            client_timeout: limits.client_timeout,
            time_limit: TimeLimit::new(limits.client_timeout),
            owner,
            longest: limits.json_body() as usize,
            end: None,
        }
    }

    /// The next lines: as many as are there, one at least if there are any.
    pub(super) async fn batch(&mut self, most: usize, bytes: usize, shared: &Shared) -> Batch {
        let mut batch = Vec::new();
        let mut size = 0;
        let mut until = self.until();
        while batch.len() < most && size < bytes {
            if let Some((number, line)) = self.ready.pop_front() {
                size += line.0.as_ref().map_or(0, Vec::len);
                batch.push((number, line));
                until = Instant::now() + LULL;
                continue;
            }
            if self.end.is_some() {
                break;
            }
            let begin = Instant::now();
            match timeout_at(until, self.frames.next()).await {
                Ok(Some(Ok(frame))) => {
                    self.time_limit.arrived(frame.len(), begin.elapsed());
                    self.take(&frame);
                    if self.blank > BLANK_LINES {
                        let what = format!("the body has more than {BLANK_LINES} blank lines");
                        self.end = Some(End::Broken(ApiError::invalid(what)));
                    }
                    if batch.is_empty() {
                        until = self.until();
                    }
                }
                Ok(Some(Err(()))) => self.end = Some(End::Broken(self.frames.broken())),
                Ok(None) => {
                    if !self.rest.is_empty() {
                        self.line_ends();
                    }
                    self.end = Some(End::Done);
                }
                Err(_) if batch.is_empty() => {
                    let what = "no line arrived for too long (`client_timeout`)";
                    self.end = Some(End::Broken(ApiError::new(ProblemKind::Timeout, what)));
                }
                Err(_) => break,
            }
        }
        let end = if self.ready.is_empty() { self.end.take() } else { None };
        let last = batch.last().map_or(self.number, |(number, _)| *number);
        // What is left of a frame, less than a batch, does not count.
        self.held = 0;
        let next = shared.body_memory.permit(&self.owner);
        let memory = std::mem::replace(&mut self.memory, next);
        Batch { lines: batch, last, end, _share: memory }
    }

    /// The end of a wait for more: a client may think before a line, and not within one.
    fn until(&self) -> Instant {
        if self.rest.is_empty() && !self.skipping {
            return Instant::now() + self.client_timeout;
        }
        self.time_limit.until()
    }

    fn take(&mut self, frame: &Bytes) {
        let number = self.number;
        for piece in frame.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if !self.skipping && !text.is_empty() {
                self.extend(text);
            }
            if ends {
                self.line_ends();
            }
        }
        if self.number > number {
            self.time_limit = TimeLimit::new(self.client_timeout);
        }
    }

    fn extend(&mut self, text: &[u8]) {
        let size = self.rest.len() + text.len();
        let error = if size > self.longest {
            let what = format!("the line is longer than {} bytes", self.longest);
            Some(ApiError::new(ProblemKind::TooLarge, what))
        } else {
            self.memory.resize((self.held + size) as u64).err()
        };
        match error {
            None => self.rest.extend_from_slice(text),
            Some(error) => {
                self.rest = Vec::new();
                self.skipping = true;
                self.number += 1;
                self.ready.push_back((self.number, BulkLine(Err(error))));
            }
        }
    }

    fn line_ends(&mut self) {
        if std::mem::take(&mut self.skipping) {
            return;
        }
        let line = std::mem::take(&mut self.rest);
        self.number += 1;
        self.held += line.len();
        if without_bom(&line).trim_ascii().is_empty() {
            self.blank += 1;
        } else {
            self.ready.push_back((self.number, BulkLine(Ok(line))));
        }
    }
}
