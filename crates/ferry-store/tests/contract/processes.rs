//! A store lists the processes that use it by their heartbeats, which touch nothing else.

use std::time::Duration;

use ferry_store::{MOST_PROCESSES, SILENT_LISTED};
use ferry_types::domain::submission::StepKind;
use ferry_types::domain::{Heartbeat, ProcessRole, Slots};

use super::subject::{Subject, millis, new};

fn heartbeat(id: &str) -> Heartbeat {
    Heartbeat {
        id: id.to_owned(),
        roles: vec![ProcessRole::Worker],
        version: "0.1.0".to_owned(),
        host: "ward-7 \"ö\"".to_owned(),
        pid: 77,
        interval_seconds: 5,
        slots: [(StepKind::Upload, Slots { slots: 64, running: 3 })].into(),
        accounts: vec!["main".to_owned()],
        ..Heartbeat::default()
    }
}

async fn listed(subject: &Subject) -> Vec<String> {
    let processes = subject.store.processes().await.unwrap();
    assert_eq!(processes.damaged, []);
    processes.found.into_iter().map(|process| process.heartbeat.id).collect()
}

pub(super) async fn every_process_sees_the_last_heartbeat_of_each(subject: Subject) {
    assert!(listed(&subject).await.is_empty());
    let another = subject.another().await;
    subject.store.beat(heartbeat("a")).await.unwrap();
    subject.advance(millis(1000)).await;
    let last = Heartbeat { uptime_seconds: 9, is_stopping: true, ..heartbeat("b") };
    another.beat(heartbeat("b")).await.unwrap();
    another.beat(last.clone()).await.unwrap();
    let beaten_at = subject.wall_clock();
    subject.advance(millis(500)).await;
    let processes = subject.store.processes().await.unwrap().found;
    let [newest, oldest] = &processes[..] else { panic!("two: {processes:?}") };
    assert_eq!((&newest.heartbeat, newest.at, newest.age), (&last, beaten_at, millis(500)));
    assert_eq!((&oldest.heartbeat, oldest.age), (&heartbeat("a"), millis(1500)));
    // From then on a process on a machine that compared no clocks knows of a step.
    subject.advance(millis(7000)).await;
    another.beat(last).await.unwrap();
    subject.step_clock(3_600_000).await;
    let stepped = &another.processes().await.unwrap().found[0];
    assert!(stepped.age < Duration::from_mins(1), "a step of the clock silences none: {stepped:?}");
}

pub(super) async fn a_process_that_ends_is_listed_no_longer(subject: Subject) {
    for id in ["a", "b"] {
        subject.store.beat(heartbeat(id)).await.unwrap();
    }
    subject.another().await.end_process("a").await.unwrap();
    subject.store.end_process("unknown").await.unwrap();
    assert_eq!(listed(&subject).await, ["b"]);
}

pub(super) async fn a_process_that_is_silent_for_long_is_forgotten(subject: Subject) {
    subject.store.beat(heartbeat("silent")).await.unwrap();
    subject.advance(SILENT_LISTED).await;
    subject.store.beat(heartbeat("alive")).await.unwrap();
    assert_eq!(listed(&subject).await, ["alive", "silent"], "not yet");
    subject.advance(millis(1)).await;
    subject.store.beat(heartbeat("alive")).await.unwrap();
    assert_eq!(listed(&subject).await, ["alive"]);
}

pub(super) async fn of_many_processes_those_with_the_newest_heartbeats_are_listed(
    subject: Subject,
) {
    for n in 0..MOST_PROCESSES + 3 {
        subject.advance(millis(1)).await;
        subject.store.beat(heartbeat(&format!("{n}"))).await.unwrap();
    }
    let listed = listed(&subject).await;
    assert_eq!(listed.len(), MOST_PROCESSES);
    assert_eq!((&*listed[0], &*listed[MOST_PROCESSES - 1]), ("502", "3"));
}

pub(super) async fn a_heartbeat_touches_no_submission_and_is_no_event(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let before = (subject.get(id).await, subject.store.stats().await.unwrap());
    subject.store.beat(heartbeat("a")).await.unwrap();
    assert_eq!((subject.get(id).await, subject.store.stats().await.unwrap()), before);
    let events = subject.store.events(0, 10).await.unwrap().events;
    assert_eq!(events.len(), 1, "that of the submission: {events:?}");
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, id);
}
