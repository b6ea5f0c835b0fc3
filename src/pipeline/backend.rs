//! The apalis backend over the store, for every kind of step: it yields the steps that a claimer has
//! leased. Claiming never waits for handlers, nor they for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use apalis::prelude::{Backend, Identity, Task, WorkerContext};
use apalis_core::backend::BackendConfig;
use apalis_core::backend::finalize::Ephemeral;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;

use super::claimer::{LeasedStep, release};
use super::parts::StepQueue;
use ferry_store::Store;
use ferry_types::clock::MonotonicClock;

/// Yields the due steps of one kind.
pub(super) struct StepBackend {
    store: Arc<dyn Store>,
    monotonic: Arc<dyn MonotonicClock>,
    queue: StepQueue,
    claimer: JoinHandle<()>,
    releasing: Option<BoxFuture<'static, ()>>,
}

impl StepBackend {
    /// Spawns the claimer of a queue.
    pub(super) fn spawn(
        store: Arc<dyn Store>,
        monotonic: Arc<dyn MonotonicClock>,
        mut queue: StepQueue,
    ) -> Self {
        let claimer = std::mem::replace(&mut queue.claimer, Box::pin(std::future::ready(())));
        Self { store, monotonic, queue, claimer: tokio::spawn(claimer), releasing: None }
    }
}

impl Backend for StepBackend {
    type Task = Task<LeasedStep>;
    // The claimer retries when the store fails: an error here would end the apalis worker.
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.queue.steps.poll_recv(cx).map(|step| step.map(|step| Ok(Task::new(step))))
    }

    /// Gives back what was claimed and not begun.
    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        if self.releasing.is_none() {
            self.queue.stop();
            // A running claim is awaited: dropped, its steps would be lost until their leases end.
            let _ = ready!(Pin::new(&mut self.claimer).poll(cx));
            let mut claims = Vec::new();
            while let Ok(step) = self.queue.steps.try_recv() {
                claims.push(step.claim);
            }
            let (store, monotonic) = (self.store.clone(), self.monotonic.clone());
            self.releasing = Some(Box::pin(async move {
                release(store.as_ref(), claims, monotonic.as_ref(), || false).await;
            }));
        }
        if let Some(releasing) = &mut self.releasing {
            ready!(releasing.as_mut().poll(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for StepBackend {
    type Args = LeasedStep;
    type Id = ();
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}
