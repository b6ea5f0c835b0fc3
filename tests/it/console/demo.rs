//! The demonstration as its visitors find it: the real binary, and its console in Chromium.

use ferry_testing::until;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::{Page, Tab};
use crate::cli::harness::{Ferry, eventually};
use crate::cli::running::Running;
use reqwest::Method;

/// Starts `ferry demo` on a free port, and returns the URL of its server.
pub(super) fn demo(ferry: &Ferry, more: &[&str]) -> (Running, String) {
    let running = ferry.start(&[&["demo", "--set", "listen=127.0.0.1:0"], more].concat());
    running.await_stderr("/console\n");
    let stderr = running.stderr();
    let (_, rest) = stderr.split_once("console http://").expect("its address");
    let address = rest.split('/').next().unwrap_or_default().to_owned();
    (running, format!("http://{address}"))
}

/// The submissions that a query of the API finds.
pub(super) async fn found(tab: &Tab, query: &str) -> Vec<serde_json::Value> {
    let page = Page::of(tab.request(Method::GET, &format!("/v1/submissions?{query}"))).await;
    let page: serde_json::Value = serde_json::from_str(&page.text).unwrap_or_default();
    page["submissions"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_visitor_corrects_the_rejected_dataset_decides_about_the_held_one_and_finds_new_ones() {
    let ferry = Ferry::new();
    let ((running, url), browser) = tokio::join!(async { demo(&ferry, &[]) }, Browser::start());
    browser.open(&format!("{url}/console")).await;
    browser.until("document.querySelector('.counts .state.completed')").await;
    browser
        .until("document.querySelector('[data-region=verdict]').textContent.includes('held for a decision')")
        .await;
    // The situations were not on the page when it was opened.
    let lists = "document.querySelector('#rejected') && document.querySelector('#held')";
    until("both lists", async || {
        browser.open(&format!("{url}/console")).await;
        browser.value(lists).await.is_object()
    })
    .await;
    browser.follow(By::Css("section[aria-labelledby=rejected] tbody a")).await;
    browser.until("document.querySelector('h1').textContent === 'to-correct-0001'").await;
    browser.follow(By::LinkText("Correct")).await;
    browser.until("document.querySelectorAll('.causes input').length === 2").await;
    let fields = browser.driver.find_all(By::Css(".causes input")).await.unwrap();
    for (field, reference) in fields.iter().zip(["SITE-002", "SITE-004"]) {
        field.send_keys(reference).await.unwrap();
    }
    browser.follow(By::XPath("//button[text()='Check']")).await;
    browser.follow(By::XPath("//button[text()='Submit as revision']")).await;
    browser.until("document.querySelector('[data-region=state] .verdict .state.completed')").await;

    browser.open(&format!("{url}/console")).await;
    browser.follow(By::Css("section[aria-labelledby=held] tbody a")).await;
    browser.until("document.querySelector('h1').textContent === 'to-decide-0001'").await;
    browser.follow(By::Css("a[href$='/resolve']")).await;
    browser.until("document.querySelector('#happened')").await;
    browser.follow(By::XPath("//button[text()='Overwrite']")).await;
    browser.until("document.querySelector('.timeline .state.completed')").await;

    let tab = Tab::at(url);
    for (name, state) in [("to-correct-0002", "rejected"), ("to-decide-0002", "held")] {
        until(name, async || found(&tab, &format!("name={name}&state={state}")).await.len() == 1)
            .await;
    }
    assert!(running.stderr().contains("`to-decide-0001` is held: decide about it at http://"));
}

#[tokio::test]
async fn the_demo_forgets_what_is_final_and_a_later_visitor_finds_the_same_situations() {
    let ferry = Ferry::new();
    let short = ["--set", "retention=1s", "--set", "lease=1s"];
    let (mut running, url) = demo(&ferry, &short);
    let tab = Tab::at(url);
    for name in ["made-up-0001", "to-correct-0001"] {
        eventually(name, || running.stderr().contains(name));
        until(&format!("the end of {name}"), async || {
            found(&tab, &format!("name={name}")).await.is_empty()
        })
        .await;
    }
    until("another one", async || {
        let rejected = found(&tab, "state=rejected").await;
        rejected.iter().any(|one| one["name"] != "to-correct-0001")
    })
    .await;
    until("a held one", async || found(&tab, "state=held").await.len() == 1).await;
    running.signal("INT");
    assert!(running.end().success());
    assert!(running.stdout().contains("results match"), "{}", running.stdout());
}
