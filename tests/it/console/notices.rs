//! Findings about the server and its store stand on every page with acts.

use ferry_testing::{RedisServer, until};
use reqwest::Method;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::{Tab, pages, pages_of_operators};
use crate::api::harness::Served;
use crate::support::dataset;

const FULL: &str = "Nothing is accepted, and no step runs, until this is over.";

async fn is_ready(tab: &Tab) -> bool {
    let response = tab.request(Method::GET, "/readyz").send().await.expect("a response");
    response.status() == 200
}

#[tokio::test]
async fn every_page_says_that_the_store_is_full_until_it_is_not() {
    let redis = RedisServer::start(&[]).await;
    let served = Served::idle(&[("STORE", &redis.url())]).await;
    let id = served.world.submit(dataset("march")).await.to_string();
    let tab = Tab::at(format!("http://{}", served.address));
    let mut paths = pages(&id);
    paths.extend(pages_of_operators(&id));
    paths.retain(|path| !path.contains("/audit") && !path.contains("/keys"));
    paths.extend(["/console/accounts/default", "/console/new"].map(str::to_owned));
    for path in &paths {
        let page = tab.get(path).await;
        assert!(page.status == 200 && !page.says("not ready"), "{path}: {}", page.text);
    }
    redis.ask::<()>("CONFIG SET maxmemory 1").await;
    until("not ready", async || !is_ready(&tab).await).await;
    for path in &paths {
        let page = tab.get(path).await;
        assert!(page.status == 200 && page.says("is full"), "{path}: {}", page.text);
        let times = page.text.matches("is full").count();
        assert_eq!(times, 1, "{path} says it {times} times: {}", page.text);
        assert!(path.ends_with("/system") || page.says(FULL), "{path}: {}", page.text);
    }
    redis.ask::<()>("CONFIG SET maxmemory 0").await;
    until("ready", async || is_ready(&tab).await).await;
    for path in &paths {
        let page = tab.get(path).await;
        assert!(page.status == 200 && !page.says("is full"), "{path}: {}", page.text);
    }
}

#[tokio::test]
async fn an_open_page_says_that_data_was_lost_and_no_longer_than_that_holds() {
    let redis = RedisServer::start(&[]).await;
    let store = redis.url();
    let changes = [("STORE", &*store)];
    let (served, browser) = tokio::join!(Served::idle(&changes), Browser::start());
    served.world.submit(dataset("march")).await;
    let url = format!("http://{}/console/submissions", served.address);
    browser.open(&url).await;
    browser.see(By::Css("[data-row]")).await;
    redis.ask::<()>("CONFIG SET maxmemory 1").await;
    let said = "document.querySelector('.notices')?.innerText.includes('is full')";
    browser.until(said).await;
    let above = "document.querySelector('.notices').compareDocumentPosition(document.querySelector('main')) & Node.DOCUMENT_POSITION_FOLLOWING";
    assert_ne!(browser.value(above).await, serde_json::json!(0));
    let findings = browser.findings().await;
    assert!(findings.is_empty(), "{findings:#?}");
    redis.ask::<()>("CONFIG SET maxmemory 0").await;
    browser.until("!document.querySelector('.notices')").await;
    redis.ask::<()>("FLUSHALL").await;
    served.world.submit_all(["april", "may", "june"].map(dataset)).await;
    let account = format!("http://{}/console/accounts/default", served.address);
    until("the loss", async || {
        browser.open(&account).await;
        let said = "document.querySelector('.notices')?.innerText.includes('the store lost data')";
        browser.value(said).await == serde_json::json!(true)
    })
    .await;
}
