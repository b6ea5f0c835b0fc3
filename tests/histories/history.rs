//! Runs one history: acts drawn from its choices, then a calm in which everything must settle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferry_sim::{FaultRates, SimConfig, World};
use ferry_store::Wakeups;
use ferry_types::clock::Clock;
use ferry_types::domain::submission::Submission;
use ferry_types::domain::{SubmissionId, timestamp};

use crate::backing::{Backing, StoreKind};
use crate::calls::{Calls, Destination};
use crate::choices::Choices;
use crate::earlier::Earlier;
use crate::planted::{Planted, Saboteur};
use crate::receiver::ReceiverWire;
use crate::recorder::Recorder;
use crate::scenario::Scenario;
use crate::small::{CallFault, CallFaults};
use crate::store::{Numbers, Opened, WorkerStore};
use crate::time::Time;
use crate::trace::{Event, SubmissionNumber, Trace, WorkerNumber};
use crate::wire::WorkerWire;
use crate::worker::{Ways, Worker};

/// A call that was not carried out after this time is lost; one that was is answered after the other.
const TRAVEL: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(20);

/// A request that no worker waits for any more may arrive for so long.
const LATE_TRAVEL: Duration = Duration::from_secs(25);

/// Attempts of a producer to submit one dataset, each with an id of its own.
pub(crate) const ATTEMPTS: usize = 4;

/// Machine of operators and producers; the others have the number of their worker.
pub(crate) const OFFICE: usize = 100;

/// Bits of an id that number the attempt.
const ATTEMPT_BITS: u32 = 8;

/// A running history.
#[derive(Debug)]
pub(crate) struct History<'a> {
    pub(crate) choices: &'a mut Choices,
    pub(crate) scenario: Scenario,
    pub(crate) time: Time,
    pub(crate) calls: Calls,
    pub(crate) recorder: Recorder,
    pub(crate) worlds: Vec<Arc<Mutex<World>>>,
    pub(crate) backing: Arc<Backing>,
    /// The store as operators and producers have opened it.
    pub(crate) office: Opened,
    pub(crate) saboteur: Arc<Saboteur>,
    pub(crate) numbers: Numbers,
    /// By submission, the ids of its attempts.
    pub(crate) ids: Vec<Vec<SubmissionId>>,
    /// By submission, how often a producer has submitted it, and the id that the store has.
    pub(crate) attempts: Vec<usize>,
    pub(crate) accepted: BTreeMap<SubmissionNumber, SubmissionId>,
    pub(crate) known: BTreeMap<SubmissionId, Submission>,
    pub(crate) saved: Option<(Earlier, BTreeMap<SubmissionId, Submission>)>,
    pub(crate) workers: Vec<Option<Worker>>,
    pub(crate) is_away: bool,
    /// The client of the server lost a response to a claim.
    pub(crate) has_lost_claim: bool,
    pub(crate) call_faults: CallFaults,
    started: usize,
}

/// Setup of a history, beside its choices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) store: StoreKind,
    pub(crate) planted: Option<Planted>,
}

impl<'a> History<'a> {
    /// Runs a history to its end.
    pub(crate) fn run(choices: &'a mut Choices, setting: Setting) -> (Scenario, Trace) {
        let scenario = Scenario::draw(choices);
        let mut history = Self::new(choices, scenario.clone(), setting);
        history.submit(0);
        for slot in 0..scenario.workers {
            history.start(slot);
        }
        history.settle_calls();
        for _ in 0..scenario.acts {
            if history.is_over() {
                break;
            }
            let act = history.draw();
            history.perform(act);
            history.settle_calls();
        }
        history.calm();
        (scenario, history.trace())
    }

    /// Prepares a history in which nothing has happened yet.
    pub(crate) fn new(choices: &'a mut Choices, scenario: Scenario, setting: Setting) -> Self {
        let time = Time::default();
        let seed = u64::from(choices.pick(1 << 30));
        let worlds = (0..scenario.accounts).map(|account| world(seed + account as u64, &scenario));
        let began = timestamp(Clock::now(&time).timestamp_millis());
        let id = |number: usize, attempt: usize| {
            SubmissionId::new(began, ((number as u128) << ATTEMPT_BITS) | attempt as u128)
        };
        let planned = scenario.submissions.len();
        let ids: Vec<Vec<_>> = (0..planned)
            .map(|number| (0..ATTEMPTS).map(|attempt| id(number, attempt)).collect())
            .collect();
        let numbered = ids.iter().enumerate();
        let numbers = numbered.flat_map(|(number, ids)| ids.iter().map(move |id| (*id, number)));
        let backing = Arc::new(Backing::new(setting.store, &time));
        let same_name = same_name(&scenario, &ids);
        Self {
            calls: Calls::new(time.clone()),
            recorder: Recorder::new(time.clone()),
            worlds: worlds.collect(),
            saboteur: Arc::new(Saboteur::new(setting.planted, backing.clone(), same_name)),
            office: Opened::new(&backing, OFFICE),
            backing,
            numbers: Arc::new(numbers.collect()),
            workers: (0..scenario.workers).map(|_| None).collect(),
            attempts: vec![0; planned],
            accepted: BTreeMap::new(),
            known: BTreeMap::new(),
            saved: None,
            is_away: false,
            has_lost_claim: false,
            call_faults: CallFaults::default(),
            started: 0,
            choices,
            scenario,
            time,
            ids,
        }
    }

    /// True if nothing can happen any more but time.
    fn is_over(&self) -> bool {
        !self.scenario.operators
            && self.saved.is_none()
            && self.attempts.iter().all(|attempts| *attempts > 0)
            && self.has_settled()
            && self.calls.each(|_| ()).is_empty()
    }

    /// True if no submission has a step left.
    pub(crate) fn has_settled(&self) -> bool {
        self.known.values().all(|known| known.state.is_final() && known.due_at.is_none())
    }

    pub(crate) fn start(&mut self, slot: usize) {
        self.started += 1;
        let worker = self.started;
        let (calls, recorder) = (self.calls.clone(), self.recorder.clone());
        let store = WorkerStore {
            worker,
            inner: Opened::new(&self.backing, slot),
            calls: calls.clone(),
            recorder: recorder.clone(),
            numbers: self.numbers.clone(),
            saboteur: self.saboteur.clone(),
            wakeups: Wakeups::default(),
        };
        let wire = |(account, world): (usize, &Arc<Mutex<World>>)| {
            let (calls, recorder) = (calls.clone(), recorder.clone());
            let (world, time) = (world.clone(), self.time.clone());
            WorkerWire { worker, account, world, calls, recorder, time }
        };
        let platforms = self.worlds.iter().enumerate().map(wire).collect();
        let numbers = self.numbers.clone();
        let receivers = ReceiverWire { worker, calls: calls.clone(), recorder, numbers };
        let ways = Ways { platforms, receivers };
        let (policy, limits) = (self.scenario.policy(), self.scenario.limits);
        self.workers[slot] = Some(Worker::start(store, ways, &self.time, policy, limits));
        self.note(slot, "started");
    }

    pub(crate) fn note(&self, slot: usize, what: &'static str) {
        if let Some(worker) = &self.workers[slot] {
            self.recorder.record(Event::Worker(worker.number, what));
        }
    }

    /// Lets time pass to the next timer, or until `to`.
    pub(crate) fn pass(&mut self, to: Option<Duration>) {
        let ends = self.calls.each(|call| match call.carried_out {
            None if call.is_abandoned() => call.sent + LATE_TRAVEL,
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

    /// Polls the workers until nothing can make progress. Each new call is carried out and answered at
    /// once, unless it is drawn to be slow or lost.
    pub(crate) fn settle_calls(&mut self) {
        loop {
            let mut progressed = false;
            for worker in self.workers.iter_mut().flatten() {
                progressed |= worker.run();
            }
            for number in self.calls.take_new() {
                self.begin(number);
            }
            self.end_stopped();
            if !progressed {
                return;
            }
        }
    }

    /// Workers that were stopped, and have committed what they had, end.
    fn end_stopped(&mut self) {
        for slot in 0..self.workers.len() {
            if self.workers[slot].as_ref().is_some_and(Worker::has_ended) {
                self.note(slot, "ended");
                self.workers[slot] = None;
            }
        }
    }

    fn begin(&mut self, number: u64) {
        let (worker, to) = self.calls.of(number, |call| (call.worker, call.to));
        let is_to_store = matches!(to, Destination::Store(_));
        let mut running = self.workers.iter().flatten();
        let is_cut_off = running.any(|running| running.number == worker && running.is_cut_off);
        if is_to_store && (is_cut_off || self.is_away) {
            return self.calls.lose(number);
        }
        match self.call_faults.of_new(number, to) {
            Some(CallFault::Wait) => return,
            Some(fault) => return self.meet(number, worker, fault),
            None => {}
        }
        if self.choices.happens(self.scenario.slow) {
            return;
        }
        let is_lost = is_to_store && self.choices.happens(self.scenario.lost);
        if is_lost && self.choices.pick(2) == 0 {
            return self.calls.lose(number);
        }
        if !is_lost {
            self.carry_out(number);
            return self.calls.answer(number);
        }
        self.backing.lose_next_response();
        self.carry_out(number);
        if self.backing.has_lost_response() {
            self.response_lost(worker, to);
            self.calls.answer(number);
        } else {
            self.calls.lose(number);
        }
    }

    /// The client of the server lost a response: nothing says what the call has changed.
    fn response_lost(&mut self, worker: WorkerNumber, to: Destination) {
        if let Destination::Store(call) = to {
            self.recorder.record(Event::StoreCallLost { worker, call, carried_out: true });
            self.has_lost_claim |= call == "claim";
        }
        self.observe_all();
    }

    /// A call meets its fault.
    fn meet(&mut self, number: u64, worker: WorkerNumber, fault: CallFault) {
        let slot = self
            .workers
            .iter()
            .position(|running| running.as_ref().is_some_and(|running| running.number == worker));
        if fault != CallFault::LoseCall && fault != CallFault::CrashBefore {
            self.carry_out(number);
        }
        match fault {
            CallFault::LoseCall | CallFault::LoseResponse => self.calls.lose(number),
            CallFault::Platform(_) => self.calls.answer(number),
            CallFault::Late | CallFault::Wait => {}
            CallFault::CrashBefore | CallFault::CrashAfter => {
                self.calls.lose(number);
                if let Some(slot) = slot {
                    self.note(slot, "crashed");
                    self.workers[slot] = None;
                    self.start(slot);
                }
            }
        }
    }
}

fn world(seed: u64, scenario: &Scenario) -> Arc<Mutex<World>> {
    let mut world = World::new(SimConfig {
        seed,
        // A history chooses itself which requests have faults.
        faults: FaultRates::default(),
        token_lifetime: Duration::from_secs(90),
        ..scenario.platform.config()
    });
    if scenario.is_name_foreign {
        world.occupy("N0");
    }
    Arc::new(Mutex::new(world))
}

/// By id, all ids of other submissions of the same account and name.
fn same_name(
    scenario: &Scenario,
    ids: &[Vec<SubmissionId>],
) -> BTreeMap<SubmissionId, Vec<SubmissionId>> {
    let name = |number: usize| {
        let fact = &scenario.submissions[number].fact;
        (fact.account, &fact.name)
    };
    let others = |number: usize| {
        let others =
            (0..ids.len()).filter(|other| *other != number && name(*other) == name(number));
        others.flat_map(|other| ids[other].iter().copied()).collect::<Vec<_>>()
    };
    let numbered = ids.iter().enumerate();
    numbered.flat_map(|(number, ids)| ids.iter().map(move |id| (*id, others(number)))).collect()
}
