//! Sentences that the overview shows during a drill: those of the findings themselves, about the queue
//! as the drill changes it.

use super::{QueueNow, THROTTLED_FOR};
use crate::pipeline::{data_rejected, paused_for};
use crate::platform::{StatusMap, no_token};
use crate::queue::{ALL_IS_FINE, IDLE, Work, of_account};
use crate::words;
use ferry_sim::Sim;
use ferry_types::contract::{AccountView, Drill, ExpectedView};
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::later;
use ferry_types::domain::submission::State;

/// The sentences during a drill.
pub(super) fn expected(drill: Drill, queue: QueueNow<'_>, sim: &Sim) -> Vec<ExpectedView> {
    let in_a_row =
        format!("after {} in a row", words::counted(queue.health.breaker_failures, "failure"));
    let breaker =
        BlockReason::BreakerOpen { until: later(queue.now, queue.health.breaker_initial) };
    match drill {
        Drill::Faults => vec![
            expect(
                "as long as attempts succeed in between",
                (ALL_IS_FINE.to_owned(), String::new()),
            ),
            expect("for a moment after a 429", queue.throttled(sim.retry_after())),
            expect(&in_a_row, queue.blocked(breaker)),
        ],
        Drill::Outage => vec![expect(&in_a_row, queue.blocked(breaker))],
        Drill::Throttled => vec![expect("at the next request", queue.throttled(THROTTLED_FOR))],
        Drill::LostResponse => {
            vec![expect("as soon as the next attempt finds the name taken", queue.one_more_held())]
        }
        Drill::DeniedCredentials => {
            let reason = paused_for(&no_token(401, ": invalid_client"), queue.now);
            vec![expect("at the next request", queue.blocked(BlockReason::Paused { reason }))]
        }
        Drill::RejectedRow => {
            let word = StatusMap::shown(sim.rejected_word());
            let sentence = (data_rejected(&word), String::new());
            vec![expect("among the newest rejected, when the Platform has decided", sentence)]
        }
        Drill::StoppedWorkers => {
            let after = format!("when a step has been ready for {} s", IDLE.as_secs());
            vec![expect(&after, queue.without_workers())]
        }
    }
}

fn expect(when: &str, (sentence, effect): (String, String)) -> ExpectedView {
    ExpectedView { when: when.to_owned(), sentence, effect }
}

impl QueueNow<'_> {
    /// The account as it is, and as nothing blocks it.
    fn unblocked(&self) -> AccountView {
        let known = self.stats.accounts.iter().find(|account| account.account == self.account);
        let none = || AccountView { account: self.account.to_owned(), ..AccountView::default() };
        let known = known.cloned().unwrap_or_else(none);
        AccountView { blocked_by: None, outage: None, failing: None, ..known }
    }

    /// Sentence and effect of the worst finding about this account.
    fn worst(&self, account: &AccountView, work: &Work) -> (String, String) {
        let found = of_account(account, work, self.now).into_iter().next();
        let fine = || (ALL_IS_FINE.to_owned(), String::new());
        found.map_or_else(fine, |finding| (finding.sentence, finding.effect))
    }

    fn blocked(&self, reason: BlockReason) -> (String, String) {
        let account = AccountView { blocked_by: Some(reason), ..self.unblocked() };
        self.worst(&account, &Work::default())
    }

    fn throttled(&self, delay: std::time::Duration) -> (String, String) {
        self.blocked(BlockReason::Throttled { until: later(self.now, delay) })
    }

    fn one_more_held(&self) -> (String, String) {
        let mut account = self.unblocked();
        *account.states.entry(State::Held).or_default() += 1;
        self.worst(&account, &Work::default())
    }

    fn without_workers(&self) -> (String, String) {
        let account = self.unblocked();
        let ready = account.steps.values().map(|step| step.ready).sum::<u64>().max(1);
        let work = Work { runnable: ready, oldest: Some(IDLE), ..Work::default() };
        self.worst(&account, &work)
    }
}
