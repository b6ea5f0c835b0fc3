//! Traces, for a collector that speaks OTLP over HTTP. Each step is a trace of its own, for the steps of
//! a submission lie hours apart; a link leads to the producer's span. Neither a dataset name nor a secret nor a
//! URL is in them. An outage of the collector is logged, and disturbs nothing else.

mod sending;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{
    Link, Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::warn;

use crate::metrics::Exemplar;
use ferry_types::causes::chain;
use ferry_types::domain::submission::{ReasonCode, State, StepKind, Submission};
use ferry_types::domain::{SubmissionId, Timestamp, TraceParent};

/// Time limit for the last spans of a process to be sent.
const LAST: Duration = Duration::from_secs(3);

tokio::task_local! {
    static STEP: StepTrace;
}

/// The destination of traces, if there is one. Clones share it.
#[derive(Clone, Default)]
pub struct Traces(Option<Collector>);

#[derive(Clone)]
struct Collector {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Traces").field(&self.0.is_some()).finish()
    }
}

impl Traces {
    /// Sends to the collector at this URL, in the background of the runtime that this is called in; without
    /// one the traces stay off.
    pub fn connect(collector: &str) -> Self {
        let exporter = match sending::exporter(collector) {
            Ok(exporter) => exporter,
            Err(cause) => {
                warn!(error = %cause, "cannot export traces (`otlp_endpoint`)");
                return Self::default();
            }
        };
        let about = [
            KeyValue::new("service.name", "ferry"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(Resource::builder_empty().with_attributes(about).build())
            .build();
        let tracer = provider.tracer("ferry");
        Self(Some(Collector { provider, tracer }))
    }

    /// True if there is a collector.
    pub fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// Adds to the producer's own trace, if it keeps it, that a submission was accepted.
    pub fn accepted(
        &self,
        parent: TraceParent,
        id: SubmissionId,
        account: &str,
        requested_at: Timestamp,
    ) {
        let Some(collector) = self.0.as_ref().filter(|_| parent.is_sampled) else { return };
        let builder = collector
            .tracer
            .span_builder("accept")
            .with_kind(SpanKind::Server)
            .with_start_time(requested_at)
            .with_attributes(about(id, account));
        let within = Context::new().with_remote_span_context(context(parent));
        collector.tracer.build_with_context(builder, &within).end();
    }

    /// Begins the trace of a step; there is none if the producer does not keep its own.
    pub fn step(&self, submission: &Submission, kind: StepKind) -> StepTrace {
        let parent = submission.traceparent;
        let is_kept = parent.is_none_or(|parent| parent.is_sampled);
        let Some(collector) = self.0.as_ref().filter(|_| is_kept) else { return StepTrace(None) };
        let tracer = collector.tracer.clone();
        let builder = tracer
            .span_builder(kind.as_str())
            .with_kind(SpanKind::Consumer)
            .with_links(parent.map(context).map(Link::with_context).into_iter().collect())
            .with_attributes(about(submission.id, &submission.account).into_iter().chain([
                KeyValue::new("ferry.step", kind.as_str()),
                KeyValue::new("ferry.upload_attempts", i64::from(submission.upload_attempts)),
                KeyValue::new("ferry.polls", i64::from(submission.polls)),
            ]));
        let span = tracer.build_with_context(builder, &Context::new());
        StepTrace(Some(Arc::new(RunningStep { tracer, context: Context::new().with_span(span) })))
    }

    /// Sends what is not sent yet, within a few seconds; nothing is sent from then on.
    pub async fn finish(&self) {
        let Some(Collector { provider, .. }) = self.0.clone() else { return };
        let stopped = tokio::task::spawn_blocking(move || {
            provider.shutdown_with_timeout(LAST).map_err(|error| chain(&error))
        });
        let stopped = stopped.await.unwrap_or_else(|error| Err(error.to_string()));
        if let Err(error) = stopped {
            warn!(error, "dropped traces at exit");
        }
    }
}

/// The attributes of every span that is not a request.
fn about(id: SubmissionId, account: &str) -> [KeyValue; 2] {
    [
        KeyValue::new("ferry.submission", id.to_string()),
        KeyValue::new("ferry.account", account.to_owned()),
    ]
}

/// The span of a producer that keeps it.
fn context(parent: TraceParent) -> SpanContext {
    let (trace, span) = (TraceId::from(parent.trace), SpanId::from(parent.span));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
}

/// The trace of a step that runs, if there is one.
#[derive(Debug, Clone, Default)]
pub struct StepTrace(Option<Arc<RunningStep>>);

struct RunningStep {
    tracer: SdkTracer,
    context: Context,
}

impl fmt::Debug for RunningStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningStep").field("trace", &self.trace()).finish()
    }
}

impl RunningStep {
    fn trace(&self) -> String {
        self.context.span().span_context().trace_id().to_string()
    }
}

impl StepTrace {
    /// The step that the caller is part of.
    pub fn current() -> Self {
        STEP.try_with(Self::clone).unwrap_or_default()
    }

    /// Does a part of the step.
    pub async fn scope<T>(&self, part: impl Future<Output = T>) -> T {
        STEP.scope(self.clone(), part).await
    }

    /// Begins a call of the Platform, or of a receiver, within the step.
    pub fn call(&self, name: &'static str) -> CallSpan {
        CallSpan(self.0.as_ref().map(|step| {
            let builder = step.tracer.span_builder(name).with_kind(SpanKind::Client);
            step.tracer.build_with_context(builder, &step.context)
        }))
    }

    /// The exemplar of a measurement that is made now for this step.
    pub fn exemplar(&self, now: Timestamp) -> Option<Exemplar> {
        self.0.as_ref().map(|step| Exemplar { trace: step.trace(), at: now })
    }

    /// Ends the trace of a step that led to a state.
    pub fn set_state(&self, state: State, reason: Option<ReasonCode>) {
        self.end(state.as_str(), reason, matches!(state, State::Failed | State::Held));
    }

    /// Ends the trace of a step that did not count.
    pub fn set_outcome(&self, what: &'static str) {
        self.end(what, None, what != "released");
    }

    fn end(&self, outcome: &'static str, reason: Option<ReasonCode>, is_error: bool) {
        let Some(step) = &self.0 else { return };
        let span = step.context.span();
        span.set_attribute(KeyValue::new("ferry.outcome", outcome));
        if let Some(reason) = reason {
            span.set_attribute(KeyValue::new("ferry.reason", reason.as_str()));
        }
        if is_error {
            span.set_status(Status::error(outcome));
        }
        span.end();
    }
}

/// A call within a step.
#[derive(Debug)]
pub struct CallSpan(Option<opentelemetry_sdk::trace::Span>);

impl CallSpan {
    /// Ends it with what became of it.
    pub fn ended(self, class: &'static str, is_error: bool) {
        let Some(mut span) = self.0 else { return };
        span.set_attribute(KeyValue::new("ferry.class", class));
        if is_error {
            span.set_status(Status::error(class));
        }
        span.end();
    }
}
