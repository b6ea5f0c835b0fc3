//! Cost of a backlog on Redis: memory for each waiting submission, and how much slower steps are
//! leased and committed with many more behind them. Starts a `redis-server` of its own.
//!
//! `cargo bench --bench redis_backlog -- 1000000` for a longer queue than 200,000.

#![expect(clippy::print_stdout, reason = "a benchmark prints its measurements")]

mod redis_server;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ferry_store::redis::{Durability, RedisAddress, RedisStore};
use ferry_store::{ClaimRequest, Commit, Committed, Deadline, NewSubmission, Payload, Store};
use ferry_testing::Wait;
use ferry_types::domain::account::{HealthPolicy, Signal};
use ferry_types::domain::submission::{Next, State, StepKind, Transition};
use ferry_types::domain::{SubmissionId, timestamp};
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use redis_server::Server;

/// Steps in a claim and in a commit.
const BATCH: usize = 64;

/// Submissions whose steps are leased and committed for one figure.
const DRAINED: usize = 5000;

struct Bench {
    store: RedisStore,
    connection: MultiplexedConnection,
    accepted: u64,
}

impl Bench {
    async fn new(server: &Server) -> Result<Self> {
        let address = RedisAddress::new(&server.url()).map_err(anyhow::Error::msg)?;
        let store = RedisStore::new(&address, Durability::Server, HealthPolicy::default())?;
        let started = Instant::now();
        while store.stats().await.is_err() {
            ensure!(started.elapsed() < Duration::from_secs(30), "redis-server does not respond");
        }
        let client = redis::Client::open(server.url())?;
        let connection = client.get_multiplexed_async_connection().await?;
        Ok(Self { store, connection, accepted: 0 })
    }

    async fn ask<T: FromRedisValue>(&mut self, words: &[&str]) -> Result<T> {
        let cmd = &mut redis::cmd(words[0]);
        let cmd = words[1..].iter().fold(cmd, |cmd, word| cmd.arg(word));
        Ok(cmd.query_async(&mut self.connection).await?)
    }

    async fn info(&mut self, name: &str) -> Result<f64> {
        let info: String = self.ask(&["INFO", "all"]).await?;
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.context("INFO has it")?.trim().parse()?)
    }

    async fn accept(&mut self, count: usize) -> Result<()> {
        for begin in (0..count).step_by(500) {
            let batch: Vec<_> = (begin..count.min(begin + 500)).map(|_| self.next()).collect();
            self.store.accept(batch).await?;
        }
        Ok(())
    }

    fn next(&mut self) -> NewSubmission {
        self.accepted += 1;
        let n = self.accepted;
        let labels = [("ward", "north"), ("system", "pas")];
        let id = SubmissionId::new(timestamp(1_700_000_000_000 + n as i64), n.into());
        let data = format!("R-{n},01/03/2026,08:00,01/03/2026,09:00\n");
        let payload = Payload { data, event_data: None };
        let deadline = Deadline::After(Duration::from_hours(24));
        let name = format!("ward-7-admissions-{n:08}");
        NewSubmission {
            overwrite: true,
            result_keys: vec!["tableofresultids".to_owned()],
            labels: BTreeMap::from(labels.map(|(k, v)| (k.to_owned(), v.to_owned()))),
            ..NewSubmission::new(id, "main", name, payload, deadline)
        }
    }

    /// Leases and commits the uploads of `count` submissions, which then wait for a poll.
    async fn upload(&mut self, count: usize) -> Result<()> {
        let wait = Wait::begin("the last upload").at_most(Duration::from_hours(1));
        let mut done = 0;
        while done < count {
            wait.check();
            let limit = BATCH.min(count - done);
            let lease = Duration::from_secs(15);
            let request = ClaimRequest {
                kind: StepKind::Upload,
                limit,
                lease,
                account_limits: std::sync::Arc::default(),
            };
            let claims = self.store.claim(request).await?.claims;
            ensure!(!claims.is_empty(), "nothing is due");
            let commits: Vec<_> = claims
                .iter()
                .map(|claim| Commit { lease: claim.lease, transition: uploaded() })
                .collect();
            let committed = self.store.commit(commits).await?;
            let expected = Committed::Done(State::Uploading, State::Processing);
            ensure!(committed.iter().all(|one| *one == expected), "{committed:?}");
            done += claims.len();
        }
        Ok(())
    }

    /// Steps a second, and the server's microseconds a step, with `queued` more behind them.
    async fn drain(&mut self, queued: usize) -> Result<()> {
        let there = self.store.stats().await?.count(State::Queued) as usize;
        self.accept((queued + DRAINED).saturating_sub(there)).await?;
        // Rewriting its file slows the server down, whatever the backlog.
        let wait = Wait::begin("the end of a rewrite").at_most(Duration::from_mins(10));
        while self.info("aof_rewrite_in_progress").await? > 0.0 {
            wait.pause().await;
        }
        let cpu = self.cpu().await?;
        let calls = self.info("total_commands_processed").await?;
        let started = Instant::now();
        self.upload(DRAINED).await?;
        let rate = DRAINED as f64 / started.elapsed().as_secs_f64();
        let cpu = (self.cpu().await? - cpu) * 1e6 / DRAINED as f64;
        let calls = (self.info("total_commands_processed").await? - calls) / DRAINED as f64;
        println!(
            "{queued:>9} behind: {rate:>6.0} uploads leased and committed a second, {cpu:.0} µs of \
             the server and {calls:.1} commands each, those of scripts included"
        );
        Ok(())
    }

    async fn cpu(&mut self) -> Result<f64> {
        Ok(self.info("used_cpu_user_main_thread").await?
            + self.info("used_cpu_sys_main_thread").await?)
    }

    /// Bytes of each of `count` submissions beside the payload, and beside the newest events, which are
    /// as many however many submissions there are.
    async fn memory(&mut self, before: f64, count: usize) -> Result<f64> {
        let events: f64 = self.ask(&["MEMORY", "USAGE", "{ferry}:events", "SAMPLES", "0"]).await?;
        let used = self.info("used_memory_dataset").await? - before - events;
        let id = SubmissionId::new(timestamp(1_700_000_000_001), 1);
        let payload: f64 = self.ask(&["MEMORY", "USAGE", &format!("{{ferry}}:p:{id}")]).await?;
        Ok(used / count as f64 - payload)
    }
}

fn uploaded() -> Transition {
    Transition {
        processing_token: Some("0b7c4b1e-6ad5-4a2b-9f0e-1d1b7a5b1c11".to_owned()),
        signal: Signal::Healthy,
        ..Transition::to(Next::step(StepKind::Poll, Duration::from_hours(1)))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let queue = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(200_000);
    let server = Server::start()?;
    let mut bench = Bench::new(&server).await?;
    let count = 20_000;
    let before = bench.info("used_memory_dataset").await?;
    bench.accept(count).await?;
    println!("waiting for its upload: {:.0} bytes", bench.memory(before, count).await?);
    bench.upload(count).await?;
    let events: f64 = bench.ask(&["MEMORY", "USAGE", "{ferry}:events", "SAMPLES", "0"]).await?;
    let length: f64 = bench.ask(&["LLEN", "{ferry}:events"]).await?;
    println!("an event: {:.0} bytes", events / length);
    println!("waiting for its poll: {:.0} bytes", bench.memory(before, count).await?);
    for queued in [1000, queue] {
        for _ in 0..3 {
            bench.drain(queued).await?;
        }
    }
    Ok(())
}
