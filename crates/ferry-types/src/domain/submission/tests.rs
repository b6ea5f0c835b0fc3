//! What holds for every submission, whatever happens to it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::timestamp;

/// Something that happens to a submission.
#[derive(Debug, Clone)]
enum Event {
    /// A worker takes the step that is due.
    Claim,
    /// The lease runs out.
    Expire,
    /// Somebody calls it off while a step runs.
    RequestCancel,
    /// A step decides, sensibly or not.
    Apply(Transition),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Claim),
        1 => Just(Event::Expire),
        1 => Just(Event::RequestCancel),
        8 => transition().prop_map(Event::Apply),
    ]
}

fn transition() -> impl Strategy<Value = Transition> {
    let next = option::of((select(&StepKind::CARRYING[..]), 0..u64::MAX)).prop_map(|next| {
        next.map(|(kind, millis)| NextStep { kind, after: Duration::from_millis(millis) })
    });
    let reason = option::of(select(&ReasonCode::ALL[..]).prop_map(|code| Reason::new(code, "why")));
    let facts = (any::<bool>(), any::<bool>(), any::<u32>(), any::<bool>());
    let words = (option::of("[a-z]{3}"), option::of("[a-z]{3}"));
    (select(&State::ALL[..]), reason, next, facts, words, any::<bool>()).prop_map(
        |(to, reason, next, (attempt_spent, polled, failures, in_doubt), words, has_content)| {
            let content = Content { content_type: None, bytes: vec![1, 2, 3] };
            Transition {
                to,
                reason,
                next,
                attempt_spent,
                polled,
                failures,
                in_doubt,
                processing_token: words.0,
                rejection: words.1,
                contents: has_content.then(|| ("key".to_owned(), content)).into_iter().collect(),
                signal: Signal::None,
                delivery: None,
            }
        },
    )
}

fn submission(state: State) -> Submission {
    Submission {
        id: SubmissionId::new(timestamp(0), 1),
        name: "trips".to_owned(),
        account: "default".to_owned(),
        state,
        reason: None,
        priority: Priority::Normal,
        overwrite: false,
        result_keys: Vec::new(),
        labels: BTreeMap::new(),
        payload_bytes: 0,
        created_at: timestamp(0),
        updated_at: timestamp(0),
        finished_at: state.is_final().then_some(timestamp(0)),
        deadline: timestamp(1000),
        revision_of: None,
        traceparent: None,
        processing_token: None,
        rejection: None,
        attempts: 0,
        polls: 0,
        failures: 0,
        in_doubt: false,
        step: (!state.is_final()).then_some(StepKind::Upload),
        due_at: (!state.is_final() && state != State::Held).then_some(timestamp(0)),
        leased_until: None,
        cancel_requested: false,
        results: Vec::new(),
        callback: None,
        resume: None,
    }
}

/// What every store does when it leases a step.
fn claim(submission: &mut Submission, now: Timestamp) {
    if submission.due_at.is_none() || submission.leased_until.is_some() {
        return;
    }
    submission.leased_until = Some(later(now, Duration::from_secs(15)));
    if submission.step == Some(StepKind::Upload) && submission.state == State::Queued {
        submission.state = State::Uploading;
        submission.attempts += 1;
    }
}

fn check_apply(submission: &mut Submission, transition: &Transition, now: Timestamp) {
    let before = submission.clone();
    match submission.apply(transition, now) {
        Err(refusal) => {
            assert_eq!(*submission, before, "a refused transition changes nothing");
            assert_eq!((refusal.id, refusal.from), (before.id, before.state));
        }
        Ok(entry) => {
            assert!(before.state.may_become(submission.state));
            let is_cancelled = before.cancel_requested && !transition.to.is_final();
            let to = if is_cancelled { State::Cancelled } else { transition.to };
            assert_eq!(submission.state, to);
            let fetched: Vec<&str> =
                submission.results.iter().map(|stored| stored.key.as_str()).collect();
            assert!(fetched.len() <= 1, "what is fetched again replaces what was: {fetched:?}");
            assert!(fetched.len() >= before.results.len().max(transition.contents.len()));
            assert_eq!(submission.leased_until, None, "the lease is gone");
            if let Some(entry) = entry {
                assert_eq!((entry.at, entry.state), (now, to));
            } else {
                let same_code =
                    before.reason.map(|r| r.code) == submission.reason.as_ref().map(|r| r.code);
                assert!(same_code, "a new reason lengthens the timeline");
            }
        }
    }
}

fn check_shape(submission: &Submission) {
    let rests = submission.state.is_final() || submission.state == State::Held;
    assert_eq!(submission.due_at.is_none(), rests, "a step is due exactly while it is on its way");
    assert_eq!(submission.finished_at.is_some(), submission.state.is_final());
    let keeps_step = !submission.state.is_final() || submission.state == State::Failed;
    assert!(submission.step.is_none() || keeps_step);
    assert!(submission.step.is_some() || submission.state.is_final());
}

proptest! {
    #[test]
    fn no_sequence_of_events_leaves_the_table(
        start in select(vec![State::Queued, State::Held]),
        events in vec(event(), 0..60),
    ) {
        let mut submission = submission(start);
        for (at, event) in events.into_iter().enumerate() {
            let now = timestamp(at as i64);
            match event {
                Event::Claim => claim(&mut submission, now),
                Event::Expire => submission.leased_until = None,
                Event::RequestCancel => {
                    submission.cancel_requested |= submission.leased_until.is_some();
                }
                Event::Apply(transition) => check_apply(&mut submission, &transition, now),
            }
            check_shape(&submission);
        }
    }

    #[test]
    fn each_state_goes_only_where_the_table_says(
        state in select(&State::ALL[..]),
        transition in transition(),
        cancel in any::<bool>(),
    ) {
        let mut submission = submission(state);
        submission.cancel_requested = cancel;
        check_apply(&mut submission, &transition, timestamp(1));
    }
}

#[test]
fn a_final_state_is_left_only_by_a_retry_of_a_failed_submission() {
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        let next: Vec<_> = State::ALL.into_iter().filter(|next| state.may_become(*next)).collect();
        let retries = [State::Queued, State::Processing, State::Collecting];
        assert_eq!(next, if state == State::Failed { retries.to_vec() } else { Vec::new() });
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
    for kind in StepKind::CARRYING {
        let state = kind.waiting_state();
        assert!(state.may_become(state) && State::Failed.may_become(state));
    }
}
