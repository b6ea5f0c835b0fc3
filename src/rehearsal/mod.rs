//! Rehearsals: drills with the simulated Platform and the workers of a demonstration, and what the
//! overview says during each.

mod expected;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use ferry_sim::{Endpoint, Fault, FaultRates, Sim};
use ferry_types::contract::{Drill, DrillView, RehearsalView, StatsView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::HealthPolicy;

/// Duration of the drill `throttled`.
const THROTTLED_FOR: Duration = Duration::from_mins(1);

/// Controls the simulated Platform and the workers of this process. Clones control the same.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    sim: Arc<Sim>,
    /// True while the workers run.
    workers: Arc<watch::Sender<bool>>,
}

/// The queue at a moment, for the sentences about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueNow<'a> {
    /// Its size.
    pub(crate) stats: &'a StatsView,
    /// The account that the simulated Platform serves.
    pub(crate) account: &'a str,
    /// The time.
    pub(crate) now: Timestamp,
    /// Policy of the circuit breaker.
    pub(crate) health: &'a HealthPolicy,
}

impl Rehearsal {
    /// A rehearsal without any drill.
    pub fn new(sim: Arc<Sim>) -> Self {
        Self { sim, workers: Arc::new(watch::channel(true).0) }
    }

    /// Begins a drill, or ends it. `share` is that of the requests that fail, if the drill has one.
    pub(crate) fn set(&self, drill: Drill, on: bool, share: f64) {
        match drill {
            Drill::Faults => self.sim.set_rates(rates(if on { share } else { 0.0 })),
            Drill::Outage => self.sim.set_outage(on),
            Drill::Throttled => {
                self.sim.throttle_for(if on { THROTTLED_FOR } else { Duration::ZERO });
            }
            Drill::LostResponse => self.script(Fault::ResetAfter, on),
            Drill::DeniedCredentials => self.sim.set_denied(on),
            Drill::RejectedRow => self.script(Fault::RejectRow, on),
            Drill::StoppedWorkers => drop(self.workers.send_replace(!on)),
        }
    }

    /// Ends all drills.
    pub(crate) fn end_all(&self) {
        self.sim.calm();
        self.workers.send_replace(true);
    }

    /// Ends when the workers are to stop.
    pub async fn workers_stopped(&self) {
        self.workers_are(false).await;
    }

    /// Ends when the workers are to run.
    pub async fn workers_started(&self) {
        self.workers_are(true).await;
    }

    async fn workers_are(&self, running: bool) {
        // The sender cannot be gone: `self` holds it.
        let _ = self.workers.subscribe().wait_for(|now| *now == running).await;
    }

    /// The drills, each with what the overview says during it.
    pub(crate) fn view(&self, queue: QueueNow<'_>) -> RehearsalView {
        let view = |drill| DrillView {
            drill,
            on: self.is_on(drill),
            share: (drill == Drill::Faults).then(|| self.share()),
            expected: expected::expected(drill, queue, &self.sim),
        };
        RehearsalView { drills: Drill::ALL.map(view).into() }
    }

    fn is_on(&self, drill: Drill) -> bool {
        match drill {
            Drill::Faults => self.share() > 0.0,
            Drill::Outage => self.sim.is_out(),
            Drill::Throttled => !self.sim.throttled_for().is_zero(),
            Drill::LostResponse => self.sim.is_scripted(&Fault::ResetAfter),
            Drill::DeniedCredentials => self.sim.is_denied(),
            Drill::RejectedRow => self.sim.is_scripted(&Fault::RejectRow),
            Drill::StoppedWorkers => !*self.workers.borrow(),
        }
    }

    fn share(&self) -> f64 {
        let FaultRates { server_error, throttled, reset, token_revoked, .. } = self.sim.rates();
        // To the thousandth: a sum of parts has no more.
        ((server_error + throttled + reset + token_revoked) * 1000.0).round() / 1000.0
    }

    fn script(&self, fault: Fault, on: bool) {
        self.sim.unscript(&fault);
        if on {
            self.sim.script(Endpoint::Upload, fault);
        }
    }
}

/// The errors of `ferry simulate --faults`, without lost responses: those are a drill of their own,
/// because each may need a decision.
fn rates(share: f64) -> FaultRates {
    let mixed = FaultRates::mixed(share);
    FaultRates { lost_response: 0.0, reset: mixed.reset + mixed.lost_response, ..mixed }
}
