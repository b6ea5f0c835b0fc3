//! The webhooks of the document: the request that Ferry sends to a receiver.

use serde_json::{Value, json};

use super::examples;
use super::operation::JSON;
use super::schemas::Schemas;
use ferry_types::contract::{EventEnvelope, SubmissionView};

pub(super) fn describe(schemas: &mut Schemas) -> Value {
    let schema = schemas.given::<EventEnvelope<SubmissionView>>();
    let submission = examples::completed();
    let ended = submission.finished_at.unwrap_or(submission.updated_at);
    let example = EventEnvelope::of(submission.state, ended, submission);
    let header = |name: &str, text: &str| {
        let schema = json!({ "type": "string" });
        json!({
            "name": name, "in": "header", "required": true, "description": text, "schema": schema,
        })
    };
    let response = |text: &str| json!({ "description": text });
    json!({ "outcome": { "post": {
        "operationId": "receive_outcome",
        "summary": "Outcome of a submission",
        "description": "Sent to the URL of the submission, or of its account, when the submission \
            reaches a final state, and again until it is acknowledged. Signed as Standard Webhooks \
            specifies.",
        "parameters": [
            header("webhook-id", "The same for every attempt of one outcome"),
            header("webhook-timestamp", "Time of the attempt, in seconds since 1970"),
            header("webhook-signature", "One signature for each secret, separated by spaces"),
        ],
        "requestBody": {
            "required": true,
            "content": { JSON: { "schema": schema, "example": example } },
        },
        "responses": {
            "2XX": response("Acknowledged"),
            "410": response("No more webhooks for this submission"),
            "default": response("Attempted again later"),
        },
    } } })
}
