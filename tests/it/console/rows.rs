//! Rows of datasets and results, a window of them at a time, and the files beside them.

use std::fmt::Write as _;

use ferry_testing::Wait;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::State;
use reqwest::Method;
use thirtyfour::Key;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::{Page, Tab, plain as text_of};
use super::pages::received;
use crate::api::harness::Served;
use crate::api::keys::Keyed;
use crate::support::{dataset, plain};

const DATA: &str = include_str!("../../../examples/with-events.csv");
const EVENTS: &str = include_str!("../../../examples/with-events.events.csv");

/// 450 rows, of which the Platform knows the reference of all but one.
fn data() -> String {
    let mut text = "Reference,StartDate,StartTime,EndDate,EndTime,Note\n".to_owned();
    for row in 1..=450 {
        let reference = if row == 207 { "UNKNOWN-7".to_owned() } else { format!("SITE-{row}") };
        let note = if row == 3 { "<b>bold</b>" } else { "" };
        let (hour, minute) = (row / 60, row % 60);
        writeln!(text, "{reference},03/03/2025,{hour:02}:{minute:02},04/03/2025,23:59,{note}")
            .unwrap();
    }
    text
}

/// The numbers of the rows of a page.
fn numbers(page: &Page) -> Vec<u64> {
    let rows = page.text.split("<th scope=\"row\">").skip(1);
    let number = |row: &str| row.split([' ', '<']).next().unwrap().parse().unwrap();
    rows.map(number).collect()
}

/// The address of a link by its words.
fn link(page: &Page, words: &str) -> Option<String> {
    let (before, _) = page.text.split_once(&format!("\">{words}</a>"))?;
    let (_, path) = before.rsplit_once("href=\"")?;
    Some(path.replace("&#38;", "&"))
}

#[tokio::test]
async fn rows_of_a_dataset_are_there_in_windows_with_what_the_platform_says_about_them() {
    let served = Served::with(plain(), &[]).await;
    let request = SubmissionRequest { data: data(), ..dataset("march") };
    let id = served.world.submit(request).await;
    assert_eq!(served.world.settled(id).await.state, State::Rejected);
    let tab = Tab::at(format!("http://{}", served.address));
    let one = tab.get(&format!("/console/submissions/{id}")).await;
    let mut path = link(&one, "Rows of the dataset").unwrap();
    assert!(received(&tab, &path).await <= 48 << 10, "a page with its files has 60 KiB");
    let mut seen = Vec::new();
    let wait = Wait::begin("the last page");
    loop {
        wait.check();
        let page = tab.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert!(!page.text.contains("<b>bold"), "{}", page.text);
        let is_marked = page.text.contains("class=\"faulty\"");
        assert_eq!(is_marked, numbers(&page).contains(&207), "{path}");
        assert_eq!(is_marked, page.says("UNKNOWN-7 unknown reference"), "{path}: {}", page.text);
        seen.push(numbers(&page));
        let Some(next) = link(&page, "Later rows") else { break };
        path = next;
    }
    let windows: [Vec<u64>; 3] =
        [(1..=200).collect(), (201..=400).collect(), (401..=450).collect()];
    assert_eq!(seen, windows);
    let last = tab.get(&path).await;
    let earlier = tab.get(&link(&last, "Earlier rows").unwrap()).await;
    assert_eq!(numbers(&earlier), windows[1]);
    let only = tab.get(&link(&last, "Only rows with feedback").unwrap()).await;
    assert_eq!(numbers(&only), [207], "{}", only.text);
    let beyond = tab.get(&format!("/console/submissions/{id}/rows?from=1000")).await;
    assert!(beyond.says("It ends before row 1,000."), "{}", beyond.text);
    for (query, status) in [("from=0", 400), ("table=events", 404), ("table=x", 400), ("x=1", 400)]
    {
        let page = tab.get(&format!("/console/submissions/{id}/rows?{query}")).await;
        assert_eq!(page.status, status, "{query}: {}", page.text);
    }
}

#[tokio::test]
async fn the_next_rows_of_a_large_dataset_are_not_read_again_and_give_way_to_other_responses() {
    let served = Served::idle(&[("RESPONSE_MEMORY_BYTES", "4000000")]).await;
    let more = "SITE-9,03/03/2025,08:00,04/03/2025,23:59,\n".repeat(35_000);
    let data = format!("{}{more}", data());
    let request = SubmissionRequest { data: data.clone(), ..dataset("large") };
    let id = served.world.submit(request).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let reads = async || {
        let metrics = served.get("/metrics").await.text();
        let name = "ferry_store_operation_duration_seconds_count{operation=\"payload\"} ";
        let (_, count) = metrics.split_once(name).unwrap();
        count.lines().next().unwrap().parse::<u64>().unwrap()
    };
    let before = reads().await;
    for from in [1, 20_001, 35_251, 201] {
        let page = tab.get(&format!("/console/submissions/{id}/rows?from={from}")).await;
        assert_eq!((numbers(&page)[0], numbers(&page).len()), (from, 200), "{}", page.status);
    }
    assert_eq!(reads().await, before + 1);
    let whole = served.get(&format!("/v1/submissions/{id}/data")).await;
    assert!(whole.status == 200 && whole.text() == data, "{}", whole.status);
}

#[tokio::test]
async fn a_dataset_and_its_events_are_files_that_no_browser_runs_for_those_who_see_them() {
    let keyed = Keyed::start().await;
    let event_data = Some(EVENTS.to_owned());
    let request = SubmissionRequest { data: DATA.to_owned(), event_data, ..dataset("march") };
    let id = keyed.served.world.submit(request).await;
    let (reader, bound) = (Tab::of(&keyed, "reader").await, Tab::of(&keyed, "bound").await);
    let one = format!("/console/submissions/{id}");
    let rows = reader.get(&format!("{one}/rows")).await;
    let events = reader.get(&link(&rows, "Rows of the events").unwrap()).await;
    assert_eq!(numbers(&events).len(), EVENTS.lines().count() - 1, "{}", events.text);
    let names =
        ["march.csv", "march.events.csv"].map(|name| format!("attachment; filename=\"{name}\""));
    for (page, stored, saved) in [(&rows, DATA, &names[0]), (&events, EVENTS, &names[1])] {
        let (before, _) = page.text.split_once("\" download>Download</a>").unwrap();
        let path = before.rsplit_once("href=\"").unwrap().1;
        let request = reader.request(Method::GET, path).header("sec-fetch-site", "same-origin");
        let file = Page::of(request).await;
        assert!(file.status == 200 && file.text == stored, "{path}");
        for (name, value) in [
            ("content-disposition", &**saved),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(file.header(name), value, "{path}");
        }
        assert_eq!(bound.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_result_is_a_table_whose_first_rows_stand_on_the_page_of_its_submission() {
    let served = Served::with(plain(), &[]).await;
    let result_keys = vec!["tableofresultids".to_owned(), "summary".to_owned()];
    let data = data().replace("UNKNOWN", "SITE");
    let id = served.world.submit(SubmissionRequest { data, result_keys, ..dataset("march") }).await;
    assert_eq!(served.world.settled(id).await.state, State::Completed);
    let tab = Tab::at(format!("http://{}", served.address));
    let one = tab.get(&format!("/console/submissions/{id}")).await;
    assert_eq!(numbers(&one), (1..=10).collect::<Vec<u64>>(), "{}", one.text);
    let stored = served.get(&format!("/v1/submissions/{id}/results/tableofresultids")).await.text();
    let path = link(&one, "All rows").unwrap();
    let page = tab.get(&path).await;
    assert_eq!(numbers(&page), (1..=200).collect::<Vec<u64>>(), "{}", page.text);
    let last = tab.get(&format!("{path}&from=401")).await;
    assert_eq!(numbers(&last), (401..=450).collect::<Vec<u64>>(), "{}", last.text);
    let cells = stored.lines().nth(450).unwrap().replace(',', " ");
    assert!(text_of(&last.text).contains(&cells), "{cells}: {}", last.text);
    let of = format!("/console/submissions/{id}/rows?result=");
    assert!(!one.text.contains(&format!("{of}summary")), "{}", one.text);
    assert!(tab.get(&format!("{of}summary")).await.says("It is no table: download it."));
    for (key, status) in [("feedback", 404), ("x", 404), ("tableofresultids&table=data", 400)] {
        assert_eq!(tab.get(&format!("{of}{key}")).await.status, status, "{key}");
    }
}

#[tokio::test]
async fn rows_are_found_by_their_number_and_by_the_keyboard() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    let request = SubmissionRequest { data: data(), ..dataset("march") };
    let id = served.world.submit(request).await;
    browser.open(&format!("http://{}/console/submissions/{id}", served.address)).await;
    browser.follow(By::LinkText("Rows of the dataset")).await;
    browser.follow(By::LinkText("Later rows")).await;
    let first = "document.querySelector('tbody th').textContent";
    browser.until(&format!("{first}.startsWith('201 ')")).await;
    let field = browser.see(By::Name("from")).await;
    field.clear().await.unwrap();
    field.send_keys("440").await.unwrap();
    browser.press(&Key::Enter.value().to_string()).await;
    browser
        .until(&format!("location.search.endsWith('from=440') && {first}.startsWith('440 ')"))
        .await;
    assert_eq!(browser.value("document.querySelectorAll('tbody tr').length").await, 11);
}
