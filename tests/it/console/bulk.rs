//! Acts on many submissions: counted, pinned, confirmed, done in batches, with a receipt.

use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;
use serde_json::json;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::{Page, Tab};
use crate::api::harness::{GOOD, Served};
use crate::api::keys::Keyed;
use crate::support::dataset;

const PLAN: &str = "/console/bulk?action=cancel&of=all&label=batch%3D7";

fn labeled(name: usize) -> SubmissionRequest {
    let labels = [("batch".to_owned(), "7".to_owned())].into();
    SubmissionRequest { labels, ..dataset(&format!("dataset-{name}")) }
}

/// The text that the form of a page sends on.
fn at(page: &Page) -> String {
    let (_, rest) = page.text.split_once("name=\"at\" value=\"").expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

async fn follow(tab: &Tab, page: &Page) -> Page {
    assert_eq!(page.status, 303, "{}", page.text);
    let receipt = tab.get(page.header("location")).await;
    assert_eq!(receipt.status, 200, "{}", receipt.text);
    receipt
}

#[tokio::test]
async fn a_bulk_action_touches_nothing_that_came_after_its_plan_and_names_what_it_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let served = Served::idle(&[("AUDIT_LOG", log.to_str().unwrap())]).await;
    let (world, tab) = (&served.world, Tab::at(format!("http://{}", served.address)));
    let other = world.submit(dataset("other")).await;
    let ids = world.submit_all((0..120).map(labeled)).await;
    let plan = tab.get(PLAN).await;
    assert!(plan.says("Would change 120 submissions"), "{}", plan.text);
    assert!(plan.says("Type 120 to confirm"), "{}", plan.text);
    let newer = world.submit(labeled(1000)).await;
    // One of them ends by itself after it was counted.
    world.app.store.cancel(ids[7]).await.unwrap();
    let at_plan = at(&plan);
    for typed in [&[("at", &*at_plan)][..], &[("at", &at_plan), ("typed", "12")]] {
        let failed = tab.post("/console/bulk", typed).await;
        assert_eq!(failed.status, 422, "{}", failed.text);
        assert!(failed.says("type 120 to confirm; nothing was changed"), "{}", failed.text);
    }
    assert_eq!(world.stats().await.count(State::Queued), 121);
    let confirmed = [("at", &*at_plan), ("typed", "120")];
    let half = follow(&tab, &tab.post("/console/bulk", &confirmed).await).await;
    assert!(half.says("Changed 100 submissions"), "{}", half.text);
    let stopped = tab.get(&format!("/console/bulk?at={}&stopped=true", at(&half))).await;
    assert!(stopped.says("Cancel: stopped") && !stopped.text.contains("data-next"));
    assert_eq!(world.stats().await.count(State::Cancelled), 101, "it stops between two batches");
    let done = follow(&tab, &tab.post("/console/bulk", &[("at", &at(&half))]).await).await;
    assert!(done.says("Cancel: done") && done.says("Changed 119 submissions"), "{}", done.text);
    assert!(!done.text.contains("name=\"at\""), "{}", done.text);
    for id in &ids {
        assert_eq!(world.look(*id).await.state, State::Cancelled);
    }
    for id in [other, newer] {
        assert_eq!(world.look(id).await.state, State::Queued, "{id} was touched");
    }
    // The receipt names the requests of the audit log, which has no page that was only looked at.
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(!log.contains("GET "), "{log}");
    let requests = done.text.split("<code>").filter_map(|part| part.get(..26));
    let recorded = requests.filter(|id| log.contains(&format!("\"request\":\"{id}\""))).count();
    assert_eq!(recorded, 2, "{}", done.text);
}

#[tokio::test]
async fn chosen_rows_are_acted_on_alone_and_what_cannot_be_is_named() {
    let keyed = Keyed::start().await;
    let world = &keyed.served.world;
    let ids = world.submit_all((0..4).map(labeled)).await;
    world.app.store.cancel(ids[1]).await.unwrap();
    let chosen = |ids: &[SubmissionId]| {
        let ids: Vec<String> = ids.iter().map(|id| format!("&id={id}")).collect();
        format!("/console/bulk?action=cancel&of=chosen{}", ids.concat())
    };
    let tab = Tab::of(&keyed, "operator").await;
    let missing = SubmissionId::new(ferry_types::domain::timestamp(0), 7);
    let plan = tab.get(&chosen(&[ids[0], ids[1], missing])).await;
    assert!(plan.says("Would change 1 submission"), "{}", plan.text);
    assert_eq!(plan.text.matches("Would leave as it is: 1 submission").count(), 2, "{}", plan.text);
    assert!(plan.text.contains(&ids[1].to_string()) && plan.text.contains(&missing.to_string()));
    let done = follow(&tab, &tab.post("/console/bulk", &[("at", &at(&plan))]).await).await;
    assert!(done.says("Cancel: done") && done.says("Changed 1 submission"), "{}", done.text);
    assert_eq!(world.stats().await.count(State::Queued), 2);
    assert_eq!(tab.get(&chosen(&[])).await.status, 400);
    // Of another key, and with one changed character, the plan is none; a bound key finds nothing.
    let plan = tab.get(&chosen(&ids[2..])).await;
    let bound = Tab::of(&keyed, "bound").await;
    assert_eq!(bound.post("/console/bulk", &[("at", &at(&plan))]).await.status, 409);
    let changed = at(&plan).replacen('e', "f", 1);
    assert_eq!(tab.post("/console/bulk", &[("at", &changed)]).await.status, 409);
    let foreign = bound.get(&chosen(&ids[2..])).await;
    assert!(foreign.says("Would change 0 submissions"), "{}", foreign.text);
    assert!(foreign.says("There is nothing to do."), "{}", foreign.text);
    assert_eq!(world.stats().await.count(State::Queued), 2);
}

#[tokio::test]
async fn many_are_cancelled_from_the_list_in_a_browser_batch_after_batch() {
    let served = Served::idle(&[]).await;
    let world = &served.world;
    world.submit_all((0..230).map(labeled)).await;
    let browser = Browser::start().await;
    let list = format!("http://{}/console/submissions", served.address);
    browser.open(&format!("{list}?label=batch%3D7")).await;
    // A choice outlives news of its row.
    let row = browser.value("document.querySelector('[data-row]').dataset.row").await;
    let first: SubmissionId = row.as_str().unwrap().parse().unwrap();
    let choose = "document.querySelector('[name=id]').checked = true";
    browser.driver.execute(choose, Vec::new()).await.unwrap();
    world.app.store.cancel(first).await.unwrap();
    browser.until("document.querySelector('[data-row] .state.cancelled')").await;
    assert_eq!(browser.value("document.querySelector('[name=id]').checked").await, json!(true));
    browser.see(By::Name("action")).await.send_keys("Cancel").await.unwrap();
    browser.follow(By::Css("button[value=all]")).await;
    browser.see(By::Name("typed")).await.send_keys("229").await.unwrap();
    browser.follow(By::Css("button.danger")).await;
    // Each batch leads to the next one.
    browser.until("document.title.startsWith('Cancel: done')").await;
    assert_eq!(world.stats().await.count(State::Queued), 0);
}

#[tokio::test]
async fn an_action_on_all_that_match_has_every_filter_of_the_list() {
    let served = Served::idle(&[]).await;
    let (world, tab) = (&served.world, Tab::at(format!("http://{}", served.address)));
    let first = world.submit(dataset("march")).await;
    let second = world.submit(dataset("march")).await;
    let waiting = "waiting_for=predecessor";
    let list = tab.get(&format!("/console/submissions?{waiting}")).await;
    assert!(list.says("All that match…"), "{}", list.text);
    let plan = tab.get(&format!("/console/bulk?action=cancel&of=all&{waiting}")).await;
    assert!(plan.says("with waiting_for predecessor"), "{}", plan.text);
    assert!(plan.says("Would change 1 submission"), "{}", plan.text);
    follow(&tab, &tab.post("/console/bulk", &[("at", &at(&plan))]).await).await;
    assert_eq!(world.look(second).await.state, State::Cancelled);
    assert_eq!(world.look(first).await.state, State::Queued);
    world.app.store.cancel(first).await.unwrap();
    let revision = json!({ "data": GOOD });
    let revision = served.post(&format!("/v1/submissions/{first}/resubmit"), &revision).await;
    assert_eq!(revision.status, 201, "{}", revision.text());
    world.submit(dataset("april")).await;
    let of = format!("revision_of={first}");
    let plan = tab.get(&format!("/console/bulk?action=cancel&of=all&{of}")).await;
    assert!(plan.says("Would change 1 submission"), "{}", plan.text);
    follow(&tab, &tab.post("/console/bulk", &[("at", &at(&plan))]).await).await;
    assert_eq!(world.look(revision.id().parse().unwrap()).await.state, State::Cancelled);
    assert_eq!(world.stats().await.count(State::Queued), 1);
}
