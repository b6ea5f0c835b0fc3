//! The webhooks of the document: the request that Ferry sends to a receiver.

use serde_json::{Value, json};

use super::examples::Example;
use super::operation::JSON;
use super::schemas::Schemas;
use ferry_types::contract::{EventEnvelope, SubmissionView};
use ferry_types::domain::submission::State;

pub(super) fn describe(schemas: &mut Schemas) -> Value {
    let envelope = schemas.response::<EventEnvelope<SubmissionView>>();
    let submission = SubmissionView::example();
    let ended = submission.finished_at.unwrap_or(submission.updated_at);
    let example = EventEnvelope::of(submission.state, ended, submission);
    let finals = State::ALL.into_iter().filter(|state| state.is_final());
    let types: Vec<String> = finals.map(|state| format!("submission.{state}")).collect();
    let schema = json!({ "allOf": [envelope, {
        "type": "object", "properties": { "type": { "type": "string", "enum": types } },
    }] });
    let header = |name: &str, text: &str| {
        let schema = json!({ "type": "string" });
        json!({
            "name": name, "in": "header", "required": true, "description": text, "schema": schema,
        })
    };
    let response = |text: &str| json!({ "description": text });
    json!({ "outcome": { "post": {
        "operationId": "receive_outcome",
        "tags": ["webhooks"],
        "security": [],
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
