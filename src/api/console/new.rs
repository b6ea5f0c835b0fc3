//! Submits a dataset from a page: as a file or as text, checked at once.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::header;
use axum::response::Response;

use super::super::body::receive;
use super::super::body_memory::MemoryPermit;
use super::super::caller::Caller;
use super::super::dataset::{DatasetRequest, Parts, multipart};
use super::super::error::ApiError;
use super::super::query::{self, PairError, Pairs};
use super::super::shared::Shared;
use super::super::submit;
use super::super::validate;
use super::reader::Reader;
use super::respond::{page, see};
use super::submissions::in_utc;
use crate::console::{NewFields, NewPage};
use crate::pipeline::{SourceLabels, decode};
use ferry_store::compute;
use ferry_types::contract::{ProblemKind, SubmissionRequest, ValidateView};

/// A file up to this size is shown as text, so that it need not be chosen again.
const SHOWN: usize = 256 << 10;

/// A form of the page as its browser sent it.
#[derive(Debug)]
pub(in crate::api) struct Sent {
    fields: NewFields,
    is_submitted: bool,
    data: Vec<u8>,
    events: Option<Vec<u8>>,
    file: Option<String>,
    memory: MemoryPermit,
}

impl FromRequest<Arc<Shared>> for Sent {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|_| {
            let what = "expected `multipart/form-data`";
            ApiError::new(ProblemKind::UnsupportedMediaType, what)
        })?;
        let limit = shared.parts.limits.raw_body();
        let received = receive(shared, &parts, body, limit).await?;
        read(multipart(received.bytes, boundary).await?, received.memory)
    }
}

fn read(parts: Parts, memory: MemoryPermit) -> Result<Sent, ApiError> {
    let (mut fields, mut is_submitted) = (NewFields::default(), false);
    for (name, value) in parts.others {
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
            "overwrite" => {
                fields.overwrite = value == "true";
                continue;
            }
            "act" => {
                is_submitted = value == "submit";
                continue;
            }
            _ => return Err(ApiError::invalid("a field of the form: it is of another page")),
        };
        *field = value;
    }
    // A file that was not chosen is an empty one without a name.
    let chosen = |file: Option<Vec<u8>>| file.filter(|bytes| !bytes.is_empty());
    let typed = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    let (data, events) = (chosen(parts.data), chosen(parts.event_data));
    let file = parts.file.filter(|_| data.is_some());
    let keep = |bytes: &Option<Vec<u8>>, shown: &mut String| {
        let Some(bytes) = bytes else { return false };
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= SHOWN);
        text.unwrap_or_default().clone_into(shown);
        text.is_none()
    };
    let before = (typed(&fields.data), typed(&fields.events));
    let of_data = keep(&data, &mut fields.data);
    fields.choose_again = keep(&events, &mut fields.events) || of_data;
    let (data, events) = (data.or(before.0).unwrap_or_default(), events.or(before.1));
    Ok(Sent { fields, is_submitted, data, events, file, memory })
}

/// Shows the empty form.
pub(in crate::api) async fn form(State(shared): State<Arc<Shared>>, reader: Reader) -> Response {
    let fields = NewFields { key: shared.request_id(), ..NewFields::default() };
    page(&NewPage::new(
        reader.frame().of("Submit"),
        accounts(&shared, &reader.caller),
        fields,
        None,
    ))
}

/// Checks the dataset, or submits it.
pub(in crate::api) async fn act(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    sent: Sent,
) -> Response {
    let fields = sent.fields.clone();
    let outcome = if sent.is_submitted {
        match submitted(&shared, &reader.caller, sent).await {
            Ok(path) => return see(&path),
            Err(error) => Err(error.problem),
        }
    } else {
        checked(&shared, sent).await.map_err(|error| error.problem)
    };
    let (frame, accounts) = (reader.frame().of("Submit"), accounts(&shared, &reader.caller));
    page(&NewPage::new(frame, accounts, fields, Some(outcome)))
}

async fn checked(shared: &Arc<Shared>, sent: Sent) -> Result<ValidateView, ApiError> {
    let (of, bytes, _memory) = (shared.clone(), sent.data.len() as u64, sent.memory);
    compute(bytes, move || {
        let names = SourceLabels::default();
        let reports = match decode(sent.data, sent.events, &names) {
            Ok((data, events)) => of.parts.intake.validate(&data, events.as_deref(), &names)?,
            Err(reports) => reports,
        };
        Ok(validate::view(reports))
    })
    .await
}

async fn submitted(shared: &Arc<Shared>, caller: &Caller, sent: Sent) -> Result<String, ApiError> {
    let (of, who, bytes, memory) =
        (shared.clone(), caller.clone(), sent.data.len() as u64, sent.memory);
    let prepared = compute(bytes, move || {
        let names = SourceLabels::default();
        let texts = decode(sent.data, sent.events, &names).map_err(ApiError::dataset)?;
        let fields = query::read(pairs(&sent.fields)).map_err(PairError::of_field)?;
        let mut request = SubmissionRequest::from_fields(fields, sent.file.as_deref(), texts)?;
        request.account = who.account_for(request.account)?;
        request.idempotency_key = Some(sent.fields.key).filter(|key| !key.is_empty());
        of.parts.intake.prepare(request, &names).map_err(|error| who.refusal(error))
    });
    let accepted = submit::accept(shared, caller, (prepared.await?, Some(memory)), None).await?;
    Ok(format!("/console/submissions/{}", accepted.id()))
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

/// The accounts to choose from: those of the key, or those that are configured.
fn accounts(shared: &Shared, caller: &Caller) -> Vec<String> {
    let accounts = caller.accounts.as_ref().unwrap_or(shared.parts.intake.accounts());
    accounts.iter().cloned().collect()
}
