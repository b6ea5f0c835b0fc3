//! Sentences that the overview shows during a drill: those of the findings themselves, about the queue
//! as the drill changes it.

use super::{QueueNow, THROTTLED_FOR};
use crate::pipeline::{data_rejected, paused_for};
use crate::platform::{StatusMap, no_token};
use crate::queue::{self, ALL_IS_FINE, IDLE_SECONDS};
use crate::words;
use ferry_sim::Sim;
use ferry_types::contract::{AccountView, Drill, ExpectedView, StatsView, StepView};
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::later;
use ferry_types::domain::submission::{State, StepKind};

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
            let reason = paused_for(&no_token(401, "invalid_client"), queue.now);
            vec![expect("at the next request", queue.blocked(BlockReason::Paused { reason }))]
        }
        Drill::RejectedRow => {
            let word = StatusMap::shown(sim.rejected_word());
            let sentence = (data_rejected(&word), String::new());
            vec![expect("among the newest rejected, when the Platform has decided", sentence)]
        }
        Drill::StoppedWorkers => {
            let after = format!("when a step has been ready for {IDLE_SECONDS} s");
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
        AccountView { blocked_by: None, ..known.cloned().unwrap_or_else(none) }
    }

    /// Sentence and effect of the worst finding about the queue with this account alone.
    fn worst(&self, account: AccountView) -> (String, String) {
        let stats = StatsView { accounts: vec![account], ..self.stats.clone() };
        let found = queue::findings(&stats, &Ok(()), self.now).into_iter().next();
        let fine = || (ALL_IS_FINE.to_owned(), String::new());
        found.map_or_else(fine, |finding| (finding.sentence, finding.effect))
    }

    fn blocked(&self, reason: BlockReason) -> (String, String) {
        self.worst(AccountView { blocked_by: Some(reason), ..self.unblocked() })
    }

    fn throttled(&self, delay: std::time::Duration) -> (String, String) {
        self.blocked(BlockReason::Throttled { until: later(self.now, delay) })
    }

    fn one_more_held(&self) -> (String, String) {
        let mut account = AccountView { steps: [].into(), ..self.unblocked() };
        *account.states.entry(State::Held).or_default() += 1;
        self.worst(account)
    }

    fn without_workers(&self) -> (String, String) {
        let mut account = self.unblocked();
        let ready = account.steps.values().map(|step| step.ready).sum::<u64>().max(1);
        let oldest_ready_seconds = Some(IDLE_SECONDS);
        let step = StepView { ready, oldest_ready_seconds, ..StepView::default() };
        account.steps = [(StepKind::Upload, step)].into();
        self.worst(account)
    }
}
