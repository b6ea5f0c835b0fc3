//! An upload that may have arrived concerns the later submissions of its account and name.

use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{
    LATE_UPLOAD, Resolution, State, StepKind, Transition, WaitingFor,
};

use super::subject::{DAY, Subject, millis, new, on};
use super::transitions as t;

/// Every way in which a submission ends without a verdict although its dataset may have arrived.
const ENDS: [&str; 7] = [
    "cancelled while it waits",
    "cancelled while it runs",
    "cancelled when its worker is lost",
    "resolved",
    "failed at its upload",
    "failed at its poll",
    "cancelled after its upload",
];

/// Lets the worker of the upload that runs be lost.
async fn lose_upload(subject: &Subject) {
    subject.claim_one(StepKind::Upload).await;
    subject.lose_workers().await;
}

async fn end(subject: &Subject, id: SubmissionId, how: &str) {
    let ambiguous = |transition: Transition| Transition { upload_ambiguous: true, ..transition };
    match how {
        "cancelled while it waits" => {
            lose_upload(subject).await;
            subject.store.cancel(id).await.unwrap();
        }
        "cancelled while it runs" => {
            let claim = subject.claim_one(StepKind::Upload).await;
            subject.store.cancel(id).await.unwrap();
            subject.commit(&claim, t::uploaded(millis(0))).await;
        }
        "cancelled when its worker is lost" => {
            subject.claim_one(StepKind::Upload).await;
            subject.store.cancel(id).await.unwrap();
            subject.lose_workers().await;
        }
        "resolved" => {
            subject.step(StepKind::Upload, t::held()).await;
            subject.store.resolve(id, Resolution::Fail, DAY).await.unwrap();
        }
        "failed at its upload" => {
            subject.step(StepKind::Upload, ambiguous(t::failed())).await;
        }
        _ => {
            subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
            if how == "failed at its poll" {
                subject.step(StepKind::Poll, t::failed()).await;
            } else {
                subject.store.cancel(id).await.unwrap();
            }
        }
    }
    assert!(subject.state(id).await.is_final(), "{how}");
}

/// The mark that the next upload comes with, which is given back, as soon as no other may still arrive.
async fn mark(subject: &Subject) -> Option<SubmissionId> {
    subject.advance(LATE_UPLOAD).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    let mark = claim.name_mark;
    subject.store.release(vec![claim]).await.unwrap();
    mark
}

pub(super) async fn who_ends_without_a_verdict_marks_the_name_for_the_next(subject: Subject) {
    for how in ENDS {
        let first = subject.accept(new(how)).await;
        let waiting = subject.accept(new(how)).await;
        end(&subject, first, how).await;
        assert_eq!(mark(&subject).await, Some(first), "it waited: {how}");
        // It ends with nothing sent, so that the mark stays what it is.
        subject.store.cancel(waiting).await.unwrap();
        let later = subject.accept(new(how)).await;
        assert_eq!(mark(&subject).await, Some(first), "it came later: {how}");
        subject.accept(on("other", new(how))).await;
        subject.advance(LATE_UPLOAD).await;
        let claims = subject.claim(StepKind::Upload, 10).await;
        let other = claims.iter().find(|claim| claim.submission.account == "other").unwrap();
        assert_eq!(other.name_mark, None, "another account has names of its own");
        subject.store.release(claims.clone()).await.unwrap();
        subject.store.cancel(other.lease.id).await.unwrap();
        subject.store.cancel(later).await.unwrap();
    }
}

pub(super) async fn an_end_with_nothing_sent_or_with_a_verdict_marks_nothing(subject: Subject) {
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        let name = format!("ends {state}");
        subject.accept(new(&name)).await;
        if state == State::Cancelled {
            let claim = subject.claim_one(StepKind::Upload).await;
            subject.store.cancel(claim.lease.id).await.unwrap();
            subject.store.release(vec![claim]).await.unwrap();
        } else {
            subject.bring_to(state).await;
        }
        let next = subject.accept(new(&name)).await;
        assert_eq!(mark(&subject).await, None, "{state}");
        subject.store.cancel(next).await.unwrap();
    }
}

pub(super) async fn a_mark_stays_until_an_upload_is_accepted(subject: Subject) {
    let first = subject.accept(new("n")).await;
    end(&subject, first, "failed at its upload").await;
    let second = subject.accept(new("n")).await;
    subject.advance(LATE_UPLOAD).await;
    let failed = Transition { upload_ambiguous: false, ..t::held() };
    assert_eq!(subject.step(StepKind::Upload, failed).await.name_mark, Some(first));
    subject.store.resolve(second, Resolution::Fail, DAY).await.unwrap();
    subject.accept(new("n")).await;
    let claim = subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    assert_eq!(claim.name_mark, Some(first));
    let claim = subject.step(StepKind::Poll, t::decided()).await;
    assert_eq!(claim.name_mark, None, "it concerns uploads alone");
    subject.step(StepKind::Collect, t::completed()).await;
    subject.accept(new("n")).await;
    assert_eq!(mark(&subject).await, None);
}

pub(super) async fn a_mark_outlives_its_submission_and_the_process(subject: Subject) {
    let first = subject.accept(new("n")).await;
    end(&subject, first, "failed at its upload").await;
    subject.advance(DAY).await;
    assert_eq!(subject.store.sweep(millis(0)).await.unwrap(), 1);
    assert!(subject.store.get(first).await.unwrap().is_none());
    subject.accept(new("n")).await;
    let again = subject.another().await;
    drop(subject.store.clone());
    let request = ferry_store::ClaimRequest {
        kind: StepKind::Upload,
        limit: 1,
        lease: DAY,
        account_limits: std::sync::Arc::default(),
    };
    assert_eq!(again.claim(request).await.unwrap().claims[0].name_mark, Some(first));
}

pub(super) async fn a_verdict_removes_the_mark_of_its_own_submission_alone(subject: Subject) {
    for is_marked_by_another in [false, true] {
        let name = format!("{is_marked_by_another}");
        let first = subject.accept(new(&name)).await;
        end(&subject, first, "failed at its poll").await;
        let second = subject.accept(new(&name)).await;
        assert_eq!(mark(&subject).await, Some(first));
        if is_marked_by_another {
            end(&subject, second, "failed at its upload").await;
        } else {
            subject.store.cancel(second).await.unwrap();
        }
        subject.store.retry(first, DAY).await.unwrap();
        subject.step(StepKind::Poll, t::decided()).await;
        subject.step(StepKind::Collect, t::completed()).await;
        let third = subject.accept(new(&name)).await;
        assert_eq!(mark(&subject).await, is_marked_by_another.then_some(second));
        subject.store.cancel(third).await.unwrap();
    }
}

/// Every way in which an upload may have left without a response, and its submission has ended since.
const LATE_ENDS: [&str; 6] = [
    "cancelled while it waits",
    "cancelled when its worker is lost",
    "cancelled when its worker stops",
    "resolved",
    "failed at its upload",
    "completed by another upload",
];

async fn end_late(subject: &Subject, id: SubmissionId, how: &str) {
    let ambiguous = |transition: Transition| Transition { upload_ambiguous: true, ..transition };
    match how {
        "cancelled when its worker stops" => {
            let claim = subject.claim_one(StepKind::Upload).await;
            subject.store.cancel(id).await.unwrap();
            subject.commit(&claim, ambiguous(t::retried(StepKind::Upload, millis(0)))).await;
        }
        "completed by another upload" => {
            lose_upload(subject).await;
            subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
            subject.step(StepKind::Poll, t::decided()).await;
            subject.step(StepKind::Collect, t::completed()).await;
        }
        how => end(subject, id, how).await,
    }
    assert!(subject.state(id).await.is_final(), "{how}");
}

/// The time at which a submission says that its upload is due.
async fn due_time(subject: &Subject, id: SubmissionId) -> Option<ferry_types::domain::Timestamp> {
    let found = subject.store.get(id).await.unwrap().expect("it is there");
    match found.waiting_for {
        Some(WaitingFor::DueTime { at, step: StepKind::Upload }) => Some(at),
        _ => None,
    }
}

pub(super) async fn the_next_of_a_name_waits_until_no_earlier_upload_can_arrive(subject: Subject) {
    for how in LATE_ENDS {
        let first = subject.accept(new(how)).await;
        let next = subject.accept(new(how)).await;
        end_late(&subject, first, how).await;
        // Of another name, and one that is accepted later.
        let other = subject.accept(new(&format!("not {how}"))).await;
        subject.store.cancel(next).await.unwrap();
        let later = subject.accept(new(how)).await;
        let until = subject.wall_clock() + LATE_UPLOAD;
        assert_eq!(due_time(&subject, later).await, Some(until), "{how}");
        assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, other, "{how}");
        subject.store.cancel(other).await.unwrap();
        let waits = subject.ask(StepKind::Upload, 10).await;
        assert_eq!((waits.claims.len(), waits.next), (0, Some(LATE_UPLOAD)), "{how}");
        assert_eq!(due_time(&subject, later).await, Some(until), "{how}");
        subject.advance(millis(LATE_UPLOAD.as_millis() as u64 - 1)).await;
        subject.assert_nothing_due(StepKind::Upload).await;
        subject.advance(millis(1)).await;
        assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, later, "{how}");
        subject.store.cancel(later).await.unwrap();
        subject.lose_workers().await;
        subject.advance(LATE_UPLOAD).await;
    }
}

pub(super) async fn an_upload_waits_for_none_of_its_own_and_a_wait_outlives_the_process(
    subject: Subject,
) {
    let first = subject.accept(new("n")).await;
    lose_upload(&subject).await;
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, first, "at once");
    subject.store.cancel(first).await.unwrap();
    subject.lose_workers().await;
    subject.accept(new("n")).await;
    let again = subject.another().await;
    let request = ferry_store::ClaimRequest {
        kind: StepKind::Upload,
        limit: 1,
        lease: DAY,
        account_limits: std::sync::Arc::default(),
    };
    assert!(again.claim(request.clone()).await.unwrap().claims.is_empty());
    subject.advance(LATE_UPLOAD).await;
    assert_eq!(again.claim(request).await.unwrap().claims.len(), 1);
}
