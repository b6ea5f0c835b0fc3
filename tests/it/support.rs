//! Parts that the tests share: a simulated Platform, an application on a fresh store, and waiting
//! for conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use ferry::app::App;
use ferry::config::{Config, Sources};
use ferry::pipeline::{SourceLabels, WorkersError};
use ferry_sim::{Credentials, Dialect, FaultRates, Processing, Sim, SimConfig};
use ferry_store::{Accepted, Filter, Stats};
use ferry_types::contract::{SubmissionRequest, SubmissionView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::dialect::drawn;
use ferry_testing::Wait;
pub(crate) use ferry_testing::pause;

/// A simulated Platform that decides at once.
pub(crate) fn prompt() -> SimConfig {
    SimConfig { processing: Processing::Fixed(Duration::ZERO), ..SimConfig::default() }
}

/// A Platform that fails in every way: 10 % 5xx, 5 % 429, 5 % resets, 3 % lost responses, tokens revoked
/// early.
pub(crate) fn bad_days(seed: u64) -> SimConfig {
    SimConfig {
        seed,
        processing: Processing::Uniform(Duration::ZERO, Duration::from_millis(300)),
        token_lifetime: Duration::from_secs(5),
        retry_after: Duration::from_millis(50),
        faults: FaultRates {
            server_error: 0.10,
            throttled: 0.05,
            reset: 0.05,
            lost_response: 0.03,
            token_revoked: 0.01,
            ..FaultRates::default()
        },
        ..SimConfig::default()
    }
}

/// The same in the words and forms that the documentation shows.
pub(crate) fn plain() -> SimConfig {
    SimConfig { dialect: Some(Dialect::PLAIN), ..prompt() }
}

/// Settings with which a process reaches `sim`, and is impatient.
pub(crate) fn settings(sim: &Sim) -> BTreeMap<String, String> {
    let credentials = Credentials::default();
    [
        ("TOKEN_URL", sim.token_url()),
        ("API_URL", sim.api_url()),
        ("CLIENT_ID", credentials.client_id),
        ("CLIENT_SECRET", credentials.client_secret),
        ("API_KEY", credentials.api_key),
        ("POLL_INITIAL", "10ms".to_owned()),
        ("POLL_MAX", "100ms".to_owned()),
        ("RETRY_INITIAL", "10ms".to_owned()),
        ("RETRY_MAX", "200ms".to_owned()),
        ("BREAKER_OPEN_MAX", "200ms".to_owned()),
        ("SLOW_DOWN", "100ms".to_owned()),
    ]
    .map(|(name, value)| (format!("FERRY_{name}"), value))
    .into()
}

/// An application whose workers carry to a simulated Platform.
pub(crate) struct World {
    pub(crate) sim: Arc<Sim>,
    pub(crate) app: App,
    /// Settings of further processes.
    pub(crate) env: BTreeMap<String, String>,
    workers: Option<JoinHandle<Result<(), WorkersError>>>,
    pub(crate) folder: TempDir,
}

impl World {
    /// Workers run from the start; `changes` are settings that differ, without `FERRY_`.
    pub(crate) async fn start(sim: SimConfig, changes: &[(&str, &str)]) -> Self {
        let mut world = Self::idle(sim, changes).await;
        world.start_workers();
        world
    }

    /// Nothing is carried yet.
    pub(crate) async fn idle(sim: SimConfig, changes: &[(&str, &str)]) -> Self {
        let sim = Sim::start(drawn(sim), (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut env = settings(&sim);
        env.insert(
            "FERRY_STORE".into(),
            format!("sqlite:{}", folder.path().join("f.db").display()),
        );
        env.extend(changes.iter().map(|(k, v)| (format!("FERRY_{k}"), (*v).to_owned())));
        let sources = Sources { file: None, env: env.clone(), flags: Vec::new() };
        let app = App::open(Config::load(&sources).unwrap()).unwrap();
        Self { sim: Arc::new(sim), app, env, workers: None, folder }
    }

    pub(crate) fn start_workers(&mut self) {
        self.workers = Some(tokio::spawn(self.app.workers().unwrap().run()));
    }

    pub(crate) async fn submit(&self, request: SubmissionRequest) -> SubmissionId {
        self.submit_all([request]).await[0]
    }

    pub(crate) async fn submit_all(
        &self,
        requests: impl IntoIterator<Item = SubmissionRequest>,
    ) -> Vec<SubmissionId> {
        let intake = self.app.intake();
        let prepare = |request| intake.prepare(request, &SourceLabels::default()).unwrap().new;
        let accepted = intake.accept(requests.into_iter().map(prepare).collect()).await.unwrap();
        accepted
            .into_iter()
            .map(|accepted| match accepted {
                Accepted::New(id) => id,
                other => panic!("not new: {other:?}"),
            })
            .collect()
    }

    pub(crate) async fn look(&self, id: SubmissionId) -> SubmissionView {
        let found = self.app.store.get(id).await.unwrap().expect("it was accepted");
        SubmissionView::new(found.submission, found.waiting_for)
    }

    /// Waits until a submission is in a state that satisfies `reached`.
    pub(crate) async fn until(
        &self,
        id: SubmissionId,
        reached: impl Fn(&SubmissionView) -> bool,
    ) -> SubmissionView {
        let wait = Wait::begin("a state of a submission");
        loop {
            let view = self.look(id).await;
            if reached(&view) {
                return view;
            }
            let timeline = self.app.store.timeline(id).await;
            wait.pause_or(|| format!("{view:#?}\n{timeline:#?}")).await;
        }
    }

    /// Waits until a submission is final or held.
    pub(crate) async fn settled(&self, id: SubmissionId) -> SubmissionView {
        self.until(id, |view| view.state.is_final() || view.state == State::Held).await
    }

    /// Statistics of the store; one that is away for a moment is asked again.
    pub(crate) async fn stats(&self) -> Stats {
        let wait = Wait::begin("the statistics of the store");
        loop {
            match self.app.store.stats().await {
                Ok(stats) => return stats,
                Err(error) => wait.pause_or(|| error.to_string()).await,
            }
        }
    }

    /// The number of steps that workers have.
    pub(crate) async fn running(&self) -> u64 {
        self.stats().await.steps.iter().map(|steps| steps.running).sum()
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn all_settled(&self) -> Stats {
        let wait = Wait::begin("the end of all submissions");
        loop {
            let stats = self.stats().await;
            if stats.unfinished() == 0 {
                return stats;
            }
            wait.pause_or(|| format!("{stats:#?}")).await;
        }
    }

    /// Log of its worker processes.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("workers.log")).unwrap_or_default()
    }

    /// Names with a submission whose upload was ambiguous at some time.
    pub(crate) async fn ambiguous_names(&self) -> BTreeSet<String> {
        let page = self.app.store.list(&Filter::default(), None, 100_000).await.unwrap();
        let mut names = BTreeSet::new();
        for found in page.found {
            let timeline = self.app.store.timeline(found.submission.id).await.unwrap();
            if timeline.iter().any(|entry| entry.message.contains("may have arrived")) {
                names.insert(found.submission.name.clone());
            }
        }
        names
    }

    pub(crate) async fn stop_workers(&mut self) {
        self.app.shutdown.drain();
        if let Some(workers) = self.workers.take() {
            workers.await.unwrap().unwrap();
        }
    }

    /// Stops, and checks that nothing is left over.
    pub(crate) async fn finish(mut self) {
        self.stop_workers().await;
        let stats = self.app.store.stats().await.unwrap();
        let leased: u64 = stats.steps.iter().map(|steps| steps.running).sum();
        assert_eq!(leased, 0, "a step is left over: {stats:#?}");
        assert!(self.sim.is_script_done(), "a scripted fault was not used");
        let metrics = self.app.metrics.render();
        assert!(metrics.contains("ferry_commit_conflicts_total 0"), "{metrics}");
    }
}

/// A small valid dataset called `name`.
pub(crate) fn dataset(name: &str) -> SubmissionRequest {
    SubmissionRequest {
        name: name.to_owned(),
        data: format!(
            "Reference,StartDate,StartTime,EndDate,EndTime\n{name}-1,01/03/2026,08:00,01/03/2026,09:00\n"
        ),
        ..SubmissionRequest::default()
    }
}

/// One that may overwrite.
pub(crate) fn overwriting(name: &str) -> SubmissionRequest {
    SubmissionRequest { overwrite: true, ..dataset(name) }
}

/// For longer runs by hand: `CHAOS_SUBMISSIONS=1000 CHAOS_KILLS=10 cargo test --test it kill`.
pub(crate) fn of_environment(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test is not configured by `config`")]
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
