//! Corrected copies of a dataset, whose differences become edits.

use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;
use reqwest::Method;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::{Page, Tab};
use crate::api::harness::Served;
use crate::api::keys::Keyed;
use crate::support::{dataset, plain};

const DATA: &str = "Reference,StartDate,StartTime,EndDate,EndTime,Note\n\
                    SITE-1,03/03/2025,08:00,03/03/2025,16:30,\"a, b\"\n\
                    UNKNOWN-7,03/03/2025,08:00,03/03/2025,17:00,\n\
                    \"SITE-3\",03/03/2025,08:00,03/03/2025,18:00, z \n";

/// A copy as a spreadsheet saves it, with the reference corrected and a column for the comments of a colleague.
const COPY: &str = "\u{feff}Comment;Reference;StartDate;StartTime;EndDate;EndTime;Note\r\n\
                    ;SITE-1;03/03/2025;08:00;03/03/2025;16:30;a, b\r\n\
                    was 7;SITE-7;03/03/2025;08:00;03/03/2025;17:00;\r\n\
                    ;SITE-3;03/03/2025;08:00;03/03/2025;18:00; z \r\n";

async fn rejected(served: &Served) -> SubmissionId {
    let request = SubmissionRequest { data: DATA.to_owned(), ..dataset("march") };
    let id = served.world.submit(request).await;
    assert_eq!(served.world.settled(id).await.state, State::Rejected);
    id
}

/// The response to a form with files, by the names of their fields.
async fn post(tab: &Tab, id: &str, files: &[(&str, &[u8])]) -> Page {
    let mut body = Vec::new();
    for (name, file) in files {
        let head = "Content-Disposition: form-data; name";
        body.extend(format!("--b\r\n{head}=\"{name}\"; filename=\"x.csv\"\r\n\r\n").bytes());
        body.extend(*file);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    let request = tab.request(Method::POST, &format!("/console/submissions/{id}/correct"));
    let request = request.header("content-type", "multipart/form-data; boundary=b");
    Page::of(request.header("sec-fetch-site", "same-origin").body(body)).await
}

#[tokio::test]
async fn a_copy_that_was_corrected_in_a_spreadsheet_becomes_edits_and_a_revision() {
    let ((served, id), browser) = tokio::join!(
        async {
            let served = Served::with(plain(), &[]).await;
            let id = rejected(&served).await;
            (served, id)
        },
        Browser::start()
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("march.csv");
    std::fs::write(&file, COPY).unwrap();
    browser.open(&format!("http://{}/console/submissions/{id}/correct", served.address)).await;
    let field = browser.see(By::Css("input[type=file][name=data]")).await;
    field.send_keys(file.to_str().unwrap()).await.unwrap();
    browser.follow(By::XPath("//button[text()='Take the edits of the file']")).await;
    browser.until("document.querySelector('#ready') && document.readyState === 'complete'").await;
    let changes = browser.value("document.querySelector('.changes').textContent").await;
    assert_eq!(changes, "1 cell in 1 row changes.");
    let left_out = browser.value("document.querySelector('.left-out').textContent").await;
    assert!(left_out.as_str().unwrap().ends_with("left out: Comment."), "{left_out}");
    let edited = browser.value("document.querySelector('input.edited').value").await;
    assert_eq!(edited, "SITE-7");
    let findings = browser.findings().await;
    assert!(findings.is_empty(), "{findings:#?}");
    browser.follow(By::Css("button[value=submit]")).await;
    browser.until("location.pathname.includes('/compare/')").await;
    let revision = browser.value("location.pathname.split('/').pop()").await;
    let stored = served.get(&format!("/v1/submissions/{}/data", revision.as_str().unwrap())).await;
    assert_eq!(stored.text(), DATA.replace("UNKNOWN-7", "SITE-7"));
}

#[tokio::test]
async fn a_dataset_is_corrected_beside_its_feedback_in_a_spreadsheet() {
    let served = Served::with(plain(), &[]).await;
    let (id, tab) = (rejected(&served).await, Tab::at(format!("http://{}", served.address)));
    let id = id.to_string();
    let path = format!("/console/submissions/{id}/feedback?as=data");
    let correct = tab.get(&format!("/console/submissions/{id}/correct")).await;
    assert!(correct.text.contains(&path), "{}", correct.text);
    let file = tab.get(&path).await;
    let name = "attachment; filename=\"march.with-feedback.csv\"";
    assert_eq!((file.status, file.header("content-disposition")), (200, name), "{}", file.text);
    let noted = "UNKNOWN-7,03/03/2025,08:00,03/03/2025,17:00,,Reference: unknown reference\n";
    assert!(file.text.contains(noted), "{}", file.text);
    let copy = file.text.replace("UNKNOWN-7,", "SITE-7,");
    let page = post(&tab, &id, &[("data", copy.as_bytes())]).await;
    assert!(page.says("1 cell in 1 row changes."), "{}", page.text);
    assert!(page.says("left out: Feedback."), "{}", page.text);
    let events = tab.get(&path.replace("=data", "=event-data")).await;
    assert_eq!(events.status, 404, "{}", events.text);
}

#[tokio::test]
async fn a_copy_that_makes_no_edits_is_invalid_with_the_reason() {
    let served = Served::with(plain(), &[]).await;
    let (id, tab) = (rejected(&served).await, Tab::at(format!("http://{}", served.address)));
    let id = id.to_string();
    let same = post(&tab, &id, &[("data", DATA.as_bytes())]).await;
    assert!(same.status == 200 && same.says("Nothing is edited yet."), "{}", same.text);
    let row = "A,03/03/2025,08:00,03/03/2025,16:30\n";
    let many = format!("{DATA}{}", row.repeat(20_001));
    for (files, status, said) in [
        (&[("data", &b""[..])][..], 422, "choose a file"),
        (&[("data", many.as_bytes())], 422, "ferry resubmit ID FILE"),
        (&[("data", &b"Reference\n\xff\xfe"[..])], 422, "error"),
        (&[("event_data", DATA.as_bytes())], 422, "the submission has no event data"),
    ] {
        let page = post(&tab, &id, files).await;
        assert_eq!(page.status, status, "{said}: {}", page.text);
        assert!(page.says(said), "{said}: {}", page.text);
    }
}

#[tokio::test]
async fn a_copy_is_taken_of_those_alone_who_may_submit_and_see_the_dataset() {
    let keyed = Keyed::start().await;
    let id = keyed.served.world.submit(dataset("march")).await;
    keyed.served.world.app.store.cancel(id).await.unwrap();
    let id = id.to_string();
    for (name, status) in [("reader", 403), ("bound", 404), ("producer", 200)] {
        let page = post(&Tab::of(&keyed, name).await, &id, &[("data", DATA.as_bytes())]).await;
        assert_eq!(page.status, status, "{name}: {}", page.text);
    }
}
