//! Reads values of a server without one, for the fuzz targets in `fuzz/`: a corrupt record is an error.
//! Panics if a rule is broken.

use super::blob_format::{read_content, read_payload};
use super::check::{Info, findings};
use super::events::event;
use super::listen::pass_on;
use super::record::{RedisRecord, read_health};
use crate::Wakeups;

/// Reads `bytes` as one of the values that a server has, which `kind` selects.
pub fn read_stored(kind: u8, bytes: &[u8]) {
    match kind % 7 {
        0 => record(bytes),
        1 => drop(read_payload(bytes)),
        2 => drop(read_content(bytes)),
        3 => drop(read_health(bytes)),
        4 => pass_on(bytes, &Wakeups::default()),
        5 => drop(event(1, &String::from_utf8_lossy(bytes))),
        _ => drop(findings(&Info(String::from_utf8_lossy(bytes).into_owned()), None, true)),
    }
}

/// A record that can be read is written as one that can be read, with the same contents.
fn record(bytes: &[u8]) {
    let Ok(read) = RedisRecord::read(bytes) else { return };
    let _ = read.timeline();
    let Ok(written) = read.packed(&read.submission, None) else { return };
    let again = RedisRecord::read(&written).expect("what is written can be read");
    assert_eq!(format!("{:?}", again.submission), format!("{:?}", read.submission));
}
