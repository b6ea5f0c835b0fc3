//! The way from a worker to the receivers of webhooks: each attempt is a pending call of the history.

use std::time::Duration;

use async_trait::async_trait;
use ferry::webhook::{Attempt, SignedMessage, WebhookWire};
use ferry_sim::{Fault, RetryAfter};
use ferry_types::domain::submission::{DeliveryResult, State};

use crate::calls::{Calls, Destination};
use crate::recorder::Recorder;
use crate::store::Numbers;
use crate::trace::{Event, SubmissionNumber, WorkerNumber};

/// The way of one worker to receivers.
#[derive(Debug, Clone)]
pub(crate) struct ReceiverWire {
    pub(crate) worker: WorkerNumber,
    pub(crate) calls: Calls,
    pub(crate) recorder: Recorder,
    pub(crate) numbers: Numbers,
}

#[async_trait]
impl WebhookWire for ReceiverWire {
    async fn post(&self, message: SignedMessage) -> Attempt {
        let (of, recorder) = (self.submission(&message), self.recorder.clone());
        let state = state(&message);
        let work = move |fault: Option<Fault>| {
            let attempt = response(fault.as_ref());
            if attempt.result == DeliveryResult::Delivered {
                recorder.record(Event::Delivered { of, state });
            }
            (attempt, Vec::new())
        };
        let lost = |_| Attempt::without_response(DeliveryResult::NoResponse, None);
        self.calls.call(self.worker, Destination::Receiver, work, lost).await
    }
}

impl ReceiverWire {
    /// The submission of a message, whose id begins with that of the submission.
    fn submission(&self, message: &SignedMessage) -> SubmissionNumber {
        let id = message.id.split('-').next().and_then(|id| id.parse().ok());
        self.numbers[&id.expect("the id of a submission")]
    }
}

/// The state that a message is about.
fn state(message: &SignedMessage) -> State {
    let body: serde_json::Value = serde_json::from_str(&message.body).expect("the body is JSON");
    serde_json::from_value(body["data"]["state"].clone()).expect("the submission has a state")
}

fn response(fault: Option<&Fault>) -> Attempt {
    let answered = |result, status| Attempt {
        status: Some(status),
        ..Attempt::without_response(result, None)
    };
    match fault {
        Some(Fault::Respond { .. } | Fault::RespondAfter { .. }) => {
            answered(DeliveryResult::ServerError, 500)
        }
        Some(Fault::Throttle(RetryAfter::Seconds(seconds))) => Attempt {
            retry_after: Some(Duration::from_secs_f64(*seconds)),
            ..answered(DeliveryResult::ClientError, 429)
        },
        Some(Fault::ResetBefore) => Attempt::without_response(DeliveryResult::NoConnection, None),
        Some(Fault::OddWord) => answered(DeliveryResult::Gone, 410),
        _ => answered(DeliveryResult::Delivered, 200),
    }
}
