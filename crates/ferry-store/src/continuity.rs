//! Detects that a store lost data: remembers how far this process saw its history, and compares
//! each standing of the store with that. It does no I/O.
//!
//! The history is the sequence of events. A process remembers the newest event that it saw, by
//! epoch, number and content. A store that still has exactly this event lost nothing that the
//! process knew of, no matter what other processes wrote since. One that does not was emptied,
//! restored, or failed over to a lagging replica.

use std::cmp::Ordering;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use ferry_types::contract::EventId;

/// Stands for "no store" in the list of epochs.
pub(super) const NO_EPOCH: &str = "-";

/// Epochs that a store remembers.
pub(super) const EPOCHS: usize = 16;

/// Newest event of a store, and all else that identifies its history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Newest event.
    pub newest: EventId,
    /// Earlier epochs of the store, newest first: an operator acknowledged that their data is lost.
    pub(super) acknowledged: Vec<String>,
    /// Content of the newest event; empty if there is none.
    pub(super) event: String,
    /// Content of the event at the number that was asked for; `None` if it is no longer retained.
    pub(super) requested: Option<String>,
    /// Number of the newest event that was ever written, where the store knows it: if that is more than the
    /// newest has, events were removed in another way than by retention, which leaves the newest.
    pub(super) written: u64,
    /// Loss that a process reported and no operator has acknowledged yet.
    pub reported: Option<String>,
}

impl Standing {
    /// Reads the stored list of epochs, in which the current one is the first.
    pub(super) fn with_epochs(self, epochs: &str, number: u64) -> Self {
        let mut epochs = epochs.split(' ').filter(|epoch| !epoch.is_empty()).map(str::to_owned);
        let newest = EventId { epoch: epochs.next().unwrap_or_default(), number };
        Self { newest, acknowledged: epochs.collect(), ..self }
    }

    /// The newest event that was ever written, if it is gone.
    fn removed(&self) -> Option<Mark> {
        let id = EventId { epoch: self.newest.epoch.clone(), number: self.written };
        (self.written > self.newest.number).then(|| Mark { id, event: String::new() })
    }

    /// True unless the event, as a process saw it, is surely not there.
    fn may_have(&self, mark: &Mark) -> bool {
        let is_of_epoch = mark.id.epoch == self.newest.epoch;
        let is_there = match mark.id.number.cmp(&self.newest.number) {
            Ordering::Less => true,
            Ordering::Equal => mark.event == self.event,
            Ordering::Greater => false,
        };
        mark.id.epoch.is_empty() || (is_of_epoch && is_there)
    }

    fn mark(&self) -> Mark {
        Mark { id: self.newest.clone(), event: self.event.clone() }
    }
}

/// The newest event that a process saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Mark {
    id: EventId,
    event: String,
}

/// Knowledge of a process before it asked the store, to compare the response with.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    turn: u64,
    known: Mark,
}

impl Asked {
    /// Number of the event that the store is asked for; 0 for none.
    pub(super) fn number(&self) -> u64 {
        self.known.id.number
    }
}

/// Data that a store lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Counts the losses that this process detected, from 1.
    pub ordinal: u64,
    /// Newest event that the process had seen.
    pub before: EventId,
    /// Newest event when the loss was detected; [`EventId::START`] if there is none.
    pub after: EventId,
    /// Cause, where it is known.
    pub cause: Option<String>,
    mark: Mark,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the store lost data: its newest event was `{}`, now it is `{}`",
            self.before, self.after
        )?;
        self.cause.iter().try_for_each(|cause| write!(f, " ({cause})"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Acknowledged,
    Lost,
}

#[derive(Debug, Default)]
struct State {
    /// Changes with the history that `known` belongs to.
    turn: u64,
    known: Mark,
    losses: u64,
    loss: Option<Loss>,
}

/// History of the store as this process saw it, shared by all its calls of the store.
#[derive(Debug, Default)]
pub struct Continuity {
    state: Mutex<State>,
    changed: Notify,
}

impl Continuity {
    /// The loss that no operator has acknowledged yet, if the data is not back.
    pub fn loss(&self) -> Option<Loss> {
        self.lock().loss.clone()
    }

    /// Number of losses detected so far.
    pub fn losses(&self) -> u64 {
        self.lock().losses
    }

    /// Epoch of the store, as far as it is known.
    pub(super) fn epoch(&self) -> String {
        self.lock().known.id.epoch.clone()
    }

    /// Returns when a loss was detected or has ended since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// True if the event is known to be lost, although the store still has its epoch.
    pub fn has_lost(&self, id: &EventId) -> bool {
        let state = self.lock();
        state.loss.as_ref().is_some_and(|loss| {
            let is_cut = loss.before.epoch == id.epoch && loss.after.epoch == id.epoch;
            is_cut && id.number > loss.after.number
        })
    }

    /// To be called before the store is asked for its standing: what is known now must be in the
    /// response, while responses that overtake each other prove nothing.
    pub(super) fn ask(&self) -> Asked {
        let state = self.lock();
        Asked { turn: state.turn, known: state.known.clone() }
    }

    /// The same with what was known before the loss, to learn that the data is back.
    pub(super) fn ask_for_lost(&self) -> Option<Asked> {
        let state = self.lock();
        let known = state.loss.as_ref()?.mark.clone();
        Some(Asked { turn: state.turn, known })
    }

    /// Compares the store's response with what was known when it was asked.
    pub(super) fn saw(&self, requested: &Asked, standing: &Standing) {
        let mut state = self.lock();
        if state.turn != requested.turn {
            // Another response has changed the history meanwhile.
            return;
        }
        let is_first = state.known.id.epoch.is_empty();
        match judge(&requested.known, standing) {
            // What this process never saw may be lost, too.
            Verdict::Same if is_first && let Some(removed) = standing.removed() => {
                state.known = removed;
                self.lose(&mut state, standing.mark(), None);
            }
            Verdict::Same => {
                let known = &state.known.id;
                if is_first || standing.newest.number > known.number {
                    state.known = standing.mark();
                }
            }
            Verdict::Acknowledged => self.settle(&mut state, standing),
            Verdict::Lost => self.lose(&mut state, standing.mark(), None),
        }
    }

    /// Compares the store's response with what was known before the loss.
    pub(super) fn saw_lost(&self, requested: &Asked, standing: &Standing) {
        let mut state = self.lock();
        let is_there = requested.known.id.number == 0 || standing.requested.is_some();
        if state.turn == requested.turn
            && state.loss.is_some()
            && is_there
            && requested.known.id != EventId::START
            && judge(&requested.known, standing) == Verdict::Same
        {
            let between = std::mem::take(&mut state.known);
            let after = state.loss.as_ref().map(|loss| loss.after.clone());
            self.settle(&mut state, standing);
            // What the store accepted in between is gone instead.
            let was_used = after.is_some_and(|after| {
                between.id.epoch != after.epoch || between.id.number > after.number
            });
            if was_used && !standing.may_have(&between) {
                state.known = between;
                self.lose(&mut state, standing.mark(), None);
            }
        }
    }

    /// True if an operator acknowledged that the store is as this standing says.
    pub(super) fn is_acknowledged(&self, requested: &Asked, standing: &Standing) -> bool {
        self.lock().turn == requested.turn
            && judge(&requested.known, standing) == Verdict::Acknowledged
    }

    /// The store is not there any more. Further calls change nothing until that has ended.
    pub(super) fn vanished(&self, cause: &str) {
        let mut state = self.lock();
        if state.loss.as_ref().is_none_or(|loss| loss.cause.is_none()) {
            self.lose(&mut state, Mark::default(), Some(cause.to_owned()));
        }
    }

    fn lose(&self, state: &mut State, now: Mark, cause: Option<String>) {
        // An earlier loss that is not settled is part of this one.
        let earlier = state.loss.take().map(|loss| (loss.mark, loss.cause));
        let (mark, known_cause) = earlier.unwrap_or_else(|| (state.known.clone(), None));
        state.turn += 1;
        state.losses += 1;
        state.loss = Some(Loss {
            ordinal: state.losses,
            before: mark.id.clone(),
            after: now.id.clone(),
            cause: cause.or(known_cause),
            mark,
        });
        state.known = now;
        self.changed.notify_one();
    }

    fn settle(&self, state: &mut State, standing: &Standing) {
        state.turn += 1;
        state.known = standing.mark();
        if state.loss.take().is_some() {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves a whole state.
        self.state.lock()
    }
}

fn judge(known: &Mark, standing: &Standing) -> Verdict {
    let (id, newest) = (&known.id, &standing.newest);
    if id.epoch != newest.epoch {
        let epoch = if id.epoch.is_empty() { NO_EPOCH } else { &id.epoch };
        return match standing.acknowledged.iter().any(|acknowledged| acknowledged == epoch) {
            true => Verdict::Acknowledged,
            // Nothing was known that could be lost.
            false if id.epoch.is_empty() => Verdict::Same,
            false => Verdict::Lost,
        };
    }
    let is_other = standing.requested.as_ref().is_some_and(|event| *event != known.event);
    if newest.number < id.number || (id.number > 0 && is_other) {
        return Verdict::Lost;
    }
    Verdict::Same
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with these epochs that holds an event of this content at each number, asked for one.
    fn standing(epochs: &str, events: &[&str], requested: &Asked) -> Standing {
        let at = |number: usize| number.checked_sub(1).and_then(|n| events.get(n));
        let text = |event: Option<&&str>| event.map(|event| (*event).to_owned());
        Standing {
            event: text(at(events.len())).unwrap_or_default(),
            requested: text(at(requested.number() as usize)),
            ..Standing::default()
        }
        .with_epochs(epochs, events.len() as u64)
    }

    fn see(continuity: &Continuity, epochs: &str, events: &[&str]) -> Option<(String, String)> {
        if let Some(requested) = continuity.ask_for_lost() {
            continuity.saw_lost(&requested, &standing(epochs, events, &requested));
        }
        let requested = continuity.ask();
        continuity.saw(&requested, &standing(epochs, events, &requested));
        continuity.loss().map(|loss| (loss.before.to_string(), loss.after.to_string()))
    }

    fn lost(before: &str, after: &str) -> (String, String) {
        (before.to_owned(), after.to_owned())
    }

    #[test]
    fn a_history_that_grows_lost_nothing() {
        let continuity = Continuity::default();
        for events in [&[][..], &["a"], &["a", "b"], &["a", "b"], &["a", "b", "c"]] {
            assert_eq!(see(&continuity, "e", events), None);
        }
        assert_eq!(see(&Continuity::default(), "", &[]), None, "an empty store is new");
    }

    #[test]
    fn another_epoch_is_a_loss_until_an_operator_acknowledges_it() {
        let continuity = Continuity::default();
        see(&continuity, "e", &["a", "b"]);
        assert_eq!(see(&continuity, "f", &["a", "b", "c"]), Some(lost("e-2", "f-3")));
        assert_eq!(see(&continuity, "f", &["a", "b", "c", "d"]), Some(lost("e-2", "f-3")));
        assert_eq!(see(&continuity, "g f", &["a", "b", "c", "d"]), None);
        assert_eq!(continuity.losses(), 1);
        // The acknowledgement of an older loss, in a backup, is none of this one.
        assert_eq!(see(&continuity, "f e", &["a"]), Some(lost("g-4", "f-1")));
    }

    #[test]
    fn a_store_that_was_emptied_can_be_acknowledged_as_it_is() {
        let continuity = Continuity::default();
        see(&continuity, "e", &["a"]);
        assert_eq!(see(&continuity, "", &[]), Some(lost("e-1", "0")));
        assert_eq!(see(&continuity, "f -", &[]), None);
    }

    #[test]
    fn a_history_that_was_cut_is_noticed_although_others_have_written_since() {
        let continuity = Continuity::default();
        see(&continuity, "e", &["a", "b", "c"]);
        assert_eq!(see(&continuity, "e", &["a", "b", "x", "y", "z"]), Some(lost("e-3", "e-5")));
        let other = Continuity::default();
        see(&other, "e", &["a", "b"]);
        assert_eq!(see(&other, "e", &["a", "b", "x", "y", "z"]), None, "it lost nothing it knew");
        assert!(!other.has_lost(&EventId { epoch: "e".to_owned(), number: 9 }));
    }

    #[test]
    fn events_that_were_removed_are_a_loss_for_a_process_that_never_saw_them() {
        let continuity = Continuity::default();
        let requested = continuity.ask();
        let emptied = Standing { written: 3, ..standing("e", &[], &requested) };
        continuity.saw(&requested, &emptied);
        let loss = continuity.loss().unwrap();
        assert_eq!((loss.before.to_string(), loss.after.to_string()), lost("e-3", "e-0"));
        assert_eq!(see(&continuity, "f e", &[]), None, "an operator acknowledged it");
    }

    #[test]
    fn data_that_is_back_ends_a_loss_and_new_data_at_its_place_does_not() {
        let continuity = Continuity::default();
        see(&continuity, "e", &["a", "b", "c"]);
        assert_eq!(see(&continuity, "e", &["a"]), Some(lost("e-3", "e-1")));
        assert!(continuity.has_lost(&EventId { epoch: "e".to_owned(), number: 2 }));
        assert_eq!(see(&continuity, "e", &["a", "b", "c", "d"]), None);
        assert_eq!(continuity.losses(), 1);
    }

    #[test]
    fn what_a_store_accepted_until_the_data_was_back_is_lost_in_its_turn() {
        let continuity = Continuity::default();
        see(&continuity, "e", &["a", "b", "c"]);
        assert_eq!(see(&continuity, "e", &["a"]), Some(lost("e-3", "e-1")));
        assert_eq!(see(&continuity, "e", &["a", "x", "y", "z"]), Some(lost("e-3", "e-1")));
        assert_eq!(see(&continuity, "e", &["a", "b", "c", "d"]), Some(lost("e-4", "e-4")));
        assert_eq!(see(&continuity, "g e", &["a", "b", "c", "d"]), None, "acknowledged");
        assert_eq!(see(&continuity, "f", &["m"]), Some(lost("g-4", "f-1")));
        assert_eq!(see(&continuity, "f", &["m", "n"]), Some(lost("g-4", "f-1")));
        assert_eq!(see(&continuity, "g e", &["a", "b", "c", "d"]), Some(lost("f-2", "g-4")));
        assert_eq!(continuity.losses(), 4);
    }

    #[test]
    fn answers_that_overtake_each_other_are_no_loss() {
        let continuity = Continuity::default();
        let (first, second) = (continuity.ask(), continuity.ask());
        continuity.saw(&second, &standing("e", &["a", "b"], &second));
        continuity.saw(&first, &standing("e", &["a"], &first));
        assert_eq!(continuity.loss(), None);
        assert_eq!(continuity.ask().number(), 2);
    }

    #[test]
    fn two_answers_about_one_loss_are_one_loss() {
        let continuity = Continuity::default();
        see(&continuity, "e", &["a", "b"]);
        let (first, second) = (continuity.ask(), continuity.ask());
        continuity.saw(&second, &standing("f", &["a"], &second));
        continuity.saw(&first, &standing("f", &["a"], &first));
        assert_eq!(continuity.losses(), 1);
    }

    #[test]
    fn a_store_that_vanished_did_so_once_and_may_come_back() {
        let continuity = Continuity::default();
        see(&continuity, "e", &["a"]);
        continuity.vanished("the file was deleted");
        continuity.vanished("the file was replaced");
        assert_eq!(continuity.losses(), 1);
        assert!(continuity.loss().unwrap().to_string().ends_with("(the file was deleted)"));
        assert_eq!(see(&continuity, "e", &["a"]), None);
    }
}
