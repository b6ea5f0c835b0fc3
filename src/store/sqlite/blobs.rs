//! Datasets and results: compressed, and apart from the records, which are read far more often.

use std::cell::RefCell;

use rusqlite::{Connection, OptionalExtension, params};

use zstd::bulk::{Compressor, Decompressor};

use super::fault::Fault;
use crate::domain::SubmissionId;
use crate::domain::outcome::Content;
use crate::store::Payload;

/// The zstd level: beyond it, time grows faster than CSV shrinks.
const LEVEL: i32 = 3;

thread_local! {
    // A context is dear to make: for small datasets, more than its use.
    static COMPRESSOR: RefCell<Compressor<'static>> =
        RefCell::new(Compressor::new(LEVEL).expect("there is memory for a context"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("there is memory for a context"));
}

/// Compressed bytes, with the size that they had.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    unpacked: i64,
}

impl Packed {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let packed = COMPRESSOR.with_borrow_mut(|zstd| zstd.compress(bytes));
        let packed = packed.expect("zstd compresses anything");
        Self { bytes: packed, unpacked: bytes.len() as i64 }
    }

    fn unpack(self) -> Result<Vec<u8>, Fault> {
        let size = usize::try_from(self.unpacked).map_err(Fault::corrupt)?;
        DECOMPRESSOR
            .with_borrow_mut(|zstd| zstd.decompress(&self.bytes, size))
            .map_err(Fault::corrupt)
    }

    fn unpack_text(self) -> Result<String, Fault> {
        String::from_utf8(self.unpack()?).map_err(Fault::corrupt)
    }
}

/// A compressed dataset.
#[derive(Debug, Clone)]
pub(super) struct PackedPayload {
    data: Packed,
    event_data: Option<Packed>,
}

impl PackedPayload {
    pub(super) fn new(payload: &Payload) -> Self {
        Self {
            data: Packed::new(payload.data.as_bytes()),
            event_data: payload.event_data.as_ref().map(|text| Packed::new(text.as_bytes())),
        }
    }

    pub(super) fn save(&self, connection: &Connection, seq: i64) -> Result<(), Fault> {
        let events = self.event_data.as_ref();
        connection.prepare_cached("INSERT INTO payloads VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
            params![
                seq,
                self.data.bytes,
                self.data.unpacked,
                events.map(|events| &events.bytes),
                events.map(|events| events.unpacked),
            ],
        )?;
        Ok(())
    }
}

pub(super) fn read_payload(connection: &Connection, id: SubmissionId) -> Result<Payload, Fault> {
    let packed = connection
        .prepare_cached(
            "SELECT data, data_bytes, event_data, event_data_bytes FROM payloads
             WHERE submission = (SELECT seq FROM submissions WHERE id = ?1)",
        )?
        .query_row([id.to_string()], |row| {
            let events: Option<Vec<u8>> = row.get(2)?;
            let unpacked: Option<i64> = row.get(3)?;
            Ok(PackedPayload {
                data: Packed { bytes: row.get(0)?, unpacked: row.get(1)? },
                event_data: events
                    .zip(unpacked)
                    .map(|(bytes, unpacked)| Packed { bytes, unpacked }),
            })
        })
        .optional()?
        .ok_or_else(|| Fault::not_found(id))?;
    Ok(Payload {
        data: packed.data.unpack_text()?,
        event_data: packed.event_data.map(Packed::unpack_text).transpose()?,
    })
}

pub(super) fn save_content(
    connection: &Connection,
    seq: i64,
    key: &str,
    content_type: Option<&str>,
    packed: &Packed,
) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO contents VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![seq, key, content_type, packed.bytes, packed.unpacked])?;
    Ok(())
}

pub(super) fn read_content(
    connection: &Connection,
    id: SubmissionId,
    key: &str,
) -> Result<Option<Content>, Fault> {
    let found = connection
        .prepare_cached(
            "SELECT content_type, body, body_bytes FROM contents
             WHERE submission = (SELECT seq FROM submissions WHERE id = ?1) AND key = ?2",
        )?
        .query_row(params![id.to_string(), key], |row| {
            let content_type: Option<String> = row.get(0)?;
            Ok((content_type, Packed { bytes: row.get(1)?, unpacked: row.get(2)? }))
        })
        .optional()?;
    let Some((content_type, packed)) = found else { return Ok(None) };
    Ok(Some(Content { content_type, bytes: packed.unpack()? }))
}
