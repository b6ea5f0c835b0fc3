//! Stories that histories or readers found, as scripts of acts. Each holds on every store, and breaks an
//! invariant where the error that it is about is planted again.

use std::time::Duration;

use ferry_sim::{Endpoint, FaultKind};
use ferry_types::domain::submission::{OperatorAction, State, StepKind};

use crate::acts::Act;
use crate::backing::StoreKind;
use crate::calls::Destination;
use crate::choices::Choices;
use crate::history::{History, Setting};
use crate::planted::Planted;
use crate::runs;
use crate::scenario::Scenario;
use crate::small::CallFault;
use crate::trace::Trace;

const UPLOAD: Destination = Destination::Platform(Endpoint::Upload);
const POLL: Destination = Destination::Platform(Endpoint::Status);
const CLAIM: Destination = Destination::Store("claim");
const COMMIT: Destination = Destination::Store("commit");

const STORES: [StoreKind; 3] = [StoreKind::Memory, StoreKind::Sqlite, StoreKind::Redis];

/// Runs a script of a history with two submissions of one name, then the calm.
fn played(
    setting: Setting,
    change: impl Fn(&mut Scenario),
    script: impl Fn(&mut History<'_>),
) -> Trace {
    // After the end of the tape all is as intended.
    let mut choices = Choices::replayed(Vec::new());
    let mut scenario = Scenario { workers: 2, ..Scenario::draw(&mut choices) };
    let first = scenario.submissions[0].clone();
    scenario.submissions = (0..2).map(|number| first.numbered(number)).collect();
    change(&mut scenario);
    let mut history = History::new(&mut choices, scenario, setting);
    script(&mut history);
    history.calm();
    history.trace()
}

/// The story holds on every store, and breaks `invariant` in memory with `planted`.
fn holds(
    planted: Option<(Planted, &str)>,
    change: impl Fn(&mut Scenario),
    script: impl Fn(&mut History<'_>),
) {
    for store in STORES {
        let trace = played(Setting { store, planted: None }, &change, &script);
        if let Err((name, what)) = runs::check(&trace) {
            let entries: Vec<_> = trace.entries.iter().map(ToString::to_string).collect();
            panic!("{}\n\non {store:?} it breaks {name}: {what}", entries.join("\n"));
        }
    }
    let Some((planted, invariant)) = planted else { return };
    let setting = Setting { store: StoreKind::Memory, planted: Some(planted) };
    let broken = runs::check(&played(setting, change, script)).map_err(|(name, _)| name);
    assert_eq!(broken, Err(invariant), "with {planted:?}");
}

impl History<'_> {
    fn does(&mut self, act: Act) {
        self.perform(act);
        self.settle_calls();
    }

    /// The next call to a destination has a fault.
    fn next_has(&mut self, to: Destination, fault: CallFault) {
        self.call_faults.next.push((to, fault));
    }

    /// Lets time pass, from one timer to the next.
    fn passes(&mut self, seconds: u64) {
        let end = self.time.elapsed() + Duration::from_secs(seconds);
        while self.time.elapsed() < end {
            let next = self.time.next_timer().map_or(end, |next| next.min(end));
            self.pass(Some(next.max(self.time.elapsed() + Duration::from_millis(1))));
            self.settle_calls();
        }
    }

    /// The call to a destination that has no response yet.
    fn pending(&self, to: Destination) -> u64 {
        let calls = self.calls.each(|call| call.to);
        calls.iter().find(|(_, of)| *of == to).expect("a call is pending").0
    }

    fn arrives(&mut self, number: u64, fault: FaultKind) {
        self.call_faults.plan(number, CallFault::Platform(fault));
        self.carry_out(number);
    }

    fn answers(&mut self, number: u64) {
        self.does(Act::Answer(number));
    }

    fn operates(&mut self, number: usize, action: OperatorAction) -> bool {
        let done = self.operate(self.accepted[&number], action);
        self.settle_calls();
        done
    }

    fn state(&self, number: usize) -> State {
        self.known[&self.accepted[&number]].state
    }
}

#[test]
fn an_upload_that_was_stored_unseen_is_known_to_the_next_of_its_name() {
    let script = |history: &mut History<'_>| {
        history.submit(0);
        history.submit(1);
        history.next_has(UPLOAD, CallFault::Platform(FaultKind::StoredAndReset));
        history.does(Act::Start(0));
        history.operates(0, OperatorAction::Cancel);
        history.passes(40);
        let is_planted = history.saboteur.is(Planted::MarkForgotten);
        assert_eq!(history.state(1), if is_planted { State::Rejected } else { State::Held });
    };
    holds(Some((Planted::MarkForgotten, "Rejected")), |_| {}, script);
}

/// The upload of a submission is on its way, no worker waits for it any more, and its submission has ended. It
/// arrives before the next of the name is uploaded.
fn arrives_late(abandon: impl Fn(&mut History<'_>)) {
    let script = |history: &mut History<'_>| {
        history.submit(0);
        history.submit(1);
        history.next_has(UPLOAD, CallFault::Wait);
        history.does(Act::Start(0));
        let late = history.pending(UPLOAD);
        abandon(history);
        assert!(history.state(0).is_final(), "{}", history.state(0));
        history.does(Act::Start(1));
        history.passes(2);
        history.carry_out(late);
        history.passes(40);
    };
    let change = |scenario: &mut Scenario| {
        scenario.deadline = Duration::from_mins(10);
        for planned in &mut scenario.submissions {
            planned.fact.overwrite = true;
        }
    };
    holds(Some((Planted::LateForgotten, "NameOrder")), change, script);
}

#[test]
fn an_upload_that_its_worker_aborted_arrives_before_the_next_of_its_name() {
    arrives_late(|history| {
        history.operates(0, OperatorAction::Cancel);
        history.does(Act::Stop(0));
    });
}

#[test]
fn an_upload_of_a_worker_that_was_killed_arrives_before_the_next_of_its_name() {
    arrives_late(|history| {
        history.does(Act::Crash(0));
        history.operates(0, OperatorAction::Cancel);
        history.does(Act::Start(0));
        history.passes(19);
    });
}

#[test]
fn an_upload_without_a_response_arrives_before_the_next_of_its_name() {
    arrives_late(|history| {
        let upload = history.pending(UPLOAD);
        history.does(Act::GiveUp(upload));
        history.operates(0, OperatorAction::Cancel);
    });
}

#[test]
fn a_clock_that_goes_back_lengthens_no_wait_for_a_late_upload() {
    let script = |history: &mut History<'_>| {
        history.submit(0);
        history.submit(1);
        history.next_has(UPLOAD, CallFault::LoseCall);
        history.does(Act::Start(0));
        history.operates(0, OperatorAction::Cancel);
        history.passes(2);
        history.time.step(-3600);
        history.passes(40);
        assert_ne!(history.state(1), State::Queued);
    };
    holds(None, |_| {}, script);
}

#[test]
fn a_retry_after_that_arrives_with_a_stale_commit_throttles() {
    let script = |history: &mut History<'_>| {
        history.submit(0);
        history.next_has(POLL, CallFault::Wait);
        history.does(Act::Start(0));
        history.passes(3);
        let poll = history.pending(POLL);
        history.arrives(poll, FaultKind::Throttled);
        history.does(Act::Suspend(0));
        history.next_has(POLL, CallFault::Late);
        history.does(Act::Start(1));
        history.passes(26);
        history.does(Act::Wake(0));
        history.passes(30);
    };
    let change = |scenario: &mut Scenario| {
        scenario.platform.retry_after = Duration::from_mins(1);
    };
    holds(Some((Planted::StaleSignalDropped, "RetryAfter")), change, script);
}

#[test]
fn a_claim_from_before_the_store_went_back_commits_nothing() {
    let script = |history: &mut History<'_>| {
        history.submit(0);
        history.does(Act::Start(0));
        history.save();
        history.next_has(COMMIT, CallFault::Wait);
        history.passes(3);
        history.does(Act::GoBack);
        // A file is restored after all processes have ended.
        if history.workers[0].is_none() {
            return;
        }
        history.does(Act::Suspend(0));
        history.next_has(POLL, CallFault::Wait);
        history.does(Act::Start(1));
        history.does(Act::Wake(0));
        let commit = history.pending(COMMIT);
        history.carry_out(commit);
        history.answers(commit);
    };
    let change = |scenario: &mut Scenario| {
        scenario.goes_back = true;
        scenario.submissions.truncate(1);
    };
    holds(Some((Planted::LeaseNotCompared, "OneCommit")), change, script);
}

#[test]
fn a_worker_that_starts_after_a_step_of_the_clock_is_throttled_for_as_long_as_before() {
    for step in [3600, -3600] {
        let script = |history: &mut History<'_>| {
            history.submit(0);
            history.next_has(POLL, CallFault::Platform(FaultKind::Throttled));
            history.does(Act::Start(0));
            history.passes(8);
            history.does(Act::Crash(0));
            history.passes(6);
            history.time.step(step);
            history.does(Act::Start(0));
            history.passes(60);
        };
        let change = |scenario: &mut Scenario| {
            scenario.platform.retry_after = Duration::from_mins(1);
        };
        holds(None, change, script);
    }
}

#[test]
fn a_retry_overwrites_nothing_that_a_newer_submission_may_have_left() {
    let script = |history: &mut History<'_>| {
        history.submit(0);
        history.pause();
        history.does(Act::Start(0));
        history.passes(40);
        history.resume_one();
        history.passes(2);
        assert_eq!(history.state(0), State::Failed);
        history.submit(1);
        history.passes(1);
        assert_eq!(history.state(1), State::Processing);
        history.operates(1, OperatorAction::Cancel);
        assert_eq!(history.state(1), State::Cancelled);
        assert!(!history.operates(0, OperatorAction::Retry));
    };
    let change = |scenario: &mut Scenario| {
        scenario.deadline = Duration::from_secs(30);
        scenario.submissions[0].fact.overwrite = true;
    };
    holds(None, change, script);
}

#[test]
fn a_webhook_is_not_sent_under_a_lease_that_is_over() {
    let script = |history: &mut History<'_>| {
        history.submit(0);
        history.operates(0, OperatorAction::Cancel);
        for _ in StepKind::ALL {
            history.next_has(CLAIM, CallFault::Late);
        }
        history.does(Act::Start(0));
        history.passes(16);
        history.does(Act::Start(1));
        history.passes(1);
        history.next_has(Destination::Receiver, CallFault::Wait);
        history.passes(4);
        let calls = history.calls.each(|call| call.to);
        assert!(calls.iter().all(|(_, to)| *to != Destination::Receiver), "{calls:?}");
    };
    let change = |scenario: &mut Scenario| {
        scenario.submissions.truncate(1);
        scenario.submissions[0].fact.has_webhook = true;
    };
    holds(None, change, script);
}

#[test]
fn what_operators_make_due_within_a_second_is_no_loop_of_the_workers() {
    let script = |history: &mut History<'_>| {
        history.submit(0);
        history.does(Act::Start(0));
        history.passes(5);
        assert_eq!(history.state(0), State::Completed);
        // In the calm, it is retried at once whenever it is held.
        history.next_has(UPLOAD, CallFault::LoseCall);
        history.next_has(UPLOAD, CallFault::Platform(FaultKind::NameRejected));
        history.next_has(UPLOAD, CallFault::Platform(FaultKind::Error));
    };
    holds(None, |_| {}, script);
}
