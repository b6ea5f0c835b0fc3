//! Calls that left a worker. To carry a call out, to answer it and to lose it are separate acts.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ferry_sim::{Endpoint, Fault};
use ferry_types::domain::SubmissionId;
use tokio::sync::oneshot;

use crate::time::Time;
use crate::trace::WorkerNumber;

/// Destination of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    Store(&'static str),
    Platform(Endpoint),
    /// The receiver of a webhook.
    Receiver,
}

/// The calls of all workers; clones are the same calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    time: Time,
    list: Arc<Mutex<List>>,
}

#[derive(Debug, Default)]
struct List {
    calls: BTreeMap<u64, Call>,
    /// Calls that a history has not seen yet.
    new: Vec<u64>,
    next: u64,
}

/// A call that left and has no response yet.
pub(crate) struct Call {
    pub(crate) worker: WorkerNumber,
    pub(crate) to: Destination,
    pub(crate) sent: Duration,
    /// Time at which it was carried out, once it was.
    pub(crate) carried_out: Option<Duration>,
    act: Box<dyn Act>,
}

impl Call {
    /// True if no worker waits for its response any more: its own has ended, or given it up. It may still
    /// be carried out.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.act.is_abandoned()
    }
}

trait Act: Send {
    fn carry_out(&mut self, fault: Option<Fault>) -> Vec<SubmissionId>;
    fn answer(self: Box<Self>);
    fn lose(self: Box<Self>);
    fn give_up(&mut self);
    fn is_abandoned(&self) -> bool;
}

/// Makes the error of a call that is lost; it knows if the call was carried out.
type Lost<T> = Box<dyn FnOnce(bool) -> T + Send>;

type Work<T> = Box<dyn FnOnce(Option<Fault>) -> (T, Vec<SubmissionId>) + Send>;

struct Pending<T> {
    work: Option<Work<T>>,
    outcome: Option<T>,
    /// None once the worker has given it up.
    response: Option<(oneshot::Sender<T>, Lost<T>)>,
}

impl<T: Send> Act for Pending<T> {
    fn carry_out(&mut self, fault: Option<Fault>) -> Vec<SubmissionId> {
        let work = self.work.take().expect("a call is carried out once");
        let (outcome, touched) = work(fault);
        self.outcome = Some(outcome);
        touched
    }

    // In all of them, the worker may have crashed meanwhile.
    fn answer(self: Box<Self>) {
        if let Some((response, _)) = self.response {
            let _ = response.send(self.outcome.expect("it was carried out"));
        }
    }

    fn lose(mut self: Box<Self>) {
        self.give_up();
    }

    fn give_up(&mut self) {
        if let Some((response, lost)) = self.response.take() {
            let _ = response.send(lost(self.outcome.is_some()));
        }
    }

    fn is_abandoned(&self) -> bool {
        self.response.as_ref().is_none_or(|(response, _)| response.is_closed())
    }
}

impl Destination {
    pub(crate) fn is_platform(self) -> bool {
        matches!(self, Self::Platform(_))
    }
}

impl Calls {
    pub(crate) fn new(time: Time) -> Self {
        Self { time, list: Arc::default() }
    }

    /// Number of the next call.
    pub(crate) fn next_number(&self) -> u64 {
        self.list().next
    }

    /// Makes a call, and waits for its response. `work` carries it out, and returns the submissions that
    /// it may have changed; `lost` makes the error, and knows if the call was carried out.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        worker: WorkerNumber,
        to: Destination,
        work: impl FnOnce(Option<Fault>) -> (T, Vec<SubmissionId>) + Send + 'static,
        lost: impl FnOnce(bool) -> T + Send + 'static,
    ) -> T {
        let (response, received) = oneshot::channel();
        let (work, lost) = (Some(Box::new(work) as Work<T>), Box::new(lost) as Lost<T>);
        let act = Box::new(Pending { work, outcome: None, response: Some((response, lost)) });
        let sent = self.time.elapsed();
        {
            let mut list = self.list();
            let number = list.next;
            list.next += 1;
            list.calls.insert(number, Call { worker, to, sent, carried_out: None, act });
            list.new.push(number);
        }
        match received.await {
            Ok(response) => response,
            // Its history has ended.
            Err(_) => pending().await,
        }
    }

    /// Calls that left since the last look.
    pub(crate) fn take_new(&self) -> Vec<u64> {
        std::mem::take(&mut self.list().new)
    }

    /// The calls without a response, with a fact about each.
    pub(crate) fn each<T>(&self, fact: impl Fn(&Call) -> T) -> Vec<(u64, T)> {
        self.list().calls.iter().map(|(number, call)| (*number, fact(call))).collect()
    }

    /// A fact about a call.
    pub(crate) fn of<T>(&self, number: u64, fact: impl Fn(&Call) -> T) -> T {
        fact(&self.list().calls[&number])
    }

    /// Carries a call out; returns the submissions that it may have changed.
    pub(crate) fn carry_out(&self, number: u64, fault: Option<Fault>) -> Vec<SubmissionId> {
        let mut call = self.take(number);
        let touched = call.act.carry_out(fault);
        call.carried_out = Some(self.time.elapsed());
        // Of one that no worker waits for, nothing more is to come.
        if !call.is_abandoned() {
            self.list().calls.insert(number, call);
        }
        touched
    }

    /// Answers a call that was carried out, if it still is there.
    pub(crate) fn answer(&self, number: u64) {
        let call = self.list().calls.remove(&number);
        if let Some(call) = call {
            call.act.answer();
        }
    }

    /// Loses a call, or the response to it, if it still is there.
    pub(crate) fn lose(&self, number: u64) {
        let call = self.list().calls.remove(&number);
        if let Some(call) = call {
            call.act.lose();
        }
    }

    /// The worker waits for its response no longer. It may still be carried out.
    pub(crate) fn give_up(&self, number: u64) {
        let mut call = self.take(number);
        call.act.give_up();
        self.list().calls.insert(number, call);
    }

    fn take(&self, number: u64) -> Call {
        self.list().calls.remove(&number).expect("the call has no response yet")
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().expect("no test has panicked")
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("worker", &self.worker)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}
