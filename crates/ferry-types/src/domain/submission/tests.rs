//! Rules that hold for every submission, whatever happens to it.

mod counts;
mod late;
mod processing;

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::account::Signal;
use crate::domain::outcome::Content;
use crate::domain::{SubmissionId, Timestamp, later, timestamp};

const LEASE: Duration = Duration::from_secs(15);
const DAY: Duration = Duration::from_hours(24);

/// Something that happens to a submission.
#[derive(Debug, Clone)]
enum Event {
    /// A worker takes the step that is due.
    Claim,
    /// The worker gives it back.
    Release,
    /// The lease runs out.
    Rescue,
    Cancel,
    Retry(SameName),
    Resolve(Resolution),
    Redeliver,
    Refetch,
    /// The one that it waited for has ended.
    Follow,
    /// A step decides, sensibly or not.
    Apply(Box<Transition>),
}

fn event() -> impl Strategy<Value = Event> {
    let resolutions = [Resolution::Overwrite, Resolution::Retry, Resolution::Fail];
    let other = || option::of(Just(SubmissionId::new(timestamp(0), 2)));
    let same_name =
        (other(), other(), other()).prop_map(|(predecessor, newer_unfinished, newer_uploaded)| {
            SameName { predecessor, newer_unfinished, newer_uploaded }
        });
    prop_oneof![
        6 => Just(Event::Claim),
        1 => Just(Event::Release),
        2 => Just(Event::Rescue),
        1 => Just(Event::Cancel),
        2 => same_name.prop_map(Event::Retry),
        2 => select(resolutions.to_vec()).prop_map(Event::Resolve),
        1 => Just(Event::Redeliver),
        2 => Just(Event::Refetch),
        1 => Just(Event::Follow),
        8 => transition().prop_map(|one| Event::Apply(Box::new(one))),
    ]
}

fn next() -> impl Strategy<Value = Next> {
    let outcomes = [Outcome::Completed, Outcome::Rejected, Outcome::Failed];
    let step = (select(&StepKind::ALL[..]), 0..u64::MAX);
    let delivery = (select(&DeliveryResult::ALL[..]), option::of(0..100_000_u64));
    prop_oneof![
        4 => step.prop_map(|(kind, millis)| Next::step(kind, Duration::from_millis(millis))),
        1 => Just(Next::Held),
        2 => select(outcomes.to_vec()).prop_map(Next::End),
        1 => delivery.prop_map(|(result, again)| Next::Delivery {
            delivery: Delivery { at: timestamp(0), attempt: 1, result, status: None },
            again: again.map(Duration::from_millis),
        }),
    ]
}

fn transition() -> impl Strategy<Value = Transition> {
    let reason = option::of(select(&ReasonCode::ALL[..]).prop_map(|code| Reason::new(code, "why")));
    let facts = (any::<bool>(), any::<bool>(), any::<u32>(), any::<bool>());
    let words = (option::of("[a-z]{3}"), option::of("[a-z]{3}"));
    let deadline = option::of((0..5000_i64).prop_map(timestamp));
    (next(), reason, facts, words, deadline, any::<bool>()).prop_map(
        |(
            next,
            reason,
            (attempt_spent, polled, failures, upload_ambiguous),
            words,
            deadline,
            has_content,
        )| {
            let content = Content { content_type: None, bytes: vec![1, 2, 3] };
            let pending_ms = Some(failures.into());
            Transition {
                next,
                reason,
                attempt_spent,
                polled,
                failures,
                lasting: Lasting { weight: failures, waited_ms: failures.into() },
                upload_ambiguous,
                processing_token: words.0,
                rejection: words.1,
                processing: polled.then(|| Processing { pending_ms, ..Processing::default() }),
                last_request: polled.then(|| LastRequest::new(timestamp(7), StepKind::Poll, "no")),
                deadline,
                contents: has_content.then(|| ("key".to_owned(), content)).into_iter().collect(),
                signal: Signal::None,
            }
        },
    )
}

fn parts(state: State, webhook: bool) -> SubmissionParts {
    let id = SubmissionId::new(timestamp(0), 1);
    SubmissionParts {
        state,
        finished_at: state.is_final().then_some(timestamp(0)),
        deadline: timestamp(1000),
        step: (!state.is_final()).then_some(StepKind::Upload),
        due_at: (!state.is_final() && state != State::Held).then_some(timestamp(0)),
        webhook: webhook.then(|| Webhook::new("https://example.com/hook")),
        ..SubmissionParts::accepted(id, "default", "trips", timestamp(0))
    }
}

fn is_claimable(submission: &Submission) -> bool {
    submission.due_at.is_some() && submission.leased_until.is_none() && !submission.has_predecessor
}

fn check_apply(submission: &mut Submission, transition: &Transition, now: Timestamp) {
    let before = submission.clone();
    match submission.apply(transition, now) {
        Err(error) => {
            assert_eq!(*submission, before, "an illegal transition changes nothing");
            assert_eq!((error.id, error.from), (before.id, before.state));
        }
        Ok(entry) => {
            let is_final = transition.state().is_some_and(State::is_final);
            let is_cancelled = before.is_cancelling() && !is_final;
            let to = if is_cancelled { Some(State::Cancelled) } else { transition.state() };
            let is_verdict = matches!(to, Some(State::Completed | State::Rejected));
            let to = to.filter(|_| !before.is_refetching() || is_verdict);
            assert_eq!(submission.state, to.unwrap_or(before.state));
            assert!(submission.state == before.state || before.state.may_become(submission.state));
            let fetched = submission.results.iter().filter(|stored| stored.key == "key").count();
            assert!(fetched <= 1, "what is fetched again replaces what was");
            assert_eq!(submission.leased_until, None, "the lease is gone");
            assert_eq!(submission.uncommitted_claims, 0, "a commit was made");
            if let Some(entry) = entry {
                assert_eq!((entry.at, entry.state), (now, submission.state));
            } else if to.is_some() {
                let same_code = before.reason.as_ref().map(|r| r.code)
                    == submission.reason.as_ref().map(|r| r.code);
                assert!(same_code, "a new reason lengthens the timeline");
            }
        }
    }
}

fn check_shape(submission: &Submission) {
    let rests = submission.state.is_final() || submission.state == State::Held;
    let delivers = submission.step == Some(StepKind::Deliver);
    let works = delivers || submission.is_refetching();
    assert_eq!(submission.due_at.is_none(), rests && !works, "{submission:?}");
    assert_eq!(submission.finished_at.is_some(), submission.state.is_final());
    assert!(!delivers || submission.state.is_final());
    let keeps_step = !submission.state.is_final() || submission.state == State::Failed;
    assert!(submission.step.is_none() || keeps_step || works);
    assert!(submission.step.is_some() || submission.state.is_final());
    assert!(submission.uncommitted_claims < MAX_UNCOMMITTED_CLAIMS);
    assert!(!(submission.has_predecessor && submission.state.is_final()));
    assert_eq!(
        submission.state == State::Uploading,
        submission.leased_until.is_some() && submission.step == Some(StepKind::Upload)
    );
    if let Some(waiting) = submission.step.and_then(StepKind::waiting_state)
        && !rests
        && submission.leased_until.is_none()
    {
        assert_eq!(submission.state, waiting);
    }
}

/// Lets something happen that may happen now.
fn happen(submission: &mut Submission, event: Event, now: Timestamp) {
    let before = submission.clone();
    let held = submission.leased_until.is_some();
    let is_illegal = match event {
        Event::Claim if is_claimable(submission) => submission.claim(LEASE, now).is_err(),
        Event::Release if held => submission.release(now).is_err(),
        Event::Rescue if held => submission.rescue(now).is_err(),
        Event::Cancel => submission.cancel(now).is_err(),
        Event::Retry(same_name) => submission.retry(&same_name, DAY, now).is_err(),
        Event::Resolve(resolution) => submission.resolve(resolution, DAY, now).is_err(),
        Event::Redeliver => submission.redeliver(now).is_err(),
        Event::Refetch => submission.refetch(DAY, now).is_err(),
        Event::Follow if submission.has_predecessor => {
            submission.follow(now);
            false
        }
        Event::Apply(transition) if held => {
            check_apply(submission, &transition, now);
            false
        }
        _ => return,
    };
    assert!(
        !is_illegal || *submission == before,
        "an operation that is not allowed changes nothing"
    );
    let state = submission.state;
    assert!(state == before.state || before.state.may_become(state), "{} {state}", before.state);
}

proptest! {
    #[test]
    fn no_sequence_of_events_leaves_the_table(
        start in select(vec![State::Queued, State::Held]),
        webhook in any::<bool>(),
        has_predecessor in any::<bool>(),
        events in vec(event(), 0..80),
    ) {
        let mut submission =
            Submission::from(SubmissionParts { has_predecessor, ..parts(start, webhook) });
        for (at, event) in events.into_iter().enumerate() {
            happen(&mut submission, event, timestamp(at as i64));
            check_shape(&submission);
        }
    }

    #[test]
    fn each_state_goes_only_where_the_table_says(
        state in select(&State::ALL[..]),
        transition in transition(),
        cancel_requested in any::<bool>(),
    ) {
        let mut submission =
            Submission::from(SubmissionParts { cancel_requested, ..parts(state, false) });
        check_apply(&mut submission, &transition, timestamp(1));
    }
}

#[test]
fn a_final_state_is_left_only_by_a_retry_of_a_failed_submission_or_for_a_verdict_learned_late() {
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        let next: Vec<_> = State::ALL.into_iter().filter(|next| state.may_become(*next)).collect();
        let retries = [State::Queued, State::Processing, State::Collecting];
        let verdicts = [State::Completed, State::Rejected];
        let expected = match state {
            State::Failed => [&retries[..], &verdicts].concat(),
            State::Cancelled => verdicts.to_vec(),
            _ => Vec::new(),
        };
        assert_eq!(next, expected, "{state}");
    }
}

/// A final submission that the Platform gave a processing token.
fn uploaded(state: State, step: Option<StepKind>) -> Submission {
    let processing_token = Some("token".to_owned());
    Submission::from(SubmissionParts { processing_token, step, ..parts(state, true) })
}

#[test]
fn a_refetch_polls_first_where_the_verdict_is_not_known() {
    for (state, step, first) in [
        (State::Completed, None, StepKind::Collect),
        (State::Rejected, None, StepKind::Collect),
        (State::Cancelled, None, StepKind::Poll),
        (State::Failed, Some(StepKind::Poll), StepKind::Poll),
        (State::Failed, Some(StepKind::Collect), StepKind::Collect),
    ] {
        let mut submission = uploaded(state, step);
        submission.refetch(DAY, timestamp(5)).unwrap();
        assert_eq!((submission.state, submission.step), (state, Some(first)));
        assert_eq!((submission.due_at, submission.has_predecessor), (Some(timestamp(5)), false));
        assert_eq!(submission.refetch(DAY, timestamp(6)), Ok(None), "it is due already");
        let failed = submission.redeliver(timestamp(6));
        assert_eq!(failed, Err(LifecycleError::Refetching { id: submission.id }));
    }
}

#[test]
fn no_end_of_a_refetch_loses_a_verdict() {
    let give_up = || Transition {
        reason: Some(Reason::new(ReasonCode::Deadline, "gave up")),
        ..Transition::to(Next::End(Outcome::Failed))
    };
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        let mut submission = uploaded(state, None);
        submission.refetch(DAY, timestamp(5)).unwrap();
        submission.claim(LEASE, timestamp(6)).unwrap();
        submission.apply(&give_up(), timestamp(7)).unwrap();
        assert_eq!((submission.state, submission.finished_at), (state, Some(timestamp(0))));
        assert_eq!(submission.step, Some(StepKind::Deliver), "its outcome was not delivered yet");
        let mut submission = uploaded(state, None);
        submission.refetch(DAY, timestamp(5)).unwrap();
        for _ in 0..MAX_UNCOMMITTED_CLAIMS {
            submission.claim(LEASE, timestamp(6)).unwrap();
            submission.rescue(timestamp(7)).unwrap();
        }
        assert_eq!((submission.state, submission.is_refetching()), (state, false), "poison");
    }
}

#[test]
fn a_state_that_is_not_final_may_stay_fail_be_held_or_be_cancelled() {
    for state in State::ALL.into_iter().filter(|state| !state.is_final()) {
        for next in [state, State::Failed, State::Held, State::Cancelled] {
            assert!(state.may_become(next), "{state} to {next}");
        }
    }
}

#[test]
fn a_step_is_waited_for_in_a_state_that_may_wait() {
    for kind in StepKind::PLATFORM_KINDS {
        let state = kind.waiting_state().unwrap();
        assert!(state.may_become(state) && State::Failed.may_become(state));
    }
    assert_eq!(StepKind::Deliver.waiting_state(), None);
}

#[test]
fn a_retry_overwrites_no_newer_dataset_and_passes_no_newer_submission() {
    let failed = |overwrite, step| {
        Submission::from(SubmissionParts {
            overwrite,
            step: Some(step),
            ..parts(State::Failed, false)
        })
    };
    let newer = SubmissionId::new(timestamp(0), 2);
    let completed = SameName { newer_uploaded: Some(newer), ..SameName::default() };
    let unfinished = SameName { newer_unfinished: Some(newer), ..SameName::default() };
    let retry = |mut submission: Submission, same_name: &SameName| {
        submission.retry(same_name, DAY, timestamp(1)).map(|_| submission)
    };
    let id = failed(false, StepKind::Upload).id;
    for overwrite in [false, true] {
        let retried = retry(failed(overwrite, StepKind::Upload), &completed);
        assert_eq!(retried, Err(LifecycleError::NewerUploaded { id, newer }));
    }
    // After its upload nothing is uploaded.
    assert!(retry(failed(true, StepKind::Poll), &completed).is_ok());
    let retried = retry(failed(false, StepKind::Poll), &unfinished);
    assert_eq!(retried, Err(LifecycleError::NewerUnfinished { id, newer }));
    let earlier = SameName { predecessor: Some(newer), ..SameName::default() };
    assert!(retry(failed(false, StepKind::Upload), &earlier).unwrap().has_predecessor);
}

#[test]
fn workers_that_were_lost_before_the_end_do_not_count_after_it() {
    let mut submission = Submission::from(parts(State::Queued, true));
    for at in 0..4 {
        submission.claim(LEASE, timestamp(at)).unwrap();
        submission.rescue(timestamp(at)).unwrap();
    }
    assert_eq!(submission.uncommitted_claims, 4);
    submission.cancel(timestamp(5)).unwrap();
    assert_eq!((submission.uncommitted_claims, submission.step), (0, Some(StepKind::Deliver)));
    submission.claim(LEASE, timestamp(6)).unwrap();
    submission.rescue(timestamp(7)).unwrap();
    assert_eq!(submission.step, Some(StepKind::Deliver), "its outcome is still to be delivered");
    assert_eq!(submission.due_at, Some(later(timestamp(7), Duration::ZERO)));
}

/// A submission that has come so far, and an upload of it that may have arrived or not.
fn at(state: State, upload_ambiguous: bool, processing_token: Option<&str>) -> Submission {
    let step = match state {
        State::Processing => StepKind::Poll,
        State::Collecting => StepKind::Collect,
        _ => StepKind::Upload,
    };
    let processing_token = processing_token.map(str::to_owned);
    let parts = parts(state, false);
    let parts = SubmissionParts { upload_ambiguous, processing_token, step: Some(step), ..parts };
    Submission::from(parts)
}

#[test]
fn an_end_without_a_verdict_marks_the_name_if_a_request_may_have_arrived() {
    type End = fn(&mut Submission) -> bool;
    let cancel: End = |s| s.cancel(timestamp(1)).is_ok();
    let give_up: End =
        |s| s.apply(&Transition::to(Next::End(Outcome::Failed)), timestamp(1)).is_ok();
    let resolve: End = |s| s.resolve(Resolution::Fail, DAY, timestamp(1)).is_ok();
    for (before, end, marks) in [
        (at(State::Queued, true, None), cancel, true),
        (at(State::Held, true, None), cancel, true),
        (at(State::Held, true, None), resolve, true),
        (at(State::Processing, false, Some("token")), cancel, true),
        (at(State::Processing, false, Some("token")), give_up, true),
        (at(State::Queued, false, None), cancel, false),
        (at(State::Held, false, None), resolve, false),
        // The Platform has decided.
        (at(State::Collecting, false, Some("token")), give_up, false),
        (at(State::Collecting, false, Some("token")), cancel, false),
    ] {
        let mut after = before.clone();
        assert!(end(&mut after), "{before:?}");
        let effect = after.effect_on_name(&before);
        assert_eq!(effect == Some(NameEffect::Marks), marks, "{before:?}");
    }
}

#[test]
fn an_upload_that_may_have_arrived_marks_the_name_whatever_ends_the_submission() {
    let mut before = Submission::from(parts(State::Queued, false));
    before.claim(LEASE, timestamp(0)).unwrap();
    before.cancel(timestamp(0)).unwrap();
    let effect = |end: &dyn Fn(&mut Submission)| {
        let mut after = before.clone();
        end(&mut after);
        assert_eq!(after.state, State::Cancelled);
        after.effect_on_name(&before)
    };
    let accepted = Transition {
        processing_token: Some("token".to_owned()),
        ..Transition::to(Next::step(StepKind::Poll, DAY))
    };
    let marks = Some(NameEffect::Marks);
    assert_eq!(effect(&|s| drop(s.apply(&accepted, timestamp(1)))), marks);
    assert_eq!(effect(&|s| drop(s.rescue(timestamp(1)))), marks);
    assert_eq!(effect(&|s| drop(s.release(timestamp(1)))), None, "nothing was sent");
}

#[test]
fn an_accepted_upload_settles_the_name_and_a_verdict_its_own_mark() {
    let mut uploading = Submission::from(parts(State::Queued, false));
    uploading.claim(LEASE, timestamp(0)).unwrap();
    let change = |before: &Submission, transition: Transition| {
        let mut after = before.clone();
        after.apply(&transition, timestamp(1)).unwrap();
        let effect = after.effect_on_name(before);
        (after, effect)
    };
    let accepted = Transition {
        processing_token: Some("token".to_owned()),
        ..Transition::to(Next::step(StepKind::Poll, DAY))
    };
    let (processing, effect) = change(&uploading, accepted);
    assert_eq!(effect, Some(NameEffect::Settles));
    let (processing, effect) = change(&processing, Transition::to(Next::step(StepKind::Poll, DAY)));
    assert_eq!(effect, None);
    let (collecting, effect) =
        change(&processing, Transition::to(Next::step(StepKind::Collect, DAY)));
    assert_eq!(effect, Some(NameEffect::SettlesOwn));
    let (_, effect) = change(&collecting, Transition::to(Next::End(Outcome::Completed)));
    assert_eq!(effect, Some(NameEffect::SettlesOwn));
    let (_, effect) = change(&uploading, Transition::to(Next::End(Outcome::Rejected)));
    assert_eq!(effect, None, "the rejection of an upload says nothing of an earlier one");
}
