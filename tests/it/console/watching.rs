//! Pages that show what happens: events, webhooks, and one account.

use ferry_testing::until;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::State;
use serde_json::json;

use super::harness::Tab;
use crate::api::harness::{GOOD, Served};
use crate::api::keys::Keyed;
use crate::support::dataset;
use crate::webhooks::HERE;

#[tokio::test]
async fn webhooks_that_failed_are_listed_and_redelivered_one_by_one_or_all() {
    let changes = [&HERE[..], &[("WEBHOOK_MAX_ATTEMPTS", "2")]].concat();
    let keyed = Keyed::start_running(&changes).await;
    let world = &keyed.served.world;
    // A port on which nothing listens.
    let webhook_url = Some("http://127.0.0.1:9/T0/SECRET".to_owned());
    let id = world.submit(SubmissionRequest { webhook_url, ..dataset("march") }).await;
    world.submit(dataset("april")).await;
    let (tab, reader) = (Tab::of(&keyed, "operator").await, Tab::of(&keyed, "reader").await);
    let failed = "/console/webhooks?state=failed";
    let abandoned = "attempt 2: no_connection none";
    until("the last delivery", async || tab.get(failed).await.says(abandoned)).await;
    let page = tab.get(failed).await;
    assert!(page.says("march") && !page.says("april"), "{}", page.text);
    assert!(page.says("http://127.0.0.1:9/T0/SECRET"), "{}", page.text);
    assert!(page.text.contains(&format!("/console/submissions/{id}/redeliver")), "{}", page.text);
    let shown = reader.get(failed).await;
    assert!(shown.says("http://127.0.0.1:9") && !shown.text.contains("/T0"), "{}", shown.text);
    assert!(!shown.text.contains("edeliver"), "{}", shown.text);
    let (_, rest) = page.text.split_once("href=\"/console/bulk").expect("a plan for all");
    let plan = rest.split('"').next().unwrap().replace("&#38;", "&");
    let plan = tab.get(&format!("/console/bulk{plan}")).await;
    assert!(plan.says("Redeliver the webhooks: plan"), "{}", plan.text);
    assert!(plan.says("Would change 1 submission"), "{}", plan.text);
    assert!(tab.get("/console/webhooks?state=gone").await.says("No webhook is gone."));
}

#[tokio::test]
async fn the_newest_changes_are_shown_by_state_and_name() {
    let served = Served::start(&[]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    for name in ["march", "april"] {
        let id = served.world.submit(dataset(name)).await;
        assert_eq!(served.world.settled(id).await.state, State::Completed);
    }
    let all = tab.get("/console/events").await;
    let (april, march) = (all.text.find("april").unwrap(), all.text.find("march").unwrap());
    assert!(april < march, "the newest is first: {}", all.text);
    let path = "/console/events?state=completed&name=march&account=";
    let some = tab.get(path).await;
    assert_eq!(some.text.matches("class=\"when\"").count(), 1, "{}", some.text);
    assert!(some.says("GET /v1/events?state=completed&name=march"), "{}", some.text);
}

#[tokio::test]
async fn an_account_shows_its_outage_with_the_failures_and_the_next_probe() {
    let served = Served::start(&[]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let path = "/console/accounts/default";
    assert!(tab.get(path).await.says("runs"));
    served.world.sim.set_outage(true);
    served.world.submit(dataset("march")).await;
    until("an outage", async || tab.get(path).await.text.contains("id=\"outage\"")).await;
    let page = tab.get(path).await;
    // It may have ended a probe since.
    assert!(page.status == 200 && page.says("1 unfinished"), "{}", page.text);
    let said = async || {
        let page = tab.get(path).await;
        page.says("circuit breaker of account default is open, ")
            && page.says("failures in a row since ")
    };
    until("the outage in words", said).await;
    assert_eq!(tab.get("/console/accounts/nowhere").await.status, 404);
}

#[tokio::test]
async fn lists_and_counts_are_filtered_by_what_submissions_wait_for() {
    let served = Served::idle(&[]).await;
    let submit = async |name: &str, not_before: Option<&str>| {
        let body = json!({ "name": name, "data": GOOD, "not_before": not_before });
        served.submit(&body).await
    };
    submit("due", None).await;
    submit("due", None).await;
    submit("later", Some("2100-01-01T00:00:00Z")).await;
    let names = async |reason: &str| {
        let query = format!("waiting_for={reason}");
        let page = served.get(&format!("/v1/submissions?{query}")).await.json();
        let count = served.get(&format!("/v1/submissions/count?{query}")).await.json();
        let found = page["submissions"].as_array().unwrap().clone();
        assert_eq!(count["count"], found.len(), "{reason}");
        let tab = Tab::at(format!("http://{}", served.address));
        let shown = tab.get(&format!("/console/submissions?{query}")).await;
        assert_eq!(shown.text.matches("data-row=").count(), found.len(), "{reason}");
        let found = found.iter().map(|one| one["name"].as_str().unwrap().to_owned());
        found.collect::<Vec<String>>().join(" ")
    };
    assert_eq!(names("worker").await, "due");
    assert_eq!(names("predecessor").await, "due");
    assert_eq!(names("due_time").await, "later");
    assert_eq!((names("paused").await, names("resolution").await), Default::default());
    served.post("/v1/accounts/default/pause", &json!({})).await;
    assert_eq!((names("paused").await.as_str(), names("worker").await.as_str()), ("later due", ""));
    assert!(served.get("/v1/submissions?waiting_for=nothing").await.status >= 400);
}
