//! Datasets in the bodies of requests, in each form that is accepted: JSON, CSV as it is with the rest
//! in the URL, and a form with files.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use futures_util::stream;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::body::{json_object, receive, utf8};
use super::body_memory::MemoryPermit;
use super::encoding::Encoding;
use super::error::ApiError;
use super::openapi::{BYTES, DATA, Example, Input, Operation, form};
use super::params::{Labels, Moment, WaitQuery, Words};
use super::query::{MAX_PAIRS, PairError, Pairs, add, excerpt, pairs, read};
use super::shared::Shared;
use crate::content_type::{content_type, media_type};
use crate::pipeline::{SourceLabels, decode};
use ferry_types::causes::chain;
use ferry_types::contract::ProblemKind::{
    IdempotencyConflict, InvalidDataset, InvalidField, InvalidRequest, StoreUnavailable, Timeout,
    TooLarge, TooManyUnfinished, UnsupportedMediaType,
};
use ferry_types::contract::{ResubmitRequest, SubmissionRequest, ValidateRequest};
use ferry_types::domain::TraceParent;
use ferry_types::domain::dataset::Report;
use ferry_types::domain::submission::Priority;

/// A request with a dataset in it.
pub(super) trait DatasetRequest: Sized + JsonSchema + Example + serde::Serialize {
    /// The rest, where the dataset is not part of JSON.
    type Fields: DeserializeOwned + JsonSchema;
    /// True for a new submission, which has fields of its own.
    const IS_NEW: bool;
    /// True if it is stored: then it may have an idempotency key, and its response may wait.
    const IS_STORED: bool = true;

    fn from_json(text: &str) -> Result<Self, ApiError>;
    /// Makes a request of fields, the name of a file and CSV texts.
    fn from_fields(
        fields: Self::Fields,
        file: Option<&str>,
        texts: (String, Option<String>),
    ) -> Result<Self, ApiError>;
    fn idempotency_key(&mut self) -> Option<&mut Option<String>>;
}

/// The fields of a new submission beside its dataset.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmissionFields {
    /// Dataset name; in a form that of the file, unless given.
    name: Option<String>,
    /// Account that uploads it; the only configured one if left out.
    account: Option<String>,
    /// True if it may overwrite a dataset of the same name.
    #[serde(default)]
    overwrite: bool,
    /// Results to fetch once it is completed.
    #[serde(default)]
    result_keys: Words,
    /// Its priority among the account's steps.
    #[serde(default)]
    priority: Priority,
    /// Earliest time of the upload.
    not_before: Option<Moment>,
    /// Time at which Ferry gives up.
    deadline: Option<Moment>,
    /// URL that receives the outcome.
    webhook_url: Option<String>,
    /// Labels to filter by, each as KEY=VALUE.
    #[serde(default)]
    label: Labels,
}

/// A corrected dataset has no fields beside it.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResubmitFields {}

impl DatasetRequest for SubmissionRequest {
    type Fields = SubmissionFields;
    const IS_NEW: bool = true;

    fn from_json(text: &str) -> Result<Self, ApiError> {
        Self::from_json(text).map_err(ApiError::invalid)
    }

    fn from_fields(
        fields: SubmissionFields,
        file: Option<&str>,
        (data, event_data): (String, Option<String>),
    ) -> Result<Self, ApiError> {
        let name = fields.name.or_else(|| file.and_then(stem));
        Ok(Self {
            name: name.ok_or_else(|| ApiError::field("name", "it is needed"))?,
            data,
            event_data,
            account: fields.account,
            overwrite: fields.overwrite,
            result_keys: fields.result_keys.0,
            priority: fields.priority,
            not_before: fields.not_before.map(|at| at.0),
            deadline: fields.deadline.map(|at| at.0),
            labels: fields.label.0,
            webhook_url: fields.webhook_url,
            ..Self::default()
        })
    }

    fn idempotency_key(&mut self) -> Option<&mut Option<String>> {
        Some(&mut self.idempotency_key)
    }
}

impl DatasetRequest for ResubmitRequest {
    type Fields = ResubmitFields;
    const IS_NEW: bool = false;

    fn from_json(text: &str) -> Result<Self, ApiError> {
        json_object(text.as_bytes())
    }

    fn from_fields(
        ResubmitFields {}: ResubmitFields,
        _: Option<&str>,
        (data, event_data): (String, Option<String>),
    ) -> Result<Self, ApiError> {
        Ok(Self { data, event_data, idempotency_key: None })
    }

    fn idempotency_key(&mut self) -> Option<&mut Option<String>> {
        Some(&mut self.idempotency_key)
    }
}

impl DatasetRequest for ValidateRequest {
    type Fields = ResubmitFields;
    const IS_NEW: bool = false;
    const IS_STORED: bool = false;

    fn from_json(text: &str) -> Result<Self, ApiError> {
        json_object(text.as_bytes())
    }

    fn from_fields(
        ResubmitFields {}: ResubmitFields,
        _: Option<&str>,
        (data, event_data): (String, Option<String>),
    ) -> Result<Self, ApiError> {
        Ok(Self { data, event_data })
    }

    fn idempotency_key(&mut self) -> Option<&mut Option<String>> {
        None
    }
}

/// A dataset that has arrived and is not read yet, for a request of type `T`.
#[derive(Debug)]
pub(super) struct Dataset<T> {
    content: Content,
    idempotency_key: Option<String>,
    traceparent: Option<TraceParent>,
    /// Time for which the response may be held back.
    pub(super) wait: Option<Duration>,
    /// Size of the body.
    pub(super) bytes: u64,
    /// Its share of the memory.
    pub(super) memory: Option<MemoryPermit>,
    request: PhantomData<fn() -> T>,
}

/// Reason why a request cannot be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The texts of the dataset are none.
    Dataset(Vec<Report>),
    /// Anything else.
    Request(ApiError),
}

impl From<ApiError> for ReadError {
    fn from(error: ApiError) -> Self {
        Self::Request(error)
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Dataset(reports) => Self::dataset(reports),
            ReadError::Request(error) => error,
        }
    }
}

#[derive(Debug)]
enum Content {
    Json(Vec<u8>),
    Fields(Box<Parts>),
}

/// A form, or a dataset and the parameters of its URL.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) data: Option<Vec<u8>>,
    pub(super) event_data: Option<Vec<u8>>,
    /// Name of the file that `data` was.
    pub(super) file: Option<String>,
    /// Further files that were sent as `data`, with their names.
    pub(super) more: Vec<(Option<String>, Vec<u8>)>,
    pub(super) others: Pairs,
}

/// The types that are accepted.
enum Form {
    Json,
    Csv,
    Multipart(String),
}

impl<T: DatasetRequest> FromRequest<Arc<Shared>> for Dataset<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let headers = &head.headers;
        let idempotency_key = idempotency_key(headers)?;
        let form = form_of(headers)?;
        let (waits, others): (Pairs, Pairs) =
            pairs(&head.uri)?.into_iter().partition(|(name, _)| T::IS_STORED && name == "wait");
        let WaitQuery { wait } = read(waits).map_err(PairError::of_query)?;
        if let (false, Some((name, _))) = (matches!(form, Form::Csv), others.first()) {
            return Err(PairError::Unknown { name: name.clone(), known: &[] }.of_query());
        }
        let limits = &shared.parts.limits;
        let is_json = matches!(form, Form::Json);
        let limit = if is_json { limits.json_body() } else { limits.raw_body() };
        let received = receive(shared, &head, body, limit).await?;
        let bytes = received.bytes.len() as u64;
        let content = match form {
            Form::Json => Content::Json(received.bytes),
            Form::Csv => {
                let data = Some(received.bytes);
                Content::Fields(Box::new(Parts { data, others, ..Parts::default() }))
            }
            Form::Multipart(boundary) => {
                Content::Fields(Box::new(multipart(received.bytes, boundary, MAX_PAIRS, 1).await?))
            }
        };
        Ok(Self {
            content,
            idempotency_key,
            // One that cannot be read counts as none: so the W3C wants it.
            traceparent: headers
                .get("traceparent")
                .and_then(|value| value.to_str().ok()?.parse().ok()),
            wait: wait.map(|wait| wait.0),
            bytes,
            memory: Some(received.memory),
            request: PhantomData,
        })
    }
}

impl<T: DatasetRequest> Dataset<T> {
    /// Reads the request, and the span that it belongs to.
    pub(super) fn read(self) -> Result<(T, Option<TraceParent>), ReadError> {
        let mut request = match self.content {
            Content::Json(body) => T::from_json(utf8("the body", &body)?)?,
            Content::Fields(mut parts) => {
                let fields =
                    read(std::mem::take(&mut parts.others)).map_err(PairError::of_field)?;
                let data = parts.data.take();
                let data = data.ok_or_else(|| ApiError::field("data", "it is needed"))?;
                let texts = decode(data, parts.event_data.take(), &SourceLabels::default());
                let texts = texts.map_err(ReadError::Dataset)?;
                T::from_fields(fields, parts.file.as_deref(), texts)?
            }
        };
        if let Some(key) = request.idempotency_key() {
            *key = one_key(self.idempotency_key, key.take())?;
        }
        Ok((request, self.traceparent))
    }
}

impl<T: DatasetRequest> Input for Dataset<T> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let text = json!({ "type": "string" });
        let key = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
        let bytes = json!({ "type": "string", "format": "binary" });
        let mut operation = Encoding::describe(operation);
        if T::IS_STORED {
            operation = operation
                .parameters::<WaitQuery>("query", "")
                .parameter(
                    "header",
                    "Idempotency-Key",
                    &key,
                    "The same key with the same content is accepted once",
                )
                .parameter("header", "traceparent", &text, "W3C Trace Context of the producer")
                .problems(&[
                    InvalidDataset,
                    IdempotencyConflict,
                    TooManyUnfinished,
                    StoreUnavailable,
                ]);
        }
        operation
            .parameters::<T::Fields>("query", "With `text/csv`: ")
            .json_body::<T>()
            .body("text/csv", text, json!(DATA))
            .body(BYTES, bytes, json!(DATA))
            .form_body::<T::Fields>(&["data", "event_data"], form(T::IS_NEW))
            .problems(&[InvalidRequest, Timeout, TooLarge, UnsupportedMediaType, InvalidField])
    }
}

/// The name of a dataset whose file is called so.
pub(super) fn stem(file: &str) -> Option<String> {
    let file = file.rsplit(['/', '\\']).next()?;
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    (!stem.is_empty()).then(|| stem.to_owned())
}

/// The longest name of a file, in bytes.
const LONGEST_FILE_NAME: usize = 1000;

/// Reads a form with at most so many files of `data`, and with at most so many other fields. A body of a
/// few kilobytes may be a million of either.
pub(super) async fn multipart(
    body: Vec<u8>,
    boundary: String,
    most: usize,
    most_files: usize,
) -> Result<Parts, ApiError> {
    let broken = |error: multer::Error| ApiError::invalid(format!("the form: {}", chain(&error)));
    let body = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut form = multer::Multipart::new(body, boundary);
    let mut parts = Parts::default();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(str::to_owned);
        if file.as_ref().is_some_and(|file| file.len() > LONGEST_FILE_NAME) {
            let what = format!("the name of its file has more than {LONGEST_FILE_NAME} bytes");
            return Err(ApiError::field(&excerpt(&name), what));
        }
        let bytes = field.bytes().await.map_err(broken)?;
        match name.as_str() {
            "data" if parts.data.is_some() => {
                if parts.more.len() + 1 == most_files {
                    return Err(match most_files {
                        1 => ApiError::field(&name, "it is given twice"),
                        most => ApiError::field(&name, format!("more than {most} files")),
                    });
                }
                parts.more.push((file, bytes.into()));
            }
            "data" => (parts.data, parts.file) = (Some(bytes.into()), file),
            "event_data" => {
                if parts.event_data.replace(bytes.into()).is_some() {
                    return Err(ApiError::field(&name, "it is given twice"));
                }
            }
            _ => {
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| ApiError::field(&excerpt(&name), "it is not UTF-8"))?;
                add(&mut parts.others, name, text.to_owned(), most)?;
            }
        }
    }
    Ok(parts)
}

fn form_of(headers: &HeaderMap) -> Result<Form, ApiError> {
    let content_type = content_type(headers);
    match &*media_type(content_type) {
        "application/json" => Ok(Form::Json),
        "text/csv" | BYTES => Ok(Form::Csv),
        "multipart/form-data" => multer::parse_boundary(content_type)
            .map(Form::Multipart)
            .map_err(|error| ApiError::invalid(format!("the form: {}", chain(&error)))),
        _ => {
            let what = "the `Content-Type` must be application/json, text/csv, \
                        application/octet-stream or multipart/form-data";
            Err(ApiError::new(UnsupportedMediaType, what))
        }
    }
}

/// The header that makes a request safe to be repeated; the quotes of a structured field are not part
/// of the key.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let value = std::str::from_utf8(value.as_bytes())
        .map_err(|_| ApiError::field("idempotency_key", "it is not UTF-8"))?;
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Ok(Some(quoted.unwrap_or(value).to_owned()))
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
