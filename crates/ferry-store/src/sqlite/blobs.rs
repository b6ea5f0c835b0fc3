//! Datasets and results in tables of their own, apart from the records, which are read far more often.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::SqliteError;
use crate::Payload;
use crate::compression::{Compressed, CompressedPayload};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::outcome::Content;

pub(super) fn save_payload(
    connection: &Connection,
    seq: i64,
    packed: &CompressedPayload,
) -> Result<(), SqliteError> {
    let events = packed.event_data.as_ref();
    connection.prepare_cached("INSERT INTO payloads VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
        params![
            seq,
            packed.data.bytes,
            packed.data.unpacked as i64,
            events.map(|events| &events.bytes),
            events.map(|events| events.unpacked as i64),
        ],
    )?;
    Ok(())
}

pub(super) fn read_payload(
    connection: &Connection,
    id: SubmissionId,
) -> Result<Payload, SqliteError> {
    let found = connection
        .prepare_cached(
            "SELECT data, data_bytes, event_data, event_data_bytes FROM payloads
             WHERE submission = (SELECT seq FROM submissions WHERE id = ?1)",
        )?
        .query_row([id.to_string()], |row| {
            let events: Option<Vec<u8>> = row.get(2)?;
            let unpacked: Option<i64> = row.get(3)?;
            let events = events.zip(unpacked);
            Ok(CompressedPayload {
                data: packed(row.get(0)?, row.get(1)?),
                event_data: events.map(|(bytes, unpacked)| packed(bytes, unpacked)),
            })
        })
        .optional()?
        .ok_or_else(|| SqliteError::not_found(id))?;
    found.decompress().map_err(SqliteError::corrupt)
}

fn packed(bytes: Vec<u8>, unpacked: i64) -> Compressed {
    Compressed { bytes, unpacked: unpacked.unsigned_abs() }
}

pub(super) fn save_content(
    connection: &Connection,
    seq: i64,
    key: &str,
    content_type: Option<&str>,
    packed: &Compressed,
) -> Result<(), SqliteError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO contents VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![seq, key, content_type, packed.bytes, packed.unpacked as i64])?;
    Ok(())
}

pub(super) fn read_content(
    connection: &Connection,
    id: SubmissionId,
    key: &str,
) -> Result<Option<Content>, SqliteError> {
    let found = connection
        .prepare_cached(
            "SELECT content_type, body, body_bytes FROM contents
             WHERE submission = (SELECT seq FROM submissions WHERE id = ?1) AND key = ?2",
        )?
        .query_row(params![id.to_string(), key], |row| {
            let content_type: Option<String> = row.get(0)?;
            Ok((content_type, packed(row.get(1)?, row.get(2)?)))
        })
        .optional()?;
    let Some((content_type, packed)) = found else { return Ok(None) };
    Ok(Some(Content { content_type, bytes: packed.decompress().map_err(SqliteError::corrupt)? }))
}
