//! Submissions as they are at the end.

use super::*;
use crate::trace::Answer;

/// A trace of one submission that was accepted and ended so.
fn ending(last: Option<Last>) -> Trace {
    let states = last.iter().flat_map(|last| last.events.clone());
    let seen = states.map(|state| Event::Changed {
        of: 0,
        state,
        ambiguous: false,
        token: (state == State::Completed).then(|| "token".to_owned()),
        why: String::new(),
    });
    let counts = last.iter().map(|last| ((0, last.state), 1)).collect();
    let (status, token) = (Some(200), Some("token".to_owned()));
    let stored = Event::Arrived { request: 1, status, effect: Effect::Stored, token };
    let upload = vec![Event::Accepted(0), claimed(1, 1, false), sent(1, 1), stored];
    let accepted = trace([upload, seen.collect()].concat());
    Trace { last: vec![last, None], counts, ..accepted }
}

fn failed() -> Last {
    last(State::Failed)
}

#[test]
fn a_lost_an_unfinished_and_a_wrongly_completed_submission_are_found() {
    assert_eq!(broken(&ending(Some(failed()))), [""; 0]);
    assert_eq!(broken(&ending(None)), ["Kept"]);
    assert_eq!(broken(&ending(Some(last(State::Held)))), ["Settles"]);
    assert_eq!(broken(&ending(Some(Last { is_due: true, ..failed() }))), ["Settles"]);
    let states = || {
        use State::{Collecting, Completed, Processing, Queued, Uploading};
        vec![Queued, Uploading, Processing, Collecting, Completed]
    };
    let completed = |results| {
        let last = Last { events: states(), timeline: states(), ..last(State::Completed) };
        broken(&ending(Some(Last { results, ..last })))
    };
    let result = |stored: Option<&str>| {
        let stored = stored.map(|text| text.as_bytes().to_vec());
        [("table".to_owned(), (stored, b"rows".to_vec()))].into()
    };
    assert_eq!(completed(result(Some("rows"))), [""; 0]);
    assert_eq!(completed(result(Some("others"))), ["Completed"]);
    assert_eq!(completed(result(None)), ["Completed"]);
    let last = Last { events: states(), timeline: states(), ..last(State::Completed) };
    let mut of_another = ending(Some(last.clone()));
    of_another.entries.remove(3);
    assert_eq!(broken(&of_another), ["Completed"], "the Platform has no such dataset");
    let mut invalid = ending(Some(last));
    invalid.facts[0].is_valid = false;
    assert_eq!(broken(&invalid), ["Completed"]);
}

#[test]
fn events_timeline_counts_and_states_that_do_not_agree_are_found() {
    let events = vec![State::Queued, State::Held];
    assert_eq!(broken(&ending(Some(Last { events, ..failed() }))), ["Lifecycle"]);
    let timeline = vec![State::Queued, State::Held];
    assert_eq!(broken(&ending(Some(Last { timeline, ..failed() }))), ["Lifecycle"]);
    let illegal = vec![State::Queued, State::Completed, State::Failed];
    let illegal = Last { events: illegal.clone(), timeline: illegal, ..failed() };
    assert_eq!(broken(&ending(Some(illegal))), ["Lifecycle"]);
    let uncounted = Trace { counts: BTreeMap::new(), ..ending(Some(failed())) };
    assert_eq!(broken(&uncounted), ["Lifecycle"]);
    let mut unseen = ending(Some(failed()));
    unseen.entries.pop();
    assert_eq!(broken(&unseen), ["Lifecycle"]);
}

#[test]
fn an_outcome_that_no_receiver_knows_is_found() {
    let ending_with = |says_unsent, events: &[Event]| {
        let mut trace = ending(Some(Last { says_undelivered: says_unsent, ..failed() }));
        trace.facts[0].has_webhook = true;
        for event in events {
            let (at, event) = (Duration::from_secs(9), event.clone());
            trace.entries.push(Entry { at, event, is_undone: false });
        }
        broken(&trace)
    };
    let learns = |state| Event::Delivered { of: 0, state };
    assert_eq!(ending_with(false, &[]), ["Delivered"]);
    assert_eq!(ending_with(true, &[]), [""; 0]);
    assert_eq!(ending_with(false, &[learns(State::Failed)]), [""; 0]);
    assert_eq!(ending_with(true, &[learns(State::Rejected)]), ["Delivered"]);
    assert_eq!(ending_with(true, &[learns(State::Queued)]), ["Delivered"]);
    let again = [learns(State::Failed), changed(0, State::Queued), changed(0, State::Failed)];
    assert!(ending_with(false, &again).contains(&"Delivered"), "the second outcome is another one");
}

#[test]
fn answers_about_one_key_that_do_not_agree_are_found() {
    let submitted = |is_own, answer| Event::Submitted { of: 0, is_own, answer: Some(answer) };
    let answers = |second| broken(&trace(vec![submitted(true, Answer::New(0)), second]));
    assert_eq!(answers(submitted(true, Answer::Duplicate(0))), [""; 0]);
    assert_eq!(answers(submitted(false, Answer::Conflict(0))), [""; 0]);
    assert_eq!(answers(submitted(true, Answer::Duplicate(1))), ["Keys"]);
    assert_eq!(answers(submitted(true, Answer::New(1))), ["Keys"]);
    assert_eq!(answers(submitted(true, Answer::Conflict(0))), ["Keys"]);
    assert_eq!(answers(submitted(false, Answer::Duplicate(0))), ["Keys"]);
}
