//! A worker process of a history: the real workers, polled here, in one thread and in a fixed order.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};

use ferry::metrics::Metrics;
use ferry::pipeline::{Executor, LeasedStep, Policy, StepQueue, WorkerParts, Workers};
use ferry::platform::{
    AccountConfig, Limits, OverwriteFormat, Platform, PlatformParts, StatusMap, Wires,
};
use ferry::secret::Secret;
use ferry::shutdown::Shutdown;
use ferry::traces::Traces;
use ferry::webhook::{Receiver, Rules, SigningKey, Webhooks};
use ferry_sim::Credentials;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::submission::StepKind;
use futures_util::future::BoxFuture;

use crate::receiver::ReceiverWire;
use crate::store::WorkerStore;
use crate::time::Time;
use crate::trace::{AccountNumber, WorkerNumber};
use crate::wire::WorkerWire;

/// Secret that signs webhooks.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The name of an account.
pub(crate) fn account_name(account: AccountNumber) -> String {
    format!("account{account}")
}

/// The ways of a worker to others.
pub(crate) struct Ways {
    pub(crate) platforms: Vec<WorkerWire>,
    pub(crate) receivers: ReceiverWire,
}

/// A running worker process. Dropped, it has crashed.
pub(crate) struct Worker {
    pub(crate) number: WorkerNumber,
    pub(crate) store: Arc<WorkerStore>,
    pub(crate) is_suspended: bool,
    pub(crate) is_cut_off: bool,
    /// It has to end at once.
    pub(crate) is_stopping: bool,
    shutdown: Shutdown,
    executor: Arc<Executor>,
    queues: Vec<StepQueue>,
    tasks: Vec<Task>,
}

struct Task {
    future: BoxFuture<'static, ()>,
    woken: Arc<Woken>,
    /// A worker that is stopped waits for its end.
    ends: bool,
}

/// True if a task is to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Task {
    fn new(future: BoxFuture<'static, ()>, ends: bool) -> Self {
        Self { future, woken: Arc::new(Woken(AtomicBool::new(true))), ends }
    }
}

impl Worker {
    /// Starts a worker.
    pub(crate) fn start(
        store: WorkerStore,
        ways: Ways,
        time: &Time,
        policy: Policy,
        limits: AccountLimits,
    ) -> Self {
        let (number, store) = (store.worker, Arc::new(store));
        let (monotonic, shutdown) = (Arc::new(time.clone()), Shutdown::default());
        let workers = Workers {
            store: store.clone(),
            webhooks: webhooks(ways.receivers, ways.platforms.len()),
            platforms: ways.platforms.into_iter().map(|w| platform(w, time, limits)).collect(),
            kinds: StepKind::ALL.into(),
            policy,
            pushed: None,
            metrics: metrics(),
            traces: Traces::default(),
            monotonic,
            shutdown: shutdown.clone(),
            seed: number as u64,
        };
        let WorkerParts { executor, mut queues, committer, renewal, housekeeping, .. } =
            workers.parts();
        let background = [committer, renewal, housekeeping];
        let mut tasks = Vec::from(background.map(|future| Task::new(future, false)));
        for queue in &mut queues {
            let claimer = std::mem::replace(&mut queue.claimer, Box::pin(std::future::ready(())));
            tasks.push(Task::new(claimer, true));
        }
        Self {
            number,
            store,
            is_suspended: false,
            is_cut_off: false,
            is_stopping: false,
            shutdown,
            executor,
            queues,
            tasks,
        }
    }

    /// Has it abort what it runs, commit what it knows, and end.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
        self.queues.iter().for_each(StepQueue::stop);
        self.shutdown.abort();
    }

    /// True if it was stopped, and has nothing left to do.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_stopping && !self.tasks.iter().any(|task| task.ends)
    }

    /// Polls what can make progress until nothing can; returns true if anything could.
    pub(crate) fn run(&mut self) -> bool {
        if self.is_suspended {
            return false;
        }
        let mut progressed = false;
        while self.poll_tasks() {
            self.start_steps();
            progressed = true;
        }
        progressed
    }

    fn poll_tasks(&mut self) -> bool {
        let mut any = false;
        self.tasks.retain_mut(|task| {
            if !task.woken.0.swap(false, Ordering::Relaxed) {
                return true;
            }
            any = true;
            let waker = Waker::from(task.woken.clone());
            task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
        any
    }

    fn start_steps(&mut self) {
        let mut steps: Vec<LeasedStep> = Vec::new();
        for queue in &mut self.queues {
            while let Ok(step) = queue.steps.try_recv() {
                steps.push(step);
            }
        }
        for step in steps {
            let executor = self.executor.clone();
            // A step whose outcome was not committed is rescued.
            let run = async move { drop(executor.run(step).await) };
            self.tasks.push(Task::new(Box::pin(run), true));
        }
    }
}

fn platform(wire: WorkerWire, time: &Time, account_limits: AccountLimits) -> Platform {
    let credentials = Credentials::default();
    let account = AccountConfig {
        name: account_name(wire.account),
        token_url: "http://127.0.0.1:1/connect/token".to_owned(),
        api_url: "http://127.0.0.1:1/upload".to_owned(),
        client_id: credentials.client_id,
        client_secret: credentials.client_secret.into(),
        api_key: credentials.api_key.into(),
        overwrite_format: OverwriteFormat::Strings,
        status_map: StatusMap::default(),
        account_limits,
    };
    let wire = Arc::new(wire);
    Platform::new(PlatformParts {
        account,
        limits: Limits::default(),
        wires: Wires { tokens: wire.clone(), api: wire },
        clock: Arc::new(time.clone()),
        monotonic: Arc::new(time.clone()),
        metrics: metrics(),
    })
    .expect("a valid account")
}

fn webhooks(wire: ReceiverWire, accounts: usize) -> Webhooks {
    let secret = || {
        let secret = Secret::new("the secret", SECRET.into(), None, SigningKey::read);
        vec![secret.expect("a valid secret")]
    };
    let target = |number| (account_name(number), Receiver { url: None, secrets: secret() });
    let targets = (0..accounts).map(target).collect();
    Webhooks::over(Arc::new(wire), Rules::default(), targets, &metrics())
}

/// All histories count in the same metrics, which no history reads.
fn metrics() -> Arc<Metrics> {
    static METRICS: OnceLock<Arc<Metrics>> = OnceLock::new();
    METRICS.get_or_init(Arc::default).clone()
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("number", &self.number).finish_non_exhaustive()
    }
}
