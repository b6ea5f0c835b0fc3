//! Claims, commits and uploads.

use ferry_types::domain::submission::OperatorAction;

use super::*;

#[test]
fn two_commits_of_a_claim_and_one_of_an_older_claim_are_found() {
    let twice = vec![claimed(1, 1, false), committed(1, 1), committed(1, 1)];
    assert_eq!(broken(&trace(twice)), ["OneCommit"]);
    let older = vec![claimed(1, 1, false), claimed(2, 2, true), committed(1, 1)];
    assert_eq!(broken(&trace(older)), ["OneCommit"]);
    assert_eq!(broken(&trace(vec![committed(1, 1)])), ["OneCommit"]);
}

#[test]
fn a_claim_that_the_store_forgot_counts_no_more() {
    let mut forgotten = trace(vec![claimed(1, 1, false), committed(1, 1), committed(1, 1)]);
    forgotten.entries[1].is_undone = true;
    assert_eq!(broken(&forgotten), [""; 0]);
}

#[test]
fn a_second_upload_is_accepted_only_under_an_ambiguous_claim() {
    let second = |ambiguous| {
        let (first, again) = (arrived(1, Effect::Stored, 200), arrived(2, Effect::Nothing, 409));
        let again = [claimed(2, 2, ambiguous), sent(2, 2), again];
        trace([vec![claimed(1, 1, false), sent(1, 1), first], again.to_vec()].concat())
    };
    assert_eq!(broken(&second(true)), [""; 0]);
    assert_eq!(broken(&second(false)), ["OneUpload"]);
}

#[test]
fn a_sixth_claim_without_a_commit_is_found() {
    let claims = |count| (0..count).map(|claim| claimed(1, claim, true)).collect::<Vec<_>>();
    assert_eq!(broken(&trace(claims(5))), [""; 0]);
    assert_eq!(broken(&trace(claims(6))), ["Poison"]);
    let between = |event| trace([claims(5), vec![event], claims(5)].concat());
    assert_eq!(broken(&between(Event::Operated(0, OperatorAction::Retry))), [""; 0]);
    assert_eq!(broken(&between(Event::Operated(0, OperatorAction::Cancel))), ["Poison"]);
}

#[test]
fn a_fifth_step_within_a_second_of_the_calm_is_found() {
    let steps = |count| {
        let mut steps = trace(vec![Event::Calm]);
        let poll = LeaseFacts { kind: StepKind::Poll, claim: 1 };
        for claim in 0..count {
            let (worker, of, ambiguous) = (1, 0, false);
            let event = Event::Claimed { worker, of, lease: poll, ambiguous, requests: 1 };
            let at = Duration::from_millis(100 * claim);
            steps.entries.push(Entry { at, event, is_undone: false });
            let event = committed(1, 1);
            let event = match event {
                Event::Committed { worker, of, outcome, signal, .. } => {
                    Event::Committed { worker, of, lease: poll, outcome, signal }
                }
                other => other,
            };
            steps.entries.push(Entry { at, event, is_undone: false });
        }
        steps
    };
    assert_eq!(broken(&steps(4)), [""; 0]);
    assert_eq!(broken(&steps(5)), ["Settles"]);
    // A step and its commit are two entries, after the first one.
    let resolved_after_three = |count| {
        let mut steps = steps(count);
        let event = Event::Operated(0, OperatorAction::ResolveRetry);
        let at = Duration::from_millis(250);
        steps.entries.insert(7, Entry { at, event, is_undone: false });
        steps
    };
    assert_eq!(broken(&resolved_after_three(7)), [""; 0]);
    assert_eq!(broken(&resolved_after_three(8)), ["Settles"]);
}
