//! Bytes and server time of the pages of the console, with a thousand submissions and with many.
//!
//! `cargo bench --bench console -- 1000000` takes a million instead of 100,000; with `sqlite` or `redis`
//! behind it, on this store alone. It fails if a page costs more than 1.5 times as much with many. The plans of bulk
//! actions that it compares count equal numbers of submissions: a thousand, which is the most that one counts, and
//! the newest 500 that are queued.

#![expect(clippy::print_stdout, reason = "a benchmark prints its measurements")]

mod redis_server;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::SecondsFormat;
use ferry::api::Server;
use ferry::app::App;
use ferry::config::{Config, Sources};
use ferry_store::{
    ClaimRequest, Commit, Committed, Deadline, Filter, NewSubmission, Payload, Store,
};
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{
    FEEDBACK_KEY, Next, Outcome, Reason, ReasonCode, State, StepKind, Transition,
};
use ferry_types::domain::{SubmissionId, timestamp};
use reqwest::Client;

const FEW: usize = 1000;

/// Requests of each page.
const ROUNDS: usize = 200;

/// The most that a page may cost with many, of what it costs with few.
const MOST: f64 = 1.5;

/// All states that the submissions have.
const ALL_STATES: &str = "state=queued&state=failed&state=rejected&state=held";

/// In one transaction.
const BATCH: usize = 500;

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let many = words.iter().find_map(|word| word.parse().ok()).unwrap_or(100_000);
    let is_wanted = |store: &&str| {
        let others = ["sqlite", "redis"].into_iter().filter(|other| other != store);
        !others.into_iter().any(|other| words.iter().any(|word| word == other))
    };
    let mut is_over = false;
    for store in ["sqlite", "redis"].iter().filter(|store| is_wanted(store)) {
        is_over |= compare(store, many).await?;
    }
    ensure!(!is_over, "a page costs more than {MOST} times as much");
    Ok(())
}

/// Returns true if a page costs too much with many submissions.
async fn compare(store: &str, many: usize) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let redis = if store == "redis" { Some(redis_server::Server::start()?) } else { None };
    let location = |name: &str| match &redis {
        Some(server) if name == "few" => server.url(),
        Some(server) => server.url().replace("/0", "/1"),
        None => format!("sqlite:{}", folder.path().join(name).display()),
    };
    let few = Served::start(&location("few"), FEW).await?;
    let many = Served::start(&location("many"), many).await?;
    println!("{store}: {} and {} submissions", few.count, many.count);
    println!("{:<34}{:>16}{:>20}{:>20}{:>7}", "", "gzip bytes", "median ms", "p99 ms", "ratio");
    let mut is_over = false;
    for (few_path, many_path) in few.paths().iter().zip(many.paths()) {
        let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            with_few.push(few.get(few_path).await?);
            with_many.push(many.get(&many_path).await?);
        }
        let (with_few, with_many) = (Cost::of(with_few), Cost::of(with_many));
        let ratio = with_many.over(&with_few);
        is_over |= ratio > MOST;
        println!(
            "{:<34}{:>16}{:>20}{:>20}{ratio:>7.2}",
            few.shown(few_path),
            format!("{} {}", with_few.bytes, with_many.bytes),
            format!("{:.2} {:.2}", with_few.median, with_many.median),
            format!("{:.2} {:.2}", with_few.p99, with_many.p99),
        );
    }
    Ok(is_over)
}

/// Cost of a page: bytes that a browser receives, and milliseconds.
struct Cost {
    bytes: usize,
    median: f64,
    p99: f64,
}

impl Cost {
    fn of(mut pages: Vec<(usize, f64)>) -> Self {
        pages.sort_by(|one, other| one.1.total_cmp(&other.1));
        let at = |share: usize| pages[(pages.len() * share / 100).min(pages.len() - 1)].1;
        let bytes = pages.iter().map(|(bytes, _)| *bytes).max().unwrap_or_default();
        Self { bytes, median: at(50), p99: at(99) }
    }

    /// The larger ratio of bytes and time.
    fn over(&self, few: &Self) -> f64 {
        (self.bytes as f64 / few.bytes as f64).max(self.median / few.median)
    }
}

/// A server over a store with so many submissions.
struct Served {
    count: usize,
    url: String,
    rejected: String,
    /// The time at which the last batch was accepted.
    newest: String,
    client: Client,
}

impl Served {
    async fn start(location: &str, count: usize) -> Result<Self> {
        let app = App::open(configuration(location)?)?;
        let started = Instant::now();
        while app.store.stats().await.is_err() {
            ensure!(started.elapsed() < Duration::from_secs(30), "the store does not respond");
        }
        fill(app.store.as_ref(), count).await?;
        let filter = Filter { states: vec![State::Rejected], ..Filter::default() };
        let page = app.store.list(&filter, None, 1).await?;
        let rejected = page.found.first().context("one is rejected")?.submission.id.to_string();
        let page = app.store.list(&Filter::default(), None, 1).await?;
        let newest = page.found.first().context("one is the newest")?.submission.created_at;
        let newest = newest.to_rfc3339_opts(SecondsFormat::Millis, true);
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let url = format!("http://{}", server.address());
        tokio::spawn(server.serve(app.api()?));
        let client = Client::builder().no_proxy().tls_certs_only([]).build()?;
        Ok(Self { count, url, rejected, newest, client })
    }

    /// The pages whose cost could depend on the number of submissions.
    fn paths(&self) -> Vec<String> {
        let one = format!("/submissions/{}", self.rejected);
        let list = [
            "",
            "?state=rejected",
            "?state=failed&label=ward%3Dnorth",
            "?name=ward-7-00000007",
            &format!("?created_before={}", self.newest),
        ];
        let list = list.map(|filters| format!("/submissions{filters}"));
        let others = ["", "/accounts", "/accounts/default", "/events", "/webhooks", "/system"];
        let others = others.map(str::to_owned).into_iter().chain(list);
        let of_one = ["", "/feedback", "/correct"].map(|page| format!("{one}{page}"));
        // Those of the last batch, which are as many with few.
        let queued = format!("/bulk?action=cancel&state=queued&created_after={}", self.newest);
        let bulk = format!("/bulk?action=cancel&{ALL_STATES}");
        let paths = others.chain(of_one).chain([queued, bulk, "/new".to_owned()]);
        paths.map(|path| format!("/console{path}")).collect()
    }

    /// A path as the table shows it.
    fn shown(&self, path: &str) -> String {
        let path = path.replace(&self.rejected, "ID").replace("/console", "");
        path.replace(ALL_STATES, "state=…").replace(&self.newest, "…")
    }

    /// Bytes of a page, and milliseconds to its last one.
    async fn get(&self, path: &str) -> Result<(usize, f64)> {
        let started = Instant::now();
        let request = self.client.get(format!("{}{path}", self.url));
        let response = request.header("accept-encoding", "gzip").send().await?;
        ensure!(response.status() == 200, "{path}: {}", response.status());
        let bytes = response.bytes().await?.len();
        Ok((bytes, started.elapsed().as_secs_f64() * 1000.0))
    }
}

fn configuration(location: &str) -> Result<Config> {
    let settings = [
        ("STORE", location),
        ("TOKEN_URL", "http://127.0.0.1:9/token"),
        ("API_URL", "http://127.0.0.1:9/api"),
        ("CLIENT_ID", "demo"),
        ("CLIENT_SECRET", "demo-secret"),
        ("API_KEY", "demo-key"),
    ];
    let env = settings.map(|(name, value)| (format!("FERRY_{name}"), value.to_owned())).into();
    Ok(Config::load(&Sources { file: None, env, flags: Vec::new() })?)
}

/// Accepts so many, and ends the older half: failed, rejected or held.
async fn fill(store: &dyn Store, count: usize) -> Result<()> {
    for begin in (1..=count).step_by(BATCH) {
        let batch = (begin..(begin + BATCH).min(count + 1)).map(submission).collect();
        store.accept(batch).await?;
    }
    let wait = ferry_testing::Wait::begin("the older half").at_most(Duration::from_hours(1));
    let mut done = 0;
    while done < count / 2 {
        wait.check();
        let request = ClaimRequest {
            kind: StepKind::Upload,
            limit: BATCH.min(count / 2 - done),
            lease: Duration::from_mins(1),
            account_limits: std::sync::Arc::default(),
        };
        let claims = store.claim(request).await?.claims;
        ensure!(!claims.is_empty(), "nothing is due");
        let commits = claims.iter().enumerate();
        let commits = commits.map(|(n, claim)| Commit { lease: claim.lease, transition: ended(n) });
        let committed = store.commit(commits.collect()).await?;
        let is_done = |one: &Committed| matches!(one, Committed::Done(..));
        ensure!(committed.iter().all(is_done), "a step could not be committed");
        done += claims.len();
    }
    Ok(())
}

fn submission(n: usize) -> NewSubmission {
    let id = SubmissionId::new(timestamp(1_700_000_000_000 + n as i64), n as u128);
    let rows = (0..20).map(|row| format!("R-{n:08}-{row:02},01/03/2026,08:00,01/03/2026,09:00\n"));
    let header = "Reference,StartDate,StartTime,EndDate,EndTime\n".to_owned();
    let payload = Payload { data: header + &rows.collect::<String>(), event_data: None };
    let deadline = Deadline::After(Duration::from_hours(24));
    let mut new = NewSubmission::new(id, "default", format!("ward-7-{n:08}"), payload, deadline);
    let ward = if n.is_multiple_of(2) { "north" } else { "south" };
    new.labels = [("ward".to_owned(), ward.to_owned())].into();
    new
}

/// One of a hundred is held, and one of ten rejected.
fn ended(n: usize) -> Transition {
    let text = "the Platform rejected the dataset with `completedwitherrors`; see its feedback";
    match n {
        n if n.is_multiple_of(100) => Transition {
            reason: Some(Reason::new(ReasonCode::Ambiguous, "the upload may have arrived")),
            ..Transition::to(Next::Held)
        },
        n if n.is_multiple_of(10) => Transition {
            reason: Some(Reason::new(ReasonCode::UploadRejected, text)),
            contents: vec![(FEEDBACK_KEY.to_owned(), feedback())],
            ..Transition::to(Next::End(Outcome::Rejected))
        },
        _ => Transition {
            reason: Some(Reason::new(ReasonCode::Deadline, "the deadline passed")),
            ..Transition::to(Next::End(Outcome::Failed))
        },
    }
}

fn feedback() -> Content {
    let items = (1..=5).map(|row| format!("{row}|08:00|unknown time\n"));
    let bytes = items.collect::<String>().into_bytes();
    Content { content_type: Some("text/plain".to_owned()), bytes }
}
