//! Name and purpose of each operation, and the responses that no type describes.

use serde_json::json;

use super::operation::{BYTES, CSV, JSON, Operation, TEXT};
use crate::metrics::OPENMETRICS;
use ferry_types::contract::ProblemKind::{
    Busy, DamagedSubmission, Gone, InvalidField, NotFound, StateConflict, StoreUnavailable,
};

const SUBMISSIONS: &str = "submissions";
const OPERATIONS: &str = "operations";
const MONITORING: &str = "monitoring";

/// Operations that take the id of a submission that was just accepted.
const AFTER: [&str; 8] = [
    "get_submission",
    "get_timeline",
    "get_result",
    "get_feedback",
    "resubmit_dataset",
    "cancel_submission",
    "retry_submission",
    "resolve_submission",
];

pub(in crate::api) fn create(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(SUBMISSIONS, "submit_dataset", "Submit a dataset")
        .description(
            "The submission is durable when the response arrives. As `text/csv` the fields stand in \
             the URL, in a form each is a part; `name` is then that of the file, unless given. \
             `application/octet-stream` is read as `text/csv`.",
        )
        .links(201, &AFTER)
        .links(200, &AFTER)
}

pub(in crate::api) fn list(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(SUBMISSIONS, "list_submissions", "List submissions, the newest first")
        .description(
            "At most 2,000 are looked at for a page. Where few of them match, it is short, or empty: continue \
             as long as there is a `next_cursor`.",
        )
        .problems(&[StoreUnavailable])
}

pub(in crate::api) fn count(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(SUBMISSIONS, "count_submissions", "Count submissions")
        .description(
            "Exactly where the store counts, by account and state; with other filters up to 1,000 of \
             the newest 2,000 that an index leads to, and `has_more` is true if there may be more.",
        )
        .problems(&[StoreUnavailable])
}

pub(in crate::api) fn bulk(operation: Operation<'_>) -> Operation<'_> {
    operation.named(SUBMISSIONS, "submit_bulk", "Submit many datasets").description(
        "NDJSON both ways and of any length: each line is a `SubmissionRequest`, and its response is \
         a line of its own, `{\"line\": 1, \"id\": …}` or `{\"line\": 1, \"error\": {…}}` (a \
         `BulkResponse`), as soon as it is durable. Read the responses while you send. A body that is \
         sent as `application/octet-stream` gets a response of that type.",
    )
}

pub(in crate::api) fn get(operation: Operation<'_>) -> Operation<'_> {
    operation.named(SUBMISSIONS, "get_submission", "Get a submission")
}

pub(in crate::api) fn timeline(operation: Operation<'_>) -> Operation<'_> {
    operation.named(SUBMISSIONS, "get_timeline", "Get the timeline, oldest first")
}

pub(in crate::api) fn deliveries(operation: Operation<'_>) -> Operation<'_> {
    operation.named(SUBMISSIONS, "list_deliveries", "List webhook deliveries, oldest first")
}

pub(in crate::api) fn redeliver(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(OPERATIONS, "redeliver_webhook", "Redeliver the webhook")
        .problems(&[StateConflict])
}

pub(in crate::api) fn events(operation: Operation<'_>) -> Operation<'_> {
    let text = || json!({ "type": "string" });
    let message = json!({ "type": "object", "properties": {
        "id": text(), "event": text(), "data": text(), "retry": { "type": "integer" },
    }});
    operation
        .named(
            MONITORING,
            "stream_events",
            "Stream state changes, from now on or from a cursor",
        )
        .description(
            "Server-sent events: each message is a change of a submission's state, with an `id` and \
             the data `{\"type\": \"submission.completed\", \"timestamp\": …, \"data\": {\"id\": …, \
             \"name\": …, \"account\": …, \"state\": …, \"reason_code\": …}}`; `ready` begins the \
             stream, `heartbeat` says now and then how far it is, and `gone` ends it: events after \
             the last `id` are not retained, or the store lost data or is another one. List the \
             submissions then, and open the stream without an id. An `id` is `EPOCH-N`, where the \
             epoch names the store. Send the last `id` as `Last-Event-ID`, and you miss nothing.",
        )
        .empty(200, "The stream", &[])
        .media(200, "text/event-stream", message, None)
        .problems(&[Gone, Busy, StoreUnavailable, DamagedSubmission])
}

pub(in crate::api) fn result(operation: Operation<'_>) -> Operation<'_> {
    anything(
        operation
            .named(SUBMISSIONS, "get_result", "Get a result, byte for byte, with its own type")
            .empty(200, "The result, with the type that the Platform gave it", &[]),
    )
}

pub(in crate::api) fn feedback(operation: Operation<'_>) -> Operation<'_> {
    anything(
        operation
            .named(
                SUBMISSIONS,
                "get_feedback",
                "Get the Platform's feedback, beside the rows that it means",
            )
            .json::<Vec<ferry_types::domain::feedback::FeedbackItem>>(
                200,
                "The feedback; with `as` CSV, and with `raw` of any type",
                &[],
            ),
    )
}

pub(in crate::api) fn data(operation: Operation<'_>) -> Operation<'_> {
    submitted(operation).named(SUBMISSIONS, "get_data", "Get the dataset, byte for byte")
}

pub(in crate::api) fn event_data(operation: Operation<'_>) -> Operation<'_> {
    submitted(operation).named(
        SUBMISSIONS,
        "get_event_data",
        "Get the events of the dataset, byte for byte",
    )
}

fn submitted(operation: Operation<'_>) -> Operation<'_> {
    operation
        .text(200, "The CSV text, as it was submitted", CSV, super::examples::DATA)
        .problems(&[NotFound, StoreUnavailable])
}

pub(in crate::api) fn rows(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(SUBMISSIONS, "list_rows", "List rows of the dataset, with the feedback about them")
        .description(
            "As they were submitted, by the number of the data row. Continue with `from` = `next` until \
             it is null.",
        )
        .problems(&[NotFound, StoreUnavailable])
}

pub(in crate::api) fn compare(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(SUBMISSIONS, "compare_datasets", "Compare the datasets of two submissions")
        .description(
            "`id` is the earlier one, and `other` the later one, such as its revision. Rows are compared \
             by their cells; line ends and quotes make no difference.",
        )
        .problems(&[NotFound, StoreUnavailable])
}

pub(in crate::api) fn correct(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(SUBMISSIONS, "correct_dataset", "Correct cells, and submit the revision")
        .description(
            "The edits are put into the stored dataset, and every other byte stays as it is. The revision \
             overwrites the dataset; all else is as it was. If a submission of the name is newer than \
             `base`, the response is 409 with its id and the `difference`: send that id as `base` to \
             replace it. The same edits of the same `base` are accepted once. With `dry_run`, they are \
             only checked.",
        )
}

pub(in crate::api) fn validate(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(SUBMISSIONS, "validate_dataset", "Validate a dataset")
        .description(
            "Nothing is stored. A dataset with errors is a response like any other, with `valid` false.",
        )
}

pub(in crate::api) fn resubmit(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(SUBMISSIONS, "resubmit_dataset", "Submit a corrected dataset of the same name")
        .description("It overwrites the dataset; all else is as it was.")
        .problems(&[StateConflict])
}

pub(in crate::api) fn cancel(operation: Operation<'_>) -> Operation<'_> {
    act(operation).named(OPERATIONS, "cancel_submission", "Cancel a submission")
}

pub(in crate::api) fn retry(operation: Operation<'_>) -> Operation<'_> {
    act(operation).named(OPERATIONS, "retry_submission", "Retry a failed submission")
}

pub(in crate::api) fn refetch(operation: Operation<'_>) -> Operation<'_> {
    act(operation)
        .named(OPERATIONS, "refetch_submission", "Fetch results or feedback again")
        .description(
            "Of a final submission with a processing token. What is stored is replaced only by what \
             arrives; `refetching` is true until then, and the state stays final. Of a failed or \
             cancelled one the Platform is polled first, and it becomes completed or rejected if the \
             Platform has decided.",
        )
}

pub(in crate::api) fn resolve(operation: Operation<'_>) -> Operation<'_> {
    act(operation).named(OPERATIONS, "resolve_submission", "Decide about a held submission")
}

fn act(operation: Operation<'_>) -> Operation<'_> {
    operation.problems(&[StateConflict])
}

pub(in crate::api) fn bulk_action(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(OPERATIONS, "run_bulk_action", "Act on all submissions that match")
        .description(
            "Without `pinned` it is a dry run, which says how many would be changed and left unchanged, and \
             changes nothing. Send the same request with the `pinned` of the response to change the \
             next 100, and again with each response's `pinned` until it is null; send no more to stop. \
             Submissions accepted after the dry run stay as they are. Each change is in the timeline and \
             in the audit log, as if it had been requested alone.",
        )
        .problems(&[InvalidField, NotFound, StateConflict, DamagedSubmission, StoreUnavailable])
}

pub(in crate::api) fn pause(operation: Operation<'_>) -> Operation<'_> {
    operation.named(OPERATIONS, "pause_account", "Pause an account").problems(&[InvalidField])
}

pub(in crate::api) fn resume(operation: Operation<'_>) -> Operation<'_> {
    operation.named(OPERATIONS, "resume_account", "Resume an account").description(
        "Ends a pause, a throttling and an open circuit breaker. Polls and fetches that the Platform \
         postponed for more than a minute (`Retry-After`) are due at once.",
    )
}

pub(in crate::api) fn accounts(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(MONITORING, "list_accounts", "List the accounts, and what stops them")
        .description("Those that are configured on the server, and those that have submissions.")
        .problems(&[StoreUnavailable])
}

pub(in crate::api) fn account(operation: Operation<'_>) -> Operation<'_> {
    operation.named(MONITORING, "get_account", "Get an account, and what stops it")
}

pub(in crate::api) fn stats(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(MONITORING, "get_stats", "Get the size of the queue, and what is wrong with it")
        .description(
            "Each finding is one sentence, in the words of the console and the command line. The server \
             and its store are checked for it, the store for keys of all accounts only.",
        )
        .problems(&[StoreUnavailable])
}

pub(in crate::api) fn whoami(operation: Operation<'_>) -> Operation<'_> {
    operation.named(MONITORING, "get_whoami", "Get the role and the accounts of the caller")
}

pub(in crate::api) fn health(operation: Operation<'_>) -> Operation<'_> {
    operation.named(MONITORING, "get_health", "Check that the process is alive").text(
        200,
        "It is alive",
        TEXT,
        "ok\n",
    )
}

pub(in crate::api) fn ready(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(MONITORING, "get_readiness", "Check that the process can do its work")
        .text(200, "It can", TEXT, "ready\n")
        .text(503, "It cannot, for the reason in the body", TEXT, "stopping\n")
}

pub(in crate::api) fn metrics(operation: Operation<'_>) -> Operation<'_> {
    let example = "ferry_queue_runnable_steps 3\n";
    operation
        .named(MONITORING, "get_metrics", "Get the metrics, for Prometheus")
        .text(200, "All series", prometheus::TEXT_FORMAT, example)
        .media(200, OPENMETRICS, json!({ "type": "string" }), Some(example.into()))
}

pub(in crate::api) fn openapi(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(MONITORING, "get_openapi", "Get this document")
        .empty(200, "OpenAPI 3.1", &[])
        .media(200, JSON, json!({ "type": "object" }), Some(json!({ "openapi": "3.1.0" })))
}

pub(in crate::api) fn docs(operation: Operation<'_>) -> Operation<'_> {
    operation.named(MONITORING, "get_docs", "Get the API reference as a page").text(
        200,
        "A page",
        "text/html; charset=utf-8",
        "<!doctype html>",
    )
}

/// A response of any type. Generators of clients know bytes, and few know a range of types.
fn anything(operation: Operation<'_>) -> Operation<'_> {
    let bytes = json!({ "type": "string", "format": "binary" });
    let example = Some("Reference,ResultId\nSITE-001,42\n".into());
    operation
        .media(200, "*/*", json!({}), None)
        .media(200, BYTES, bytes, example)
        .problems(&[NotFound, StoreUnavailable])
}

pub(in crate::api) fn keys(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(OPERATIONS, "list_keys", "List the API keys")
        .description(
            "Names, roles and accounts. The keys themselves are not stored, only their hashes.",
        )
        .problems(&[StateConflict])
}

pub(in crate::api) fn create_key(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(OPERATIONS, "create_key", "Create an API key")
        .description(
            "The response shows it this once; if it was lost, revoke the key and create another one. \
             Where the server cannot write its key file, the problem has the command to run.",
        )
        .problems(&[InvalidField, StateConflict])
}

pub(in crate::api) fn revoke_key(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(OPERATIONS, "revoke_key", "Revoke an API key")
        .description("Servers notice within a second, and sessions of the key end.")
        .problems(&[NotFound, StateConflict])
}

pub(in crate::api) fn audit(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(OPERATIONS, "list_audit_records", "List records of the audit log, the newest first")
        .description(
            "Of the file of this server: each server has its own. A response reads a part of the file; \
             it may have few records, or none, although more follow.",
        )
        .problems(&[StateConflict])
}

pub(in crate::api) fn checks(operation: Operation<'_>) -> Operation<'_> {
    operation.named(MONITORING, "run_checks", "Check the server and its store")
}

pub(in crate::api) fn processes(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(MONITORING, "list_processes", "List the servers and workers that use the store")
        .description(
            "Each reports itself every five seconds: its version and place, since when it runs, and how many of \
             its slots run steps. One that has been silent for three times as long is `silent`, and is \
             listed for an hour; one that ends by itself is not. A key with accounts sees those that run \
             steps of them, without place and slots.",
        )
        .problems(&[StoreUnavailable])
}

pub(in crate::api) fn settings(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(
            OPERATIONS,
            "list_settings",
            "List the settings in effect, and where each comes from",
        )
        .description("As `ferry config show` prints them: secrets are hidden.")
}

pub(in crate::api) fn rehearsal(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(OPERATIONS, "get_rehearsal", "Get the drills of a demonstration")
        .description(
            "Each with the sentences that the overview of the console shows during it. Only `ferry demo` \
             has drills, because a simulated Platform runs in its process.",
        )
        .problems(&[NotFound, StoreUnavailable])
}

pub(in crate::api) fn rehearse(operation: Operation<'_>) -> Operation<'_> {
    operation
        .named(OPERATIONS, "rehearse", "Begin or end a drill of a demonstration")
        .description(
            "With `on` false and no `drill`, all of them end, and the accounts resume that no operator \
             paused.",
        )
        .problems(&[InvalidField, NotFound, StoreUnavailable])
}
