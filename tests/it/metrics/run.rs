//! A run of two workers and a server in which everything goes wrong once, scraped by a real Prometheus:
//! then every panel has data, and no expression fails.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ferry::pipeline::SourceLabels;
use ferry_sim::{Endpoint, Fault, FaultRates, Processing, SimConfig};
use ferry_store::{ClaimRequest, Lease, LimitsByAccount};
use ferry_types::domain::submission::{State, StepKind};
use serde_json::Value;

use super::files::{filled_in, panels, sections, variables};
use super::prometheus::{Prometheus, get, post, tool};
use super::scraped::{CLIENT_TIMEOUT, Scraped, until};
use crate::support::{World, dataset, of_environment, overwriting, pause};

/// Settings with which failures show within seconds.
const UNLUCKY: [(&str, &str); 4] = [
    ("BREAKER_FAILURES", "6"),
    ("BREAKER_OPEN_MAX", "700ms"),
    ("UNKNOWN_TOKEN_TIMEOUT", "1ms"),
    ("LEASE", "1s"),
];

fn bad_days() -> SimConfig {
    SimConfig {
        seed: 5,
        processing: Processing::Uniform(Duration::from_millis(50), Duration::from_millis(800)),
        token_lifetime: Duration::from_secs(6),
        retry_after: Duration::from_millis(1500),
        latency: Duration::from_millis(15),
        faults: FaultRates {
            server_error: 0.06,
            throttled: 0.01,
            reset: 0.03,
            lost_response: 0.03,
            token_revoked: 0.01,
            ..FaultRates::default()
        },
        ..SimConfig::default()
    }
}

/// An account whose secret is wrong.
fn second_account(world: &World) -> String {
    format!(
        "[accounts.north]\ntoken_url = \"{}\"\napi_url = \"{}\"\nclient_id = \"north\"\n\
         client_secret = \"mistyped\"\napi_key = \"mistyped\"\n",
        world.sim.token_url(),
        world.sim.api_url()
    )
}

/// Series that the run must have shown, as selectors of Prometheus.
const SHOWN: [&str; 24] = [
    "ferry_submissions_finished_total{outcome=\"completed\"}",
    "ferry_submissions_finished_total{outcome=\"rejected\"}",
    "ferry_submissions_finished_total{outcome=\"failed\"}",
    "ferry_platform_requests_total{class=\"throttled\"}",
    "ferry_platform_requests_total{class=\"server_error\"}",
    "ferry_platform_requests_total{class=\"no_response\"}",
    "ferry_platform_requests_total{class=\"unauthorized\",account=\"north\",endpoint=\"token\"}",
    "ferry_token_refreshes_total{result=\"denied\",account=\"north\"}",
    "ferry_token_refreshes_total{result=\"ok\",account=\"default\"}",
    "ferry_platform_retry_after_seconds_count",
    "ferry_unknown_status_total",
    "ferry_leases_rescued_total",
    "ferry_account_paused{account=\"north\",by=\"credentials\"}",
    "ferry_queue_submissions{state=\"held\"}",
    "ferry_queue_steps{state=\"held\",step=\"upload\"}",
    "ferry_queue_steps{state=\"paused\",step=\"upload\"}",
    "max_over_time(ferry_account_throttled{account=\"default\"}[2m])",
    "max_over_time(ferry_account_breaker_state{account=\"default\"}[2m])",
    "max_over_time(ferry_queue_oldest_ready_seconds[2m])",
    "ferry_store_durable",
    "ferry_submissions_received_total{source=\"api\",result=\"accepted\"}",
    "ferry_submissions_received_total{source=\"api\",result=\"invalid\"}",
    "ferry_http_requests_total{route=\"POST /v1/submissions\",class=\"2xx\"}",
    "ferry_http_requests_total{route=\"POST /v1/submissions\",class=\"4xx\"}",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_finds_data_for_every_panel_and_no_expression_fails() {
    let world = World::idle(bad_days(), &[]).await;
    let folder = world.folder.path();
    std::fs::write(folder.join("ferry.toml"), second_account(&world)).unwrap();
    let lost = lose_a_worker(&world).await;
    let first = Scraped::start(&world, "first", &["worker"], &UNLUCKY).await;
    let second = Scraped::start(&world, "second", &["worker"], &UNLUCKY).await;
    let server = Scraped::start(&world, "server", &["serve", "--no-workers"], &UNLUCKY).await;
    let targets = [&first, &second, &server].map(|scraped| scraped.address.clone());
    let prometheus = Prometheus::start(folder, &targets);
    until(|| "Prometheus is ready".into(), || prometheus.is_ready()).await;
    until(|| "all are up".into(), || prometheus.holds("sum(up) == 3")).await;

    let started = Instant::now();
    world.app.store.renew(vec![lost], Duration::ZERO).await.unwrap();
    // Its requests would take the faults that others are to get.
    world.settled(lost.id).await;
    go_wrong(&world).await;
    submit(&server, &dataset("by-http").data, 200..=299);
    submit(&server, "Reference,StartDate\nSITE-1,yesterday\n", 400..=499);
    for shown in SHOWN {
        until(|| format!("{shown}\n{:#?}", world.sim.ledger().faults), || prometheus.holds(shown))
            .await;
    }
    println!("all was shown after {:?}", started.elapsed());

    let (panels, rules) = (ask_panels(&prometheus), ask_rules(&prometheus));
    println!("{panels} expressions of panels and {} alerts", rules.len());
    let raised: BTreeSet<&str> = rules
        .iter()
        .filter(|rule| rule["state"] != "inactive")
        .filter_map(|rule| rule["name"].as_str())
        .collect();
    for alert in ["FerryAccountPaused", "FerryHeldSubmissions", "FerryWorkerLost"] {
        assert!(raised.contains(alert), "{raised:?}");
    }
    choose_by_variables(&prometheus);
    lint(&first);
    no_secret_is_shown(&first);
    keep_for_a_look(&world, &prometheus).await;
}

/// Evaluates the expressions of the dashboards. Returns how many there are.
fn ask_panels(prometheus: &Prometheus) -> usize {
    let mut wrong = Vec::new();
    let mut requested = 0;
    for (file, panel) in panels() {
        // An annotation is a query itself, and need not have happened just now, but in this run.
        let note = panel.get("iconColor").map(|_| &panel);
        let targets = panel["targets"].as_array().into_iter().flatten();
        for query in targets.chain(note) {
            let mut expression = filled_in(query["expr"].as_str().unwrap());
            if note.is_some() {
                expression = format!("last_over_time(({expression})[10m:1s])");
            }
            requested += 1;
            match prometheus.query(&expression) {
                Err(error) => wrong.push(format!("{file}: {expression}: {error}")),
                Ok(found) if !found.iter().any(is_number) => {
                    let title = if note.is_some() { &panel["name"] } else { &panel["title"] };
                    wrong.push(format!("{file}: {title}: no data: {expression}"));
                }
                Ok(_) => {}
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    requested
}

fn is_number(sample: &Value) -> bool {
    sample["value"][1].as_str().is_some_and(|value| value != "NaN")
}

/// Evaluates the alerts. Returns their states. Each leads to a section of the runbook.
fn ask_rules(prometheus: &Prometheus) -> Vec<Value> {
    let rules = prometheus.rules();
    assert!(!rules.is_empty());
    let sections = sections().into_iter().map(|(url, ..)| format!("http://127.0.0.1:3000{url}"));
    let sections: Vec<String> = sections.collect();
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
        for alert in rule["alerts"].as_array().unwrap() {
            let url = alert["annotations"]["dashboard_url"].as_str().unwrap();
            assert!(sections.iter().any(|section| section == url), "{url}");
        }
        prometheus.query(rule["query"].as_str().unwrap()).unwrap();
    }
    rules
}

/// Submits a dataset over HTTP, and asserts that the response has one of these statuses.
fn submit(server: &Scraped, csv: &str, expected: std::ops::RangeInclusive<u16>) {
    let (status, body) = post(&server.address, "/v1/submissions?name=by-http", csv).unwrap();
    assert!(expected.contains(&status), "{status}: {body}");
}

/// Claims a step as a worker that then disappears, which shows only when its lease expires.
async fn lose_a_worker(world: &World) -> Lease {
    world.submit(overwriting("lost")).await;
    let lease = Duration::from_hours(1);
    let account_limits = LimitsByAccount::default();
    let request = ClaimRequest { kind: StepKind::Upload, limit: 1, lease, account_limits };
    world.app.store.claim(request).await.unwrap().claims[0].lease
}

async fn go_wrong(world: &World) {
    let response = |status, body: &str| {
        let body = body.to_owned();
        Fault::Respond { status, headers: Vec::new(), body }
    };
    // An upload that may have arrived and must not overwrite is held when the name is found.
    world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let held = world.submit(dataset("doubtful")).await;
    world.until(held, |view| view.state == State::Held).await;
    // One that the Platform forgets has failed: the first 404 begins the time that it is waited for.
    world.sim.script(Endpoint::Status, response(404, ""));
    world.sim.script(Endpoint::Status, response(404, ""));
    let failed = world.submit(overwriting("forgotten")).await;
    world.until(failed, |view| view.state == State::Failed).await;
    world.sim.script(Endpoint::Status, response(200, "Contemplating"));
    // It may meet any fault, and must not be held for that.
    let mut rejected = overwriting("rejected");
    rejected.data = rejected.data.replace("rejected-1", "UNKNOWN-1");
    world.submit(rejected).await;

    let prepared = world.app.intake().prepare(dataset("paused"), &SourceLabels::default()).unwrap();
    let mut new = prepared.new;
    new.account = "north".into();
    world.app.intake().accept(vec![new]).await.unwrap();

    world.submit_all((0..80).map(|n| overwriting(&format!("a{n}")))).await;
    let some = |stats: &ferry_store::Stats| stats.count(State::Completed) > 30;
    let started = Instant::now();
    while !some(&world.app.store.stats().await.unwrap()) {
        assert!(started.elapsed() < CLIENT_TIMEOUT, "{:#?}", world.app.store.stats().await);
        pause().await;
    }
    world.sim.set_outage(true);
    world.submit_all((0..30).map(|n| overwriting(&format!("b{n}")))).await;
    let since = Instant::now();
    until(|| "an outage".into(), || since.elapsed() > Duration::from_secs(3)).await;
    world.sim.set_outage(false);
    // For long enough to be read, whenever that is done.
    let headers = vec![("retry-after".to_owned(), "10".to_owned())];
    world
        .sim
        .script(Endpoint::Upload, Fault::Respond { status: 429, headers, body: String::new() });
    world.submit(overwriting("throttled")).await;
}

/// Each template variable offers what there is; what the overview says of one account is not of all.
fn choose_by_variables(prometheus: &Prometheus) {
    for (dashboard, variable, query) in variables() {
        let inner = query.strip_prefix("label_values(").and_then(|query| query.strip_suffix(')'));
        let (selector, label) = inner.unwrap().rsplit_once(", ").unwrap();
        let values = prometheus.label_values(&filled_in(selector), label);
        let expected = match variable.as_str() {
            "account" => values == ["default", "north", "other"],
            "instance" => values.len() == 3,
            "namespace" => values == ["here"],
            _ => false,
        };
        assert!(expected, "{dashboard}: ${variable} offers {values:?}");
    }
    let paused =
        |account: &str| format!("max(ferry_queue_steps{{account=\"{account}\",state=\"paused\"}})");
    assert!(prometheus.holds(&paused("north")) && !prometheus.holds(&paused("default")));
}

/// `promtool check metrics` on a scrape.
fn lint(worker: &Scraped) {
    use std::io::Write;
    let (_, scrape) = get(&worker.address, "/metrics").unwrap();
    let mut promtool = Command::new(tool("promtool"));
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    promtool.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let found = promtool.wait_with_output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
}

fn no_secret_is_shown(worker: &Scraped) {
    let (_, scrape) = get(&worker.address, "/metrics").unwrap();
    for secret in ["demo-secret", "demo-key", "mistyped", "127.0.0.1", "doubtful", "UNKNOWN-1"] {
        assert!(!scrape.contains(secret), "`{secret}` is in a label");
    }
}

/// Continues for `LOOK_SECONDS`, with an outage in the middle, for `dashboards/render.py` or a Grafana:
/// `LOOK_SECONDS=120 cargo test --test it real_prometheus -- --nocapture`.
async fn keep_for_a_look(world: &World, prometheus: &Prometheus) {
    let seconds = of_environment("LOOK_SECONDS", 0);
    if seconds > 0 {
        println!("Prometheus is at http://{} for {seconds} s", prometheus.address());
    }
    let started = Instant::now();
    for second in 0..seconds {
        world.submit_all((0..8).map(|n| overwriting(&format!("look{second}-{n}")))).await;
        world.sim.set_outage((seconds / 2..seconds / 2 + 10).contains(&second));
        until(|| "the next second".into(), || started.elapsed().as_secs() > second).await;
    }
}
