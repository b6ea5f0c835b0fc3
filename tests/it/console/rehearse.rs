//! Rehearsals: what a drill promises, the overview says, until the drill ends.

use ferry_testing::until;
use ferry_types::domain::submission::State;
use reqwest::Method;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::demo::{demo, found};
use super::harness::{Page, Tab};
use crate::api::harness::Served;
use crate::api::keys::Keyed;
use crate::cli::harness::Ferry;
use crate::support::dataset;

const ALL_OFF: [(&str, &str); 1] = [("on", "false")];

/// The first sentence that a drill promises, as a page shows it.
fn promise(view: &Value, drill: &str) -> String {
    let drills = view["drills"].as_array().expect("drills");
    let one = drills.iter().find(|one| one["drill"] == drill).expect(drill);
    one["expected"][0]["sentence"].as_str().expect("a sentence").replace('`', "")
}

fn is_any_on(view: &Value) -> bool {
    view["drills"].as_array().expect("drills").iter().any(|one| one["on"] == true)
}

#[tokio::test]
async fn the_overview_says_during_each_drill_what_was_promised_and_all_drills_end_at_once() {
    let keyed = Keyed::rehearsing(&[]).await;
    let world = &keyed.served.world;
    let tab = Tab::of(&keyed, "operator").await;
    let path = "/v1/rehearsal";
    for (drill, end, state) in [
        ("outage", ", next probe at ", State::Completed),
        ("throttled", " until 20", State::Completed),
        ("denied_credentials", " (paused by a worker at ", State::Completed),
        ("lost_response", "", State::Held),
        ("rejected_row", "", State::Rejected),
    ] {
        let begin = json!({ "drill": drill, "on": true });
        let begun = keyed.of("operator", Method::POST, path, &begin).await;
        assert_eq!(begun.status, 200, "{}", begun.text());
        let view = begun.json();
        assert!(is_any_on(&view), "{view}");
        let sentence = promise(&view, drill);
        let (promised, _) = if end.is_empty() {
            (sentence.as_str(), "")
        } else {
            sentence.split_once(end).unwrap_or_else(|| panic!("{sentence}"))
        };
        assert!(!tab.get("/console").await.says(promised), "{promised}");
        let id = world.submit(dataset(drill)).await;
        until(promised, async || tab.get("/console").await.says(promised)).await;
        let ended = keyed.of("operator", Method::POST, path, &json!({ "on": false })).await;
        assert!(ended.status == 200 && !is_any_on(&ended.json()), "{}", ended.text());
        assert_eq!(world.settled(id).await.state, state, "{drill}");
        if state == State::Completed {
            until("the end", async || !tab.get("/console").await.says(promised)).await;
        }
    }
}

#[tokio::test]
async fn drills_are_offered_to_operators_of_all_accounts_alone_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let keyed = Keyed::rehearsing(&[("AUDIT_LOG", log.to_str().unwrap())]).await;
    let sim = &keyed.served.world.sim;
    let (page, outage) = ("/console/rehearse", [("drill", "outage"), ("on", "true")]);
    for name in ["reader", "producer", "bound"] {
        let tab = Tab::of(&keyed, name).await;
        assert_eq!(tab.get(page).await.status, 403, "{name}");
        assert!(!tab.get("/console").await.text.contains(page), "{name}");
        assert_eq!(tab.post(page, &outage).await.status, 403, "{name}");
        let denied = keyed.of(name, Method::GET, "/v1/rehearsal", &json!({})).await;
        assert_eq!(denied.status, 403, "{name}");
    }
    assert!(!sim.is_out());
    let tab = Tab::of(&keyed, "operator").await;
    assert!(tab.get("/console").await.text.contains(&format!("href=\"{page}\"")));
    let begun = tab.post(page, &outage).await;
    assert_eq!((begun.status, begun.header("location")), (303, page), "{}", begun.text);
    assert!(sim.is_out() && tab.get(page).await.says("Outage: on"));
    assert_eq!(tab.post(page, &[("drill", "outage"), ("on", "false")]).await.status, 303);
    assert!(!sim.is_out());
    let share = |share| [("drill", "faults"), ("on", "true"), ("share", share)];
    assert_eq!(tab.post(page, &share("0.5")).await.status, 303);
    assert!(sim.rates().server_error > 0.1);
    let shown = tab.get(page).await;
    assert!(shown.says("Share of errors: on") && shown.text.contains("value=\"0.5\""));
    for wrong in ["2", "-1", "NaN", "much"] {
        let failed = tab.post(page, &share(wrong)).await;
        assert!(failed.status == 422 && failed.says("expected a number from 0 to 1"), "{wrong}");
    }
    assert_eq!(tab.post(page, &[("on", "true")]).await.status, 422, "no drill is named");
    let pause = [("reason", "moving house")];
    assert_eq!(tab.post("/console/accounts/default/pause", &pause).await.status, 303);
    assert_eq!(tab.post(page, &ALL_OFF).await.status, 303);
    assert!(sim.rates().server_error < 0.001 && tab.get(page).await.says("No drill is on."));
    assert!(tab.get("/console").await.says("moving house"), "an operator's pause stays");
    let log = std::fs::read_to_string(&log).unwrap();
    for details in ["outage on", "outage off", "faults on: 0.5", "all off"] {
        assert!(log.contains(&format!("\"details\":\"{details}\"")), "{details}: {log}");
    }
    let bare = Served::idle(&[]).await;
    let tab = Tab::at(format!("http://{}", bare.address));
    assert_eq!(tab.get(page).await.status, 404);
    assert_eq!(tab.post(page, &outage).await.status, 404);
    assert!(!tab.get("/console").await.text.contains(page));
    let none = bare.get("/v1/rehearsal").await;
    assert!(none.status == 404 && none.problem().detail.contains("ferry demo"), "{}", none.text());
}

/// Waits until a dataset is completed that was not submitted yet.
async fn a_later_one_completes(tab: &Tab) {
    let newest = async |query: &str| -> String {
        let found = found(tab, query).await;
        found.first().and_then(|one| one["id"].as_str()).unwrap_or_default().to_owned()
    };
    let last = newest("limit=1").await;
    until("a later dataset", async || newest("state=completed&limit=1").await > last).await;
}

#[tokio::test]
async fn an_outage_is_begun_on_a_page_said_as_promised_there_and_ended_again() {
    let ferry = Ferry::new();
    let ((_running, url), browser) = tokio::join!(async { demo(&ferry, &[]) }, Browser::start());
    let (overview, page) = (format!("{url}/console"), format!("{url}/console/rehearse"));
    browser.open(&overview).await;
    browser.follow(By::LinkText("Rehearse")).await;
    browser.until("document.querySelector('#outage')?.textContent === 'Outage: off'").await;
    let promised = "document.querySelector('[data-region=outage] .expected .verdict').textContent";
    let promised = browser.value(promised).await;
    let promised = promised.as_str().unwrap().split(", next probe at").next().unwrap().to_owned();
    assert!(promised.starts_with("circuit breaker of account default is open"), "{promised}");
    browser.follow(By::Css("[data-region=outage] button")).await;
    browser.until("document.querySelector('#outage')?.textContent === 'Outage: on'").await;
    let verdict = async || {
        browser.open(&overview).await;
        let said = "document.querySelector('[data-region=verdict]').textContent";
        browser.value(said).await.as_str().unwrap_or_default().to_owned()
    };
    until(&promised, async || verdict().await.contains(&promised)).await;

    browser.open(&page).await;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let findings = browser.findings().await;
        assert!(findings.is_empty(), "{scheme}: {findings:#?}");
    }
    browser.sized(360, 740).await;
    let width = browser.value("document.documentElement.scrollWidth").await;
    assert!(width.as_u64() <= Some(360), "{width} wide on a phone");
    browser.sized(1280, 900).await;
    browser.follow(By::XPath("//button[text()='End all drills']")).await;
    browser.until("document.querySelector('#outage')?.textContent === 'Outage: off'").await;
    until("the end of it", async || !verdict().await.contains(&promised)).await;
    assert_eq!(browser.messages().await, [""; 0]);
    a_later_one_completes(&Tab::at(url)).await;
}

#[tokio::test]
async fn drills_begin_and_end_without_script() {
    let (keyed, browser) = tokio::join!(Keyed::rehearsing(&[]), Browser::start());
    browser.tool("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.open(&format!("http://{}/console/rehearse", keyed.served.address)).await;
    browser.see(By::Name("key")).await.send_keys(&keyed.keys["operator"]).await.unwrap();
    browser.follow(By::Css("main button")).await;
    let title = async || browser.see(By::Id("outage")).await.text().await.unwrap();
    assert_eq!(title().await, "Outage: off");
    browser.follow(By::Css("[data-region=outage] button")).await;
    assert_eq!(title().await, "Outage: on");
    browser.follow(By::XPath("//button[text()='End all drills']")).await;
    assert_eq!(title().await, "Outage: off");
}

#[tokio::test]
async fn stopped_workers_are_said_as_promised_and_run_again() {
    let ferry = Ferry::new();
    let (_running, url) = demo(&ferry, &[]);
    let tab = Tab::at(url);
    until("a held one", async || !found(&tab, "state=held").await.is_empty()).await;
    let stop = tab.post("/console/rehearse", &[("drill", "stopped_workers"), ("on", "true")]).await;
    assert_eq!(stop.status, 303, "{}", stop.text);
    let view = Page::of(tab.request(Method::GET, "/v1/rehearsal")).await;
    let sentence = promise(&serde_json::from_str(&view.text).unwrap(), "stopped_workers");
    let (cause, rest) = sentence.split_once(", ").expect("a number of steps");
    let (_, way_out) = rest.split_once(" UTC; ").expect("a time");
    until(&sentence, async || {
        let overview = tab.get("/console").await;
        overview.says(cause) && overview.says(way_out)
    })
    .await;
    assert_eq!(tab.post("/console/rehearse", &ALL_OFF).await.status, 303);
    a_later_one_completes(&tab).await;
}
