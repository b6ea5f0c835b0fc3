//! The console as people see it, in Chromium.

use std::sync::Arc;
use std::time::Duration;

use ferry::api::revoke_key;
use ferry_sim::{Endpoint, Fault};
use ferry_store::{ClaimRequest, Commit};
use ferry_testing::{RedisServer, make_old};
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::account::Signal;
use ferry_types::domain::submission::{Next, State, StepKind, Transition};
use ferry_types::domain::{Heartbeat, ProcessRole, Slots};
use serde_json::json;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::{pages, pages_of_operators};
use crate::api::harness::Served;
use crate::api::keys::Keyed;
use crate::support::{dataset, plain};

const REJECTED: &str = include_str!("../../../examples/rejected.csv");

/// A server with a submission of each kind that people look at, and the pages about them.
async fn furnished() -> (Served, Vec<String>) {
    let served = Served::with(plain(), &[]).await;
    let world = &served.world;
    let deceptive = [("team".to_owned(), "<b>north</b>".to_owned())].into();
    let request =
        SubmissionRequest { data: REJECTED.to_owned(), labels: deceptive, ..dataset("rejected") };
    let (rejected, completed) = (world.submit(request).await, world.submit(dataset("done")).await);
    world.settled(rejected).await;
    world.settled(completed).await;
    world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let held = world.submit(dataset("held")).await;
    assert_eq!(world.settled(held).await.state, State::Held);
    let edits = serde_json::json!([{ "edit": "set", "table": "data", "row": 2, "cell": 0, "value": "SITE-7" }]);
    let path = format!("/v1/submissions/{rejected}/correct");
    let revision = served.post(&path, &serde_json::json!({ "edits": edits })).await.json();
    let heartbeat = Heartbeat {
        id: "aa".to_owned(),
        roles: vec![ProcessRole::Worker],
        host: "ward-7 <b>".to_owned(),
        slots: [(StepKind::Upload, Slots { slots: 64, running: 3 })].into(),
        accounts: vec!["default".to_owned()],
        ..Heartbeat::default()
    };
    world.app.store.beat(heartbeat).await.unwrap();
    world.app.store.pause("default", "moving house <script>").await.unwrap();
    let long = "a-name-that-is-as-long-as-a-person-would-ever-want-one-to-be".repeat(2);
    let waiting = world.submit(dataset(&long)).await;
    let mut paths = pages(&waiting.to_string());
    paths.extend(pages_of_operators(&waiting.to_string()));
    paths.push("/console/accounts/default".to_owned());
    paths.push("/console/webhooks?state=failed".to_owned());
    paths.push(format!("/console/submissions/{rejected}"));
    paths.push(format!("/console/submissions/{rejected}/feedback"));
    paths.push(format!("/console/submissions/{rejected}/rows"));
    paths.push(format!("/console/submissions/{rejected}/rows?only=feedback"));
    paths.push(format!("/console/submissions/{completed}"));
    paths.push(format!("/console/submissions/{completed}/rows?result=tableofresultids"));
    paths.push(format!("/console/submissions/{completed}/rows?from=1000"));
    paths.push(format!("/console/submissions/{rejected}/correct"));
    paths.push(format!("/console/submissions/{rejected}/correct?all=true"));
    let revision = revision["submission"]["id"].as_str().unwrap();
    paths.push(format!("/console/submissions/{rejected}/compare/{revision}"));
    paths.push(format!("/console/submissions/{held}/resolve"));
    paths.push("/console/new".to_owned());
    paths.push("/console/nowhere".to_owned());
    let url = format!("http://{}", served.address);
    let paths = paths.into_iter().map(|path| format!("{url}{path}")).collect();
    (served, paths)
}

#[tokio::test]
async fn every_page_can_be_read_and_used_by_all_in_light_and_dark_and_on_a_phone() {
    let ((_served, mut paths), browser) = tokio::join!(furnished(), Browser::start());
    let keyed = Keyed::start().await;
    paths.push(format!("http://{}/console/login", keyed.served.address));
    for path in &paths {
        // The page says 404, and the browser that it did.
        readable(&browser, path, "status of 404").await;
    }
}

/// A page can be read and used by all, in light and dark and on a phone, without other messages of the
/// browser than those that are expected.
async fn readable(browser: &Browser, path: &str, expected: &str) {
    browser.open(path).await;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let findings = browser.findings().await;
        assert!(findings.is_empty(), "{path} in {scheme}: {findings:#?}");
    }
    browser.sized(360, 740).await;
    let findings = browser.findings().await;
    assert!(findings.is_empty(), "{path} on a phone: {findings:#?}");
    let width = browser.value("document.documentElement.scrollWidth").await;
    assert!(width.as_u64() <= Some(360), "{path} is {width} wide on a phone");
    browser.sized(1280, 900).await;
    let mut messages = browser.messages().await;
    messages.retain(|message| !message.contains(expected));
    assert!(messages.is_empty(), "{path}: {messages:?}");
}

#[tokio::test]
async fn pages_without_anything_to_show_say_how_to_get_it() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    for (path, said) in [
        ("", "There are no submissions."),
        ("/submissions", "ferry submit FILE"),
        ("/submissions?state=held", "No submission matches."),
        ("/accounts", "0 unfinished"),
        ("/events", "ferry submit FILE"),
        ("/webhooks", "No webhook is failed."),
        ("/keys", "ferry keys create"),
        ("/audit", "audit_log"),
        ("/bulk?action=cancel&state=queued", "There is nothing to do."),
        ("/nowhere", "Status 404"),
    ] {
        let path = format!("http://{}/console{path}", served.address);
        readable(&browser, &path, "status of 404").await;
        let shown = browser.value("document.querySelector('main').innerText").await;
        assert!(shown.as_str().unwrap().contains(said), "{path}: {shown}");
    }
}

#[tokio::test]
async fn a_lost_stream_and_a_lost_store_leave_what_was_shown_and_say_so() {
    let redis = RedisServer::start(&[]).await;
    let (served, browser) =
        (Served::idle(&[("STORE", &redis.url())]).await, Browser::start().await);
    let (url, store) = (format!("http://{}", served.address), &served.world.app.store);
    let id = served.world.submit(dataset("march")).await;
    let footer =
        |text: &str| format!("document.getElementById('news').textContent.includes('{text}')");
    let rows = "document.querySelectorAll('[data-row]').length";
    browser.tool("Network.enable", json!({})).await;
    browser.tool("Network.setBlockedURLs", json!({ "urls": ["*/console/news"] })).await;
    browser.open(&format!("{url}/console/submissions")).await;
    browser.until(&footer("No live news: asking every 10 s.")).await;
    store.cancel(id).await.unwrap();
    browser.until("document.querySelector('[data-row] .state.cancelled')").await;
    browser.tool("Network.setBlockedURLs", json!({ "urls": [] })).await;
    browser.open(&format!("{url}/console/submissions")).await;
    served.world.submit(dataset("april")).await;
    browser.until("document.getElementById('newer').textContent === '1 newer: show'").await;
    redis.kill();
    browser.until(&footer("The server or its store cannot be reached: asking again in ")).await;
    assert_eq!(browser.value(rows).await, json!(1));
    browser.messages().await;
    let mut paths = pages(&id.to_string());
    paths.retain(|path| !path.ends_with("/preferences") && !path.ends_with("/system"));
    for path in paths {
        readable(&browser, &format!("{url}{path}"), "503").await;
        let shown = browser.value("document.querySelector('main').innerText").await;
        let shown = shown.as_str().unwrap();
        assert!(shown.contains("store") && !shown.contains("All is fine"), "{path}: {shown}");
    }
}

#[tokio::test]
async fn pages_are_complete_and_acts_work_without_script() {
    let keyed = Keyed::start_with(&[]).await;
    let id = keyed.served.world.submit(dataset("march")).await;
    let browser = Browser::start().await;
    browser.tool("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    let url = format!("http://{}", keyed.served.address);
    browser.open(&format!("{url}/console/submissions/{id}")).await;
    let field = browser.see(By::Name("key")).await;
    field.send_keys(&keyed.keys["operator"]).await.unwrap();
    browser.follow(By::Css("main button")).await;
    // The login leads back to the page that was asked for.
    let title = browser.see(By::Css("h1")).await;
    assert_eq!(title.text().await.unwrap(), "march");
    let timeline = browser.see(By::Css(".timeline")).await.text().await.unwrap();
    assert!(timeline.contains("UTC") && timeline.contains("queued"), "{timeline}");
    browser.click(By::XPath("//summary[text()='Cancel…']")).await;
    browser.follow(By::XPath("//button[text()='Cancel']")).await;
    let remark = browser.see(By::Css(".verdict")).await.text().await.unwrap();
    assert!(remark.contains("cancelled"), "{remark}");
}

#[tokio::test]
async fn news_changes_what_is_shown_in_every_tab_over_one_stream_and_an_ended_session_is_said() {
    let keyed = Keyed::start().await;
    let world = &keyed.served.world;
    let id = world.submit(dataset("march")).await;
    let browser = Browser::start().await;
    let (driver, url) = (&*browser.driver, format!("http://{}", keyed.served.address));
    browser.open(&format!("{url}/console/login")).await;
    let field = browser.see(By::Name("key")).await;
    field.send_keys(&keyed.keys["reader"]).await.unwrap();
    browser.follow(By::Css("main button")).await;
    browser.until("document.title.startsWith('Overview')").await;
    // More tabs than a browser has connections to a server.
    let list = format!("{url}/console/submissions");
    for _ in 0..7 {
        let tab = driver.new_tab().await.unwrap();
        driver.switch_to_window(tab).await.unwrap();
        browser.open(&list).await;
    }
    let script = "navigator.locks.query().then((all) => { window.held = all.held.length; });";
    driver.execute(script, Vec::new()).await.unwrap();
    browser.until("window.held <= 1").await;
    // A row changes where it is; a new one is announced.
    world.app.store.cancel(id).await.unwrap();
    browser.until("document.querySelector('[data-row] .state.cancelled')").await;
    world.submit(dataset("april")).await;
    browser.until("document.getElementById('newer').textContent === '1 newer: show'").await;
    assert_eq!(browser.value("document.querySelectorAll('[data-row]').length").await, json!(1));
    // What was shown stays when the session ends.
    assert!(revoke_key(&keyed.file, "reader").unwrap());
    make_old(&keyed.file);
    browser.until("document.getElementById('news').textContent.includes('Log in')").await;
    assert_eq!(browser.value("document.querySelectorAll('[data-row]').length").await, json!(1));
}

#[tokio::test]
async fn times_are_of_the_chosen_zone_and_single_keys_move() {
    let (served, _) = furnished().await;
    let browser = Browser::start().await;
    let url = format!("http://{}", served.address);
    for (zone, hours) in [("UTC", 0), ("Asia/Kolkata", 5), ("America/Phoenix", -7)] {
        browser.open(&format!("{url}/console/preferences")).await;
        let script = "const f = document.querySelector('main form'); f.zone.value = arguments[0]; f.submit();";
        browser.driver.execute(script, vec![json!(zone)]).await.unwrap();
        browser.until(&format!("document.documentElement.dataset.zone === '{zone}'")).await;
        browser.open(&format!("{url}/console/submissions")).await;
        let time = "document.querySelector('[data-row] time')";
        let utc = browser.value(&format!("new Date({time}.dateTime).getUTCHours()")).await;
        let shown = browser.value(&format!("{time}.textContent.slice(11, 13)")).await;
        let shown: i64 = shown.as_str().unwrap().parse().unwrap();
        // Half an hour more is the next hour half of the time.
        let ahead = (shown - utc.as_i64().unwrap()).rem_euclid(24);
        assert!(
            [hours, hours + 1].iter().any(|h: &i64| h.rem_euclid(24) == ahead),
            "{zone}: {shown}"
        );
    }
    browser.press("/").await;
    assert_eq!(browser.value("document.activeElement.id").await, json!("filter"));
    browser.driver.execute("document.activeElement.blur()", Vec::new()).await.unwrap();
    browser.press("jjk").await;
    let at = "[...document.querySelectorAll('[data-row]')].indexOf(document.activeElement.closest('[data-row]'))";
    assert_eq!(browser.value(at).await, json!(0));
    browser.press("j").await;
    assert_eq!(browser.value(at).await, json!(1));
    let box_of_row = "document.querySelector('[data-row] input').focus()";
    browser.driver.execute(box_of_row, Vec::new()).await.unwrap();
    browser.press("ga").await;
    browser.until("document.title.startsWith('Accounts')").await;
    browser.press("/").await;
    browser.until("document.activeElement?.id === 'filter'").await;
}

#[tokio::test]
async fn a_pause_that_ends_without_news_is_shown_no_longer_than_it_lasts() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    let (store, second) = (&served.world.app.store, Duration::from_secs(1));
    served.world.submit(dataset("march")).await;
    let request = ClaimRequest {
        kind: StepKind::Upload,
        limit: 1,
        lease: 60 * second,
        account_limits: Arc::default(),
    };
    let claims = store.claim(request).await.unwrap().claims;
    let signal = Signal::Throttled {
        delay: 12 * second,
        is_capped: false,
        is_rate: false,
        response: String::new(),
    };
    let transition =
        Transition { signal, ..Transition::to(Next::step(StepKind::Upload, 3600 * second)) };
    store.commit(vec![Commit { lease: claims[0].lease, transition }]).await.unwrap();
    browser.open(&format!("http://{}/console", served.address)).await;
    let verdict = "document.querySelector('[data-region=verdict]').innerText";
    let said = browser.value(verdict).await;
    assert!(said.as_str().unwrap().contains("throttles"), "{said}");
    browser.until(&format!("{verdict}.includes('All is fine')")).await;
}
