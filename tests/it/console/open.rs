//! Pages that stay open, in Chromium: they follow what changes, or say that they do not.

use std::time::Duration;

use ferry_sim::{Endpoint, Fault};
use ferry_types::domain::submission::{Resolution, State};
use serde_json::json;

use super::browser::Browser;
use crate::api::harness::Served;
use crate::support::{dataset, plain};

const DAY: Duration = Duration::from_hours(24);
const VERDICT: &str = "document.querySelector('[data-region=verdict]').innerText";

/// A console with a submission that waits, and a browser.
async fn idle() -> (Served, Browser, String) {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    served.world.submit(dataset("march")).await;
    let url = format!("http://{}/console", served.address);
    (served, browser, url)
}

#[tokio::test]
async fn an_open_page_shows_what_changes_without_news() {
    let (served, browser, url) = idle().await;
    browser.open(&url).await;
    served.world.app.store.pause("default", "maintenance").await.unwrap();
    browser.until(&format!("{VERDICT}.includes('maintenance')")).await;
    served.world.app.store.resume("default").await.unwrap();
    browser.until(&format!("!{VERDICT}.includes('maintenance')")).await;
}

#[tokio::test]
async fn a_region_in_which_someone_works_is_as_old_as_the_page_says_until_they_leave_it() {
    let (served, browser, url) = idle().await;
    let store = &served.world.app.store;
    store.pause("default", "maintenance").await.unwrap();
    browser.open(&url).await;
    let focus = "document.querySelector('[data-region=verdict] :is(a, button)').focus()";
    browser.driver.execute(focus, Vec::new()).await.unwrap();
    let as_of = "document.querySelector('[data-region=now] time').dateTime";
    store.resume("default").await.unwrap();
    served.world.submit(dataset("april")).await;
    let count = "document.querySelector('[data-region=queue] .counts b').textContent";
    browser.until(&format!("{count} === '2'")).await;
    let before = browser.value(as_of).await;
    served.world.submit(dataset("may")).await;
    browser.until(&format!("{count} === '3'")).await;
    let shown = browser.value(VERDICT).await;
    assert!(shown.as_str().unwrap().contains("maintenance"), "{shown}");
    assert_eq!(browser.value(as_of).await, before);
    browser.driver.execute("document.activeElement.blur()", Vec::new()).await.unwrap();
    browser.until(&format!("!{VERDICT}.includes('maintenance')")).await;
    assert_ne!(browser.value(as_of).await, before);
}

#[tokio::test]
async fn sections_appear_and_vanish_with_what_they_show() {
    let (served, browser) = tokio::join!(Served::with(plain(), &[]), Browser::start());
    let (world, store) = (&served.world, &served.world.app.store);
    let url = format!("http://{}/console", served.address);
    world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let held = world.submit(dataset("held")).await;
    assert_eq!(world.settled(held).await.state, State::Held);
    browser.open(&url).await;
    browser.until("document.querySelector('[data-region=held]')").await;
    store.resolve(held, Resolution::Fail, DAY).await.unwrap();
    browser.until("!document.querySelector('[data-region=held]')").await;

    store.pause("default", "maintenance").await.unwrap();
    let id = world.submit(dataset("march")).await;
    browser.open(&format!("{url}/submissions/{id}")).await;
    let contents = "document.querySelector('[data-region=contents]')";
    assert_eq!(browser.value(contents).await, json!(null));
    store.resume("default").await.unwrap();
    browser.until(contents).await;
    let above = format!("{contents}.previousElementSibling.dataset.region");
    assert_eq!(browser.value(&above).await, json!("state"));
}

#[tokio::test]
async fn rows_that_match_no_longer_stay_and_are_said_to() {
    let (served, browser, url) = idle().await;
    let id = served.world.submit(dataset("april")).await;
    browser.open(&format!("{url}/submissions?state=queued")).await;
    served.world.app.store.cancel(id).await.unwrap();
    let newer = "document.getElementById('newer').textContent";
    browser.until(&format!("{newer} === '1 no longer matches: show'")).await;
    let rows =
        "[...document.querySelectorAll('[data-row]')].map((row) => row.classList.contains('gone'))";
    assert_eq!(browser.value(rows).await, json!([true, false]));
    served.world.submit(dataset("may")).await;
    browser.until(&format!("{newer} === '1 newer, 1 no longer matches: show'")).await;
}
