//! Datasets that are validated, looked at row by row, corrected cell by cell, and compared.

use ferry_client::Client;
use ferry_testing::Wait;
use ferry_types::contract::{CorrectRequest, Problem, ProblemKind, RowsOnly, SubmissionRequest};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::dataset::{Edit, MAX_EDITS, Table};
use ferry_types::domain::submission::State;
use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Answer, GOOD, Served};
use crate::support::{dataset, plain};

const REJECTED: &str = include_str!("../../../examples/rejected.csv");

fn set(row: u64, value: &str) -> Value {
    json!({ "edit": "set", "table": "data", "row": row, "cell": 0, "value": value })
}

/// A dataset as a program wrote it: every habit must survive.
fn habits() -> String {
    format!("\u{feff}{}", REJECTED.trim_end().replace('\n', "\r\n").replace("08:00", "\"08:00\""))
}

async fn rejected(served: &Served) -> SubmissionId {
    let request = SubmissionRequest { data: habits(), ..dataset("march") };
    let id = served.world.submit(request).await;
    assert_eq!(served.world.settled(id).await.state, State::Rejected);
    id
}

async fn correct(served: &Served, id: SubmissionId, body: &Value) -> Answer {
    served.post(&format!("/v1/submissions/{id}/correct"), body).await
}

async fn data_of(served: &Served, id: &str) -> String {
    served.get(&format!("/v1/submissions/{id}/data")).await.text()
}

#[tokio::test]
async fn a_validation_lists_the_problems_and_stores_nothing() {
    let served = Served::idle(&[("MAX_DATASET_BYTES", "100000")]).await;
    let good = served.post("/v1/validate", &json!({ "data": GOOD })).await.json();
    assert_eq!((&good["valid"], &good["error_count"]), (&true.into(), &0.into()), "{good}");
    let events = json!({ "data": GOOD, "event_data": GOOD });
    let other = served.post("/v1/validate", &events).await.json();
    assert_eq!(other["problems"][0]["table"], "events", "{other}");
    let data = GOOD.replace("08:00", "8 o'clock");
    let bad = served.post("/v1/validate", &json!({ "data": data })).await.json();
    assert_eq!((&bad["valid"], &bad["problems"][0]["kind"]), (&false.into(), &"not_a_time".into()));
    let csv = |bytes: Vec<u8>| {
        let request =
            served.request(Method::POST, "/v1/validate").header("content-type", "text/csv");
        Answer::of(request.body(bytes))
    };
    let latin = csv(GOOD
        .replace("SITE", "S\u{7f}")
        .into_bytes()
        .into_iter()
        .map(|byte| if byte == 0x7f { 0xe9 } else { byte })
        .collect());
    let latin = latin.await.json();
    assert_eq!(
        (&latin["valid"], &latin["problems"][0]["kind"]),
        (&false.into(), &"not_utf8".into())
    );
    csv(vec![b'x'; 200_000]).await.is(ProblemKind::TooLarge);
    assert_eq!(served.world.stats().await.unfinished(), 0);
}

#[tokio::test]
async fn rows_stand_beside_the_feedback_about_their_cells() {
    let served = Served::with(plain(), &[]).await;
    let id = rejected(&served).await;
    let page = served.get(&format!("/v1/submissions/{id}/rows?only=feedback")).await.json();
    let row = &page["rows"][0];
    assert_eq!((&row["row"], &row["line"]), (&2.into(), &3.into()), "{page}");
    assert_eq!(row["cells"][0], "UNKNOWN-7");
    assert_eq!(
        (&row["feedback"][0]["cell"], &row["feedback"][0]["candidates"]),
        (&0.into(), &1.into())
    );
    assert_eq!(page["columns"][1], "StartDate");
    let (mut from, mut rows) = (1, 0);
    let wait = Wait::begin("the last rows");
    loop {
        wait.check();
        let page =
            served.get(&format!("/v1/submissions/{id}/rows?from={from}&count=2")).await.json();
        rows += page["rows"].as_array().unwrap().len();
        let Some(next) = page["next"].as_u64() else { break };
        from = next;
    }
    assert_eq!(rows, REJECTED.lines().count() - 1);
    for query in ["from=0", "count=201", "only=all", "table=none", "x=1"] {
        let path = format!("/v1/submissions/{id}/rows?{query}");
        served.get(&path).await.is(ProblemKind::InvalidRequest);
    }
    let events = served.get(&format!("/v1/submissions/{id}/rows?table=events")).await;
    events.is(ProblemKind::NotFound);
}

#[tokio::test]
async fn edits_become_a_revision_in_which_every_other_byte_is_as_it_was() {
    let served = Served::with(plain(), &[]).await;
    let id = rejected(&served).await;
    let client = Client::new(&format!("http://{}", served.address)).unwrap();
    let page = client.rows(id, Table::Data, 1, Some(RowsOnly::Feedback)).await.unwrap();
    let edit = |row| Edit::Set { table: Table::Data, row, cell: 0, value: "SITE-7".to_owned() };
    let edits: Vec<Edit> = page.rows.iter().map(|row| edit(row.row)).collect();
    let dry = CorrectRequest { edits: edits.clone(), dry_run: true, base: None };
    let checked = client.correct(id, &dry).await.unwrap();
    let count = edits.len() as u64;
    assert_eq!((checked.changed_cells, checked.changed_rows), (count, count));
    assert_eq!(checked.submission, None);
    let request = CorrectRequest { edits, ..CorrectRequest::default() };
    let revision = client.correct(id, &request).await.unwrap().submission.unwrap();
    assert_eq!((revision.revision_of, revision.overwrite), (Some(id), true));
    let stored = data_of(&served, &revision.id.to_string()).await;
    let expected = habits().replace("UNKNOWN-7", "SITE-7").replace("UNKNOWN-9", "SITE-7");
    assert_eq!(stored, expected);
    assert_eq!(served.world.settled(revision.id).await.state, State::Completed);
    // A response that was lost is asked for again.
    let again = client.correct(id, &request).await.unwrap().submission.unwrap();
    assert_eq!(again.id, revision.id);
    let difference = client.compare(id, revision.id, 0).await.unwrap();
    assert_eq!((difference.changed_cells, difference.has_more), (count, false));
    let cell = &difference.rows[0].cells[0];
    assert_eq!(
        (cell.before.as_deref(), cell.after.as_deref()),
        (Some("UNKNOWN-7"), Some("SITE-7"))
    );
    assert!(client.compare(id, id, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_newer_submission_of_the_name_is_replaced_only_by_those_who_know_it() {
    let served = Served::with(plain(), &[]).await;
    let id = rejected(&served).await;
    let first = correct(&served, id, &json!({ "edits": [set(2, "SITE-8")] })).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let first = first.json()["submission"]["id"].as_str().unwrap().to_owned();
    let other = json!({ "edits": [set(2, "SITE-9")] });
    for dry_run in [false, true] {
        let mut body = other.clone();
        body["dry_run"] = dry_run.into();
        let problem: Problem = correct(&served, id, &body).await.is(ProblemKind::StateConflict);
        assert_eq!(problem.submission.map(|id| id.to_string()), Some(first.clone()));
        let difference = problem.difference.expect("it says what differs");
        assert_eq!(difference.rows[0].cells[0].after.as_deref(), Some("SITE-8"));
    }
    let known = json!({ "edits": [set(2, "SITE-9")], "base": first });
    let second = correct(&served, id, &known).await;
    assert_eq!(second.status, 201, "{}", second.text());
}

#[tokio::test]
async fn of_two_corrections_at_once_one_is_a_conflict() {
    let served = Served::with(plain(), &[]).await;
    for round in 0..5 {
        let request = SubmissionRequest { data: habits(), ..dataset(&format!("n{round}")) };
        let id = served.world.submit(request).await;
        served.world.settled(id).await;
        let body = |value| json!({ "edits": [set(2, value)] });
        let bodies = [body("SITE-1"), body("SITE-2")];
        let (one, other) =
            tokio::join!(correct(&served, id, &bodies[0]), correct(&served, id, &bodies[1]));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{} {}", one.text(), other.text());
        let failed = if one.status == 409 { one } else { other };
        assert!(failed.is(ProblemKind::StateConflict).difference.is_some());
    }
}

#[tokio::test]
async fn edits_that_cannot_be_made_or_make_an_invalid_dataset_submit_nothing() {
    let served = Served::with(plain(), &[]).await;
    let id = rejected(&served).await;
    let date = json!({ "edit": "set", "table": "data", "row": 2, "cell": 1, "value": "soon" });
    let events = json!({ "edit": "delete", "table": "events", "row": 1 });
    for (edits, kind) in [
        (json!([set(9999, "x")]), ProblemKind::InvalidField),
        (json!([set(2, "x"), set(2, "y")]), ProblemKind::InvalidField),
        (json!([events]), ProblemKind::InvalidField),
        (json!([]), ProblemKind::InvalidField),
        (json!([set(2, "UNKNOWN-7")]), ProblemKind::InvalidField),
        (json!([date]), ProblemKind::InvalidDataset),
        (json!([{ "edit": "turn", "row": 2 }]), ProblemKind::InvalidRequest),
        (json!(vec![""; 200_000]), ProblemKind::InvalidRequest),
        (json!(vec![events; MAX_EDITS + 1]), ProblemKind::InvalidField),
    ] {
        correct(&served, id, &json!({ "edits": edits })).await.is(kind);
    }
    let problem = correct(&served, id, &json!({ "edits": [date], "dry_run": true })).await;
    let problem = problem.is(ProblemKind::InvalidDataset);
    assert_eq!(problem.problems[0].row, Some(2), "{problem:?}");
    assert_eq!(served.world.stats().await.unfinished(), 0);
    let none = json!({ "edits": [], "dry_run": true });
    assert_eq!(correct(&served, id, &none).await.json()["changed_cells"], 0);
}

#[tokio::test]
async fn rows_are_deleted_and_inserted() {
    let served = Served::with(plain(), &[]).await;
    let id = rejected(&served).await;
    let cells = ["SITE-9", "03/03/2025", "08:00", "03/03/2025", "16:30"];
    let edits = json!([
        { "edit": "delete", "table": "data", "row": 2 },
        { "edit": "insert", "table": "data", "after": 1, "cells": cells },
    ]);
    let corrected = correct(&served, id, &json!({ "edits": edits })).await.json();
    assert_eq!((&corrected["deleted_rows"], &corrected["inserted_rows"]), (&1.into(), &1.into()));
    let revision = corrected["submission"]["id"].as_str().unwrap();
    let stored = data_of(&served, revision).await;
    let lines: Vec<&str> = stored.split("\r\n").collect();
    assert_eq!(lines[2], cells.join(","));
    assert_eq!(lines.len(), habits().split("\r\n").count());
}
