//! Submits several files at once: all of them, or none if one has errors.

use std::sync::Arc;

use axum::response::Response;

use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::shared::Shared;
use super::super::submit;
use super::new_form::{Sent, prepared, shown};
use super::reader::Reader;
use super::respond::{page, see};
use crate::console::{NewFields, Verdict, fingerprint};
use crate::pipeline::{Prepared, SourceLabels, decode};
use ferry_store::{Payload, compute};

/// Most problems of a file in memory: the page lists fewer.
const MOST_PROBLEMS: usize = 20;

/// Checks the files, or submits them.
pub(super) async fn act(shared: &Arc<Shared>, reader: &Reader, sent: Sent) -> Response {
    let Sent { fields, typed, data, events, more, memory: _memory } = sent;
    let error = if !fields.name.is_empty() {
        Some(ApiError::field("name", "several files have their own names: leave it out"))
    } else if events.is_some() {
        Some(ApiError::field("event_data", "events belong to one dataset: submit it alone"))
    } else {
        None
    };
    if let Some(error) = error {
        return page(&shown(shared, reader, fields, Some(Err(error))));
    }
    let first = (Some(fields.file.clone()), data);
    let files: Vec<_> = [first].into_iter().chain(more).collect();
    let bytes = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let (of, who, mut given) = (shared.clone(), reader.caller.clone(), fields.clone());
    let checked = compute(bytes, move || {
        let check = |(file, bytes): (Option<String>, Vec<u8>)| {
            given.file = file.unwrap_or_default();
            let found = checked(&of, &who, &given, bytes);
            (given.file.clone(), found.map_err(|error| error.shortened(MOST_PROBLEMS)))
        };
        files.into_iter().map(check).collect::<Vec<_>>()
    });
    let checked = checked.await;
    let is_valid = checked.iter().all(|(_, found)| found.is_ok());
    let is_submitted = is_valid && typed.act == "submit";
    let mut verdicts = Vec::new();
    for (file, found) in checked {
        let done = match found {
            Ok(prepared) if is_submitted => {
                submit::accept(shared, &reader.caller, (*prepared, None), None).await.map(drop)
            }
            found => found.map(drop),
        };
        verdicts.push(Verdict::new(&file, done.err().map(|error| error.problem)));
    }
    if is_submitted && verdicts.iter().all(Verdict::is_valid) {
        return see("/console/submissions");
    }
    let fields = NewFields { choose_again: true, file: String::new(), ..fields };
    page(&shown(shared, reader, fields, None).with_verdicts(verdicts))
}

fn checked(
    shared: &Shared,
    caller: &Caller,
    fields: &NewFields,
    bytes: Vec<u8>,
) -> Result<Box<Prepared>, ApiError> {
    let texts = decode(bytes, None, &SourceLabels::default()).map_err(ApiError::dataset)?;
    // The same file of the same page is accepted once.
    let file = Payload { data: fields.file.clone(), event_data: None };
    let key = format!("{}-{}", fields.key, fingerprint(&file));
    prepared(shared, caller, (key, fields), texts)
}
