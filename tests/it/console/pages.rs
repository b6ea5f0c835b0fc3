//! Pages over plain HTTP: their headers, their size, and what they say.

use std::time::Duration;

use ferry_store::{Deadline, NewSubmission, Payload};
use ferry_testing::Wait;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::State;
use ferry_types::domain::{SubmissionId, timestamp};
use reqwest::Method;

use super::harness::{Page, Tab, pages, pages_of_operators};
use crate::api::harness::{GOOD, Served};
use crate::api::keys::Keyed;
use crate::support::{dataset, plain};

const REJECTED: &str = include_str!("../../../examples/rejected.csv");

#[tokio::test]
async fn every_page_has_the_policy_of_browsers_and_no_secret() {
    let keyed = Keyed::start().await;
    let id = keyed.served.world.submit(dataset("march")).await.to_string();
    let tab = Tab::of(&keyed, "operator").await;
    let mut paths = pages(&id);
    paths.extend(pages_of_operators(&id));
    paths.extend(["/console/login", "/console/nowhere", "/console/news/x"].map(str::to_owned));
    for path in paths {
        let request = tab.request(Method::GET, &path).header("sec-fetch-site", "none");
        let page = Page::of(request).await;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(policy.ends_with("require-trusted-types-for 'script'; trusted-types ferry"));
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(page.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        // An old browser sends no origin with a form of a page without referrer.
        assert_eq!(tab.get(&path).await.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        let session = tab.cookie.split_once('=').unwrap().1;
        assert!(!page.text.contains(session) && !page.text.contains("ferry_"), "{path}");
    }
}

/// Bytes that a browser receives.
pub(super) async fn received(tab: &Tab, path: &str) -> usize {
    let request = tab.request(Method::GET, path).header("accept-encoding", "gzip");
    let response = request.send().await.expect("it is answered");
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.expect("it is whole").len()
}

#[tokio::test]
async fn a_page_with_all_files_is_small_and_files_are_asked_for_once() {
    let served = Served::idle(&[]).await;
    let many = (0..60).map(|n| dataset(&format!("a dataset with a longer name {n}")));
    let ids = served.world.submit_all(many).await;
    let tab = Tab::at(format!("http://{}", served.address));
    for path in pages(&ids[0].to_string()) {
        let page = tab.get(&path).await;
        let mut total = received(&tab, &path).await;
        let files: Vec<&str> =
            page.text.split('"').filter(|part| part.starts_with("/console/assets/")).collect();
        assert_eq!(files.len(), 3, "{path}");
        for file in files {
            let found = tab.get(file).await;
            assert_eq!(found.status, 200, "{file}");
            assert_eq!(found.header("cache-control"), "public, max-age=31536000, immutable");
            let size = received(&tab, file).await;
            let most = if file.contains("console.js") { 12 << 10 } else { 6 << 10 };
            assert!(size <= most, "{file}: {size} bytes");
            total += size;
        }
        assert!(total <= 60 << 10, "{path}: {total} bytes");
    }
    assert_eq!(tab.get("/console/assets/0123456789abcdef/console.js").await.status, 404);
}

#[tokio::test]
async fn browsers_are_led_to_the_console_and_programs_to_the_page_about_the_api() {
    let served = Served::idle(&[]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let browser = tab.request(Method::GET, "/").header("accept", "text/html,*/*;q=0.8");
    let page = Page::of(browser).await;
    assert_eq!((page.status, page.header("location")), (303, "/console"));
    let page = tab.get("/").await;
    assert_eq!((page.status, page.header("location")), (303, "/docs"));
}

#[tokio::test]
async fn the_list_is_filtered_and_continued_and_an_id_opens_its_submission() {
    let served = Served::idle(&[]).await;
    let many = (0..120).map(|n| dataset(&format!("n{n}")));
    let ids = served.world.submit_all(many).await;
    served.world.app.store.cancel(ids[3]).await.unwrap();
    let tab = Tab::at(format!("http://{}", served.address));
    let (mut path, mut rows) = ("/console/submissions".to_owned(), Vec::new());
    let wait = Wait::begin("the last page");
    loop {
        wait.check();
        let page = tab.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        rows.extend(page.text.split("data-row=\"").skip(1).map(|row| row[..26].to_owned()));
        let Some((_, next)) = page.text.split_once("rel=\"next\" href=\"") else { break };
        path = next.split('"').next().unwrap().replace("&#38;", "&");
    }
    assert_eq!(rows.len(), 120);
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 120);
    let empty = "state=cancelled&name=&account=&label=&created_after=&created_before=";
    let page = tab.get(&format!("/console/submissions?{empty}")).await;
    assert_eq!(page.text.matches("data-row").count(), 1, "{}", page.text);
    let before = "created_before=2020-01-31T18:00";
    let page = tab.get(&format!("/console/submissions?{before}")).await;
    assert!(page.says("No submission matches."), "{}", page.text);
    let page = tab.get(&format!("/console/submissions?name={}", ids[0])).await;
    assert_eq!(page.header("location"), format!("/console/submissions/{}", ids[0]));
    assert_eq!(tab.get("/console/submissions?state=nonsense").await.status, 400);
}

#[tokio::test]
async fn feedback_is_grouped_by_cause_and_contents_are_downloads_that_no_browser_runs() {
    let served = Served::with(plain(), &[]).await;
    let request = SubmissionRequest { data: REJECTED.to_owned(), ..dataset("march") };
    let id = served.world.submit(request).await;
    assert_eq!(served.world.settled(id).await.state, State::Rejected);
    let good = served.world.submit(dataset("april")).await;
    assert_eq!(served.world.settled(good).await.state, State::Completed);
    let tab = Tab::at(format!("http://{}", served.address));
    let path = format!("/console/submissions/{id}/feedback");
    let one = tab.get(&format!("/console/submissions/{id}")).await;
    assert!(one.text.contains(&path), "{}", one.text);
    let page = tab.get(&path).await;
    assert!(page.says("UNKNOWN-7"), "{}", page.text);
    let raw = tab.get(&format!("{path}?raw=true")).await;
    let csv = tab.get(&format!("{path}?as=csv")).await;
    assert!(csv.text.contains("data,2,3,Reference,UNKNOWN-7,unknown reference"), "{}", csv.text);
    let result = tab.get(&format!("/console/submissions/{good}/results/tableofresultids")).await;
    for (page, name) in [
        (raw, "march.feedback.txt"),
        (csv, "march.feedback.csv"),
        (result, "april.tableofresultids.csv"),
    ] {
        assert_eq!(page.status, 200, "{}", page.text);
        let expected = format!("attachment; filename=\"{name}\"");
        assert_eq!(page.header("content-disposition"), expected);
        assert_eq!(page.header("content-security-policy"), "default-src 'none'; sandbox");
    }
}

#[tokio::test]
async fn names_that_were_made_to_deceive_are_text() {
    let served = Served::idle(&[]).await;
    let names = ["<script>alert(1)</script>", "\" onclick=\"x", "{{7*7}}", "a\u{202e}b\u{7}"];
    let mut ids = Vec::new();
    for (n, name) in (1..).zip(names) {
        // A store may hold what is invalid for the intake today.
        let id = SubmissionId::new(timestamp(1_770_000_000_000), n);
        let payload = Payload { data: GOOD.to_owned(), event_data: None };
        let deadline = Deadline::After(Duration::from_hours(1));
        let mut new = NewSubmission::new(id, "default", name.to_owned(), payload, deadline);
        new.labels = [("team".to_owned(), "<b>\u{202e}x</b>".to_owned())].into();
        served.world.app.store.accept(vec![new]).await.unwrap();
        ids.push(id);
    }
    let tab = Tab::at(format!("http://{}", served.address));
    let mut paths = pages(&ids[0].to_string());
    paths.extend(ids.iter().map(|id| format!("/console/submissions/{id}")));
    let deceptive = "name=%3Cscript%3E&label=%22%3D%3E";
    paths.push(format!("/console/submissions?{deceptive}"));
    paths.push(format!("/console/bulk?action=cancel&{deceptive}"));
    paths.extend(ids.iter().flat_map(|id| pages_of_operators(&id.to_string())));
    for path in paths {
        let page = tab.get(&path).await;
        for bad in ["<script>", "\" onclick", "<b>\u{202e}", "\u{202e}"] {
            assert!(!page.text.contains(bad), "{path}: {bad:?}");
        }
    }
    let shown = tab.get(&format!("/console/submissions/{}", ids[3])).await;
    assert!(shown.says("a\\u{202e}b\\u{7}"), "{}", shown.text);
}

#[tokio::test]
async fn submissions_that_are_uploaded_later_are_counted_apart() {
    let served = Served::idle(&[]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    served.world.submit(dataset("march")).await;
    assert!(!tab.get("/console").await.says("uploaded later"));
    for name in ["april", "may"] {
        let not_before = Some(timestamp(4_102_444_800_000));
        let deadline = Some(timestamp(4_102_448_400_000));
        let request = SubmissionRequest { not_before, deadline, ..dataset(name) };
        served.world.submit(request).await;
    }
    let overview = tab.get("/console").await;
    let said = "2 submissions are uploaded later, at their not_before or at a retry";
    assert!(overview.says(said), "{}", overview.text);
}
