//! Delays of several workers: from acceptance to the start of the upload where nothing else is to be done,
//! and from a step's due time to its claim with a thousand due steps a second.
//!
//! `cargo bench --bench latency` measures one process on SQLite and three on Redis, with a simulated
//! Platform beside them.

#![expect(clippy::print_stdout, reason = "a benchmark prints its measurements")]

mod redis_server;
mod step_lag;

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use ferry::app::App;
use ferry::config::{Config, Sources};
use ferry::pipeline::SourceLabels;
use ferry_sim::{Processing, Sim, SimConfig};
use ferry_store::{Accepted, NewSubmission};
use ferry_testing::Wait;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::State;
use ferry_types::domain::{SubmissionId, until};
use redis_server::Server;
use step_lag::StepLag;

/// Submitted one after the other.
const ALONE: usize = 300;

/// In flight at once, each asked for every 3/4 of `BETWEEN` on average, which makes 1,000 a second.
const POLLED: usize = 3000;
const BETWEEN: &str = "4s";
const FOR: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let location = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    measure("SQLite, one process", &location("alone.db"), &location("polled.db"), 1).await?;
    let server = Server::start()?;
    let client = redis::Client::open(server.url())?;
    let is_up = async || client.get_multiplexed_async_connection().await.is_ok();
    ferry_testing::until("a connection to redis-server", is_up).await;
    let (first, second) = (server.url(), server.url().replace("/0", "/1"));
    measure("Redis, three processes' worth", &first, &second, 3).await
}

async fn measure(what: &str, alone: &str, polled: &str, workers: usize) -> Result<()> {
    let fleet = Fleet::start(alone, workers, Duration::ZERO, "1ms").await?;
    let mut starts = Vec::new();
    for n in 0..ALONE {
        starts.push(fleet.start_of_upload(n).await?);
    }
    fleet.stop().await?;
    starts.sort_by(f64::total_cmp);
    println!(
        "{what}: from acceptance to the start of the upload, idle, {ALONE} times: median {} ms, \
         99th percentile {} ms",
        starts[ALONE / 2],
        starts[ALONE * 99 / 100]
    );
    let fleet = Fleet::start(polled, workers, Duration::from_hours(1), BETWEEN).await?;
    fleet.accept((0..POLLED).map(|n| prepare(&fleet.apps[0], n)).collect()).await?;
    let wait = Wait::begin("the uploads").at_most(Duration::from_mins(10));
    while fleet.count(State::Processing).await? < POLLED as u64 {
        wait.pause().await;
    }
    // What became due while the uploads ran is over.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before: Vec<_> = fleet.apps.iter().map(StepLag::of).collect();
    tokio::time::sleep(FOR).await;
    for (app, before) in fleet.apps.iter().zip(&before) {
        let lag = StepLag::of(app);
        println!(
            "{what}: {:.0} due steps a second, 99 % of them claimed within {} ms",
            lag.count(before) / FOR.as_secs_f64(),
            lag.p99_ms(before)
        );
    }
    fleet.stop().await
}

/// Applications with workers, on one store, and a Platform that takes so long.
struct Fleet {
    apps: Vec<App>,
    workers: Vec<tokio::task::JoinHandle<Result<(), ferry::pipeline::WorkersError>>>,
    _sim: Sim,
}

impl Fleet {
    async fn start(location: &str, workers: usize, takes: Duration, poll: &str) -> Result<Self> {
        let config = SimConfig { processing: Processing::Fixed(takes), ..SimConfig::default() };
        let sim = Sim::start(config, (Ipv4Addr::LOCALHOST, 0).into()).await?;
        let open = || Ok(App::open(configuration(&sim, location, poll)?)?);
        let apps: Vec<App> = (0..workers).map(|_| open()).collect::<Result<_>>()?;
        let mut running = Vec::new();
        for app in &apps {
            running.push(tokio::spawn(app.workers()?.run()));
        }
        Ok(Self { apps, workers: running, _sim: sim })
    }

    async fn accept(&self, new: Vec<NewSubmission>) -> Result<Vec<SubmissionId>> {
        let accepted = self.apps[0].store.accept(new).await?;
        let id = |accepted| match accepted {
            Accepted::New(id) | Accepted::Duplicate(id) | Accepted::Conflict(id) => id,
        };
        Ok(accepted.into_iter().map(id).collect())
    }

    /// Submits one, and waits until it is completed; milliseconds until its upload began, by the
    /// time of the store.
    async fn start_of_upload(&self, n: usize) -> Result<f64> {
        let id = self.accept(vec![prepare(&self.apps[0], n)]).await?[0];
        let store = &self.apps[0].store;
        let wait = Wait::begin("the end of a submission");
        while !store.get(id).await?.context("it was accepted")?.submission.state.is_final() {
            wait.pause().await;
        }
        let timeline = store.timeline(id).await?;
        let began = timeline.iter().find(|entry| entry.state == State::Uploading);
        let began = began.context("it was uploaded")?;
        Ok(until(timeline[0].at, began.at).as_secs_f64() * 1000.0)
    }

    async fn count(&self, state: State) -> Result<u64> {
        Ok(self.apps[0].store.stats().await?.count(state))
    }

    async fn stop(self) -> Result<()> {
        for app in &self.apps {
            app.shutdown.drain();
        }
        for workers in self.workers {
            workers.await??;
        }
        Ok(())
    }
}

fn configuration(sim: &Sim, location: &str, poll: &str) -> Result<Config> {
    let settings = [
        ("STORE", location),
        ("TOKEN_URL", &sim.token_url()),
        ("API_URL", &sim.api_url()),
        ("CLIENT_ID", "demo"),
        ("CLIENT_SECRET", "demo-secret"),
        ("API_KEY", "demo-key"),
        ("POLL_INITIAL", poll),
        ("POLL_FACTOR", "1"),
        ("POLL_MAX", poll),
    ];
    let env = settings.map(|(name, value)| (format!("FERRY_{name}"), value.to_owned())).into();
    Ok(Config::load(&Sources { file: None, env, flags: Vec::new() })?)
}

fn prepare(app: &App, n: usize) -> NewSubmission {
    let header = "Reference,StartDate,StartTime,EndDate,EndTime\n";
    let data = format!("{header}REF-{n},01/03/2026,08:00,01/03/2026,17:00\n");
    let request =
        SubmissionRequest { name: format!("bench-{n:06}"), data, ..SubmissionRequest::default() };
    app.intake().prepare(request, &SourceLabels::default()).expect("it is valid").new
}
