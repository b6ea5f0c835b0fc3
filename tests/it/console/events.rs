//! The page of state changes: ordered, continued and announced as lists are.

use ferry_testing::Wait;
use serde_json::json;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::Tab;
use crate::api::harness::Served;
use crate::support::dataset;

const ROWS: &str = "document.querySelectorAll('[data-row]').length";

#[tokio::test]
async fn newer_changes_are_announced_and_move_no_row() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    let world = &served.world;
    let ids = world.submit_all(["a", "b"].map(dataset)).await;
    browser.open(&format!("http://{}/console/events", served.address)).await;
    browser.see(By::Css("[data-row]")).await;
    assert_eq!(browser.value(ROWS).await, json!(2));
    world.app.store.cancel(ids[0]).await.unwrap();
    browser.until("document.getElementById('newer').textContent === '1 newer: show'").await;
    assert_eq!(browser.value(ROWS).await, json!(2));
    assert_eq!(browser.value("document.querySelectorAll('.gone').length").await, json!(0));
    browser.follow(By::Css("#newer a")).await;
    browser.until(&format!("{ROWS} === 3")).await;
    let first = browser.value("document.querySelector('[data-row] .state').innerText").await;
    assert!(first.as_str().unwrap().contains("cancelled"), "{first}");
    browser.press("jj").await;
    let at = "[...document.querySelectorAll('[data-row]')].indexOf(document.activeElement.closest('[data-row]'))";
    assert_eq!(browser.value(at).await, json!(1));
}

#[tokio::test]
async fn older_changes_are_on_further_pages() {
    let served = Served::idle(&[]).await;
    served.world.submit_all((0..250).map(|n| dataset(&format!("n{n}")))).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let (mut path, mut sizes, mut ids) = ("/console/events".to_owned(), Vec::new(), Vec::new());
    let wait = Wait::begin("the last page");
    loop {
        wait.check();
        let page = tab.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        let rows: Vec<String> =
            page.text.split("data-row=\"").skip(1).map(|row| row[..26].to_owned()).collect();
        sizes.push(rows.len());
        ids.extend(rows);
        let Some((_, next)) = page.text.split_once("rel=\"next\" href=\"") else { break };
        path = next.split('"').next().unwrap().replace("&#38;", "&");
    }
    assert_eq!(sizes, [100, 100, 50]);
    let mut ordered = ids.clone();
    ordered.sort_unstable_by(|one, other| other.cmp(one));
    ordered.dedup();
    assert_eq!(ordered.len(), 250);
    assert!(tab.get(&path).await.says("Newest"), "it leads back");
}
