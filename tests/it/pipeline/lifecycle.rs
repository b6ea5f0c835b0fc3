//! The way of a submission when nothing goes wrong.

use std::time::Duration;

use ferry_sim::{Processing, SimConfig, expected_results};
use ferry_types::clock::{Clock, SystemClock};
use ferry_types::contract::{SubmissionRequest, WaitingFor};
use ferry_types::domain::feedback::{locate, read};
use ferry_types::domain::later;
use ferry_types::domain::submission::{FEEDBACK_KEY, ReasonCode, State};

use crate::support::{World, dataset, overwriting, plain, prompt};

#[tokio::test]
async fn a_dataset_is_uploaded_polled_and_its_results_are_stored_as_they_came() {
    let world = World::start(prompt(), &[]).await;
    let request = dataset("march");
    let id = world.submit(request.clone()).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts, view.polls), (State::Completed, 1, 1));
    assert_eq!((view.reason, view.waiting_for), (None, None));
    let content = world.app.store.content(id, "tableofresultids").await.unwrap().unwrap();
    assert_eq!(content.content_type.as_deref(), Some("text/csv"));
    assert_eq!(content.bytes, expected_results("march", &request.data).as_bytes());
    let timeline = world.app.store.timeline(id).await.unwrap();
    let states: Vec<State> = timeline.iter().map(|entry| entry.state).collect();
    assert_eq!(
        states,
        [State::Queued, State::Uploading, State::Processing, State::Collecting, State::Completed]
    );
    let ledger = world.sim.ledger();
    assert_eq!(ledger.names["march"].accepted.len(), 1);
    assert!(!ledger.names["march"].accepted[0].overwrite);
    world.finish().await;
}

#[tokio::test]
async fn the_upload_is_the_canonical_form_and_the_store_has_the_original() {
    let world = World::start(prompt(), &[]).await;
    let row = "march-1,03/03/2025,08:00 ,03/03/2025,16:30";
    let original =
        format!("\u{feff}sep=,\r{row}\r\r,,,,\r\"a\rb\",04/03/2025,08:00,04/03/2025,09:00");
    let request = SubmissionRequest {
        data: original.clone(),
        event_data: Some(
            "march-1,03/03/2025,08:00,03/03/2025,08:30,\" a, b \", 1\n,,,,,,\n".into(),
        ),
        ..dataset("march")
    };
    let id = world.submit(request).await;
    assert_eq!(world.settled(id).await.state, State::Completed);
    let uploaded = "march-1,03/03/2025,08:00,03/03/2025,16:30\r\n\
                    \"a\rb\",04/03/2025,08:00,04/03/2025,09:00\r\n";
    let content = world.app.store.content(id, "tableofresultids").await.unwrap().unwrap();
    assert_eq!(content.bytes, expected_results("march", uploaded).as_bytes());
    assert_eq!(world.sim.ledger().names["march"].accepted[0].data_bytes, uploaded.len() as u64);
    assert_eq!(world.app.store.payload(id).await.unwrap().data, original);
    world.finish().await;
}

#[tokio::test]
async fn feedback_names_the_line_of_the_original() {
    let world = World::start(prompt(), &[]).await;
    let mut request = dataset("bad");
    request.data = request.data.replace("bad-1", ",,,,\n\n,,,,\nUNKNOWN-1");
    let original = request.data.clone();
    let id = world.submit(request).await;
    assert_eq!(world.settled(id).await.state, State::Rejected);
    let feedback = world.app.store.content(id, FEEDBACK_KEY).await.unwrap().unwrap();
    let found = locate(&read(std::str::from_utf8(&feedback.bytes).unwrap()), Some(&original), None);
    let line = original.lines().position(|line| line.starts_with("UNKNOWN")).unwrap() as u64 + 1;
    assert_eq!(found[0].locations.iter().map(|location| location.line).collect::<Vec<_>>(), [line]);
    world.finish().await;
}

#[tokio::test]
async fn a_rejected_dataset_has_its_feedback_and_is_not_uploaded_again() {
    let world = World::start(plain(), &[]).await;
    let mut request = dataset("bad");
    request.data = request.data.replace("bad-1", "UNKNOWN-1");
    let id = world.submit(request).await;
    let view = world.settled(id).await;
    assert_eq!(view.state, State::Rejected);
    assert_eq!(view.reason_code, Some(ReasonCode::DataRejected));
    let feedback = world.app.store.content(id, FEEDBACK_KEY).await.unwrap().unwrap();
    assert_eq!(feedback.bytes, b"2|UNKNOWN-1|unknown reference\n");
    assert_eq!(world.sim.ledger().accepted(), 1);
    world.finish().await;
}

#[tokio::test]
async fn every_result_key_that_was_asked_for_is_fetched() {
    let world = World::start(prompt(), &[]).await;
    let keys = ["tableofresultids".to_owned(), "summary of all & more".to_owned()];
    let request = SubmissionRequest { result_keys: keys.to_vec(), ..dataset("keys") };
    let id = world.submit(request).await;
    let view = world.settled(id).await;
    let stored: Vec<&str> = view.results.iter().map(|stored| stored.key.as_str()).collect();
    assert_eq!(stored, keys);
    let content = world.app.store.content(id, &keys[1]).await.unwrap().unwrap();
    assert_eq!(content.bytes, br#"{"key":"summary of all & more","rows":1}"#);
    world.finish().await;
}

#[tokio::test]
async fn submissions_of_one_name_run_one_after_the_other_in_their_order() {
    let slow = SimConfig { processing: Processing::Fixed(Duration::from_millis(50)), ..prompt() };
    let mut world = World::idle(slow, &[]).await;
    let revision = |n: usize| {
        let rows = "r,01/03/2026,08:00,01/03/2026,09:00\n".repeat(n);
        SubmissionRequest { data: rows, ..overwriting("same") }
    };
    let ids = world.submit_all((1..=4).map(revision)).await;
    let waits = world.look(ids[1]).await.waiting_for;
    assert_eq!(waits, Some(WaitingFor::Predecessor { submission: ids[0] }));
    world.start_workers();
    let mut ends = Vec::new();
    for id in &ids {
        let view = world.settled(*id).await;
        assert_eq!(view.state, State::Completed);
        ends.push(view.finished_at);
    }
    assert!(ends.is_sorted(), "{ends:?}");
    let sizes: Vec<u64> =
        world.sim.ledger().names["same"].accepted.iter().map(|upload| upload.data_bytes).collect();
    assert!(sizes.is_sorted() && sizes.len() == 4, "{sizes:?}");
    world.finish().await;
}

#[tokio::test]
async fn nothing_is_uploaded_before_its_time() {
    let world = World::start(prompt(), &[]).await;
    let not_before = later(world.app.clock.now(), Duration::from_millis(300));
    let id =
        world.submit(SubmissionRequest { not_before: Some(not_before), ..dataset("later") }).await;
    let view = world.look(id).await;
    assert!(matches!(view.waiting_for, Some(WaitingFor::DueTime { .. })), "{view:?}");
    world.settled(id).await;
    let timeline = world.app.store.timeline(id).await.unwrap();
    let uploading = timeline.iter().find(|entry| entry.state == State::Uploading).unwrap();
    assert!(uploading.at >= not_before, "{timeline:?}");
    world.finish().await;
}

#[tokio::test]
async fn at_the_deadline_the_platform_is_asked_once_more_and_then_given_up() {
    let never = SimConfig { processing: Processing::Fixed(Duration::from_hours(1)), ..prompt() };
    let far = [("POLL_INITIAL", "1h"), ("POLL_MAX", "1h")];
    let world = World::start(never, &far).await;
    // A busy machine may be slower than the first of these deadlines: there must be one to wait for.
    let mut growing = Duration::from_millis(400);
    let wait = ferry_testing::Wait::begin("an upload before its deadline");
    let id = loop {
        wait.check();
        let deadline = Some(later(SystemClock.now(), growing));
        let name = format!("slow-{growing:?}");
        let id = world.submit(SubmissionRequest { deadline, ..dataset(&name) }).await;
        world.until(id, |view| view.state == State::Processing || view.state.is_final()).await;
        let timeline = world.app.store.timeline(id).await.unwrap();
        let uploaded = timeline.iter().find(|entry| entry.state == State::Processing);
        if uploaded.is_some_and(|entry| Some(entry.at) < deadline) {
            break id;
        }
        // Meanwhile it may have failed at its deadline.
        let _ = world.app.store.cancel(id).await;
        growing *= 2;
        assert!(growing < Duration::from_mins(1), "{timeline:?}");
    };
    let view = world.settled(id).await;
    assert_eq!((view.state, view.reason_code), (State::Failed, Some(ReasonCode::Deadline)));
    assert_eq!(view.polls, 1, "the last one");
    assert!(view.finished_at.unwrap() >= view.deadline);
    world.finish().await;
}

#[tokio::test]
async fn pauses_between_status_checks_grow_to_their_cap() {
    let slow = SimConfig { processing: Processing::Fixed(Duration::from_millis(700)), ..prompt() };
    let changes = [
        ("POLL_SCHEDULE", "backoff"),
        ("POLL_INITIAL", "20ms"),
        ("POLL_FACTOR", "2"),
        ("POLL_MAX", "160ms"),
    ];
    let world = World::start(slow, &changes).await;
    let id = world.submit(dataset("growing")).await;
    let polls = world.settled(id).await.polls;
    // At most 10+20+40+80+80+… and at least 20+40+80+160+160+… until 700 ms are over.
    assert!((5..=15).contains(&polls), "{polls} polls");
    world.finish().await;
}

#[tokio::test]
async fn a_cancelled_submission_is_asked_about_no_more() {
    let never = SimConfig { processing: Processing::Fixed(Duration::from_hours(1)), ..prompt() };
    let world = World::start(never, &[]).await;
    let id = world.submit(dataset("unwanted")).await;
    world.until(id, |view| view.polls >= 2).await;
    world.app.store.cancel(id).await.unwrap();
    let view = world.until(id, |view| view.state.is_final()).await;
    assert_eq!((view.state, view.reason_code), (State::Cancelled, Some(ReasonCode::Operator)));
    let polls = world.sim.ledger().polls();
    // Another one travels on meanwhile: the worker is not stuck.
    world.until(world.submit(dataset("wanted")).await, |view| view.polls >= 2).await;
    assert_eq!(world.sim.ledger().names["unwanted"].polls_before_ready, polls);
    world.app.shutdown.drain();
    world.finish().await;
}
