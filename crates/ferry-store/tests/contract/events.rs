//! Each change of a state is one event, in its order, until retention removes it.

use ferry_store::Event;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::Resolution;
use ferry_types::domain::submission::{ReasonCode, State, StepKind};

use super::subject::{DAY, Subject, millis, new, on};
use super::transitions as t;

async fn events(subject: &Subject) -> Vec<Event> {
    subject.store.events(0, 1000).await.unwrap().events
}

/// Returns the states of one submission in the order of its events, with their reasons.
async fn states_of(subject: &Subject, id: SubmissionId) -> Vec<(State, Option<ReasonCode>)> {
    let of_this = |event: &Event| event.submission == id;
    let events = events(subject).await.into_iter().filter(of_this);
    events.map(|event| (event.state, event.reason)).collect()
}

pub(super) async fn every_change_of_a_state_is_an_event_in_its_order(subject: Subject) {
    let name = "März 2026, 1st\0";
    let id = subject.accept(on("an account", new(name))).await;
    subject.advance(millis(5)).await;
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    // A step that changes no state appends no event.
    subject.step(StepKind::Poll, t::pending(millis(0))).await;
    let claim = subject.claim_one(StepKind::Poll).await;
    subject.store.release(vec![claim]).await.unwrap();
    subject.step(StepKind::Poll, t::decided()).await;
    subject.step(StepKind::Collect, t::rejected()).await;
    let events = events(&subject).await;
    let states: Vec<_> = events.iter().map(|event| (event.state, event.reason)).collect();
    let feedback = (State::Rejected, Some(ReasonCode::DataRejected));
    let silent = [State::Queued, State::Uploading, State::Processing, State::Collecting];
    assert_eq!(states[..4], silent.map(|state| (state, None)));
    assert_eq!(states[4..], [feedback]);
    for (event, before) in events.iter().skip(1).zip(&events) {
        assert!(event.cursor > before.cursor, "{event:?}");
    }
    let last = events.last().unwrap();
    assert_eq!((last.submission, &*last.account, &*last.name), (id, "an account", name));
    assert_eq!(last.at, subject.get(id).await.updated_at);
    assert_eq!(events[0].at, subject.get(id).await.created_at);
}

pub(super) async fn changes_by_operators_and_lost_workers_are_events(subject: Subject) {
    let operator = Some(ReasonCode::Operator);
    let cancelled = subject.accept(new("cancelled")).await;
    subject.store.cancel(cancelled).await.unwrap();
    assert_eq!(states_of(&subject, cancelled).await[1..], [(State::Cancelled, operator)]);
    let failed = subject.accept(new("failed")).await;
    subject.bring_to(State::Failed).await;
    subject.store.retry(failed, DAY).await.unwrap();
    subject.step(StepKind::Upload, t::held()).await;
    subject.store.resolve(failed, Resolution::Fail, DAY).await.unwrap();
    assert_eq!(
        states_of(&subject, failed).await[2..],
        [
            (State::Failed, Some(ReasonCode::Deadline)),
            (State::Queued, operator),
            (State::Uploading, operator),
            (State::Held, Some(ReasonCode::AlreadyExists)),
            (State::Failed, operator),
        ]
    );
    let lost = subject.accept(new("lost")).await;
    subject.bring_to(State::Uploading).await;
    subject.lose_workers().await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.store.cancel(lost).await.unwrap();
    subject.store.release(vec![claim]).await.unwrap();
    let ambiguous = Some(ReasonCode::Ambiguous);
    assert_eq!(
        states_of(&subject, lost).await[1..],
        [
            (State::Uploading, None),
            (State::Queued, ambiguous),
            (State::Uploading, ambiguous),
            (State::Cancelled, operator),
        ]
    );
}

pub(super) async fn a_reader_that_continues_misses_no_event_and_reads_none_twice(subject: Subject) {
    let ids = subject.accept_all((0..25).map(|n| new(&format!("{n}")))).await;
    let another = subject.another().await;
    let (mut after, mut seen) = (0, Vec::new());
    let wait = ferry_testing::Wait::begin("the last event");
    loop {
        wait.check();
        let page = another.events(after, 10).await.unwrap();
        assert!(page.events.len() <= 10);
        assert_eq!(page.newest, 25);
        let Some(last) = page.events.last() else { break };
        after = last.cursor;
        seen.extend(page.events.iter().map(|event| event.submission));
    }
    assert_eq!(seen, ids);
    // A reader may ask for the end with a cursor that no event has yet.
    for (after, limit) in [(after, 0), (after + 1, 10), (u64::MAX, 0), (u64::MAX, 10)] {
        let page = another.events(after, limit).await.unwrap();
        assert_eq!((page.events.len(), page.newest), (0, 25), "after {after}");
    }
    // A batch with an error appends no event.
    let again = subject.store.accept(vec![new("more"), taken(ids[0])]).await;
    assert!(again.is_err());
    assert_eq!(another.events(after, 10).await.unwrap().events, []);
    subject.store.cancel(ids[3]).await.unwrap();
    let page = another.events(after, 10).await.unwrap();
    assert_eq!(page.events.len(), 1);
    assert_eq!((page.events[0].submission, page.newest), (ids[3], after + 1));
}

fn taken(id: SubmissionId) -> ferry_store::NewSubmission {
    ferry_store::NewSubmission { id, ..new("other content") }
}

pub(super) async fn old_events_are_removed_and_a_reader_can_detect_it(subject: Subject) {
    let empty = subject.store.events(0, 10).await.unwrap();
    assert_eq!((empty.events.len(), empty.oldest, empty.newest), (0, 0, 0));
    subject.accept_all([new("a"), new("b"), new("c")]).await;
    subject.advance(DAY).await;
    subject.store.sweep(DAY).await.unwrap();
    assert_eq!(events(&subject).await.len(), 3, "not yet");
    subject.accept(new("d")).await;
    subject.advance(millis(1)).await;
    subject.store.sweep(DAY).await.unwrap();
    let page = subject.store.events(1, 10).await.unwrap();
    assert_eq!((page.oldest, page.newest), (3, 4));
    assert_eq!(page.events.iter().map(|event| event.cursor).collect::<Vec<_>>(), [4]);
    // The last one stays, so that the next is found after it.
    subject.advance(DAY * 2).await;
    subject.store.sweep(DAY).await.unwrap();
    subject.accept(new("e")).await;
    let page = subject.store.events(4, 10).await.unwrap();
    assert_eq!((page.oldest, page.newest, page.events[0].cursor), (3, 5, 5));
}
