//! Uploads of one name: order, permission to overwrite, rejections.

use ferry_types::domain::submission::{OperatorAction, Resolution};

use super::*;

fn accepted() -> Vec<Event> {
    vec![
        Event::Accepted(0),
        changed(0, State::Queued),
        Event::Accepted(1),
        changed(1, State::Queued),
    ]
}

/// A trace in which both submissions were accepted, and are there at the end.
fn both(events: Vec<Event>) -> Vec<&'static str> {
    let trace = trace([accepted(), events].concat());
    // What becomes of them is not what these are about.
    let others = ["Kept", "Settles", "Lifecycle"];
    broken(&trace).into_iter().filter(|name| !others.contains(name)).collect()
}

#[test]
fn a_request_before_the_earlier_submission_of_its_name_is_final_is_found() {
    let upload = [claimed_of(1, 1, 1, false), sent_of(1, 1, 1)];
    let after = |state| both([vec![changed(0, state)], upload.to_vec()].concat());
    assert_eq!(after(State::Cancelled), [""; 0]);
    assert_eq!(after(State::Held), ["NameOrder"]);
    let poll = |state| {
        let (request, worker, account, of) = (2, 1, 0, Some(1));
        let poll = Event::Sent { request, worker, account, endpoint: Endpoint::Status, of };
        let lease = LeaseFacts { kind: StepKind::Poll, claim: 1 };
        let claimed = Event::Claimed { worker, of: 1, lease, ambiguous: false, requests: 1 };
        both(vec![changed(1, state), claimed, poll])
    };
    assert_eq!(poll(State::Processing), ["NameOrder"]);
    assert_eq!(poll(State::Failed), [""; 0], "it is fetched again");
    let mut elsewhere = trace([accepted(), upload.to_vec()].concat());
    elsewhere.facts[1].account = 1;
    assert!(!broken(&elsewhere).contains(&"NameOrder"));
}

#[test]
fn an_upload_that_takes_effect_after_a_later_one_has_begun_is_found() {
    let late = |first, then: [Event; 3]| {
        let ended = vec![claimed(1, 1, false), sent(1, 1), changed(0, State::Cancelled)];
        both([vec![first], ended, then.to_vec()].concat())
    };
    let begun = [claimed_of(1, 2, 2, false), sent_of(1, 2, 2)];
    let overtaken = [begun[0].clone(), begun[1].clone(), arrived(1, Effect::Stored, 200)];
    assert_eq!(late(Event::Calm, overtaken), ["NameOrder"]);
    let in_order = [arrived(1, Effect::Stored, 200), begun[0].clone(), begun[1].clone()];
    assert_eq!(late(Event::Calm, in_order), [""; 0]);
}

#[test]
fn a_dataset_is_replaced_only_with_permission() {
    let replaces = |before: Vec<Event>| {
        let upload =
            vec![claimed(1, 1, true), sent(1, 1), arrived(1, Effect::ReplacedForeign, 200)];
        trace([before, upload].concat())
    };
    assert_eq!(broken(&replaces(Vec::new())), ["Overwrite"]);
    let resolution = |resolution| vec![Event::Operated(0, OperatorAction::resolve(resolution))];
    assert_eq!(broken(&replaces(resolution(Resolution::Overwrite))), [""; 0]);
    assert_eq!(broken(&replaces(resolution(Resolution::Retry))), ["Overwrite"]);
    let mut asked = replaces(Vec::new());
    asked.facts[0].overwrite = true;
    assert_eq!(broken(&asked), [""; 0]);
    // By policy only after an upload that was sent.
    let mut by_policy = replaces(vec![claimed(1, 0, false), sent(0, 1)]);
    by_policy.policy_overwrites = true;
    assert_eq!(broken(&by_policy), [""; 0]);
    let mut unsent = replaces(vec![claimed(1, 0, false)]);
    unsent.policy_overwrites = true;
    assert_eq!(broken(&unsent), ["Overwrite"]);
}

#[test]
fn a_dataset_that_replaces_a_later_one_is_found() {
    let upload = |of, request, effect| {
        let claim = request as usize;
        let arrived = arrived(request, effect, 200);
        vec![claimed_of(of, 1, claim, true), sent_of(of, request, 1), arrived]
    };
    let of_both = |first, second, later| {
        let uploads = [upload(first, 1, Effect::Stored), upload(second, 2, Effect::Replaced)];
        let over = [changed(0, State::Failed), changed(1, later)];
        let mut trace = trace([accepted(), over.to_vec(), uploads.concat()].concat());
        trace.facts.iter_mut().for_each(|fact| fact.overwrite = true);
        broken(&trace).contains(&"Overwrite")
    };
    for later in [State::Completed, State::Failed, State::Cancelled] {
        assert!(!of_both(0, 1, later));
        assert!(of_both(1, 0, later));
    }
    assert!(!of_both(1, 0, State::Rejected));
}

#[test]
fn the_state_rejected_needs_a_rejection_that_is_not_about_an_unknown_upload() {
    let rejected = changed(0, State::Rejected);
    let conflict = arrived(2, Effect::Nothing, 409);
    let rejection =
        [claimed(1, 2, true), sent(2, 1), conflict, read(2, Some(409)), rejected.clone()];
    assert_eq!(broken(&trace(rejection.to_vec())), [""; 0]);
    let unknown = vec![claimed(1, 1, true), sent(1, 1), arrived(1, Effect::Stored, 200)];
    assert_eq!(broken(&trace([unknown, rejection.to_vec()].concat())), ["Rejected"]);
    assert_eq!(broken(&trace(vec![claimed(1, 1, false), rejected])), ["Rejected"]);
}

#[test]
fn a_verdict_on_a_dataset_that_is_valid_is_found() {
    let verdict = |is_valid| {
        let (of, state, token) = (0, State::Rejected, Some("token".to_owned()));
        let rejected = Event::Changed { of, state, ambiguous: false, token, why: String::new() };
        let mut trace = trace(vec![rejected]);
        trace.facts[0].is_valid = is_valid;
        broken(&trace)
    };
    assert_eq!(verdict(false), [""; 0]);
    assert_eq!(verdict(true), ["Rejected"]);
}
