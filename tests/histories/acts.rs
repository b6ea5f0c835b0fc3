//! The acts of a history: which are possible, and what each does.

use std::time::Duration;

use ferry_sim::Endpoint;
use ferry_types::domain::SubmissionId;

use crate::calls::{Call, Destination};
use crate::history::History;
use crate::trace::{Event, SubmissionNumber, WorkerNumber};

const UPLOAD: Destination = Destination::Platform(Endpoint::Upload);

/// An act of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Pass,
    Submit(SubmissionNumber),
    /// An operator does what the state of a submission permits.
    Operate,
    Cancel,
    Pause,
    Resume,
    /// The store is asked what each submission waits for.
    Explain,
    CarryOut(u64),
    Answer(u64),
    Lose(u64),
    /// A worker waits no longer for a response of the Platform, whose request may still arrive.
    GiveUp(u64),
    Crash(usize),
    /// A worker has to end at once.
    Stop(usize),
    Start(usize),
    Suspend(usize),
    Wake(usize),
    CutOff(usize),
    Connect(usize),
    StoreAway,
    StoreBack,
    GoBack,
    StepClock,
}

impl History<'_> {
    /// Draws the next act.
    pub(crate) fn draw(&mut self) -> Act {
        let acts = self.possible();
        let sum = acts.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.choices.pick(sum);
        let act = acts.iter().find(|(weight, _)| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        act.map_or(Act::Pass, |(_, act)| *act)
    }

    /// The acts that are possible, with their weights, in a fixed order; the first is as intended.
    fn possible(&self) -> Vec<(u32, Act)> {
        let mut acts = vec![(60, Act::Pass), (2, Act::Explain)];
        if !self.is_away {
            self.acts_of_people(&mut acts);
        }
        self.acts_of_calls(&mut acts);
        self.acts_of_workers(&mut acts);
        if self.is_away {
            acts.push((10, Act::StoreBack));
        } else if self.scenario.outages {
            acts.push((2, Act::StoreAway));
        }
        if self.saved.is_some() {
            acts.push((2, Act::GoBack));
        }
        if self.scenario.clock_steps {
            acts.push((2, Act::StepClock));
        }
        acts
    }

    fn acts_of_calls(&self, acts: &mut Vec<(u32, Act)>) {
        let fact =
            |call: &Call| (call.carried_out.is_some(), call.is_abandoned(), call.to.is_platform());
        for (number, (is_carried_out, is_abandoned, is_to_platform)) in self.calls.each(fact) {
            if is_abandoned {
                // What happens before it arrives is the question.
                acts.extend((!is_carried_out).then_some((6, Act::CarryOut(number))));
                continue;
            }
            let act = if is_carried_out { Act::Answer(number) } else { Act::CarryOut(number) };
            acts.push((20, act));
            if self.scenario.lost > 0 {
                acts.push((4, Act::Lose(number)));
                if is_to_platform && !is_carried_out {
                    acts.push((8, Act::GiveUp(number)));
                }
            }
        }
    }

    fn acts_of_people(&self, acts: &mut Vec<(u32, Act)>) {
        if let Some(next) = self.attempts.iter().position(|attempts| *attempts == 0) {
            acts.push((8, Act::Submit(next)));
        }
        for number in 0..self.attempts.len() {
            if self.may_submit_again(number) {
                acts.push((1, Act::Submit(number)));
            }
        }
        if self.known.is_empty() {
            return;
        }
        if self.scenario.cancellations {
            let is_late = |call: &Call| call.is_abandoned() && call.to == UPLOAD;
            let mut calls = self.calls.each(is_late).into_iter();
            // What an upload does that arrives after its submission has ended is the question.
            let weight = if calls.any(|(_, is_late)| is_late) { 20 } else { 2 };
            acts.push((weight, Act::Cancel));
        }
        if self.scenario.operators {
            acts.extend([(4, Act::Operate), (1, Act::Pause), (3, Act::Resume)]);
        }
    }

    fn acts_of_workers(&self, acts: &mut Vec<(u32, Act)>) {
        let requests = self.calls.each(|call| (call.to, call.worker)).into_iter();
        let requests = requests.filter(|(_, (to, _))| matches!(to, Destination::Platform(_)));
        let requesting: Vec<_> = requests.map(|(_, (_, worker))| worker).collect();
        for (slot, worker) in self.workers.iter().enumerate() {
            let Some(worker) = worker else {
                acts.push((10, Act::Start(slot)));
                continue;
            };
            if self.scenario.crashes {
                acts.push((2, Act::Crash(slot)));
            }
            // What its requests do meanwhile is the question.
            let weight = if requesting.contains(&worker.number) { 8 } else { 2 };
            if self.scenario.stops && !worker.is_stopping {
                acts.push((weight / 2, Act::Stop(slot)));
            }
            if worker.is_suspended {
                acts.push((8, Act::Wake(slot)));
            } else if self.scenario.suspensions {
                acts.push((weight, Act::Suspend(slot)));
            }
            if worker.is_cut_off {
                acts.push((6, Act::Connect(slot)));
            } else if self.scenario.partitions {
                acts.push((weight, Act::CutOff(slot)));
            }
        }
    }

    pub(crate) fn perform(&mut self, act: Act) {
        match act {
            Act::Pass => {
                let step = self.choices.one(&[None, None, Some(100), Some(1000), Some(6000)]);
                let to = step.map(|step| self.time.elapsed() + Duration::from_millis(step));
                self.pass(to);
            }
            Act::Submit(number) => self.submit(number),
            Act::Operate => self.operate_on_one(),
            Act::Cancel => self.cancel_one(),
            Act::Pause => self.pause(),
            Act::Resume => self.resume_one(),
            Act::Explain => self.explain(),
            Act::CarryOut(number) => self.carry_out(number),
            Act::Answer(number) => self.calls.answer(number),
            Act::Lose(number) => self.calls.lose(number),
            Act::GiveUp(number) => self.calls.give_up(number),
            Act::Crash(slot) => {
                self.note(slot, "crashed");
                self.workers[slot] = None;
            }
            Act::Stop(slot) => self.set(slot, "stopped", crate::worker::Worker::stop),
            Act::Start(slot) => self.start(slot),
            Act::Suspend(slot) => self.set(slot, "suspended", |worker| worker.is_suspended = true),
            Act::Wake(slot) => self.set(slot, "woken", |worker| worker.is_suspended = false),
            Act::CutOff(slot) => self.set(slot, "cut off", |worker| worker.is_cut_off = true),
            Act::Connect(slot) => self.set(slot, "connected", |worker| worker.is_cut_off = false),
            Act::StoreAway => self.set_away(true, "away"),
            Act::StoreBack => self.set_away(false, "reachable again"),
            Act::GoBack => self.go_back(),
            Act::StepClock => {
                let seconds = self.choices.one(&[60, 3600, -60, -3600]);
                self.time.step(seconds);
                self.recorder.record(Event::ClockStepped(seconds));
            }
        }
    }

    pub(crate) fn set(
        &mut self,
        slot: usize,
        what: &'static str,
        change: impl FnOnce(&mut crate::worker::Worker),
    ) {
        self.note(slot, what);
        self.workers[slot].as_mut().map(change);
    }

    fn set_away(&mut self, is_away: bool, what: &'static str) {
        self.is_away = is_away;
        self.recorder.record(Event::Store(what));
    }

    /// Carries a call out. A worker that claims the poisonous step crashes.
    pub(crate) fn carry_out(&mut self, number: u64) {
        let (to, worker) = self.calls.of(number, |call| (call.to, call.worker));
        let endpoint = match to {
            Destination::Platform(endpoint) => Some(endpoint),
            Destination::Receiver => Some(Endpoint::Status),
            Destination::Store(_) => None,
        };
        let retry_after = self.scenario.platform.retry_after;
        let planned = self.call_faults.of(number);
        let planned = planned.and_then(|fault| fault.at_platform(to, retry_after));
        let fault = match endpoint {
            _ if planned.is_some() => planned,
            Some(endpoint)
                if !self.scenario.faults.is_empty()
                    && self.choices.happens(self.scenario.faulty) =>
            {
                let fault = self.choices.one(&self.scenario.faults);
                fault.of(endpoint, retry_after)
            }
            _ => None,
        };
        let touched = self.calls.carry_out(number, fault);
        self.observe(&touched);
        if !touched.is_empty() || endpoint.is_some() {
            self.call_faults.possible.push((number, to));
        }
        if to == Destination::Store("claim") {
            if self.has_lost_claim {
                // It gives back what an earlier one leased unheard, if that is blocked by now.
                self.observe_all();
            }
            self.save_uploads(&touched);
            self.crash_poisoned(worker, &touched);
        }
    }

    fn crash_poisoned(&mut self, worker: WorkerNumber, claimed: &[SubmissionId]) {
        let poison = self.scenario.poison.and_then(|poison| self.accepted.get(&poison));
        if !poison.is_some_and(|poison| claimed.contains(poison)) {
            return;
        }
        let is_it = |slot: &usize| {
            self.workers[*slot].as_ref().is_some_and(|running| running.number == worker)
        };
        if let Some(slot) = (0..self.workers.len()).find(is_it) {
            self.perform(Act::Crash(slot));
        }
    }
}
