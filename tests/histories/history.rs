//! Runs one history: acts drawn from its choices, then a calm in which everything must settle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferry_sim::{Processing, SimConfig, World, expected_results};
use ferry_store::memory::MemoryStore;
use ferry_store::{Accepted, Deadline, NewSubmission, Payload, Store, Wakeups};
use ferry_types::clock::Clock;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::{Resolution, State, Submission};
use ferry_types::domain::{SubmissionId, timestamp};

use crate::calls::{Calls, Destination};
use crate::choices::Choices;
use crate::planted::{Planted, Saboteur};
use crate::scenario::Scenario;
use crate::store::{Numbers, WorkerStore, at_once};
use crate::time::Time;
use crate::trace::{Event, Last, Recorder, SubmissionNumber, Trace};
use crate::wire::WorkerWire;
use crate::worker::{ACCOUNT, Worker};

/// A call that was not carried out after this time is lost; one that was is answered after the other.
const TRAVEL: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(20);

/// Result key that all submissions ask for.
const RESULT_KEY: &str = "tableofresultids";

/// A running history.
#[derive(Debug)]
pub(crate) struct History<'a> {
    choices: &'a mut Choices,
    scenario: Scenario,
    time: Time,
    calls: Calls,
    recorder: Recorder,
    world: Arc<Mutex<World>>,
    store: MemoryStore,
    saboteur: Arc<Saboteur>,
    numbers: Numbers,
    ids: Vec<SubmissionId>,
    accepted: usize,
    known: BTreeMap<SubmissionId, Submission>,
    workers: Vec<Option<Worker>>,
    started: usize,
}

/// An act of a history.
#[derive(Debug, Clone, Copy)]
enum Act {
    Pass,
    Submit,
    Cancel,
    CarryOut(u64),
    Answer(u64),
    Lose(u64),
    Crash(usize),
    Start(usize),
    Suspend(usize),
    Wake(usize),
    CutOff(usize),
    Connect(usize),
}

impl<'a> History<'a> {
    /// Runs a history to its end.
    pub(crate) fn run(choices: &'a mut Choices, planted: Option<Planted>) -> (Scenario, Trace) {
        let scenario = Scenario::draw(choices);
        let mut history = Self::new(choices, scenario.clone(), planted);
        history.accept_next();
        for slot in 0..scenario.workers {
            history.start(slot);
        }
        history.settle_calls();
        for _ in 0..scenario.acts {
            let acts = history.possible();
            let sum = acts.iter().map(|(weight, _)| weight).sum();
            let mut drawn = history.choices.pick(sum);
            let act = acts.iter().find(|(weight, _)| {
                let is_it = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                is_it
            });
            history.perform(act.map_or(Act::Pass, |(_, act)| *act));
            history.settle_calls();
        }
        history.calm();
        (scenario, history.trace())
    }

    fn new(choices: &'a mut Choices, scenario: Scenario, planted: Option<Planted>) -> Self {
        let time = Time::default();
        let seed = u64::from(choices.pick(1 << 30));
        let mut world = World::new(SimConfig {
            seed,
            processing: Processing::Uniform(Duration::ZERO, Duration::from_secs(8)),
            ..SimConfig::default()
        });
        if scenario.is_name_foreign {
            world.occupy("N0");
        }
        let began = Clock::now(&time);
        let ids: Vec<_> = (0..scenario.submissions.len() as u128)
            .map(|number| SubmissionId::new(timestamp(began.timestamp_millis()), number))
            .collect();
        Self {
            store: MemoryStore::new(Arc::new(time.clone()), HealthPolicy::default()),
            calls: Calls::new(time.clone()),
            recorder: Recorder::new(time.clone()),
            world: Arc::new(Mutex::new(world)),
            saboteur: Arc::new(Saboteur::new(planted)),
            numbers: Arc::new(ids.iter().enumerate().map(|(number, id)| (*id, number)).collect()),
            workers: (0..scenario.workers).map(|_| None).collect(),
            known: BTreeMap::new(),
            accepted: 0,
            started: 0,
            choices,
            scenario,
            time,
            ids,
        }
    }

    /// The acts that are possible, with their weights, in a fixed order; the first is as intended.
    fn possible(&self) -> Vec<(u32, Act)> {
        let mut acts = vec![(60, Act::Pass)];
        if self.accepted < self.ids.len() {
            acts.push((8, Act::Submit));
        }
        if self.scenario.cancellations {
            acts.push((2, Act::Cancel));
        }
        for (number, is_carried_out) in self.calls.each(|call| call.carried_out.is_some()) {
            acts.push((
                20,
                if is_carried_out { Act::Answer(number) } else { Act::CarryOut(number) },
            ));
            if self.scenario.lost > 0 {
                acts.push((4, Act::Lose(number)));
            }
        }
        for (slot, worker) in self.workers.iter().enumerate() {
            let Some(worker) = worker else {
                acts.push((10, Act::Start(slot)));
                continue;
            };
            if self.scenario.crashes {
                acts.push((2, Act::Crash(slot)));
            }
            if worker.is_suspended {
                acts.push((8, Act::Wake(slot)));
            } else if self.scenario.suspensions {
                acts.push((2, Act::Suspend(slot)));
            }
            if worker.is_cut_off {
                acts.push((6, Act::Connect(slot)));
            } else if self.scenario.partitions {
                acts.push((2, Act::CutOff(slot)));
            }
        }
        acts
    }

    fn perform(&mut self, act: Act) {
        match act {
            Act::Pass => {
                let step = self.choices.one(&[None, None, Some(100), Some(1000), Some(6000)]);
                let to = step.map(|step| self.time.elapsed() + Duration::from_millis(step));
                self.pass(to);
            }
            Act::Submit => self.accept_next(),
            Act::Cancel => {
                let number = self.choices.pick(self.accepted as u32) as usize;
                if at_once(self.store.cancel(self.ids[number])).is_ok() {
                    self.recorder.record(Event::Cancelled(number));
                    self.observe(&[self.ids[number]]);
                }
            }
            Act::CarryOut(number) => self.carry_out(number),
            Act::Answer(number) => self.calls.answer(number),
            Act::Lose(number) => self.calls.lose(number),
            Act::Crash(slot) => {
                self.note(slot, "crashed");
                self.workers[slot] = None;
            }
            Act::Start(slot) => self.start(slot),
            Act::Suspend(slot) => self.set(slot, "suspended", |worker| worker.is_suspended = true),
            Act::Wake(slot) => self.set(slot, "woken", |worker| worker.is_suspended = false),
            Act::CutOff(slot) => self.set(slot, "cut off", |worker| worker.is_cut_off = true),
            Act::Connect(slot) => self.set(slot, "connected", |worker| worker.is_cut_off = false),
        }
    }

    fn note(&self, slot: usize, what: &'static str) {
        if let Some(worker) = &self.workers[slot] {
            self.recorder.record(Event::Worker(worker.number, what));
        }
    }

    fn set(&mut self, slot: usize, what: &'static str, change: impl FnOnce(&mut Worker)) {
        self.note(slot, what);
        self.workers[slot].as_mut().map(change);
    }

    fn start(&mut self, slot: usize) {
        self.started += 1;
        let worker = self.started;
        let (calls, recorder) = (self.calls.clone(), self.recorder.clone());
        let store = WorkerStore {
            worker,
            inner: self.store.clone(),
            calls: calls.clone(),
            recorder: recorder.clone(),
            numbers: self.numbers.clone(),
            saboteur: self.saboteur.clone(),
            wakeups: Wakeups::default(),
        };
        let (world, time) = (self.world.clone(), self.time.clone());
        let wire = WorkerWire { worker, world, calls, recorder, time };
        self.workers[slot] = Some(Worker::start(store, wire, &self.time, self.scenario.policy()));
        self.note(slot, "started");
    }

    /// Lets time pass to the next timer, or until `to`.
    fn pass(&mut self, to: Option<Duration>) {
        let ends = self.calls.each(|call| match call.carried_out {
            None => call.sent + TRAVEL,
            Some(at) => at + ANSWER,
        });
        let first = ends.iter().map(|(_, end)| *end).chain(self.time.next_timer()).min();
        self.time.advance(to.or(first).unwrap_or(self.time.elapsed()));
        for (number, end) in ends {
            if end > self.time.elapsed() {
                continue;
            }
            match self.calls.of(number, |call| call.carried_out) {
                Some(_) => self.calls.answer(number),
                None => self.calls.lose(number),
            }
        }
    }

    fn accept_next(&mut self) {
        let number = self.accepted;
        let planned = &self.scenario.submissions[number];
        let payload = Payload { data: planned.data.clone(), event_data: None };
        let (id, deadline) = (self.ids[number], Deadline::After(self.scenario.deadline));
        let mut new = NewSubmission::new(id, ACCOUNT, &planned.name, payload, deadline);
        new.overwrite = planned.overwrite;
        new.result_keys = vec![RESULT_KEY.to_owned()];
        let accepted = at_once(self.store.accept(vec![new])).expect("a valid submission");
        assert_eq!(accepted, [Accepted::New(id)]);
        self.accepted += 1;
        self.recorder.record(Event::Accepted(number));
        self.observe(&[id]);
    }

    /// Polls the workers until nothing can make progress. Each new call is carried out and answered at
    /// once, unless it is drawn to be slow or lost.
    fn settle_calls(&mut self) {
        loop {
            let mut progressed = false;
            for worker in self.workers.iter_mut().flatten() {
                progressed |= worker.run();
            }
            for number in self.calls.take_new() {
                self.begin(number);
            }
            if !progressed {
                return;
            }
        }
    }

    fn begin(&mut self, number: u64) {
        let (worker, to) = self.calls.of(number, |call| (call.worker, call.to));
        let is_to_store = matches!(to, Destination::Store(_));
        let mut running = self.workers.iter().flatten();
        let is_cut_off = running.any(|running| running.number == worker && running.is_cut_off);
        if is_to_store && is_cut_off {
            return self.calls.lose(number);
        }
        if self.choices.happens(self.scenario.slow) {
            return;
        }
        let is_lost = is_to_store && self.choices.happens(self.scenario.lost);
        if is_lost && self.choices.pick(2) == 0 {
            return self.calls.lose(number);
        }
        self.carry_out(number);
        if is_lost { self.calls.lose(number) } else { self.calls.answer(number) }
    }

    fn carry_out(&mut self, number: u64) {
        let fault = match self.calls.of(number, |call| call.to) {
            Destination::Platform(endpoint)
                if !self.scenario.faults.is_empty()
                    && self.choices.happens(self.scenario.faulty) =>
            {
                let fault = self.choices.one(&self.scenario.faults);
                fault.of(endpoint, self.choices)
            }
            _ => None,
        };
        let touched = self.calls.carry_out(number, fault);
        self.observe(&touched);
    }

    /// Records the changes of submissions and of those of the same names, and wakes the workers.
    fn observe(&mut self, touched: &[SubmissionId]) {
        if touched.is_empty() {
            return;
        }
        let name = |id: &SubmissionId| &self.scenario.submissions[self.numbers[id]].name;
        let same_name = |id: &&SubmissionId| touched.iter().any(|other| name(other) == name(id));
        for id in self.ids[..self.accepted].iter().filter(same_name) {
            let Ok(Some(detail)) = at_once(self.store.get(*id)) else { continue };
            let now = detail.submission;
            if self.known.get(id) == Some(&now) {
                continue;
            }
            if let (Some(kind), Some(due), None) = (now.step, now.due_at, now.leased_until) {
                for worker in self.workers.iter().flatten() {
                    worker.store.wakeups().scheduled(kind, due);
                }
            }
            let before = self.known.get(id).map(|before| (before.state, before.upload_ambiguous));
            if before != Some((now.state, now.upload_ambiguous)) {
                self.recorder.record(changed(self.numbers[id], &now));
            }
            self.known.insert(*id, now);
        }
    }

    /// Ends all faults, and runs until everything has settled.
    fn calm(&mut self) {
        self.recorder.record(Event::Calm);
        self.scenario = self.scenario.calm();
        for slot in 0..self.workers.len() {
            self.set(slot, "woken and connected", |worker| {
                (worker.is_suspended, worker.is_cut_off) = (false, false);
            });
            if self.workers[slot].is_none() {
                self.start(slot);
            }
        }
        for (number, is_carried_out) in self.calls.each(|call| call.carried_out.is_some()) {
            if !is_carried_out {
                self.carry_out(number);
            }
            self.calls.answer(number);
        }
        self.settle_calls();
        let (until, mut resolved) = (self.time.elapsed() + Duration::from_hours(4), 0);
        while self.time.elapsed() < until {
            self.operate(&mut resolved);
            if self.known.values().all(|submission| submission.state.is_final()) {
                return;
            }
            self.settle_calls();
            self.pass(None);
            self.settle_calls();
        }
    }

    /// Resumes the account if it is paused, and resolves what is held.
    fn operate(&mut self, resolved: &mut u32) {
        let stats = at_once(self.store.stats()).expect("it never fails");
        if stats.accounts.iter().any(|account| account.health.pause_reason.is_some()) {
            at_once(self.store.resume(ACCOUNT)).expect("the account is known");
            self.recorder.record(Event::Resumed);
            self.workers.iter().flatten().for_each(|worker| worker.store.wakeups().all());
        }
        let is_held = |(_, submission): &(_, &Submission)| submission.state == State::Held;
        let held: Vec<_> = self.known.iter().filter(is_held).map(|(id, _)| *id).collect();
        for id in held {
            *resolved += 1;
            let resolutions = [Resolution::Fail, Resolution::Retry, Resolution::Overwrite];
            let drawn = self.choices.one(&resolutions);
            let resolution = if *resolved > 20 { Resolution::Fail } else { drawn };
            let resolve = |resolution| {
                at_once(self.store.resolve(id, resolution, self.scenario.deadline))
                    .is_ok()
                    .then_some(resolution)
            };
            // What is held after its upload has nothing to overwrite.
            let done = resolve(resolution).or_else(|| resolve(Resolution::Fail));
            let resolution = done.expect("what is held can be resolved");
            self.recorder.record(Event::Resolved(self.numbers[&id], resolution));
            self.observe(&[id]);
        }
    }

    fn trace(&self) -> Trace {
        let last = |number: SubmissionNumber| {
            let submission = at_once(self.store.get(self.ids[number])).ok()??.submission;
            let content = at_once(self.store.content(self.ids[number], RESULT_KEY)).ok()?;
            let planned = &self.scenario.submissions[number];
            Some(Last {
                state: submission.state,
                is_cancelling: submission.is_cancelling(),
                result: content.map(|content| content.bytes),
                expected_result: expected_results(&planned.name, &planned.data).into_bytes(),
            })
        };
        Trace {
            entries: self.recorder.entries(),
            names: self.scenario.submissions.iter().map(|planned| planned.name.clone()).collect(),
            last: (0..self.accepted).map(last).collect(),
        }
    }
}

fn changed(of: SubmissionNumber, now: &Submission) -> Event {
    Event::Changed {
        of,
        state: now.state,
        ambiguous: now.upload_ambiguous,
        token: now.processing_token.clone(),
        why: now.reason.as_ref().map(|reason| reason.text.clone()).unwrap_or_default(),
    }
}
