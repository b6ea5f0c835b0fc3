//! Datasets that are corrected, compared and submitted on pages.

use std::fmt::Write as _;

use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;
use reqwest::Method;
use serde_json::json;
use thirtyfour::Key;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::{Page, Tab};
use super::pages::received;
use crate::api::harness::{GOOD, Served};
use crate::api::keys::Keyed;
use crate::support::{dataset, plain};

const REJECTED: &str = include_str!("../../../examples/rejected.csv");

/// A rejected submission of a dataset.
async fn rejected(served: &Served, data: &str) -> SubmissionId {
    let id =
        served.world.submit(SubmissionRequest { data: data.to_owned(), ..dataset("march") }).await;
    assert_eq!(served.world.settled(id).await.state, State::Rejected);
    id
}

/// Ten thousand rows as a spreadsheet saves them; every thirtieth of the first 9,000 has one of three
/// unknown references.
fn large() -> String {
    let mut text = "\u{feff}Reference,StartDate,StartTime,EndDate,EndTime,Note\r\n".to_owned();
    for row in 0..10_000_u32 {
        let unknown = row % 30 == 7 && row < 9_000;
        let reference = match (unknown, row / 30 % 3) {
            (false, _) => format!("SITE-{row}"),
            (true, nth) => format!("UNKNOWN-{}", ["A", "B", "C"][nth as usize]),
        };
        let (hour, minute) = (row / 60 % 24, row % 60);
        let note = if row % 5 == 0 { "\"a, \"\"b\"\"\"" } else { " x " };
        write!(text, "{reference},03/03/2025,{hour:02}:{minute:02},04/03/2025,23:59,{note}\r\n")
            .unwrap();
    }
    text
}

/// Presses Tab until the element that an expression about `document.activeElement` means has the focus.
async fn tab_to(browser: &Browser, expression: &str) {
    for _ in 0..60 {
        browser.press(&Key::Tab.value().to_string()).await;
        if browser.value(expression).await == json!(true) {
            return;
        }
    }
    panic!("no Tab leads to {expression}");
}

#[tokio::test]
async fn a_rejected_dataset_of_ten_thousand_rows_is_corrected_by_cause_with_the_keyboard_alone() {
    let ((served, id, data), browser) = tokio::join!(
        async {
            let (served, data) = (Served::with(plain(), &[]).await, large());
            let id = rejected(&served, &data).await;
            (served, id, data)
        },
        Browser::start()
    );
    let url = format!("http://{}", served.address);
    let page = format!("/console/submissions/{id}/correct");
    for path in [page.clone(), format!("{page}?all=true")] {
        let size = received(&Tab::at(url.clone()), &path).await;
        // With the files beside it, a page has 60 KiB.
        assert!(size <= 48 << 10, "{path}: {size} bytes");
    }
    browser.open(&format!("{url}/console/submissions/{id}")).await;
    tab_to(&browser, "document.activeElement.textContent === 'Correct'").await;
    browser.press(&Key::Enter.value().to_string()).await;
    browser
        .until("document.title.startsWith('Correct') && document.querySelector('[role=grid]')")
        .await;
    for _ in 0..3 {
        tab_to(&browser, "(document.activeElement.name ?? '').startsWith('replace-')").await;
        let said = "document.activeElement.closest('li').querySelector('code').textContent";
        let unknown = browser.value(said).await;
        let known = unknown.as_str().unwrap().replace("UNKNOWN", "SITE");
        browser.press(&known).await;
    }
    browser.press(&Key::Enter.value().to_string()).await;
    browser.until("document.querySelector('#ready') && document.readyState === 'complete'").await;
    let changes = browser.value("document.querySelector('.changes').textContent").await;
    assert_eq!(changes, "300 cells in 300 rows change.");
    tab_to(&browser, "document.activeElement.value === 'submit'").await;
    browser.press(&Key::Enter.value().to_string()).await;
    browser
        .until("location.pathname.includes('/compare/') && document.querySelector('.summary')")
        .await;
    let summary = browser.value("document.querySelector('.summary').textContent").await;
    assert_eq!(summary, "300 cells in 300 rows changed.");
    browser.until("document.querySelector('[data-region=state] .verdict .state.completed')").await;
    let revision = browser.value("location.pathname.split('/').pop()").await;
    let stored = served.get(&format!("/v1/submissions/{}/data", revision.as_str().unwrap())).await;
    assert!(stored.text() == data.replace("UNKNOWN-", "SITE-"), "another byte differs");
    let shown = served.get(&format!("/v1/submissions/{}", revision.as_str().unwrap())).await.json();
    assert_eq!(
        (&shown["overwrite"], &shown["revision_of"]),
        (&true.into(), &id.to_string().into())
    );
}

/// The text of the cell of the grid with this name.
fn cell(row: u64, cell: u64) -> String {
    format!("document.querySelector('[name=\"cell-data-{row}-{cell}\"]')")
}

async fn key(browser: &Browser, key: Key) {
    browser.press(&key.value().to_string()).await;
}

/// A server with a rejected submission.
async fn served_rejected() -> (Served, SubmissionId) {
    let served = Served::with(plain(), &[]).await;
    let id = rejected(&served, REJECTED).await;
    (served, id)
}

/// Presses a key while another one is held.
async fn chord(browser: &Browser, held: Key, key: &str) {
    let chain = browser.driver.action_chain().key_down(held.value()).send_keys(key);
    chain.key_up(held.value()).perform().await.unwrap();
}

#[tokio::test]
async fn the_grid_is_one_stop_in_which_keys_move_edit_undo_and_find_feedback() {
    let ((served, id), browser) = tokio::join!(served_rejected(), Browser::start());
    browser.open(&format!("http://{}/console/submissions/{id}/correct", served.address)).await;
    browser.until("document.querySelector('[role=grid]')").await;
    let stops = "document.querySelectorAll('[role=grid] [tabindex=\"0\"]').length";
    assert_eq!(browser.value(stops).await, json!(1));
    tab_to(&browser, "document.activeElement.closest('[role=grid]') !== null").await;
    let is_at = async |row, column| {
        browser.until(&format!("document.activeElement === {}", cell(row, column))).await;
    };
    let holds = async |row, column, text: &str| {
        browser.until(&format!("{}.value === '{text}'", cell(row, column))).await;
    };
    // It begins at the first feedback.
    is_at(2, 0).await;
    key(&browser, Key::F8).await;
    is_at(4, 0).await;
    chord(&browser, Key::Shift, &Key::F8.value().to_string()).await;
    is_at(2, 0).await;
    browser.press("SITE-7").await;
    key(&browser, Key::Enter).await;
    is_at(3, 0).await;
    holds(2, 0, "SITE-7").await;
    key(&browser, Key::Up).await;
    key(&browser, Key::F2).await;
    browser.press("0").await;
    holds(2, 0, "SITE-70").await;
    key(&browser, Key::Escape).await;
    holds(2, 0, "SITE-7").await;
    key(&browser, Key::End).await;
    key(&browser, Key::Home).await;
    key(&browser, Key::Right).await;
    is_at(2, 1).await;
    browser.press("soon").await;
    key(&browser, Key::Left).await;
    key(&browser, Key::Escape).await;
    holds(2, 1, "03/03/2025").await;
    key(&browser, Key::Delete).await;
    holds(2, 1, "").await;
    chord(&browser, Key::Control, "z").await;
    holds(2, 1, "03/03/2025").await;
    is_at(2, 1).await;
    let paste = "const data = new DataTransfer(); data.setData('text', '04/03/2025\\t09:00\\n05/03/2025\\n');
        document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));";
    browser.driver.execute(paste, Vec::new()).await.unwrap();
    for (row, column, text) in [(2, 1, "04/03/2025"), (2, 2, "09:00"), (3, 1, "05/03/2025")] {
        holds(row, column, text).await;
    }
    chord(&browser, Key::Control, "z").await;
    holds(3, 1, "03/03/2025").await;
    // What was not submitted is offered again.
    browser.open(&format!("http://{}/console/submissions/{id}/correct", served.address)).await;
    holds(2, 0, "UNKNOWN-7").await;
    browser.click(By::XPath("//button[text()='Restore']")).await;
    holds(2, 0, "SITE-7").await;
    assert!(browser.findings().await.is_empty());
}

#[tokio::test]
async fn a_dataset_is_corrected_and_another_submitted_without_script() {
    let ((served, id), browser) = tokio::join!(served_rejected(), Browser::start());
    browser.tool("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    let url = format!("http://{}", served.address);
    browser.open(&format!("{url}/console/submissions/{id}/correct")).await;
    for (row, text) in [(2, "SITE-7"), (4, "SITE-9")] {
        let field = browser.see(By::Name(format!("cell-data-{row}-0"))).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }
    let field = browser.see(By::Name("cell-data-2-1")).await;
    field.clear().await.unwrap();
    field.send_keys("soon").await.unwrap();
    browser.follow(By::Css("button[value=check]")).await;
    let problem = browser.see(By::Id("m-cell-data-2-1")).await.text().await.unwrap();
    assert!(!problem.is_empty() && problem != "unknown reference", "{problem}");
    let field = browser.see(By::Name("cell-data-2-1")).await;
    field.clear().await.unwrap();
    field.send_keys("03/03/2025").await.unwrap();
    browser.follow(By::Css("button[value=check]")).await;
    let changes = browser.see(By::Css(".changes")).await.text().await.unwrap();
    assert_eq!(changes, "2 cells in 2 rows change.");
    browser.follow(By::Css("button[value=submit]")).await;
    let summary = browser.see(By::Css(".summary")).await.text().await.unwrap();
    assert_eq!(summary, "2 cells in 2 rows changed.");
    browser.open(&format!("{url}/console/new")).await;
    browser.see(By::Name("name")).await.send_keys("april").await.unwrap();
    browser.see(By::Name("data_text")).await.send_keys(GOOD.replace("08:00", "8")).await.unwrap();
    browser.follow(By::Css("button[value=submit]")).await;
    let said = browser.see(By::Id("checked")).await.text().await.unwrap();
    assert!(said.contains("StartTime"), "{said}");
    let field = browser.see(By::Name("data_text")).await;
    field.clear().await.unwrap();
    field.send_keys(GOOD).await.unwrap();
    browser.follow(By::Css("button[value=submit]")).await;
    let title = browser.see(By::Css("h1")).await.text().await.unwrap();
    assert_eq!(title, "april");
}

#[tokio::test]
async fn a_chosen_file_is_checked_at_once_and_submitted_under_its_name() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    let folder = tempfile::tempdir().unwrap();
    let (bad, good) = (folder.path().join("may.csv"), folder.path().join("june.csv"));
    std::fs::write(&bad, GOOD.replace("08:00", "8")).unwrap();
    std::fs::write(&good, GOOD).unwrap();
    browser.open(&format!("http://{}/console/new", served.address)).await;
    let choose = async |file: &std::path::Path| {
        let field = browser.see(By::Name("data")).await;
        // Its driver adds to the files that are chosen.
        field.clear().await.unwrap();
        field.send_keys(file.to_str().unwrap()).await.unwrap();
    };
    choose(&bad).await;
    browser.until("document.querySelector('#checked [role=grid] [aria-invalid=true]')").await;
    choose(&good).await;
    browser.until("document.querySelector('#checked .fine')").await;
    browser.follow(By::Css("button[value=submit]")).await;
    browser.until("document.querySelector('h1').textContent === 'june'").await;
    let id = browser.value("location.pathname.split('/').pop()").await;
    let data = served.get(&format!("/v1/submissions/{}/data", id.as_str().unwrap())).await;
    assert_eq!(data.text(), GOOD);
}

#[tokio::test]
async fn a_new_dataset_is_corrected_in_its_rows_before_it_is_submitted() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("may.csv");
    let bad = GOOD.replacen("08:00", "8", 1).replacen("03/03/2025", "soon", 1);
    std::fs::write(&file, &bad).unwrap();
    for has_script in [true, false] {
        let off = json!({ "value": !has_script });
        browser.tool("Emulation.setScriptExecutionDisabled", off).await;
        browser.open(&format!("http://{}/console/new", served.address)).await;
        browser.see(By::Name("data")).await.send_keys(file.to_str().unwrap()).await.unwrap();
        if has_script {
            browser.until("document.querySelector('#checked [role=grid]')").await;
            assert!(browser.findings().await.is_empty());
        } else {
            browser.follow(By::Css("button[value=check]")).await;
        }
        for (column, text) in [(1, "03/03/2025"), (2, "08:00")] {
            let field = browser.see(By::Name(format!("cell-data-1-{column}"))).await;
            if has_script {
                field.focus().await.unwrap();
                browser.press(text).await;
                key(&browser, Key::Enter).await;
            } else {
                field.clear().await.unwrap();
                field.send_keys(text).await.unwrap();
            }
        }
        browser.follow(By::Css("#checked button[value=check]")).await;
        let said = browser.see(By::Css("#checked .fine")).await.text().await.unwrap();
        assert!(said.contains("No errors"), "{said}");
        browser.follow(By::Css("button[value=submit]")).await;
        let title = browser.see(By::Css("h1")).await.text().await.unwrap();
        let path = browser.driver.current_url().await.unwrap().path().to_owned();
        let id = path.rsplit('/').next().unwrap();
        let data = served.get(&format!("/v1/submissions/{id}/data")).await;
        assert_eq!((&*title, data.text()), ("may", GOOD.to_owned()));
    }
}

#[tokio::test]
async fn several_files_are_submitted_together_or_none_of_them() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    let folder = tempfile::tempdir().unwrap();
    let files = ["may.csv", "june.csv", "july.csv"].map(|name| folder.path().join(name));
    let choose = async |page: &str| {
        browser.open(&format!("http://{}/console/new", served.address)).await;
        let names: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
        let field = browser.see(By::Name("data")).await;
        field.send_keys(names.join("\n")).await.unwrap();
        browser
            .until(&format!("document.querySelector('#checked').innerText.includes('{page}')"))
            .await;
    };
    for (file, text) in files.iter().zip([GOOD, &GOOD.replace("08:00", "8"), GOOD]) {
        std::fs::write(file, text).unwrap();
    }
    choose("1 of 3 files has errors").await;
    let verdicts = browser
        .value("[...document.querySelectorAll('.files li')].map((one) => one.innerText)")
        .await;
    assert!(verdicts[1].as_str().unwrap().contains("StartTime"), "{verdicts}");
    assert_eq!(
        (&verdicts[0], &verdicts[2]),
        (&json!("may.csv: no errors"), &json!("july.csv: no errors"))
    );
    browser.follow(By::Css("button[value=submit]")).await;
    browser.until("document.querySelector('.again')").await;
    assert_eq!(served.world.stats().await.unfinished(), 0);
    std::fs::write(&files[1], GOOD).unwrap();
    choose("No errors").await;
    browser.follow(By::Css("button[value=submit]")).await;
    browser.until("document.querySelectorAll('[data-row]').length === 3").await;
    let names = browser
        .value("[...document.querySelectorAll('.list .name')].map((one) => one.innerText)")
        .await;
    assert_eq!(names, json!(["july", "june", "may"]));
}

/// A form of the page of a submission.
async fn send(tab: &Tab, id: SubmissionId, fields: &[(&str, &str)]) -> Page {
    tab.post(&format!("/console/submissions/{id}/correct"), fields).await
}

/// The value of a hidden field.
fn hidden(page: &Page, name: &str) -> String {
    let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
    rest.split('"').next().unwrap().replace("&#34;", "\"")
}

#[tokio::test]
async fn rows_are_deleted_restored_and_inserted_and_edits_travel_with_the_form() {
    let served = Served::with(plain(), &[]).await;
    let id = rejected(&served, REJECTED).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let page = send(&tab, id, &[("edits", "[]"), ("act", "delete-data-2")]).await;
    assert!(page.text.contains("restore-data-2"), "{}", page.text);
    let edits = hidden(&page, "edits");
    assert_eq!(edits, r#"[{"edit":"delete","table":"data","row":2}]"#);
    let page = send(&tab, id, &[("edits", &edits), ("act", "insert-data-3")]).await;
    let edits = hidden(&page, "edits");
    assert!(page.text.contains("name=\"new-data-3-0-4\"") && edits.contains("insert"), "{edits}");
    let cells = ["SITE-5", "03/03/2025", "08:00", "03/03/2025", "16:30"];
    let names: Vec<String> = (0..5).map(|cell| format!("new-data-3-0-{cell}")).collect();
    let mut fields = vec![("edits", &*edits), ("act", "check"), ("cell-data-4-0", "SITE-9")];
    fields.extend(names.iter().map(String::as_str).zip(cells));
    let page = send(&tab, id, &fields).await;
    assert!(page.says("1 cell in 1 row changes, 1 row deleted, 1 row inserted."), "{}", page.text);
    let edits = hidden(&page, "edits");
    let sent = [("edits", &*edits), ("act", "submit"), ("checked", "yes")];
    let submitted = send(&tab, id, &sent).await;
    assert_eq!(submitted.status, 303, "{}", submitted.text);
    let page = tab.get(submitted.header("location")).await;
    assert!(page.says("1 cell in 1 row changed, 1 row deleted, 1 row inserted."), "{}", page.text);
    // The same form again shows the same revision, and another one what came first.
    assert_eq!(send(&tab, id, &sent).await.header("location"), submitted.header("location"));
    let late = [("edits", "[]"), ("act", "check"), ("cell-data-2-0", "SITE-8")];
    let page = send(&tab, id, &late).await;
    let revision = submitted.header("location").rsplit('/').next().unwrap().to_owned();
    assert!(page.text.contains(&format!("/console/submissions/{id}/compare/{revision}")));
    assert_eq!(hidden(&page, "base"), revision);
    let original = tab.get(&format!("/console/submissions/{id}")).await;
    assert!(original.says(&format!("{revision}, what it changed")), "{}", original.text);
    let known = [late[0], late[1], late[2], ("base", &*revision)];
    assert!(send(&tab, id, &known).await.says("No errors"));
    // What was typed since the check is not submitted unseen.
    let unseen =
        [("edits", "[]"), ("act", "submit"), ("checked", "yes"), ("base", &*revision), late[2]];
    assert!(send(&tab, id, &unseen).await.says("1 cell in 1 row changes."));
}

#[tokio::test]
async fn pages_of_producers_are_for_those_who_may_submit() {
    let keyed = Keyed::start_running(&[]).await;
    let id = rejected(&keyed.served, REJECTED).await;
    let one = format!("/console/submissions/{id}");
    let correct = format!("{one}/correct");
    for (name, status) in [("reader", 403), ("producer", 200), ("operator", 200), ("bound", 404)] {
        let tab = Tab::of(&keyed, name).await;
        assert_eq!(tab.get(&correct).await.status, status, "{name}");
        assert_eq!(tab.post(&correct, &[("act", "check")]).await.status, status, "{name}");
        let new = if name == "reader" { 403 } else { 200 };
        assert_eq!(tab.get("/console/new").await.status, new, "{name}");
        assert_eq!(tab.get(&one).await.text.contains(&correct), status == 200, "{name}");
        assert_eq!(tab.get("/console").await.text.contains("/console/new"), new == 200, "{name}");
        let compare = tab.get(&format!("{one}/compare/{id}")).await;
        assert_eq!(compare.status, if name == "bound" { 404 } else { 200 }, "{name}");
    }
    let tab = Tab::of(&keyed, "producer").await;
    for (path, status) in [(&*correct, 403), ("/console/new", 403)] {
        let foreign = tab.form(path, &[("act", "check")]).header("sec-fetch-site", "cross-site");
        assert_eq!(Page::of(foreign).await.status, status, "{path}");
        let none = tab.request(Method::POST, path).header("sec-fetch-site", "same-origin");
        assert_eq!(Page::of(none).await.status, 415, "{path}");
    }
    let read_only = Served::idle(&[("CONSOLE", "read_only")]).await;
    let tab = Tab::at(format!("http://{}", read_only.address));
    assert_eq!(tab.get("/console/new").await.status, 404);
}
