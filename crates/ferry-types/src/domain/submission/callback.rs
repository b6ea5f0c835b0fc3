//! Where the outcome of a submission is to be told, and how that went: the one step that comes after
//! the end and changes nothing of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{IllegalTransition, State, StepKind, Submission, TimelineEntry, Transition};
use crate::domain::{Timestamp, later};

/// The newest deliveries that are remembered.
const REMEMBERED: usize = 20;

/// Who is to be told of the outcome.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// Where. Its query may be a secret: see [`shown_url`].
    pub url: String,
    /// Whether the receiver wants to hear no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// The newest tries, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<Delivery>,
}

/// A try to tell the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Delivery {
    /// When it ended.
    pub at: Timestamp,
    /// Which of the tries in a row it was, from 1.
    pub attempt: u32,
    /// What became of it.
    pub result: DeliveryResult,
    /// The receiver's answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// What became of a try to tell an outcome: a closed set, for programs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryResult {
    /// 2xx.
    Delivered,
    /// 410: nothing more is sent.
    Gone,
    /// Any other 4xx.
    Refused,
    /// 3xx: redirects are not followed.
    Redirected,
    /// 5xx, and what belongs nowhere.
    ServerError,
    /// No connection: refused, DNS, TLS.
    NoConnection,
    /// The address is one that must not be called, or nothing may be sent there.
    NotAllowed,
    /// No answer in time, or the connection broke.
    NoAnswer,
    /// The account has no secret to sign with, where the step was taken.
    NoSecret,
}

impl DeliveryResult {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Delivered,
        Self::Gone,
        Self::Refused,
        Self::Redirected,
        Self::ServerError,
        Self::NoConnection,
        Self::NotAllowed,
        Self::NoAnswer,
        Self::NoSecret,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Redirected => "redirected",
            Self::ServerError => "server_error",
            Self::NoConnection => "no_connection",
            Self::NotAllowed => "not_allowed",
            Self::NoAnswer => "no_answer",
            Self::NoSecret => "no_secret",
        }
    }
}

impl Callback {
    /// Nobody has been told yet.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), gone: false, deliveries: Vec::new() }
    }

    fn remember(&mut self, delivery: Delivery) {
        self.gone = delivery.result == DeliveryResult::Gone;
        self.deliveries.push(delivery);
        let excess = self.deliveries.len().saturating_sub(REMEMBERED);
        self.deliveries.drain(..excess);
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("url", &shown_url(&self.url))
            .field("gone", &self.gone)
            .field("deliveries", &self.deliveries)
            .finish()
    }
}

/// A URL as it may be shown: without its query, which may be a secret.
pub fn shown_url(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

impl Submission {
    /// What comes after the end, which was just reached: whoever wants to hear of it is told. A failed
    /// submission keeps its step, to go on with.
    pub fn close(&mut self, now: Timestamp) {
        self.due_at = None;
        self.leased_until = None;
        let step = self.step.take().filter(|_| self.state == State::Failed);
        if self.callback.as_ref().is_some_and(|callback| !callback.gone) {
            self.resume = step;
            self.step = Some(StepKind::Notify);
            self.due_at = Some(now);
            self.failures = 0;
        } else {
            self.step = step;
        }
    }

    /// The step to go on with, if somebody wants it to go on.
    pub fn stopped_at(&self) -> StepKind {
        let step = if self.step == Some(StepKind::Notify) { self.resume } else { self.step };
        step.unwrap_or(StepKind::Upload)
    }

    /// Nothing more is told; all is as it was before.
    pub fn stop_telling(&mut self) {
        self.step = self.resume.take();
        self.due_at = None;
    }

    /// Applies what became of a try to tell the outcome, which stays what it is.
    pub(super) fn apply_delivery(
        &mut self,
        transition: &Transition,
        now: Timestamp,
    ) -> Result<Option<TimelineEntry>, IllegalTransition> {
        let goes_on = transition.next.is_none_or(|next| next.kind == StepKind::Notify);
        let to = transition.to;
        let (true, Some(delivery)) = (to == self.state && goes_on, transition.delivery) else {
            return Err(IllegalTransition { id: self.id, from: self.state, to });
        };
        self.updated_at = now;
        self.failures = transition.failures;
        self.leased_until = None;
        let mut told = "somebody".to_owned();
        if let Some(callback) = &mut self.callback {
            callback.remember(delivery);
            shown_url(&callback.url).clone_into(&mut told);
        }
        if let Some(next) = transition.next {
            self.due_at = Some(later(now, next.after));
            return Ok(None);
        }
        self.stop_telling();
        let why = match delivery.result {
            DeliveryResult::Delivered => format!("told {told}"),
            DeliveryResult::Gone => format!("{told} wants to hear no more (410)"),
            result => {
                format!("{told} was not told, {} tries: {}", delivery.attempt, result.as_str())
            }
        };
        Ok(Some(TimelineEntry { at: now, state: self.state, why }))
    }
}
