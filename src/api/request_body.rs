//! What a client hands over, in any of the three forms that are taken: JSON, CSV as it is with the
//! rest in the URL, and a form with files.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::stream;

use super::Shared;
use super::body::{json_limit, json_object, raw_limit, receive};
use super::body_memory::MemoryPermit;
use super::error::ApiError;
use super::params::{Params, time};
use crate::pipeline::{SourceLabels, decode};
use ferry_types::contract::{ProblemKind, ResubmitRequest, SubmissionRequest};
use ferry_types::domain::{Timestamp, TraceParent};

/// What arrived, not understood yet.
#[derive(Debug)]
pub(super) struct Given {
    content: Content,
    idempotency_key: Option<String>,
    traceparent: Option<TraceParent>,
    /// How much arrived.
    bytes: u64,
    /// Its share of the memory.
    _share: MemoryPermit,
}

#[derive(Debug)]
enum Content {
    Json(Vec<u8>),
    Fields(Fields),
}

/// A form, or a dataset and the parameters of its URL.
#[derive(Debug, Default)]
struct Fields {
    data: Option<Vec<u8>>,
    event_data: Option<Vec<u8>>,
    /// The name of the file that `data` was.
    file: Option<String>,
    others: Vec<(String, String)>,
}

/// The types that are taken.
enum Form {
    Json,
    Csv,
    Multipart(String),
}

/// Receives what a client hands over; all that is left in `params` belongs to it.
pub(super) async fn receive_given(
    shared: &Shared,
    headers: &HeaderMap,
    mut params: Params,
    body: Body,
) -> Result<Given, ApiError> {
    let idempotency_key = idempotency_key(headers)?;
    let traceparent = traceparent(headers);
    let form = form(headers)?;
    let others = if matches!(form, Form::Csv) { params.rest() } else { Vec::new() };
    params.done()?;
    let limits = &shared.parts.limits;
    let limit = if matches!(form, Form::Json) { json_limit(limits) } else { raw_limit(limits) };
    let received = receive(shared, headers, body, limit).await?;
    let bytes = received.bytes.len() as u64;
    let content = match form {
        Form::Json => Content::Json(received.bytes),
        Form::Csv => {
            let fields = Fields { data: Some(received.bytes), others, ..Fields::default() };
            Content::Fields(fields)
        }
        Form::Multipart(boundary) => Content::Fields(multipart(received.bytes, boundary).await?),
    };
    Ok(Given { content, idempotency_key, traceparent, bytes, _share: received.memory })
}

impl Given {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The span that the request belongs to.
    pub(super) fn traceparent(&self) -> Option<TraceParent> {
        self.traceparent
    }

    /// As a new submission.
    pub(super) fn into_request(self) -> Result<SubmissionRequest, ApiError> {
        let mut request = match self.content {
            Content::Json(body) => {
                SubmissionRequest::from_json(text(&body)?).map_err(ApiError::invalid)?
            }
            Content::Fields(fields) => fields.into_request()?,
        };
        request.idempotency_key = one_key(self.idempotency_key, request.idempotency_key)?;
        request.traceparent = request.traceparent.or(self.traceparent);
        Ok(request)
    }

    /// As the correction of an earlier one.
    pub(super) fn into_resubmission(self) -> Result<ResubmitRequest, ApiError> {
        let mut request: ResubmitRequest = match self.content {
            Content::Json(body) => json_object(text(&body)?.as_bytes())?,
            Content::Fields(mut fields) => {
                fields.are_given_once()?;
                let (data, event_data) = fields.texts()?;
                let mut idempotency_key = None;
                for (name, value) in fields.others {
                    if name != "idempotency_key" {
                        return Err(unknown(&name, "`idempotency_key`"));
                    }
                    idempotency_key = Some(value);
                }
                ResubmitRequest { data, event_data, idempotency_key }
            }
        };
        request.idempotency_key = one_key(self.idempotency_key, request.idempotency_key)?;
        Ok(request)
    }
}

impl Fields {
    /// Of two values nobody can tell which is meant; labels and result keys are several.
    fn are_given_once(&self) -> Result<(), ApiError> {
        let mut seen = BTreeSet::new();
        let twice = |(name, _): &&(String, String)| {
            !matches!(name.as_str(), "label" | "result_keys") && !seen.insert(name.clone())
        };
        match self.others.iter().find(twice) {
            Some((name, _)) => Err(ApiError::field(name, "it stands there twice")),
            None => Ok(()),
        }
    }

    fn into_request(mut self) -> Result<SubmissionRequest, ApiError> {
        self.are_given_once()?;
        let (data, event_data) = self.texts()?;
        let mut request = SubmissionRequest { data, event_data, ..SubmissionRequest::default() };
        let mut name = None;
        for (field, value) in self.others {
            let of_field =
                |time: Result<Timestamp, &str>| time.map_err(|what| ApiError::field(&field, what));
            match field.as_str() {
                "name" => name = Some(value),
                "account" => request.account = Some(value),
                "overwrite" => request.overwrite = yes_or_no(&field, &value)?,
                "result_keys" => {
                    let keys = value.split(',').map(str::trim).filter(|key| !key.is_empty());
                    request.result_keys.extend(keys.map(str::to_owned));
                }
                "priority" => {
                    let parsed = value.parse();
                    request.priority = parsed.map_err(|error| ApiError::field(&field, error))?;
                }
                "not_before" => request.not_before = Some(of_field(time(&value))?),
                "deadline" => request.deadline = Some(of_field(time(&value))?),
                "idempotency_key" => request.idempotency_key = Some(value),
                "webhook_url" => request.webhook_url = Some(value),
                "label" => {
                    let (key, value) = value
                        .split_once('=')
                        .ok_or_else(|| ApiError::field(&field, "expected KEY=VALUE"))?;
                    if request.labels.insert(key.to_owned(), value.to_owned()).is_some() {
                        return Err(ApiError::field(&field, "a key stands there twice"));
                    }
                }
                _ => {
                    let known = "`name`, `account`, `overwrite`, `result_keys`, `priority`, \
                                 `not_before`, `deadline`, `idempotency_key`, `webhook_url`, `label`";
                    return Err(unknown(&field, known));
                }
            }
        }
        let name = name.or(self.file.as_deref().and_then(stem));
        request.name = name.ok_or_else(|| ApiError::field("name", "it is needed"))?;
        Ok(request)
    }

    fn texts(&mut self) -> Result<(String, Option<String>), ApiError> {
        let data = self.data.take().ok_or_else(|| ApiError::field("data", "it is needed"))?;
        decode(data, self.event_data.take(), &SourceLabels::default()).map_err(ApiError::dataset)
    }
}

/// The Name of a dataset whose file is called so.
fn stem(file: &str) -> Option<String> {
    let file = file.rsplit(['/', '\\']).next()?;
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    (!stem.is_empty()).then(|| stem.to_owned())
}

async fn multipart(body: Vec<u8>, boundary: String) -> Result<Fields, ApiError> {
    let broken = |error: multer::Error| ApiError::invalid(format!("the form: {error}"));
    let body = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut form = multer::Multipart::new(body, boundary);
    let mut fields = Fields::default();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(str::to_owned);
        let bytes = field.bytes().await.map_err(broken)?;
        let taken = match name.as_str() {
            "data" => &mut fields.data,
            "event_data" => &mut fields.event_data,
            _ => {
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| ApiError::field(&name, "it is not UTF-8"))?;
                fields.others.push((name, text.to_owned()));
                continue;
            }
        };
        if taken.replace(bytes.into()).is_some() {
            return Err(ApiError::field(&name, "it stands there twice"));
        }
        if name == "data" {
            fields.file = file;
        }
    }
    Ok(fields)
}

fn form(headers: &HeaderMap) -> Result<Form, ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type.to_ascii_lowercase().as_str() {
        "application/json" => Ok(Form::Json),
        "text/csv" => Ok(Form::Csv),
        "multipart/form-data" => multer::parse_boundary(content_type)
            .map(Form::Multipart)
            .map_err(|error| ApiError::invalid(format!("the form: {error}"))),
        _ => {
            let what =
                "the `Content-Type` must be application/json, text/csv or multipart/form-data";
            Err(ApiError::new(ProblemKind::UnsupportedMediaType, what))
        }
    }
}

/// The header that makes a call safe to be repeated; the quotes of a structured field are not part
/// of the key.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let value = std::str::from_utf8(value.as_bytes())
        .map_err(|_| ApiError::field("idempotency_key", "it is not UTF-8"))?;
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Ok(Some(quoted.unwrap_or(value).to_owned()))
}

/// The header that says which span a request belongs to. One that is not understood is as good as none:
/// so the W3C wants it.
fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get("traceparent")?.to_str().ok()?.parse().ok()
}

fn one_key(header: Option<String>, body: Option<String>) -> Result<Option<String>, ApiError> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => {
            let what = "the header `Idempotency-Key` says something else";
            Err(ApiError::field("idempotency_key", what))
        }
        (header, body) => Ok(header.or(body)),
    }
}

fn text(body: &[u8]) -> Result<&str, ApiError> {
    std::str::from_utf8(body).map_err(|error| {
        ApiError::invalid(format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))
    })
}

fn yes_or_no(field: &str, value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::field(field, "expected `true` or `false`"))
}

fn unknown(field: &str, known: &str) -> ApiError {
    let field: String = field.chars().take(40).flat_map(char::escape_debug).collect();
    ApiError::invalid(format!("there is no field `{field}`: expected {known}"))
}
