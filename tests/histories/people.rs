//! Producers and operators of a history. The store carries out what they ask for at once.

use ferry_store::{Accepted, Deadline, NewSubmission, Payload, StoreError};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{OperatorAction, Resolution, State, Submission};

use crate::history::{ATTEMPTS, History};
use crate::trace::{Answer, Event, SubmissionNumber};
use crate::worker::account_name;

const RESOLUTIONS: [Resolution; 3] = [Resolution::Retry, Resolution::Fail, Resolution::Overwrite];

impl History<'_> {
    /// True if the producer of a submission may submit it once more: it has a key, or was not accepted.
    pub(crate) fn may_submit_again(&self, number: SubmissionNumber) -> bool {
        let planned = &self.scenario.submissions[number];
        let is_useful = planned.has_key || !self.accepted.contains_key(&number);
        (1..ATTEMPTS).contains(&self.attempts[number]) && is_useful
    }

    /// A producer submits a dataset. The call, or its response, may be lost.
    pub(crate) fn submit(&mut self, number: SubmissionNumber) {
        let attempt = self.attempts[number];
        self.attempts[number] += 1;
        let is_own = !(self.accepted.contains_key(&number) && self.choices.happens(300));
        let is_lost = self.choices.happens(self.scenario.lost * 2);
        let is_carried_out = !is_lost || self.choices.pick(2) == 1;
        let mut answer = None;
        if is_carried_out {
            let mut new = self.new_submission(number, attempt);
            if !is_own {
                new.payload.data.push_str("S9,01/02/2026,08:00,01/02/2026,09:30\n");
            }
            let accepted = self.accept(new);
            if let Accepted::New(id) = accepted {
                self.accepted.insert(number, id);
                self.recorder.record(Event::Accepted(number));
                self.observe(&[id]);
            }
            self.save();
            answer = Some(Answer::of(accepted, |accepted| self.attempt_of(number, accepted)));
        }
        let answer = answer.filter(|_| !is_lost);
        self.recorder.record(Event::Submitted { of: number, is_own, answer });
    }

    fn attempt_of(&self, number: SubmissionNumber, accepted: Accepted) -> usize {
        let (Accepted::New(id) | Accepted::Duplicate(id) | Accepted::Conflict(id)) = accepted;
        let known = self.ids[number].iter().position(|known| *known == id);
        known.expect("the response is about an attempt of this submission")
    }

    fn accept(&self, mut new: NewSubmission) -> Accepted {
        if let Some(answer) = self.saboteur.submitting(&mut new) {
            return answer;
        }
        let accepted = self.office.run(self.office.store.accept(vec![new]));
        accepted.expect("a valid submission")[0]
    }

    fn new_submission(&self, number: SubmissionNumber, attempt: usize) -> NewSubmission {
        let planned = &self.scenario.submissions[number];
        let payload = Payload { data: planned.data.clone(), event_data: None };
        let (id, deadline) = (self.ids[number][attempt], Deadline::After(self.scenario.deadline));
        let account = account_name(planned.fact.account);
        let mut new = NewSubmission::new(id, account, &planned.fact.name, payload, deadline);
        new.overwrite = planned.fact.overwrite;
        new.result_keys.clone_from(&planned.result_keys);
        new.idempotency_key = planned.has_key.then(|| format!("key {number}"));
        new.webhook_url =
            planned.fact.has_webhook.then(|| "https://receiver.example.com/".to_owned());
        new
    }

    /// Submits what no producer knows to be accepted.
    pub(crate) fn submit_rest(&mut self) {
        for number in 0..self.attempts.len() {
            if !self.accepted.contains_key(&number) {
                self.attempts[number] = self.attempts[number].min(ATTEMPTS - 1);
                self.submit(number);
            }
        }
    }

    /// An operation, of which the store may say that a rule forbids it.
    pub(crate) fn operate(&mut self, id: SubmissionId, action: OperatorAction) -> bool {
        let (store, deadline) = (self.office.store.clone(), self.scenario.deadline);
        if action == OperatorAction::Retry {
            self.saboteur.retrying(id);
        }
        let result = self.office.run(store.operate(id, action, deadline));
        match result {
            Ok(_) => {
                self.recorder.record(Event::Operated(self.numbers[&id], action));
                self.observe(&[id]);
                self.save();
                true
            }
            Err(StoreError::NotAllowed(_)) => {
                self.observe(&[id]);
                false
            }
            Err(error) => panic!("{action:?}: {error}"),
        }
    }

    fn one_accepted(&mut self) -> Submission {
        let known: Vec<_> = self.known.values().cloned().collect();
        self.choices.one(&known)
    }

    /// An operator cancels a submission, most often one that has not ended.
    pub(crate) fn cancel_one(&mut self) {
        let open = self.known.values().filter(|known| !known.state.is_final());
        let open: Vec<_> = open.map(|known| known.id).collect();
        let id = if open.is_empty() || self.choices.pick(4) == 3 {
            self.one_accepted().id
        } else {
            self.choices.one(&open)
        };
        self.operate(id, OperatorAction::Cancel);
    }

    /// An operator does what the state of a submission permits, most often to one that needs it.
    pub(crate) fn operate_on_one(&mut self) {
        let needs_it = |known: &&Submission| matches!(known.state, State::Held | State::Failed);
        let needing: Vec<_> = self.known.values().filter(needs_it).cloned().collect();
        let submission = if needing.is_empty() || self.choices.pick(4) == 3 {
            self.one_accepted()
        } else {
            self.choices.one(&needing)
        };
        let resolution = OperatorAction::resolve(self.choices.one(&RESOLUTIONS));
        let other = self.choices.one(&[OperatorAction::Redeliver, OperatorAction::Refetch]);
        let action = match submission.state {
            State::Held => resolution,
            State::Failed if self.choices.pick(4) < 3 => OperatorAction::Retry,
            state if state.is_final() => other,
            _ => OperatorAction::Cancel,
        };
        self.operate(submission.id, action);
    }

    pub(crate) fn pause(&mut self) {
        let account = self.choices.pick(self.scenario.accounts as u32) as usize;
        if !self.saboteur.is(crate::planted::Planted::PauseIgnored) {
            let store = self.office.store.clone();
            let paused = self.office.run(store.pause(&account_name(account), "a pause"));
            paused.expect("a pause is always possible");
        }
        self.recorder.record(Event::Paused(account));
        self.save();
    }

    pub(crate) fn resume_one(&mut self) {
        let account = self.choices.pick(self.scenario.accounts as u32) as usize;
        self.resume(account);
    }

    fn resume(&mut self, account: usize) {
        let store = self.office.store.clone();
        match self.office.run(store.resume(&account_name(account))) {
            Ok(_) => self.recorder.record(Event::Resumed(account)),
            // No submission of it was accepted, and no operator paused it.
            Err(StoreError::UnknownAccount(_)) => {}
            Err(error) => panic!("{error}"),
        }
        self.wake_all();
        self.save();
    }

    /// In the calm, operators resume what is paused, and resolve what is held.
    pub(crate) fn attend(&mut self, resolved: &mut u32) {
        let store = self.office.store.clone();
        let stats = self.office.run(store.stats()).expect("the store is there");
        let is_paused = |name: &String| {
            stats.accounts.iter().any(|a| a.account == *name && a.health.pause_reason.is_some())
        };
        for account in 0..self.scenario.accounts {
            if is_paused(&account_name(account)) {
                self.resume(account);
            }
        }
        let is_held = |submission: &&Submission| submission.state == State::Held;
        let held: Vec<_> = self.known.values().filter(is_held).map(|held| held.id).collect();
        for id in held {
            *resolved += 1;
            let drawn = self.choices.one(&RESOLUTIONS);
            let is_drawn = *resolved <= self.scenario.resolutions;
            let resolution = if is_drawn { drawn } else { Resolution::Fail };
            // What is held after its upload has nothing to overwrite.
            let done = self.operate(id, OperatorAction::resolve(resolution))
                || self.operate(id, OperatorAction::ResolveFail);
            assert!(done, "what is held can be resolved");
        }
    }
}
