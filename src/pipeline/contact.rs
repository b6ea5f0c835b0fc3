//! For how long this process has been in contact with the store: a stall of the store ends no other worker.

use std::time::Duration;

use ferry_types::clock::MonotonicTime;

/// Shortest time without a response that interrupts the contact: less than that says nothing, however short
/// the leases are.
const SHORTEST_GAP: Duration = Duration::from_secs(1);

/// Contact with the store, by a clock that counts suspended time.
#[derive(Debug)]
pub(super) struct Contact {
    lease: Duration,
    spell: Option<Spell>,
}

/// Responses that came without a gap.
#[derive(Debug, Clone, Copy)]
struct Spell {
    first: MonotonicTime,
    last: MonotonicTime,
}

impl Contact {
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease, spell: None }
    }

    /// The store did at `now` what it was asked to.
    pub(super) fn responded(&mut self, now: MonotonicTime) {
        let first = self.unbroken(now).map_or(now, |spell| spell.first);
        self.spell = Some(Spell { first, last: now });
    }

    /// The store did not do what it was asked to.
    pub(super) fn lost(&mut self) {
        self.spell = None;
    }

    /// True if it has lasted for a lease: a worker that renewed none of its leases meanwhile is lost, and did
    /// not wait for the store as this process did.
    pub(super) fn lasts(&self, now: MonotonicTime) -> bool {
        self.unbroken(now).is_some_and(|spell| now.since(spell.first) >= self.lease)
    }

    /// A worker whose lease was just renewed by a third of its duration can renew it again after a gap of half.
    fn unbroken(&self, now: MonotonicTime) -> Option<Spell> {
        let gap = SHORTEST_GAP.max(self.lease / 2);
        self.spell.filter(|spell| now.since(spell.last) <= gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> MonotonicTime {
        MonotonicTime::after_origin(Duration::from_millis(millis))
    }

    /// A contact by these responses, with leases of 6 s.
    fn contact(responses: impl IntoIterator<Item = u64>) -> Contact {
        let mut contact = Contact::new(Duration::from_secs(6));
        responses.into_iter().for_each(|millis| contact.responded(at(millis)));
        contact
    }

    #[test]
    fn a_contact_lasts_from_its_first_response_for_a_lease() {
        let contact = contact((0..=5000).step_by(1000));
        assert!(!contact.lasts(at(5999)));
        assert!(contact.lasts(at(6000)));
        assert!(!Contact::new(Duration::from_secs(6)).lasts(at(60_000)), "no response came");
    }

    #[test]
    fn after_a_stall_or_a_failure_it_begins_again() {
        let mut contact = contact((0..=20_000).step_by(1000));
        assert!(contact.lasts(at(23_000)));
        assert!(!contact.lasts(at(23_001)), "the process stood still, or the store");
        contact.responded(at(23_001));
        contact.responded(at(26_000));
        contact.responded(at(29_000));
        assert!(!contact.lasts(at(29_000)));
        assert!(contact.lasts(at(29_001)));
        contact.lost();
        contact.responded(at(29_002));
        assert!(!contact.lasts(at(30_000)));
    }

    #[test]
    fn short_leases_allow_gaps_of_a_second() {
        let mut contact = Contact::new(Duration::from_millis(100));
        contact.responded(at(0));
        assert!(contact.lasts(at(1000)) && !contact.lasts(at(1001)));
    }
}
