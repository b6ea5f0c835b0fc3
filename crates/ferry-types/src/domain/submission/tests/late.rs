//! Uploads that may still arrive.

use super::*;

#[test]
fn an_upload_without_a_response_keeps_those_of_other_submissions_of_its_name_waiting() {
    let mut uploading = Submission::from(parts(State::Queued, false));
    uploading.claim(LEASE, timestamp(0)).unwrap();
    let is_late = |change: &dyn Fn(&mut Submission)| {
        let mut after = uploading.clone();
        change(&mut after);
        after.may_arrive_late(&uploading)
    };
    let again = |upload_ambiguous| {
        let again = Transition::to(Next::step(StepKind::Upload, DAY));
        Transition { upload_ambiguous, ..again }
    };
    assert!(is_late(&|s| drop(s.rescue(timestamp(1)))));
    assert!(is_late(&|s| drop(s.apply(&again(true), timestamp(1)))));
    assert!(!is_late(&|s| drop(s.apply(&again(false), timestamp(1)))));
    assert!(!is_late(&|s| drop(s.cancel(timestamp(1)))), "it is not known how it ends");
    assert!(!is_late(&|s| drop(s.release(timestamp(1)))), "nothing was sent");
    let mut queued = Submission::from(parts(State::Queued, false));
    let before = queued.clone();
    queued.declare_ambiguous(timestamp(1)).unwrap();
    assert!(queued.may_arrive_late(&before));
    let ambiguous = queued.clone();
    queued.cancel(timestamp(1)).unwrap();
    assert!(!queued.may_arrive_late(&ambiguous), "it was late when it became ambiguous");

    let waits = |one: &Submission, of: SubmissionId, now| {
        one.waits_for_late(Some(LateUpload { of, until: timestamp(5) }), timestamp(now))
    };
    let other = SubmissionId::new(timestamp(0), 99);
    assert_eq!(waits(&before, other, 4), Some(timestamp(5)));
    assert_eq!(waits(&before, other, 5), None);
    assert_eq!(waits(&before, before.id, 4), None, "its own dataset arrives at worst");
    assert_eq!(waits(&at(State::Processing, false, None), other, 4), None);
}
