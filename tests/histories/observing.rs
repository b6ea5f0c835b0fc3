//! Reads the store for a history, and saves its states.

use std::collections::BTreeMap;

use ferry_sim::expected_results;
use ferry_store::{Filter, SubmissionDetail};
use ferry_types::clock::Clock;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{State, Submission, TimelineEntry, WaitingFor};

use crate::acts::Act;
use crate::history::{History, OFFICE};
use crate::store::Opened;
use crate::trace::{AccountNumber, Event, Explained, Last, SubmissionNumber, Trace};
use crate::worker::account_name;

impl History<'_> {
    /// Records the changes of submissions and of those of the same names, and wakes the workers.
    pub(crate) fn observe(&mut self, touched: &[SubmissionId]) {
        if touched.is_empty() {
            return;
        }
        let name = |number: SubmissionNumber| {
            let fact = &self.scenario.submissions[number].fact;
            (fact.account, fact.name.as_str())
        };
        let names: Vec<_> = touched.iter().map(|id| name(self.numbers[id])).collect();
        let same_name = self.accepted.iter().filter(|(number, _)| names.contains(&name(**number)));
        let same_name: Vec<_> = same_name.map(|(number, id)| (*number, *id)).collect();
        let mut all = self.listed(&of_names(&names));
        let mut is_changed = false;
        for (number, id) in same_name {
            let Some(SubmissionDetail { submission: now, .. }) = all.remove(&id) else {
                continue;
            };
            if self.known.get(&id) == Some(&now) {
                continue;
            }
            if let (Some(kind), Some(due), None) = (now.step, now.due_at, now.leased_until) {
                for worker in self.workers.iter().flatten() {
                    worker.store.wakeups.scheduled(kind, due);
                }
            }
            is_changed = true;
            let before = self.known.get(&id).map(|before| (before.state, before.upload_ambiguous));
            if before != Some((now.state, now.upload_ambiguous)) {
                self.recorder.record(changed(number, &now));
            }
            self.known.insert(id, now);
        }
        // Otherwise a claim that changes nothing would cause the next one, without end.
        if is_changed && self.time.is_stepped() {
            // Due times are by the wall clock, and workers sleep by the store's time.
            self.wake_all();
        }
    }

    pub(crate) fn observe_all(&mut self) {
        let all: Vec<_> = self.accepted.values().copied().collect();
        self.observe(&all);
    }

    /// The submissions of a filter, in one call.
    fn listed(&self, filter: &Filter) -> BTreeMap<SubmissionId, SubmissionDetail> {
        let list = self.office.run(self.office.store.list(filter, None, 100));
        let found = list.expect("the store is there").found.into_iter();
        found.map(|detail| (detail.submission.id, detail)).collect()
    }

    pub(crate) fn wake_all(&self) {
        self.workers.iter().flatten().for_each(|worker| worker.store.wakeups.all());
    }

    /// Records what the store says about each submission.
    pub(crate) fn explain(&mut self) {
        let mut all = self.listed(&Filter::default());
        for (number, id) in self.accepted.clone() {
            let Some(SubmissionDetail { submission, waiting_for }) = all.remove(&id) else {
                continue;
            };
            let waiting_for = self.saboteur.explaining(waiting_for, submission.step);
            let predecessor = match &waiting_for {
                Some(WaitingFor::Predecessor { submission }) => Some(self.numbers[submission]),
                _ => None,
            };
            self.recorder.record(Event::Explained(Explained {
                of: number,
                state: submission.state,
                step: submission.step,
                due_at: submission.due_at,
                leased_until: submission.leased_until,
                waiting_for,
                predecessor,
                now: Clock::now(&self.time),
            }));
        }
    }

    /// Makes durable all that the store has.
    pub(crate) fn save(&mut self) {
        if self.scenario.goes_back {
            self.recorder.record(Event::Saved);
            self.saved = Some((self.backing.save(), self.known.clone()));
        }
    }

    /// The claim of an upload is durable before its request leaves.
    pub(crate) fn save_uploads(&mut self, claimed: &[SubmissionId]) {
        if claimed.iter().any(|id| self.known[id].state == State::Uploading) {
            self.save();
        }
    }

    pub(crate) fn go_back(&mut self) {
        let Some((earlier, known)) = self.saved.clone() else { return };
        // A file is restored only after all processes have ended.
        for slot in 0..self.workers.len() {
            if self.backing.is_file() && self.workers[slot].is_some() {
                self.perform(Act::Crash(slot));
            }
        }
        self.recorder.undo();
        self.recorder.record(Event::WentBack);
        self.backing.go_back(earlier);
        if self.backing.is_file() {
            self.office = Opened::new(&self.backing, OFFICE);
        }
        self.known = known;
        self.wake_all();
    }

    /// Ends all faults, and runs until everything has settled.
    pub(crate) fn calm(&mut self) {
        self.recorder.record(Event::Calm);
        self.scenario = self.scenario.calm();
        self.is_away = false;
        for slot in 0..self.workers.len() {
            self.set(slot, "woken and connected", |worker| {
                (worker.is_suspended, worker.is_cut_off) = (false, false);
            });
            if self.workers[slot].as_ref().is_none_or(|worker| worker.is_stopping) {
                self.start(slot);
            }
        }
        for (number, is_carried_out) in self.calls.each(|call| call.carried_out.is_some()) {
            if !is_carried_out {
                self.carry_out(number);
            }
            self.calls.answer(number);
        }
        self.submit_rest();
        self.explain();
        self.settle_calls();
        let (until, mut resolved) = (self.time.elapsed() + CALM, 0);
        while self.time.elapsed() < until {
            self.attend(&mut resolved);
            if self.has_settled() {
                return;
            }
            self.settle_calls();
            self.pass(None);
            self.settle_calls();
        }
    }

    /// The trace, with what the store has at the end.
    pub(crate) fn trace(&self) -> Trace {
        let stats = self.office.run(self.office.store.stats()).expect("the store is there");
        let mut counts = BTreeMap::new();
        for account in 0..self.scenario.accounts {
            let of = stats.accounts.iter().find(|of| of.account == account_name(account));
            for (state, count) in of.into_iter().flat_map(|of| &of.states) {
                counts.insert((account, *state), *count);
            }
        }
        let events = self.events();
        let planned = self.scenario.submissions.iter();
        Trace {
            entries: self.recorder.take(),
            facts: planned.map(|planned| planned.fact.clone()).collect(),
            limits: self.scenario.limits,
            policy_overwrites: self.scenario.ambiguous_upload
                == ferry::pipeline::AmbiguousUpload::Overwrite,
            last: (0..self.ids.len()).map(|number| self.last(number, &events)).collect(),
            counts,
        }
    }

    /// The states that the stream of events has of each submission.
    fn events(&self) -> BTreeMap<SubmissionId, Vec<State>> {
        let mut states = BTreeMap::<_, Vec<_>>::new();
        let mut after = 0;
        loop {
            let page = self.office.run(self.office.store.events(after, 1000));
            let page = page.expect("the store is there");
            let Some(last) = page.events.last() else { return states };
            after = last.cursor;
            for event in &page.events {
                states.entry(event.submission).or_default().push(event.state);
            }
        }
    }

    fn last(
        &self,
        number: SubmissionNumber,
        events: &BTreeMap<SubmissionId, Vec<State>>,
    ) -> Option<Last> {
        let id = *self.accepted.get(&number)?;
        let submission = self.office.run(self.office.store.get(id)).ok().flatten()?.submission;
        let (store, planned) = (&self.office.store, &self.scenario.submissions[number]);
        let table = expected_results(&planned.fact.name, &planned.data);
        let result = |key: &String| {
            let content = self.office.run(store.content(id, key)).ok().flatten();
            let expected = if key == "tableofresultids" {
                table.clone().into_bytes()
            } else {
                let rows = table.lines().count() - 1;
                serde_json::json!({ "key": key, "rows": rows }).to_string().into_bytes()
            };
            (key.clone(), (content.map(|content| content.bytes), expected))
        };
        let timeline = self.office.run(store.timeline(id)).expect("it is there");
        let outcome = timeline.iter().rev().take_while(|entry| entry.state == submission.state);
        let says_why =
            |entry: &TimelineEntry| UNDELIVERED.iter().any(|text| entry.message.contains(text));
        let is_gone = submission.webhook.as_ref().is_some_and(|webhook| webhook.gone);
        let says_undelivered = is_gone || outcome.into_iter().any(says_why);
        Some(Last {
            state: submission.state,
            is_due: submission.due_at.is_some(),
            results: planned.result_keys.iter().map(result).collect(),
            events: events.get(&id).cloned().unwrap_or_default(),
            says_undelivered,
            timeline: timeline.iter().map(|entry| entry.state).collect(),
        })
    }
}

/// Texts of a log about an outcome that no receiver learns of.
const UNDELIVERED: [&str; 3] = ["abandoned after", "responded 410", "`deliver` crashed its worker"];

/// Time in which all must settle without faults.
const CALM: std::time::Duration = std::time::Duration::from_hours(4);

/// Those of one account and name, or all: a store looks through its index of names for the former.
fn of_names(names: &[(AccountNumber, &str)]) -> Filter {
    match names {
        [(account, name), others @ ..] if others.iter().all(|other| *other == names[0]) => Filter {
            accounts: vec![account_name(*account)],
            name: Some((*name).to_owned()),
            ..Filter::default()
        },
        _ => Filter::default(),
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
