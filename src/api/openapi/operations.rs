//! What each route does, in the order of the table of routes.

use serde_json::{Value, json};

use super::examples;
use super::operation::{JSON, Media, Operation, TEXT};
use crate::metrics::OPENMETRICS;
use ferry_types::contract::ProblemKind::{
    Busy, Gone, IdempotencyConflict, InvalidDataset, InvalidField, InvalidRequest, NotFound,
    StateConflict, StoreUnavailable, Timeout, TooLarge, TooManyUnfinished, UnsupportedMediaType,
};
use ferry_types::contract::{
    PauseRequest, PauseView, ProblemKind, ResolveRequest, ResubmitRequest, StatsView,
    SubmissionPage, SubmissionRequest, SubmissionResponse, SubmissionView, WebhookView,
};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::feedback::FeedbackItem;
use ferry_types::domain::submission::{Priority, State, TimelineEntry};

const SUBMISSIONS: &str = "submissions";
const OPERATIONS: &str = "operations";
const MONITORING: &str = "monitoring";

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";
const EVENTS: &str = "text/event-stream";
const FORM: &str = "multipart/form-data";

const ENCODED: &str = "how the body is compressed; the limits are for what it holds";

/// What a dataset that is handed over may be answered with, instead.
const SUBMIT_PROBLEMS: [ProblemKind; 9] = [
    InvalidRequest,
    Timeout,
    TooLarge,
    UnsupportedMediaType,
    InvalidDataset,
    InvalidField,
    IdempotencyConflict,
    TooManyUnfinished,
    StoreUnavailable,
];

/// What a small body of an operator may be answered with, instead.
const SMALL_BODY: [ProblemKind; 5] =
    [InvalidRequest, Timeout, TooLarge, UnsupportedMediaType, StoreUnavailable];

pub(in crate::api) fn create(operation: Operation<'_>) -> Operation<'_> {
    let operation = operation
        .summary(SUBMISSIONS, "submit_dataset", "Submit a dataset")
        .description(
            "The submission is durable when the response arrives. As `text/csv` the fields stand in the URL, in a \
             form each is a part; `name` is then that of the file, unless given.",
        )
        .body::<SubmissionRequest>(&examples::request());
    let operation = dataset_body(fields(operation), form(true)).problems(&SUBMIT_PROBLEMS);
    let after = [
        "get_submission",
        "get_timeline",
        "get_result",
        "get_feedback",
        "resubmit_dataset",
        "cancel_submission",
        "retry_submission",
        "resolve_submission",
    ];
    submit_responses(operation).links(201, &after).links(200, &after)
}

pub(in crate::api) fn list(operation: Operation<'_>) -> Operation<'_> {
    let states = State::ALL.map(State::as_str);
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": 500, "default": 50 });
    operation
        .summary(SUBMISSIONS, "list_submissions", "List submissions, the newest first")
        .query("state", strings(&json!({ "enum": states })), "in one of these states")
        .query("name", text(), "with exactly this name")
        .query("account", text(), "of this account")
        .query("label", strings(&label()), "with all of these labels, as KEY=VALUE")
        .query("created_after", time(), "accepted at this time or later")
        .query("created_before", time(), "accepted before this time")
        .query("limit", limit, "how many at most")
        .query(
            "cursor",
            json!({ "type": "string", "pattern": "^[0-9]{1,18}$" }),
            "the `next_cursor` of an earlier answer, to go on there",
        )
        .response::<SubmissionPage>(200, "What matches", &examples::page())
        .problems(&[InvalidRequest, StoreUnavailable])
}

pub(in crate::api) fn bulk(operation: Operation<'_>) -> Operation<'_> {
    let lines = |of: Vec<String>| of.join("\n") + "\n";
    let taken = lines(examples::bulk().iter().map(|one| json!(one).to_string()).collect());
    let given = lines(examples::bulk_answers().iter().map(|one| json!(one).to_string()).collect());
    operation
        .summary(SUBMISSIONS, "submit_bulk", "Submit many datasets")
        .description(
            "NDJSON both ways and of any length: each line is a `SubmissionRequest`, and is answered by \
             a line of its own, `{\"line\": 1, \"id\": …}` or `{\"line\": 1, \"error\": {…}}`, as soon as it is durable. \
             Read the answers while you send.",
        )
        .body_as(NDJSON, text(), json!(taken))
        .header("Content-Encoding", encoding(), ENCODED)
        .response_with(200, "An answer a line", Some(Media::of(NDJSON, Some(&given))), &[])
        .problems(&[InvalidRequest, UnsupportedMediaType])
}

pub(in crate::api) fn get(operation: Operation<'_>) -> Operation<'_> {
    let mut operation = waits(id(operation))
        .summary(SUBMISSIONS, "get_submission", "A submission")
        .header("If-None-Match", text(), "the `ETag` of what is known already");
    let view = operation.json::<SubmissionView>(&examples::completed());
    operation
        .response_with(200, "The submission", Some(view), &["ETag"])
        .response_with(304, "It is as the `ETag` says", None, &["ETag"])
        .problems(&[InvalidRequest, NotFound, StoreUnavailable])
}

pub(in crate::api) fn timeline(operation: Operation<'_>) -> Operation<'_> {
    id(operation)
        .summary(SUBMISSIONS, "get_timeline", "Get the timeline, oldest first")
        .response::<Vec<TimelineEntry>>(200, "What happened", &examples::timeline())
        .problems(&[NotFound, StoreUnavailable])
}

pub(in crate::api) fn deliveries(operation: Operation<'_>) -> Operation<'_> {
    id(operation)
        .summary(SUBMISSIONS, "list_deliveries", "List webhook deliveries")
        .response::<WebhookView>(
            200,
            "The newest deliveries, oldest first",
            &examples::deliveries(),
        )
        .problems(&[NotFound, StoreUnavailable])
}

pub(in crate::api) fn redeliver(operation: Operation<'_>) -> Operation<'_> {
    id(operation)
        .summary(OPERATIONS, "redeliver_webhook", "Redeliver the webhook")
        .response::<WebhookView>(200, "The webhook is due", &examples::deliveries())
        .problems(&[NotFound, StateConflict, StoreUnavailable])
}

pub(in crate::api) fn events(mut operation: Operation<'_>) -> Operation<'_> {
    let states = State::ALL.map(State::as_str);
    let pattern = "^(0|[0-9a-f]{16}-[0-9]{1,18})$";
    let cursor = || json!({ "type": "string", "pattern": pattern });
    let submission = operation.schema::<SubmissionId>();
    let message = json!({ "type": "object", "properties": {
        "id": text(), "event": text(), "data": text(), "retry": { "type": "integer" },
    }});
    let stream = Media::of(EVENTS, None).with_schema(message);
    operation
        .summary(MONITORING, "stream_events", "Stream state changes, from now on or from a cursor")
        .description(
            "Server-sent events: each message is a change of a submission's state, with an `id` and the \
             data `{\"type\": \"submission.completed\", \"timestamp\": …, \"data\": {\"id\": …, \"name\": …, \
             \"account\": …, \"state\": …, \"reason_code\": …}}`; \
             `ready` begins the stream, `heartbeat` says now and then how far it is, and `gone` ends it: events \
             after the last `id` are not retained, or the store lost data or is another one. List \
             the submissions then, and open the stream without an id. An `id` is `EPOCH-N`, where the \
             epoch names the store. Send the last `id` as `Last-Event-ID`, and you miss nothing.",
        )
        .query("state", strings(&json!({ "enum": states })), "into one of these states")
        .query("name", text(), "of this name")
        .query("account", text(), "of this account")
        .query("id", submission, "of this submission")
        .query("label", strings(&label()), "of submissions with all of these labels, as KEY=VALUE")
        .query("after", cursor(), "as `Last-Event-ID`; 0 for all retained events")
        .query("wait", duration(), "end the stream after so long; else it goes on for ever")
        .header("Last-Event-ID", cursor(), "the last `id` that you have seen")
        .response_with(200, "The stream", Some(stream), &[])
        .problems(&[InvalidRequest, Gone, Busy, StoreUnavailable])
}

pub(in crate::api) fn result(operation: Operation<'_>) -> Operation<'_> {
    id(operation)
        .summary(SUBMISSIONS, "get_result", "A result, byte for byte, with the type that it has")
        .path("key", json!({ "type": "string", "examples": ["tableofresultids"] }), "which result")
        .response_with(200, "The result", Some(Media::any()), &[])
        .problems(&[NotFound, StoreUnavailable])
}

pub(in crate::api) fn feedback(operation: Operation<'_>) -> Operation<'_> {
    let raw = json!({ "type": "boolean", "default": false });
    id(operation)
        .summary(
            SUBMISSIONS,
            "get_feedback",
            "What the Platform found wrong, beside the rows that it means",
        )
        .query("raw", raw, "as the Platform sent it, with the type that it had")
        .response::<Vec<FeedbackItem>>(
            200,
            "What was found; with `raw`, of any type",
            &examples::findings(),
        )
        .alternative(200, Media::any())
        .problems(&[InvalidRequest, NotFound, StoreUnavailable])
}

pub(in crate::api) fn resubmit(operation: Operation<'_>) -> Operation<'_> {
    let operation = id(operation)
        .summary(SUBMISSIONS, "resubmit_dataset", "Submit a corrected dataset of the same name")
        .description("It overwrites what is there; all but the dataset is as it was.")
        .body::<ResubmitRequest>(&examples::revision());
    let operation = dataset_body(operation, form(false)).problems(&SUBMIT_PROBLEMS);
    submit_responses(operation.problems(&[NotFound, StateConflict]))
}

pub(in crate::api) fn cancel(operation: Operation<'_>) -> Operation<'_> {
    act(operation.summary(OPERATIONS, "cancel_submission", "Cancel a submission"))
}

pub(in crate::api) fn retry(operation: Operation<'_>) -> Operation<'_> {
    act(operation.summary(OPERATIONS, "retry_submission", "Retry a failed submission"))
}

pub(in crate::api) fn refetch(operation: Operation<'_>) -> Operation<'_> {
    let operation = operation.description(
        "Of a final submission with a processing token. What is stored is replaced only by what arrives; \
         `refetching` is true until then, and the state stays final. Of a failed or cancelled one the \
         Platform is polled first, and it becomes completed or rejected if the Platform has decided.",
    );
    act(operation.summary(OPERATIONS, "refetch_submission", "Fetch results or feedback again"))
}

pub(in crate::api) fn resolve(operation: Operation<'_>) -> Operation<'_> {
    act(operation.summary(OPERATIONS, "resolve_submission", "Decide about a held submission"))
        .body::<ResolveRequest>(&examples::resolution())
        .problems(&SMALL_BODY)
        .problems(&[InvalidField])
}

pub(in crate::api) fn pause(operation: Operation<'_>) -> Operation<'_> {
    account(operation.summary(OPERATIONS, "pause_account", "Pause an account"))
        .body::<PauseRequest>(&examples::pause())
        .or_nothing()
        .response::<PauseView>(200, "It is paused", &examples::paused(Some("maintenance")))
        .problems(&SMALL_BODY)
        .problems(&[InvalidField])
}

pub(in crate::api) fn resume(operation: Operation<'_>) -> Operation<'_> {
    account(operation.summary(OPERATIONS, "resume_account", "Resume an account"))
        .response::<PauseView>(200, "It is resumed", &examples::paused(None))
}

pub(in crate::api) fn stats(operation: Operation<'_>) -> Operation<'_> {
    operation
        .summary(MONITORING, "get_stats", "How much there is to do, and how long it will take")
        .response::<StatsView>(200, "What there is", &examples::stats())
        .problems(&[StoreUnavailable])
}

pub(in crate::api) fn health(operation: Operation<'_>) -> Operation<'_> {
    operation.summary(MONITORING, "get_health", "Whether the process answers").response_with(
        200,
        "It does",
        Some(Media::of(TEXT, Some("ok\n"))),
        &[],
    )
}

pub(in crate::api) fn ready(operation: Operation<'_>) -> Operation<'_> {
    operation
        .summary(MONITORING, "get_readiness", "Whether requests should be sent here")
        .response_with(200, "They should", Some(Media::of(TEXT, Some("ready\n"))), &[])
        .response_with(503, "The server stops", Some(Media::of(TEXT, Some("stopping\n"))), &[])
}

pub(in crate::api) fn metrics(operation: Operation<'_>) -> Operation<'_> {
    let metrics = Media::of(prometheus::TEXT_FORMAT, None);
    operation
        .summary(MONITORING, "get_metrics", "The metrics, for Prometheus")
        .response_with(200, "All series", Some(metrics), &[])
        .alternative(200, Media::of(OPENMETRICS, None))
}

pub(in crate::api) fn openapi(operation: Operation<'_>) -> Operation<'_> {
    let document = Media::of(JSON, None).with_schema(json!({ "type": "object" }));
    operation.summary(MONITORING, "get_openapi", "This document").response_with(
        200,
        "OpenAPI 3.1",
        Some(document),
        &[],
    )
}

pub(in crate::api) fn docs(operation: Operation<'_>) -> Operation<'_> {
    operation.summary(MONITORING, "get_docs", "API reference").response_with(
        200,
        "A page",
        Some(Media::of("text/html; charset=utf-8", None)),
        &[],
    )
}

/// An operation on one submission.
fn id(mut operation: Operation<'_>) -> Operation<'_> {
    let schema = operation.schema::<SubmissionId>();
    operation.path("id", schema, "the id of the submission")
}

fn account(operation: Operation<'_>) -> Operation<'_> {
    let account = json!({ "type": "string", "examples": ["default"] });
    operation
        .path("account", account, "the name of the account")
        .problems(&[NotFound, StoreUnavailable])
}

fn act(operation: Operation<'_>) -> Operation<'_> {
    id(operation)
        .response::<SubmissionView>(200, "The submission, as it is now", &examples::completed())
        .problems(&[NotFound, StateConflict, StoreUnavailable])
}

fn waits(operation: Operation<'_>) -> Operation<'_> {
    operation.query(
        "wait",
        duration(),
        "hold the answer until the submission is final or held, for so long at most; never more than 5m",
    )
}

/// What all that hand a dataset over have in common.
fn dataset_body(operation: Operation<'_>, form: Value) -> Operation<'_> {
    waits(operation)
        .header("Idempotency-Key", key(), "the same key with the same content is accepted once")
        .header("traceparent", text(), "W3C Trace Context of the producer")
        .body_as(CSV, text(), json!(examples::DATA))
        .body_as(FORM, form, examples::form())
        .header("Content-Encoding", encoding(), ENCODED)
}

fn submit_responses(mut operation: Operation<'_>) -> Operation<'_> {
    let kept = operation.json::<SubmissionResponse>(&examples::accepted());
    let known = operation.json::<SubmissionResponse>(&examples::accepted());
    operation.response_with(201, "Submission created", Some(kept), &["Location"]).response_with(
        200,
        "Submission already exists for this key",
        Some(known),
        &["Location"],
    )
}

/// The fields of a submission beside a dataset that is the body.
fn fields(operation: Operation<'_>) -> Operation<'_> {
    let only = |what: &str| format!("with `text/csv`: {what}");
    let priorities = Priority::ALL.map(Priority::as_str);
    operation
        .query("name", text(), &only("dataset name; required"))
        .query("account", text(), &only("the account that carries it"))
        .query("overwrite", json!({ "type": "boolean" }), &only("whether it may overwrite"))
        .query("result_keys", strings(&text()), &only("what to fetch once it is completed"))
        .query("priority", json!({ "enum": priorities }), &only("its place among the account's"))
        .query("not_before", time(), &only("not to be uploaded before this time"))
        .query("deadline", time(), &only("when to give up"))
        .query("idempotency_key", key(), &only("as the header `Idempotency-Key`"))
        .query("webhook_url", text(), &only("URL that receives the outcome"))
        .query("label", strings(&label()), &only("a mark to filter by, as KEY=VALUE"))
}

/// A form: the files, and for a new submission the fields.
fn form(is_new: bool) -> Value {
    let file = || json!({ "type": "string", "contentMediaType": CSV });
    let mut properties = json!({
        "data": file(), "event_data": file(), "idempotency_key": key(),
    });
    if is_new {
        let priorities = Priority::ALL.map(Priority::as_str);
        for (name, schema) in [
            ("name", text()),
            ("account", text()),
            ("overwrite", json!({ "type": "boolean" })),
            ("result_keys", strings(&text())),
            ("priority", json!({ "enum": priorities })),
            ("not_before", time()),
            ("deadline", time()),
            ("webhook_url", text()),
            ("label", strings(&label())),
        ] {
            properties[name] = schema;
        }
    }
    json!({
        "type": "object", "properties": properties, "required": ["data"],
        "additionalProperties": false,
    })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn duration() -> Value {
    let pattern = "^(0|[0-9]{1,5}ms|[0-9]{1,3}s|[0-5]m)$";
    json!({ "type": "string", "pattern": pattern, "examples": ["30s"] })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn key() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 255 })
}

fn encoding() -> Value {
    json!({ "enum": ["gzip", "zstd", "identity"] })
}

fn label() -> Value {
    json!({ "type": "string", "pattern": "^[^=]+=" })
}

fn strings(of: &Value) -> Value {
    json!({ "type": "array", "items": of })
}
