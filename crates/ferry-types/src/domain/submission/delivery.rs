//! The step after the end, which delivers the outcome and changes nothing of it.

use std::time::Duration;

use super::{
    Delivery, DeliveryResult, IllegalTransitionError, Ruled, StepKind, Submission, shown_origin,
};
use crate::domain::{Timestamp, later};

impl Submission {
    /// Nothing more is delivered; all is as it was before.
    pub(super) fn end_delivery(&mut self) {
        self.0.step = self.0.resume_step.take();
        self.0.due_at = None;
    }

    /// Applies the result of a delivery, which leaves the outcome what it is.
    pub(super) fn apply_delivery(
        &mut self,
        delivery: &Delivery,
        again: Option<Duration>,
        failures: u32,
        now: Timestamp,
    ) -> Ruled<IllegalTransitionError> {
        if self.step != Some(StepKind::Deliver) {
            return Err(self.illegal(self.state));
        }
        let parts = &mut self.0;
        parts.updated_at = now;
        parts.failures = failures;
        parts.uncommitted_claims = 0;
        parts.leased_until = None;
        let mut receiver = "nowhere".to_owned();
        if let Some(webhook) = &mut parts.webhook {
            webhook.remember(*delivery);
            receiver = shown_origin(&webhook.url);
        }
        if let Some(after) = again {
            parts.due_at = Some(later(now, after));
            return Ok(None);
        }
        self.end_delivery();
        let message = match delivery.result {
            DeliveryResult::Delivered => format!("webhook delivered to `{receiver}`"),
            DeliveryResult::Gone => format!("receiver `{receiver}` responded 410"),
            result => {
                format!(
                    "webhook to `{receiver}` abandoned after {} attempts: {}",
                    delivery.attempt,
                    result.as_str()
                )
            }
        };
        Ok(Some(self.entry(now, message)))
    }
}
