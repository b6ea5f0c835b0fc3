//! Counts, timelines, waiting and deliveries of a submission, each as a fact.

use super::*;
use crate::domain::account::{Health, HealthPolicy};
use crate::domain::limits::LimitUsage;

fn again(kind: StepKind, code: Option<ReasonCode>) -> Transition {
    let reason = code.map(|code| Reason::new(code, "why"));
    Transition { reason, ..Transition::to(Next::step(kind, Duration::ZERO)) }
}

#[test]
fn an_upload_counts_when_it_is_claimed_unless_nothing_was_sent() {
    let mut submission = Submission::from(parts(State::Queued, false));
    for (attempt_spent, after) in [(false, 0), (true, 1), (false, 1), (true, 2)] {
        let before = submission.upload_attempts;
        submission.claim(LEASE, timestamp(1)).unwrap();
        assert_eq!(submission.upload_attempts, before + 1);
        let transition = Transition { attempt_spent, ..again(StepKind::Upload, None) };
        submission.apply(&transition, timestamp(2)).unwrap();
        assert_eq!(submission.upload_attempts, after);
    }
}

#[test]
fn a_reason_lengthens_the_timeline_when_it_is_new() {
    let (transient, throttled) = (ReasonCode::Transient, ReasonCode::Throttled);
    let mut uploading = Submission::from(parts(State::Queued, false));
    let mut refetching = uploaded(State::Completed, None);
    refetching.refetch(DAY, timestamp(0)).unwrap();
    for (submission, kind) in
        [(&mut uploading, StepKind::Upload), (&mut refetching, StepKind::Collect)]
    {
        for (code, is_new) in [(transient, true), (transient, false), (throttled, true)] {
            submission.claim(LEASE, timestamp(1)).unwrap();
            let entry = submission.apply(&again(kind, Some(code)), timestamp(2)).unwrap();
            assert_eq!(entry.is_some(), is_new, "{kind} {code}");
        }
    }
}

#[test]
fn a_poll_is_counted_and_only_a_new_state_or_reason_is_in_the_timeline() {
    let step = Some(StepKind::Poll);
    let mut submission =
        Submission::from(SubmissionParts { step, ..parts(State::Processing, false) });
    for (next, polls, is_new) in
        [(StepKind::Poll, 1, false), (StepKind::Poll, 2, false), (StepKind::Collect, 3, true)]
    {
        submission.claim(LEASE, timestamp(1)).unwrap();
        let transition = Transition { polled: true, ..again(next, None) };
        let entry = submission.apply(&transition, timestamp(2)).unwrap();
        assert_eq!((submission.polls, entry.is_some()), (polls, is_new));
    }
}

#[test]
fn only_a_verdict_settles_the_mark_of_a_submission() {
    let token = Some("token");
    let own = Some(NameEffect::SettlesOwn);
    for (before, after, token, effect) in [
        (State::Processing, State::Collecting, token, own),
        (State::Collecting, State::Completed, token, own),
        (State::Collecting, State::Rejected, token, own),
        (State::Uploading, State::Rejected, None, None),
        (State::Processing, State::Held, token, None),
        (State::Rejected, State::Rejected, token, None),
    ] {
        let found = at(after, false, token).effect_on_name(&at(before, false, token));
        assert_eq!(found, effect, "{before} {after}");
    }
}

#[test]
fn the_next_of_a_name_has_its_turn_at_its_own_time() {
    for (due, turn) in [(0, 5), (9, 9)] {
        let parts = parts(State::Queued, false);
        let due_at = Some(timestamp(due));
        let mut next = Submission::from(SubmissionParts { has_predecessor: true, due_at, ..parts });
        next.follow(timestamp(5));
        assert_eq!((next.has_predecessor, next.due_at), (false, Some(timestamp(turn))));
    }
}

#[test]
fn an_operator_overwrites_with_an_upload_alone() {
    let held =
        |step| Submission::from(SubmissionParts { step: Some(step), ..parts(State::Held, false) });
    let mut upload = held(StepKind::Upload);
    upload.resolve(Resolution::Overwrite, DAY, timestamp(1)).unwrap();
    assert!(upload.overwrite && upload.state == State::Queued);
    let mut poll = held(StepKind::Poll);
    let failed = poll.resolve(Resolution::Overwrite, DAY, timestamp(1));
    assert_eq!(failed, Err(LifecycleError::NothingToOverwrite { id: poll.id }));
}

#[test]
fn results_are_one_request_each_and_all_else_is_one() {
    let result_keys = vec!["a".to_owned(), "b".to_owned()];
    let known = SubmissionParts { result_keys, ..parts(State::Collecting, false) };
    let rejected = SubmissionParts { rejection: Some("failed".to_owned()), ..known.clone() };
    let counts = |parts: SubmissionParts| {
        let submission = Submission::from(parts);
        StepKind::ALL.map(|kind| submission.requests(kind))
    };
    assert_eq!((counts(known), counts(rejected)), ([1, 1, 2, 0], [1, 1, 1, 0]));
    assert_eq!(StepKind::ALL.map(StepKind::calls_platform), [true, true, true, false]);
}

#[test]
fn a_delivery_ends_with_nothing_due_and_a_receiver_that_is_gone_gets_none() {
    let delivery = |result| Delivery { at: timestamp(2), attempt: 1, result, status: None };
    let delivered = delivery(DeliveryResult::Delivered);
    let mut submission = uploaded(State::Completed, None);
    submission.redeliver(timestamp(1)).unwrap();
    submission.claim(LEASE, timestamp(1)).unwrap();
    let next = Next::Delivery { delivery: delivered, again: None };
    submission.apply(&Transition::to(next), timestamp(2)).unwrap();
    assert_eq!((submission.step, submission.due_at), (None, None));
    // What was delivered is not delivered again for a refetch that brought nothing.
    submission.refetch(DAY, timestamp(3)).unwrap();
    submission.claim(LEASE, timestamp(4)).unwrap();
    submission.apply(&Transition::to(Next::End(Outcome::Failed)), timestamp(5)).unwrap();
    assert_eq!((submission.step, submission.due_at), (None, None));
    let webhook = Some(Webhook { gone: true, ..Webhook::new("https://example.com/hook") });
    let mut gone = Submission::from(SubmissionParts { webhook, ..parts(State::Queued, false) });
    gone.cancel(timestamp(1)).unwrap();
    assert_eq!((gone.step, gone.due_at), (None, None));
}

#[test]
fn what_has_ended_before_has_no_effect_on_its_name() {
    let failed = at(State::Failed, true, None);
    assert_eq!(failed.effect_on_name(&failed), None);
}

#[test]
fn a_step_waits_until_its_due_time_and_for_a_late_upload_and_then_for_a_worker() {
    let other = SubmissionId::new(timestamp(0), 99);
    let waiting = |submission: &Submission, now| {
        let (health, policy) = (Health::default(), HealthPolicy::default());
        submission.waiting_for(&Surroundings {
            first_of_name: None,
            late: Some(LateUpload { of: other, until: timestamp(7) }),
            health: &health,
            limit_usage: &LimitUsage::default(),
            policy: &policy,
            now: timestamp(now),
        })
    };
    let due_at = Some(timestamp(5));
    let mut queued = Submission::from(SubmissionParts { due_at, ..parts(State::Queued, false) });
    let step = StepKind::Upload;
    for now in [4, 5, 6] {
        assert_eq!(waiting(&queued, now), Some(WaitingFor::DueTime { at: timestamp(7), step }));
    }
    for now in [7, 8] {
        assert_eq!(waiting(&queued, now), Some(WaitingFor::Worker { step }));
    }
    queued.claim(LEASE, timestamp(8)).unwrap();
    assert_eq!(waiting(&queued, 8), None);
    let held = Submission::from(parts(State::Held, false));
    assert_eq!(waiting(&held, 6), Some(WaitingFor::Resolution));
}

#[test]
fn a_last_request_has_the_beginning_of_its_response() {
    let kept = |response: &str| LastRequest::new(timestamp(0), StepKind::Poll, response).response;
    assert_eq!(kept("processing"), "processing");
    assert_eq!(kept(&"é".repeat(64)), "é".repeat(64));
    assert_eq!(kept(&"é".repeat(65)), "é".repeat(63) + "…");
}
