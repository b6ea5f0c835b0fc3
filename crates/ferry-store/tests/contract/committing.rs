//! Recording what was decided: by the newest holder, once, as the table allows.

use ferry_store::{Claim, ClaimId, Commit, Committed, Lease};
use ferry_types::domain::account::{Health, Signal};
use ferry_types::domain::later;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{
    LastRequest, Next, Reason, ReasonCode, State, StepKind, StoredContent, Transition,
};

use super::subject::{LEASE, Subject, millis, new};
use super::transitions::{self as t, WithSignal};

pub(super) async fn a_commit_schedules_the_next_step(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    let committed = subject.try_commit(&claim, t::uploaded(millis(2500))).await;
    assert_eq!(committed, Committed::Done(State::Uploading, State::Processing));
    let submission = subject.get(id).await;
    assert_eq!(submission.state, State::Processing);
    assert_eq!(submission.step, Some(StepKind::Poll));
    assert_eq!(submission.due_at, Some(later(submission.updated_at, millis(2500))));
    assert_eq!(submission.leased_until, None);
    assert_eq!(submission.processing_token, t::uploaded(millis(0)).processing_token);
    assert_eq!(submission.upload_attempts, 1);
    let claims = subject.ask(StepKind::Poll, 10).await;
    assert!(claims.claims.is_empty());
    assert!(claims.next.is_some_and(|next| next <= millis(2500)));
    subject.advance(millis(2500)).await;
    subject.claim_one(StepKind::Poll).await;
}

pub(super) async fn a_submission_goes_all_the_way(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    for _ in 0..3 {
        subject.step(StepKind::Poll, t::pending(millis(0))).await;
    }
    subject.step(StepKind::Poll, t::decided()).await;
    subject.step(StepKind::Collect, t::completed()).await;
    let submission = subject.get(id).await;
    assert_eq!(submission.state, State::Completed);
    assert_eq!((submission.upload_attempts, submission.polls), (1, 4));
    assert_eq!(submission.finished_at, Some(submission.updated_at));
    assert_eq!((submission.step, submission.due_at), (None, None));
    let states = subject.timeline(id).await.into_iter().map(|(state, _)| state);
    let expected =
        [State::Queued, State::Uploading, State::Processing, State::Collecting, State::Completed];
    assert_eq!(states.collect::<Vec<_>>(), expected);
    for kind in StepKind::PLATFORM_KINDS {
        assert_eq!(subject.ask(kind, 10).await.next, None);
    }
}

pub(super) async fn the_last_request_stays_until_another_was_sent(subject: Subject) {
    let id = subject.accept(new("a")).await;
    assert_eq!(subject.get(id).await.last_request, None);
    let claim = subject.claim_one(StepKind::Upload).await;
    let sent = |step, response| Some(LastRequest::new(claim.now, step, response));
    let last_request = sent(StepKind::Upload, "accepted");
    let uploaded = Transition { last_request: last_request.clone(), ..t::uploaded(millis(0)) };
    subject.commit(&claim, uploaded).await;
    assert_eq!(subject.get(id).await.last_request, last_request);
    subject.step(StepKind::Poll, t::pending(millis(0))).await;
    assert_eq!(subject.get(id).await.last_request, last_request, "this poll sent none");
    let last_request = sent(StepKind::Poll, "processing");
    let pending = Transition { last_request: last_request.clone(), ..t::pending(millis(0)) };
    subject.step(StepKind::Poll, pending).await;
    assert_eq!(subject.get(id).await.last_request, last_request);
}

pub(super) async fn only_the_newest_fence_may_commit(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let lost = subject.claim_one(StepKind::Upload).await;
    subject.lose_workers().await;
    assert_eq!(subject.try_commit(&lost, t::uploaded(millis(0))).await, Committed::Stale);
    let newer = subject.claim_one(StepKind::Upload).await;
    let before = subject.get(id).await;
    let timeline = subject.timeline(id).await;
    let with_contents = Transition { contents: t::completed().contents, ..t::failed() };
    assert_eq!(subject.try_commit(&lost, with_contents).await, Committed::Stale);
    assert_eq!(subject.get(id).await, before);
    assert_eq!(subject.timeline(id).await, timeline);
    assert_eq!(subject.store.content(id, "tableofresultids").await.unwrap(), None);
    subject.commit(&newer, t::uploaded(millis(0))).await;
}

pub(super) async fn a_second_commit_of_a_claim_is_stale(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    let twice = vec![
        Commit { lease: claim.lease, transition: t::uploaded(millis(0)) },
        Commit { lease: claim.lease, transition: t::failed() },
    ];
    let committed = subject.store.commit(twice).await.unwrap();
    assert_eq!(committed[1], Committed::Stale);
    assert_eq!(subject.try_commit(&claim, t::failed()).await, Committed::Stale);
    assert_eq!(subject.state(id).await, State::Processing);
}

pub(super) async fn a_claim_that_was_given_back_cannot_commit(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.store.release(vec![claim.clone()]).await.unwrap();
    assert_eq!(subject.try_commit(&claim, t::failed()).await, Committed::Stale);
    assert_eq!(subject.state(id).await, State::Queued);
}

pub(super) async fn a_repeated_fence_is_not_taken_for_another_claim(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    // A store that went back in time gives the same fence to another call, perhaps for another step.
    let other_call = Lease { claimed_by: ClaimId::default(), ..claim.lease };
    let other_step = Lease { kind: StepKind::Poll, ..claim.lease };
    for lease in [other_call, other_step] {
        let commit = Commit { lease, transition: t::uploaded(millis(0)) };
        assert_eq!(subject.store.commit(vec![commit]).await.unwrap(), [Committed::Stale]);
        assert_eq!(subject.store.renew(vec![lease], LEASE).await.unwrap(), [false]);
        let other = Claim { lease, ..claim.clone() };
        subject.store.release(vec![other]).await.unwrap();
        assert_eq!(subject.state(id).await, State::Uploading);
    }
    assert_eq!(subject.step_stats("main", StepKind::Upload).await.running, 1);
    subject.commit(&claim, t::uploaded(millis(0))).await;
}

pub(super) async fn a_stale_commit_still_says_what_the_platform_asks_of_the_account(
    subject: Subject,
) {
    subject.accept(new("a")).await;
    let lost = subject.claim_one(StepKind::Upload).await;
    subject.lose_workers().await;
    let health_after = async |signal: Signal| {
        let stale = subject.try_commit(&lost, t::failed().with_signal(signal)).await;
        assert_eq!(stale, Committed::Stale);
        subject.account("main").await.health
    };
    // What is true of the step alone is not.
    for signal in [Signal::None, t::unhealthy(), Signal::Healthy] {
        assert_eq!(health_after(signal).await, Health::default());
    }
    let delay = millis(60_000);
    let health = health_after(Signal::Throttled {
        delay,
        is_capped: false,
        is_rate: false,
        response: String::new(),
    })
    .await;
    assert!(health.throttled_until.is_some() && health.pause_reason.is_none());
    subject.assert_nothing_due(StepKind::Upload).await;
    assert_eq!(health_after(Signal::Healthy).await, health);
    let health = health_after(Signal::CredentialsDenied("denied".to_owned())).await;
    assert_eq!(health.pause_reason.as_deref(), Some("denied"));
}

pub(super) async fn a_late_commit_counts_if_no_other_worker_owns_the_step(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.advance(LEASE * 2).await;
    subject.commit(&claim, t::uploaded(millis(0))).await;
    assert_eq!(subject.state(id).await, State::Processing);
    assert_eq!(subject.store.rescue().await.unwrap().due, 0);
}

pub(super) async fn an_illegal_transition_changes_nothing(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    let before = subject.get(id).await;
    let never = Transition::to(Next::step(StepKind::Deliver, millis(0)));
    for illegal in [t::completed(), t::decided(), never] {
        let committed = subject.try_commit(&claim, illegal).await;
        assert!(matches!(committed, Committed::Illegal(ref it) if it.id == id), "{committed:?}");
        assert_eq!(subject.get(id).await, before);
    }
    assert_eq!(subject.store.content(id, "tableofresultids").await.unwrap(), None);
    subject.commit(&claim, t::uploaded(millis(0))).await;
}

pub(super) async fn each_commit_of_a_batch_stands_on_its_own(subject: Subject) {
    let accepted = subject.accept_all((0..5).map(|n| new(&format!("{n}")))).await;
    let claims = subject.claim(StepKind::Upload, 10).await;
    subject.store.release(vec![claims[3].clone()]).await.unwrap();
    let decided = [
        t::uploaded(millis(0)),
        t::completed(),
        t::held(),
        t::failed(),
        t::retried(StepKind::Upload, millis(0)),
    ];
    let commit = |(claim, transition): (&Claim, _)| Commit { lease: claim.lease, transition };
    let batch = claims.iter().zip(decided).map(commit).collect();
    let committed = subject.store.commit(batch).await.unwrap();
    assert_eq!(committed[0], Committed::Done(State::Uploading, State::Processing));
    assert!(matches!(&committed[1], Committed::Illegal(it) if it.id == accepted[1]));
    assert_eq!(committed[2], Committed::Done(State::Uploading, State::Held));
    assert_eq!(committed[3], Committed::Stale);
    assert_eq!(committed[4], Committed::Done(State::Uploading, State::Queued));
    assert_eq!(subject.store.commit(Vec::new()).await.unwrap(), []);
}

pub(super) async fn contents_come_back_as_they_were_fetched(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Collecting).await;
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let contents = vec![
        ("empty".to_owned(), Content { content_type: None, bytes: Vec::new() }),
        ("binary".to_owned(), Content { content_type: None, bytes: vec![0, 255, 254, 0] }),
        t::content("schlüssel/ü", "größe".as_bytes()),
        ("big".to_owned(), Content { content_type: Some(String::new()), bytes: big }),
    ];
    let claim = subject.claim_one(StepKind::Collect).await;
    let transition = Transition { contents: contents.clone(), ..t::completed() };
    subject.commit(&claim, transition).await;
    let stored = contents.iter().map(|(key, content)| StoredContent {
        key: key.clone(),
        content_type: content.content_type.clone(),
        bytes: content.bytes.len() as u64,
    });
    assert_eq!(subject.get(id).await.results, stored.collect::<Vec<_>>());
    for (key, content) in contents {
        let kept = subject.store.content(id, &key).await.unwrap();
        assert!(kept == Some(content), "`{key}` came back otherwise");
    }
    assert_eq!(subject.store.content(id, "other").await.unwrap(), None);
}

pub(super) async fn contents_under_one_key_replace_each_other(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Collecting).await;
    let with = |bytes: &[u8], then: Transition| Transition {
        contents: vec![t::content("k", bytes)],
        ..then
    };
    subject
        .step(StepKind::Collect, with(b"old", t::continues_with(StepKind::Collect, millis(0))))
        .await;
    subject.step(StepKind::Collect, with(b"newer", t::completed())).await;
    let results = subject.get(id).await.results.clone();
    assert_eq!(results.len(), 1);
    assert_eq!((results[0].key.as_str(), results[0].bytes), ("k", 5));
    assert_eq!(subject.store.content(id, "k").await.unwrap().unwrap().bytes, b"newer");
}

pub(super) async fn a_rejection_keeps_its_feedback(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    let rejection = Some("completedwitherrors".to_owned());
    subject.step(StepKind::Poll, Transition { rejection, ..t::decided() }).await;
    assert_eq!(subject.get(id).await.rejection.as_deref(), Some("completedwitherrors"));
    subject.step(StepKind::Collect, t::rejected()).await;
    let submission = subject.get(id).await;
    assert_eq!(submission.state, State::Rejected);
    assert_eq!(submission.reason.clone().unwrap().code, ReasonCode::DataRejected);
    assert_eq!(submission.rejection.as_deref(), Some("completedwitherrors"));
    let feedback = subject.store.content(id, "feedback").await.unwrap().unwrap();
    assert_eq!(feedback.bytes, b"2|31/02/2024|no such day");
}

pub(super) async fn an_attempt_that_does_not_count_is_given_back(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.step(StepKind::Upload, t::retried(StepKind::Upload, millis(0))).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    assert_eq!(claim.submission.upload_attempts, 2);
    let transition = Transition { attempt_spent: false, ..t::retried(StepKind::Upload, millis(0)) };
    subject.commit(&claim, transition).await;
    let submission = subject.get(id).await;
    assert_eq!((submission.upload_attempts, submission.failures), (1, 1));
    assert_eq!(submission.state, State::Queued);
    assert_eq!(submission.reason.clone().unwrap().code, ReasonCode::Transient);
}

pub(super) async fn a_reason_comes_back_as_it_was_given(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let texts = ["", "short", "größer", "", "ü", "x"];
    for (n, text) in texts.into_iter().enumerate() {
        for times in [1, 63, 64, 65, 1, 1000] {
            let text = text.repeat(times * (n + 1));
            let reason = Some(Reason::new(ReasonCode::Transient, text));
            let again = t::retried(StepKind::Upload, millis(0));
            subject.step(StepKind::Upload, Transition { reason: reason.clone(), ..again }).await;
            assert_eq!(subject.get(id).await.reason, reason);
        }
    }
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    assert_eq!(subject.get(id).await.reason, None);
}

pub(super) async fn a_repeated_reason_does_not_lengthen_the_timeline(subject: Subject) {
    let id = subject.accept(new("a")).await;
    for _ in 0..5 {
        subject.step(StepKind::Upload, t::retried(StepKind::Upload, millis(0))).await;
    }
    assert_eq!(subject.timeline(id).await.len(), 3, "accepted, uploading, waiting");
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    for _ in 0..5 {
        subject.step(StepKind::Poll, t::pending(millis(0))).await;
    }
    assert_eq!(subject.timeline(id).await.len(), 4);
}

pub(super) async fn a_timeline_keeps_its_beginning_and_its_newest_lines(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    for _ in 0..300 {
        subject.step(StepKind::Poll, t::retried(StepKind::Poll, millis(0))).await;
        subject.step(StepKind::Poll, t::pending(millis(0))).await;
    }
    subject.step(StepKind::Poll, t::failed()).await;
    let timeline = subject.timeline(id).await;
    assert!(timeline.len() >= 100 && timeline.len() <= 300, "{} lines", timeline.len());
    assert_eq!(timeline[0], (State::Queued, "accepted".to_owned()));
    assert_eq!(timeline.last().unwrap().0, State::Failed);
    assert_eq!(timeline[timeline.len() - 3].1, "because of transient");
}
