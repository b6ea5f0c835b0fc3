//! A page and the command line say the same of the same submission.

use ferry_sim::{Endpoint, Fault, RetryAfter};
use ferry_testing::{RedisServer, Wait, until};
use reqwest::Method;
use serde_json::{Value, json};

use super::harness::Tab;
use crate::api::keys::Keyed;
use crate::api::serve::{serve, url};
use crate::cli::harness::{Ferry, GOOD, Platform, REJECTED};
use crate::support::dataset;

#[test]
fn a_page_and_the_command_line_say_the_same_of_a_submission() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("good.csv", GOOD).file("rejected.csv", REJECTED);
    let server = serve(&ferry, &[]);
    let tab = Tab::at(url(&server));
    let completed = ferry.run(&["submit", "good.csv", "--name", "a"]).ok().id();
    let rejected = ferry.run(&["submit", "rejected.csv", "--name", "b"]).ok().id();
    ferry.await_state(&completed, "completed");
    ferry.await_state(&rejected, "rejected");
    ferry.run(&["pause", "default", "--reason", "moving house"]).ok();
    let waiting = ferry.run(&["submit", "good.csv", "--name", "c"]).ok().id();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for id in [completed, rejected, waiting] {
        let page = runtime.block_on(tab.get(&format!("/console/submissions/{id}")));
        let text = ferry.run(&["status", &id]).ok().stdout;
        let mut lines = text.lines().skip_while(|line| !line.starts_with("  state"));
        let remark = lines.nth(1).expect("a remark").trim();
        assert!(page.says(&remark.replace('`', "")), "{remark}: {}", page.text);
        let next = text.lines().find_map(|line| line.strip_prefix("  next"));
        if let Some(next) = next {
            assert!(page.says(&next.trim().replace('`', "")), "{next}: {}", page.text);
        }
    }
    let overview = runtime.block_on(tab.get("/console"));
    let stats = ferry.run(&["stats"]).ok().stdout;
    let blocked = stats.lines().find_map(|line| line.strip_prefix("  ! account ")).expect("a line");
    assert!(blocked.contains("moving house"), "{stats}");
    assert!(overview.says(&blocked.replace('`', "")), "{blocked}: {}", overview.text);
}

/// The sentences of all findings of `/v1/stats`, as a page shows them.
async fn said(tab: &Tab) -> Vec<String> {
    let stats = tab.get("/v1/stats").await;
    let stats: Value = serde_json::from_str(&stats.text).expect("JSON");
    let found = stats["findings"].as_array().expect("findings").iter();
    found.map(|one| one["sentence"].as_str().expect("a sentence").to_owned()).collect()
}

/// Waits until there is a finding with this text; then the console and the command line say the same of it, word by
/// word. What changes meanwhile is compared again.
fn all_say(runtime: &tokio::runtime::Runtime, ferry: &Ferry, tab: &Tab, text: &str) {
    let wait = Wait::begin("the same sentence everywhere");
    loop {
        let found = runtime.block_on(said(tab));
        let one = found.iter().find(|sentence| sentence.contains(text)).cloned();
        let stats = ferry.run(&["stats"]).ok().stdout;
        let objects = ferry.run(&["stats", "--json"]).ok().stdout;
        let overview = runtime.block_on(tab.get("/console"));
        let shown = |sentence: &String| {
            let json = serde_json::to_string(sentence).expect("JSON");
            let of_command = stats.contains(&format!(" {sentence}\n")) && objects.contains(&json);
            of_command && overview.says(&sentence.replace('`', ""))
        };
        if one.as_ref().is_some_and(shown) {
            return;
        }
        let all = || format!("{text}: {one:?}\n{found:#?}\n{stats}\n{}", overview.text);
        runtime.block_on(wait.pause_or(all));
    }
}

#[test]
fn all_surfaces_say_what_is_wrong_in_the_same_words() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("good.csv", GOOD)
        .set("FERRY_BREAKER_FAILURES", "2")
        .set("FERRY_BREAKER_OPEN_MAX", "1h")
        .set("FERRY_WEBHOOK_ALLOW", "127.0.0.1")
        .set("FERRY_WEBHOOK_ALLOW_HTTP", "yes")
        .set("FERRY_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .set("FERRY_WEBHOOK_MAX_ATTEMPTS", "1");
    let server = serve(&ferry, &["--no-workers"]);
    let tab = Tab::at(url(&server));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let submit = |name: &str| ferry.run(&["submit", "good.csv", "--name", name]).ok().id();
    let all_say = |text: &str| all_say(&runtime, &ferry, &tab, text);

    let first = submit("a");
    all_say("no worker runs steps of account `default`, 1 is ready, the oldest since 20");
    let accounts = runtime.block_on(tab.get("/v1/accounts"));
    assert!(accounts.text.contains("\"condition\":\"no worker runs steps"), "{}", accounts.text);
    assert!(!runtime.block_on(tab.get("/console/accounts")).says("runs 1 unfinished"));

    ferry.run(&["pause", "default", "--reason", "moving house"]).ok();
    all_say("account `default` is paused: moving house (paused by user `");
    ferry.run(&["resume", "default"]).ok();

    platform.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(600.0)));
    let worker = ferry.start(&["worker"]);
    all_say(", last response: UploadData: throttled for 10m (429); then its requests begin again");
    ferry.run(&["resume", "default"]).ok();
    ferry.await_state(&first, "completed");

    let url = ["--webhook-url", "http://127.0.0.1:9/hook"];
    let submit_with_webhook = [&["submit", "good.csv", "--name", "webhook"][..], &url].concat();
    ferry.run(&submit_with_webhook).ok();
    all_say(
        "1 webhook of account `default` was abandoned; `ferry webhooks redeliver --webhook failed",
    );

    platform.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let held = submit("held");
    ferry.await_state(&held, "held");
    all_say("1 submission of account `default` is held for a decision; ");

    platform.sim.set_outage(true);
    submit("b");
    submit("c");
    all_say("circuit breaker of account `default` is open, next probe at 20");
    worker.signal("TERM");
}

#[test]
fn a_failed_check_of_the_store_is_said_to_those_who_see_all_accounts() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let redis = runtime.block_on(RedisServer::start(&[]));
    let _: () = runtime.block_on(redis.ask("CONFIG SET appendonly no"));
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).stored_on(&redis);
    let server = serve(&ferry, &[]);
    let tab = Tab::at(url(&server));
    let found = async || said(&tab).await.into_iter().find(|one| one.contains("may lose data"));
    let sentence = runtime.block_on(async {
        until("the finding", async || found().await.is_some()).await;
        found().await.expect("it is still so")
    });
    assert!(sentence.contains("appends nothing to a file"), "{sentence}");
    let overview = runtime.block_on(tab.get("/console"));
    assert!(overview.says(&sentence.replace('`', "")) && !overview.says("All is fine."));
    let stats = ferry.run(&["stats"]).ok().stdout;
    assert!(stats.contains(&format!("! {sentence}\n")), "{stats}");
    assert!(ferry.run(&["stats", "--json"]).ok().stdout.contains("\"kind\":\"store_check\""));
}

#[tokio::test]
async fn a_bound_key_sees_the_findings_of_its_accounts_alone() {
    let keyed = Keyed::start().await;
    let store = &keyed.served.world.app.store;
    keyed.served.world.submit(dataset("march")).await;
    store.pause("default", "moving house").await.unwrap();
    let findings = async |key: &str| {
        let stats = keyed.of(key, Method::GET, "/v1/stats", &json!({})).await.json();
        stats["findings"].as_array().expect("findings").len()
    };
    assert_eq!((findings("reader").await, findings("bound").await), (1, 0));
}
