//! The form of the page on which datasets are submitted: its fields, and what becomes of them.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};

use super::super::body::receive;
use super::super::body_memory::MemoryPermit;
use super::super::caller::Caller;
use super::super::dataset::{DatasetRequest, Parts, multipart};
use super::super::error::ApiError;
use super::super::query::{self, PairError, Pairs, excerpt};
use super::super::shared::Shared;
use super::reader::Reader;
use super::submissions::in_utc;
use super::typed::Typed;
use crate::console::{NewFields, NewPage};
use crate::content_type::content_type;
use crate::pipeline::{Prepared, SourceLabels};
use ferry_types::causes::chain;
use ferry_types::contract::{ProblemKind, SubmissionRequest, ValidateView};

/// The most fields of the form.
const MOST_FIELDS: usize = 10_000;

/// The most files at once: the page has a part for each.
const MOST_FILES: usize = 100;

/// The longest text of a field, but for those of datasets, and of all together, in bytes: the page has
/// them all again.
const LONGEST_FIELD: usize = 64 << 10;
const LONGEST_FIELDS: usize = 4 << 20;

/// A file or a text up to this size is shown as text, so that it can be corrected and need not be chosen again.
pub(super) const SHOWN: usize = 1 << 20;

/// A form of the page as its browser sent it.
#[derive(Debug)]
pub(in crate::api) struct Sent {
    pub(super) fields: NewFields,
    pub(super) typed: Typed,
    pub(super) data: Vec<u8>,
    pub(super) events: Option<Vec<u8>>,
    /// Further datasets, with the names of their files.
    pub(super) more: Vec<(Option<String>, Vec<u8>)>,
    pub(super) memory: MemoryPermit,
}

impl FromRequest<Arc<Shared>> for Sent {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let boundary = multer::parse_boundary(content_type(&parts.headers)).map_err(|error| {
            let what = format!("expected `multipart/form-data`: {}", chain(&error));
            ApiError::new(ProblemKind::UnsupportedMediaType, what)
        })?;
        let limit = shared.parts.limits.raw_body();
        let received = receive(shared, &parts, body, limit).await?;
        read(multipart(received.bytes, boundary, MOST_FIELDS, MOST_FILES).await?, received.memory)
    }
}

fn read(parts: Parts, memory: MemoryPermit) -> Result<Sent, ApiError> {
    let (mut fields, mut typed) = (NewFields::default(), Typed::default());
    let mut room = LONGEST_FIELDS;
    for (name, value) in parts.others {
        if !matches!(&*name, "data_text" | "event_text") {
            let left = room.checked_sub(value.len()).filter(|_| value.len() <= LONGEST_FIELD);
            room = left.ok_or_else(|| ApiError::field(&excerpt(&name), "it is too long"))?;
        }
        let field = match &*name {
            "name" => &mut fields.name,
            "account" => &mut fields.account,
            "data_text" => &mut fields.data,
            "event_text" => &mut fields.events,
            "labels" => &mut fields.labels,
            "result_keys" => &mut fields.result_keys,
            "not_before" => &mut fields.not_before,
            "deadline" => &mut fields.deadline,
            "webhook_url" => &mut fields.webhook_url,
            "key" => &mut fields.key,
            "file" => &mut fields.file,
            "line_ends" => &mut fields.line_ends,
            "rows_of" => &mut fields.rows_of,
            "act" => &mut typed.act,
            "overwrite" => {
                fields.overwrite = value == "true";
                continue;
            }
            name => {
                let foreign = || ApiError::invalid("a field of the form: it is of another page");
                typed.take(name, value).ok_or_else(foreign)?;
                continue;
            }
        };
        *field = value;
    }
    // A file that was not chosen is an empty one without a name.
    let chosen = |file: Option<Vec<u8>>| file.filter(|bytes| !bytes.is_empty());
    // Browsers send the text of a field with line ends of their own.
    let is_lf = fields.line_ends == "lf";
    let sent = |text: &str| if is_lf { text.replace("\r\n", "\n") } else { text.to_owned() };
    let written = |text: &str| (!text.is_empty()).then(|| sent(text).into_bytes());
    let (data, events) = (chosen(parts.data), chosen(parts.event_data));
    if let (Some(file), Some(_)) = (parts.file, &data) {
        fields.file = file;
    }
    let data = data.or_else(|| written(&fields.data)).unwrap_or_default();
    let events = events.or_else(|| written(&fields.events));
    Ok(Sent { fields, typed, data, events, more: parts.more, memory })
}

/// The page with the result of a check, or the reason for which nothing was submitted.
pub(super) fn shown(
    shared: &Shared,
    reader: &Reader,
    mut fields: NewFields,
    outcome: Option<Result<ValidateView, ApiError>>,
) -> NewPage {
    if fields.data.len() + fields.events.len() > SHOWN {
        (fields.data, fields.events) = Default::default();
        fields.choose_again = true;
    }
    let accounts = reader.caller.accounts.as_ref().unwrap_or(shared.parts.intake.accounts());
    let outcome = outcome.map(|outcome| outcome.map_err(|error| error.problem));
    let accounts = accounts.iter().cloned().collect();
    NewPage::new(reader.frame().of("Submit"), accounts, fields, outcome)
}

/// A dataset that can be accepted under this idempotency key.
pub(super) fn prepared(
    shared: &Shared,
    caller: &Caller,
    (key, fields): (String, &NewFields),
    texts: (String, Option<String>),
) -> Result<Box<Prepared>, ApiError> {
    let read = query::read(pairs(fields)).map_err(PairError::of_field)?;
    let file = Some(&*fields.file).filter(|file| !file.is_empty());
    let mut request = SubmissionRequest::from_fields(read, file, texts)?;
    request.account = caller.account_for(request.account)?;
    request.idempotency_key = Some(key).filter(|key| !key.is_empty());
    let prepared = shared.parts.intake.prepare(request, &SourceLabels::default());
    prepared.map(Box::new).map_err(|error| caller.api_error(error))
}

/// The fields as those of the API, without the empty ones.
fn pairs(fields: &NewFields) -> Pairs {
    let mut pairs = Pairs::new();
    for (name, value) in [
        ("name", fields.name.clone()),
        ("account", fields.account.clone()),
        ("result_keys", fields.result_keys.clone()),
        ("not_before", in_utc(fields.not_before.clone())),
        ("deadline", in_utc(fields.deadline.clone())),
        ("webhook_url", fields.webhook_url.clone()),
    ] {
        if !value.is_empty() {
            pairs.push((name.to_owned(), value));
        }
    }
    if fields.overwrite {
        pairs.push(("overwrite".to_owned(), "true".to_owned()));
    }
    let labels = fields.labels.lines().map(str::trim).filter(|label| !label.is_empty());
    pairs.extend(labels.map(|label| ("label".to_owned(), label.to_owned())));
    pairs
}
